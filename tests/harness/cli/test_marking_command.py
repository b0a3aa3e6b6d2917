"""``abaw hide``, ``note``, ``tag`` and ``remove``: soft, undoable, recorded in the store, kept by rebuilding it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.errors import DataError, SolutionError, UnknownNameError, UsageError
from harness.records.marks import MARKS_FILE, Marks, read_marks
from harness.store.rebuild import rebuild
from harness.store.store import Store


@pytest.fixture
def out(tmp_path, run_record) -> Path:
    for name, seed in (("one-val-s0-11111111", 0), ("two-val-s1-22222222", 1)):
        run_record(name, name=f"expr/{name[:3]}", seed=seed).write(tmp_path / "submissions/EXPR" / name)
    rebuild(Store(tmp_path / "submissions/results.duckdb"), tmp_path / "submissions")
    return tmp_path / "submissions"


def abaw(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def listed(*options: str) -> list[str]:
    return [row["run_id"][:3] for row in json.loads(abaw("runs", "--json", *options).stdout) if row["kind"] == "run"]


def test_hidden_run_leaves_the_board_and_comes_back(out):
    assert "hidden" in abaw("hide", "1111").stdout
    assert listed() == ["two"]
    assert sorted(listed("--hidden")) == ["one", "two"]
    assert list(Store(out / "results.duckdb").runs()["run_id"]) == ["two-val-s1-22222222"]
    assert "macro-F1" in abaw("show", "1111").stdout
    assert abaw("runs").stderr == ""
    abaw("hide", "1111", "--undo")
    assert sorted(listed()) == ["one", "two"]


def test_marks_outlive_the_store(out):
    abaw("hide", "1111")
    abaw("tag", "2222", "final", "v2")
    abaw("note", "2222", "crops of edition 6")
    (out / "results.duckdb").unlink()
    abaw("reindex")
    assert listed() == ["two"]
    row = next(row for row in json.loads(abaw("runs", "--json").stdout) if row["run_id"])
    assert row["tags"] == "final · v2"
    assert row["notes"].startswith("crops of edition 6")


def test_note_and_tags_can_be_undone(out):
    abaw("note", "1111", "first")
    abaw("note", "1111", "second")
    assert "note: first" in abaw("note", "1111", "--undo").stdout
    assert "note: first" in abaw("show", "1111").stdout
    abaw("tag", "1111", "a", "b", "a")
    assert "tags: b" in abaw("tag", "1111", "--remove", "a").stdout
    assert "tags: a, b" in abaw("tag", "1111", "--undo").stdout
    assert "no tags" in abaw("tag", "1111", "--remove").stdout


def test_search_finds_notes_and_tags(out):
    from harness.board.board import load_board
    from harness.board.entries import Filters, View, filtered
    from harness.tasks import EXPR

    abaw("note", "1111", "crops of edition 6")
    abaw("tag", "2222", "final")
    board = load_board(Store(out / "results.duckdb"), View(EXPR, "val", "Aff-Wild2"))
    for word, name in (("edition 6", "expr/one"), ("final", "expr/two")):
        entries = filtered(board.runs, Filters({}, search=word))
        assert list(entries["name"]) == [name]


def test_record_of_a_marked_run_stays_as_it_was(out):
    path = out / "EXPR/one-val-s0-11111111/run.json"
    before = path.read_bytes()
    abaw("hide", "1111")
    assert path.read_bytes() == before
    assert read_marks(path.parent).hidden
    assert read_marks(path.parent).history[0]["hidden"] is False


def test_removed_run_comes_back_whole(out):
    folder = out / "EXPR/one-val-s0-11111111"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert "Bring it back with: abaw remove --undo one-val-s0-11111111" in abaw("remove", "1111").stdout
    assert not folder.exists()
    assert listed() == ["two"]
    assert abaw("remove", "--list").stdout == "one-val-s0-11111111\n"
    abaw("sync")
    assert listed() == ["two"]
    abaw("remove", "--undo", "11111111")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(listed()) == ["one", "two"]


def test_only_removed_runs_can_be_deleted(out):
    with pytest.raises(UnknownNameError, match="removed run"):
        abaw("remove", "--for-good", "1111")
    abaw("remove", "1111")
    abaw("remove", "--for-good", "11111111")
    assert abaw("remove", "--list").stdout.endswith("no run was removed\n")
    assert (out / "EXPR/two-val-s1-22222222").is_dir()


def test_run_is_not_brought_back_over_another(out, run_record):
    abaw("remove", "1111")
    run_record("one-val-s0-11111111", name="expr/one").write(out / "EXPR/one-val-s0-11111111")
    with pytest.raises(SolutionError, match="another run has this place"):
        abaw("remove", "--undo", "11111111")


def test_run_whose_folder_is_elsewhere_is_not_marked(out):
    (out / "EXPR/one-val-s0-11111111").rename(out.parent / "elsewhere")
    with pytest.raises(DataError, match="on another machine"):
        abaw("hide", "1111")


@pytest.mark.parametrize("arguments", [("note", "1111"), ("tag", "1111"), ("remove",), ("remove", "--list", "1111")])
def test_incomplete_marking_command_is_wrong_usage(out, arguments):
    with pytest.raises(UsageError):
        abaw(*arguments)


def test_marks_that_are_too_many_are_refused(out):
    with pytest.raises(DataError, match="tags that can't be shown"):
        abaw("tag", "1111", *(f"t{k}" for k in range(60)))
    assert not (out / "EXPR/one-val-s0-11111111" / MARKS_FILE).exists()


def test_unchanged_marks_have_no_history():
    assert Marks().changed(hidden=False).history == ()
    assert Marks().undone() == Marks()
