"""Runs of others: no path that their records name is opened, and no page quotes what such a file holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import AbawError, DataError, SubmissionError
from harness.importing.take import take, to_record
from harness.records.origin import ORIGIN_FILE, Origin
from harness.records.run import RunRecord
from harness.runs.finished import Finished
from harness.store.store import Store
from harness.store.sync import record_due
from harness.tasks import EXPR
from leaderboard.data import frames
from leaderboard.data.files import GONE, check_official, run_files
from leaderboard.data.frames import read_decisions, read_split, video_names, video_scores
from leaderboard.data.reach import data_root, holds_run, made_here, official_of, own_file, template_of
from tests.support.answer_runs import run_answers
from tests.support.app_pages import open_page, words_of

PRIVATE = "p455word-of-somebody"
RunFactory = Callable[..., RunRecord]


@pytest.fixture
def own(tmp_path: Path, drawn_once: Path) -> Finished:
    """A run on test that was made here."""
    return run_answers(drawn_once, EXPR, "test", tmp_path / "out" / "results.duckdb")


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A file of the user's that no page may show."""
    path = tmp_path / "private.txt"
    path.write_text(f"{PRIVATE}\n{PRIVATE},1\n")
    return path


def imported(run: Finished) -> Finished:
    """Return the run as if it had been imported."""
    Origin.now(Path("their.zip")).write(run.folder)
    return run


def test_an_own_run_names_its_data_set(own: Finished, drawn_once: Path) -> None:
    assert made_here(own.record, own.folder)
    assert data_root(own.record, own.folder, None) == drawn_once
    assert data_root(own.record, own.folder, Path("elsewhere")) == drawn_once


def test_an_imported_run_names_none(own: Finished, drawn_once: Path) -> None:
    run = imported(own)
    assert not made_here(run.record, run.folder)
    with pytest.raises(DataError, match=r"was not made here, and no path in its record is opened.*--data ROOT"):
        data_root(run.record, run.folder, None)
    assert data_root(run.record, run.folder, drawn_once) == drawn_once, "a data set that the user named"


def test_a_dangling_origin_counts(own: Finished) -> None:
    (own.folder / ORIGIN_FILE).symlink_to("nowhere")
    assert not made_here(own.record, own.folder)


def test_a_record_of_a_store_names_none(own: Finished, tmp_path: Path) -> None:
    other = replace(own.record, data={**own.record.data, "root": str(tmp_path)})
    assert not made_here(other, own.folder), "the store's record names another data set than the folder's"
    assert not made_here(replace(own.record, run_id="x"), own.folder)
    assert not made_here(own.record, tmp_path / "gone")
    given = replace(own.record, options={**own.record.options, "template": "/etc/hostname"})
    assert not made_here(given, own.folder)


def test_a_run_that_belongs_to_another_user_names_none(own: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not made_here(own.record, own.folder)


def test_a_template_of_others_is_not_opened(own: Finished, private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = replace(own.record, options={"template": str(private)}, data={**own.record.data, "root": str(private)})
    record.write(own.folder)
    run = imported(replace(own, record=record))
    opened: list[str] = []
    real = Path.open

    def watch(path: Path, *arguments: object, **options: object) -> object:
        opened.append(str(path))
        return real(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", watch)
    assert template_of(run.record, run.folder) is None
    report, template = check_official(run.record, run.folder)
    assert report.valid
    assert template == ""
    with pytest.raises(DataError):
        data_root(run.record, run.folder, None)
    assert str(private) not in opened


def test_an_unreadable_template_is_not_quoted(own: Finished, private: Path) -> None:
    record = replace(own.record, options={"template": str(private)})
    record.write(own.folder)
    with pytest.raises(AbawError, match="See why with: abaw validate FILE --template") as error:
        check_official(record, own.folder)
    assert PRIVATE not in str(error.value)


def test_unreadable_labels_are_not_quoted(own: Finished, tmp_path: Path) -> None:
    labels = tmp_path / "set" / "annotations" / "EXPR_Classification_Challenge" / "Validation_Set"
    labels.mkdir(parents=True)
    (labels / "v.txt").write_text(f"{PRIVATE}\n{PRIVATE}\n")
    with pytest.raises(DataError, match="See why with: abaw data check") as error:
        read_split(replace(own.record, split="val"), tmp_path / "set")
    assert PRIVATE not in str(error.value)


def test_no_file_beside_the_run_is_opened(own: Finished, private: Path, run_record: RunFactory) -> None:
    place = private.parent
    for name in ("private.txt", "../private.txt", str(private), "link.txt"):
        (own.folder / "link.txt").unlink(missing_ok=True)
        (own.folder / "link.txt").symlink_to(private)
        hostile = replace(own.record, files={name: "0"})
        assert own_file(hostile, own.folder, name) is None
        with pytest.raises(DataError, match="is not there"):
            official_of(hostile, own.folder)
        with pytest.raises(DataError, match="is not there"):
            read_decisions(hostile, own.folder)
    foreign = run_record(files={"private.txt": "0", "scores.npz": "0"})
    assert not holds_run(foreign, place)
    assert [file.state for file in run_files(foreign, place)] == [GONE, GONE], "a folder that is no run's"
    assert video_names(foreign, place) == []
    with pytest.raises(DataError, match="scores are not there"):
        video_scores(foreign, place, "v")


def test_an_unreadable_official_file_is_not_quoted(own: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **options: object) -> None:
        raise SubmissionError(f"found {PRIVATE}")

    monkeypatch.setattr(frames, "open_submission", refuse)
    with pytest.raises(DataError, match="See why with: abaw validate") as error:
        read_decisions(own.record, own.folder)
    assert PRIVATE not in str(error.value)


@pytest.mark.parametrize("named", [False, True])
def test_the_page_of_an_imported_run_says_how_to_see_images(
    own: Finished, drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    mine = Store(tmp_path / "mine" / "results.duckdb")
    outcomes = list(take([own.folder], tmp_path / "mine"))
    record_due(mine, to_record(mine, outcomes), lambda _: None)
    monkeypatch.setenv("ABAW_STORE", str(mine.path))
    if named:
        monkeypatch.setenv("ABAW_DATA", str(drawn_once))
    video = next(iter(read_decisions(own.record, own.folder)))
    words = words_of(open_page("run", run=own.record.run_id, video=video))
    assert ("Not shown: labels and images are not read: this run was not made here" in words) is not named
    assert ("abaw leaderboard --data ROOT" in words) is not named


def test_a_run_json_that_is_no_file_is_not_waited_for(own: Finished) -> None:
    (own.folder / "run.json").unlink()
    os.mkfifo(own.folder / "run.json")
    assert not holds_run(own.record, own.folder)
    assert not made_here(own.record, own.folder)
