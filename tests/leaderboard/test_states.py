"""Every page on every store that a user may have: none, empty, locked, broken, of a newer or an older version."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import streamlit as st

from harness.metrics.metric import metric_for
from harness.records.run import RunRecord
from harness.store.store import Store
from harness.tasks import EXPR
from leaderboard.screens import reading
from leaderboard.screens.links import PAGES
from tests.support.app_pages import open_page, words_of
from tests.support.scored_runs import record

pytestmark = pytest.mark.slow

RunFactory = Callable[..., RunRecord]
HOLD = """
import sys, duckdb
held = None
for line in sys.stdin:
    if held:
        held.close()
    held = duckdb.connect(line.rstrip()) if line.strip() else None
    print("done", flush=True)
"""
every_page = pytest.mark.parametrize("page", PAGES)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(reading, "PATIENCE", 0.02)
    st.cache_data.clear()
    yield
    st.cache_data.clear()


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory, run_record: RunFactory) -> Path:
    """A store with two runs with statistics, so that everything a page shows is there: copy it."""
    folder = tmp_path_factory.mktemp("filled")
    store = Store(folder / "results.duckdb")
    labels = np.tile(np.arange(8), 4)
    statistics = metric_for(EXPR).by_video(labels, np.where(labels == 7, 0, labels), [16, 16])
    headline = dict(zip("ab", statistics.tolist(), strict=True))
    runs = [run_record(f"expr/{name}", 0.4, statistics={"headline": headline}) for name in ("first", "second")]
    record(store, *runs)
    return store.path


@pytest.fixture
def filled(filled_once: Path, store: Store) -> Store:
    """A copy of that store, which a test may spoil."""
    shutil.copyfile(filled_once, store.path)
    return store


def untouched(store: Store, page: str) -> str:
    """Words of the page, which left the file as it was."""
    before = store.path.read_bytes()
    words = words_of(open_page(page))
    assert store.path.read_bytes() == before
    return words


@every_page
def test_without_a_store_a_page_says_what_to_do_and_makes_none(store: Store, page: str) -> None:
    words = words_of(open_page(page))
    assert "No results yet" in words
    assert "abaw" in words
    assert not list(store.path.parent.glob("*results.duckdb*")), "looking must leave nothing behind"


@every_page
def test_on_an_empty_store_a_page_says_what_to_do(store: Store, page: str) -> None:
    record(store)
    words = untouched(store, page)
    assert "no runs yet" in words
    assert "abaw" in words


@every_page
def test_on_an_empty_file_a_page_says_what_to_do(store: Store, page: str) -> None:
    duckdb.connect(str(store.path)).close()
    assert "no runs yet" in untouched(store, page)


@every_page
@pytest.mark.parametrize("state", ["cut", "noise", "folder", "somebody else's", "a link to itself"])
def test_a_store_that_can_not_be_read_is_named_with_the_way_out(filled: Store, page: str, state: str) -> None:
    path = filled.path
    if state == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif state == "noise":
        path.write_bytes(b"noise" * 5000)
    else:
        path.unlink()
    if state == "folder":
        path.mkdir()
    if state == "a link to itself":
        path.symlink_to(path)
    if state == "somebody else's":
        with duckdb.connect(str(path)) as db:
            db.execute("CREATE TABLE shopping (item VARCHAR)")
    words = words_of(open_page(page))
    assert "can't be read" in words
    assert str(path) in words
    assert "--store" in words


@every_page
def test_a_store_of_a_newer_version_asks_for_an_update(filled: Store, page: str) -> None:
    with duckdb.connect(str(filled.path)) as db:
        db.execute("INSERT INTO schema_version VALUES (999)")
    words = untouched(filled, page)
    assert "newer version" in words
    assert "Update" in words


@every_page
def test_older_store_is_shown_with_a_note_on_what_is_missing(filled: Store, page: str) -> None:
    as_version_3(filled.path)
    words = untouched(filled, page)
    assert "An earlier version" in words
    assert "abaw reindex" in words


def test_migrated_store_shows_no_note(filled: Store) -> None:
    as_version_3(filled.path)
    filled.record([])
    assert "An earlier version" not in words_of(open_page())


def as_version_3(path: Path) -> None:
    """What the version before this one left."""
    with duckdb.connect(str(path)) as db:
        db.execute("DROP TABLE draws")
        db.execute("DROP TABLE failures")
        db.execute("DROP TABLE recordings")
        db.execute("ALTER TABLE runs DROP COLUMN setup")
        db.execute("DELETE FROM schema_version WHERE version > 3")


@pytest.fixture(scope="module")
def holder() -> Iterator[Callable[[Path | None], None]]:
    """A process that holds the file it is told, or none; use ``hold``."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def tell(path: Path | None) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            print(path or "", file=process.stdin, flush=True)
            assert process.stdout.readline() == "done\n"

        yield tell


@pytest.fixture
def hold(filled: Store, holder: Callable[[Path | None], None]) -> Iterator[Callable[[], None]]:
    """A function that makes another process hold the store until the test ends."""
    yield lambda: holder(filled.path)
    holder(None)


@pytest.mark.process
@every_page
def test_a_locked_store_says_who_holds_it(hold: Callable[[], None], page: str) -> None:
    hold()
    words = words_of(open_page(page))
    assert "Another program holds the results store" in words
    assert "process" in words


@pytest.mark.process
@every_page
def test_store_locked_later_keeps_the_last_content_on_screen(
    hold: Callable[[], None], filled: Store, page: str
) -> None:
    ids = [str(run_id) for run_id in filled.runs()["run_id"]]
    address = {"run": {"run": ids[0]}, "compare": {"a": ids[0], "b": ids[1]}}.get(page, {})
    opened = open_page(page, **address)
    before = words_of(opened)
    hold()
    reading.forget()
    opened.run()
    assert not opened.exception
    after = words_of(opened)
    assert "read last" in after
    missing = [line for line in before.splitlines() if line and line not in after]
    assert missing == []


@every_page
@pytest.mark.parametrize(
    "address",
    [
        {
            "run": "nope",
            "video": "nope",
            "a": "nope",
            "b": "also nope",
            "task": "NOPE",
            "split": "nope",
            "data": "nope",
            "on": "nope",
            "table": "nope",
            "edition": "nope",
        },
        {"task": ["EXPR", "VA"], "run": ["x", "y"], "a": "", "video": "../../etc/passwd"},
    ],
)
def test_address_with_unknown_names_still_opens(filled: Store, page: str, address: dict[str, Any]) -> None:
    assert words_of(open_page(page, **address))


@every_page
def test_a_setting_that_can_not_be_used_is_named(store: Store, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABAW_WORKERS", "many")
    words = words_of(open_page(page))
    assert "workers" in words
    assert "setting" in words
