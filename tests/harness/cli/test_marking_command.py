"""``abaw hide``, ``note``, ``tag`` and ``remove``: soft, undoable, recorded in the store, kept by rebuilding it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.errors import DataError, SolutionError, UnknownNameError, UsageError
from harness.records.marks import MARKS_FILE, Marks, read_marks
from harness.store.rebuild import rebuild
from harness.store.store import Store
from tests.support.commands import invoke as abaw


@pytest.fixture
def out(tmp_path, run_record) -> Path:
    for name, seed in (("one-val-s0-11111111", 0), ("two-val-s1-22222222", 1)):
        run_record(name, name=f"expr/{name[:3]}", seed=seed).write(tmp_path / "submissions/EXPR" / name)
    rebuild(Store(tmp_path / "submissions/results.duckdb"), tmp_path / "submissions")
    return tmp_path / "submissions"


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
        assert [entry.name for entry in entries] == [name]


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


def test_path_of_a_copy_leaves_the_run_alone(out):
    copy = out.parent / "copy/EXPR/one-val-s0-11111111"
    shutil.copytree(out / "EXPR/one-val-s0-11111111", copy)
    for command in (("remove", str(copy)), ("hide", str(copy)), ("tag", str(copy), "a"), ("note", str(copy), "b")):
        with pytest.raises(DataError, match="this folder is a copy of a run"):
            abaw(*command)
    assert sorted(listed()) == ["one", "two"]
    assert not list(out.parent.rglob(MARKS_FILE))
    assert "one-val" in abaw("remove", str(out / "EXPR/one-val-s0-11111111")).stdout


def test_run_outside_of_the_runs_folder_is_not_removed(out):
    elsewhere = out.parent / "elsewhere"
    with pytest.raises(DataError, match=f"outside of the folder of the runs.*--out {out}"):
        abaw("remove", "1111", "--out", str(elsewhere), "--store", str(out / "results.duckdb"))
    assert (out / "EXPR/one-val-s0-11111111").is_dir()


def test_links_among_removed_runs_are_never_followed(out):
    victim = out.parent / "victim"
    shutil.copytree(out / "EXPR/one-val-s0-11111111", victim / "kept-val-s0-33333333")
    removed = out / "EXPR/.removed"
    removed.symlink_to(victim)
    assert "no run was removed" in abaw("remove", "--list").stdout
    with pytest.raises(UnknownNameError):
        abaw("remove", "--for-good", "33333333")
    with pytest.raises(DataError, match="is a symbolic link"):
        abaw("remove", "1111")
    removed.unlink()
    removed.mkdir()
    (removed / "kept-val-s0-33333333").symlink_to(victim / "kept-val-s0-33333333")
    for name in ("33333333", str(victim / "kept-val-s0-33333333"), "../../victim/kept-val-s0-33333333"):
        with pytest.raises(UnknownNameError):
            abaw("remove", "--for-good", name)
    assert (victim / "kept-val-s0-33333333/run.json").is_file()


@pytest.mark.parametrize("tags", [5, None, {"a": 1}, "abc"])
def test_history_that_holds_no_tags_is_undone_to_none(out, tags):
    history = [{"tags": tags, "note": 3, "hidden": "no"}]
    (out / "EXPR/one-val-s0-11111111" / MARKS_FILE).write_text(json.dumps({"tags": ["x"], "history": history}))
    assert "no tags" in abaw("tag", "1111", "--undo").stdout
    assert not read_marks(out / "EXPR/one-val-s0-11111111").hidden
