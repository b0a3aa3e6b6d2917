"""Pages of a real server, from the question to the end of its answer, with 100 and with 1,000 runs of 76 videos."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store.rebuild import rebuild
from harness.store.store import Store
from leaderboard.screens.links import PAGES
from tests.benchmarks.many_runs import Frames, make_records, write_store
from tests.support.leaderboard_server import Visitor, served

SIZES = (100, 1000)
WHOLE = 3


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Store]:
    """Stores by the number of their runs."""
    return {n: write_store(tmp_path_factory.mktemp(f"runs{n}"), n, whole=WHOLE) for n in SIZES}


@pytest.fixture(scope="session")
def visitors(stores: dict[int, Store]) -> Iterator[dict[int, Visitor]]:
    """Somebody who has seen every page of each server once."""
    with contextlib.ExitStack() as stack:
        found = {}
        for n, store in stores.items():
            server = stack.enter_context(served(store.path, store.path.parent, "--out", str(store.path.parent)))
            found[n] = stack.enter_context(Visitor(server))
            for page in PAGES:
                found[n].open(_named(page))
        yield found


def _named(page: str) -> str:
    return "" if page == "board" else page


def addresses(store: Store, page: str) -> Iterator[dict[str, str]]:
    """Another state of the page each time: what was computed for the last one is of no use."""
    # the oldest runs have folders; the others are of the store alone
    ids = [str(run_id) for run_id in store.runs().sort_values("created")["run_id"]]
    of_page = {
        "board": [{"task": "VA"}, {"task": "VA", "q": "mlp"}, {"task": "VA", "encoder": "wav2vec2"}],
        "run": [{"run": run_id} for run_id in ids[:WHOLE]] + [{"run": run_id} for run_id in ids[WHOLE : WHOLE + 20]],
        "compare": [{"a": a, "b": b} for a, b in itertools.pairwise(ids[:40])],
        "papers": [{"table": "abaw10:table2"}, {"table": "abaw8:table1"}],
        "submissions": [{"task": "VA"}, {"task": "EXPR"}],
    }
    return itertools.cycle(of_page[page])


@pytest.mark.parametrize("n", SIZES)
def test_the_first_page_of_a_server(grows, stores, tmp_path, n):
    store = stores[n]
    # the board opens with expressions, of which there are no runs here; the second one lists them all
    for page, address in [*((page, {}) for page in PAGES), ("board", {"task": "VA"})]:
        with served(store.path, tmp_path, "--out", str(store.path.parent)) as server, Visitor(server) as visitor:
            work = {n: lambda: opened(visitor, page, address)}  # noqa: B023
            grows(f"{page} {address}, first page of a new server", "runs", work, repeats=1)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_after_the_first(grows, stores, visitors, page):
    states = {n: addresses(store, page) for n, store in stores.items()}
    work = {n: lambda n=n: opened(visitors[n], page, next(states[n])) for n in SIZES}
    grows(f"{page}, another view", "runs", work, repeats=9)


def opened(visitor: Visitor, page: str, address: dict[str, str]) -> None:
    answer = visitor.open(_named(page), **address)
    assert answer.failures == []


def test_a_page_that_has_to_read_a_run_recorded_meanwhile(grows, stores, visitors, tmp_path):
    frames = Frames.draw()
    news = list(make_records(3, frames, tmp_path))

    def read_anew(n: int) -> None:
        stores[n].record([(news[0], tmp_path)])
        opened(visitors[n], "board", {"task": "VA"})

    grows("recording a run, and the board with it", "runs", {n: lambda n=n: read_anew(n) for n in SIZES})


def test_recording_a_run(grows, stores, tmp_path):
    (record,) = make_records(1, Frames.draw(), tmp_path)
    work = {n: lambda n=n: stores[n].record([(record, tmp_path)]) for n in SIZES}
    grows("recording a run", "runs in the store", work)


def test_reading_a_store(grows, stores):
    for what in ("runs", "targets"):
        grows(f"Store.{what}", "runs", {n: getattr(store, what) for n, store in stores.items()})
    ids = {n: [str(run_id) for run_id in store.runs()["run_id"]] for n, store in stores.items()}
    grows("Store.replicates of all", "runs", {n: lambda n=n: stores[n].replicates(ids[n]) for n in SIZES})


def test_reindexing(grows, tmp_path):
    frames = Frames.draw()
    work = {}
    for n in (20, 200):
        out = Path(tmp_path / str(n))
        for record in make_records(n, frames, out / "data"):
            folder = out / "VA" / record.run_id
            folder.mkdir(parents=True)
            record.write(folder)
        work[n] = lambda out=out: rebuild(Store(out / "results.duckdb"), out)
    grows("abaw reindex", "runs", work, repeats=2)
