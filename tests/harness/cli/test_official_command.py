"""``abaw validate``, ``score``, ``pack`` and ``slots``: templates and labels below a data root, names of runs, undo."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from harness.errors import DataError, UnknownNameError, UsageError
from harness.slots import Ledger
from harness.store.store import Store
from harness.tasks import EXPR
from tests.support.commands import invoke as abaw


def rows(frames: dict[str, list[int]]) -> str:
    lines = [f"{name}/{k:05d}.jpg,{c}" for name, classes in frames.items() for k, c in enumerate(classes, start=1)]
    return "\n".join([EXPR.submission_header, *lines, ""])


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "predictions.txt"
    path.write_text(rows({"d": [0, 1, 2]}))
    return path


@pytest.fixture
def make_run(tmp_path, run_record):
    """Puts a run with an official file into its folder and the store."""

    def make(run_id: str, split: str, text: str) -> Path:
        folder = tmp_path / "submissions/EXPR" / run_id
        folder.mkdir(parents=True)
        (folder / "predictions.txt").write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        record = run_record(run_id, split=split, name="expr/cnn", files={"predictions.txt": digest})
        record.write(folder)
        Store(tmp_path / "submissions/results.duckdb").record([(record, folder)])
        return folder

    return make


def test_file_without_template_is_well_formed_not_valid(file):
    shown = abaw("validate", file)
    assert shown.exit_code == 0
    assert "predictions.txt: well-formed" in shown.stdout
    content = json.loads(abaw("validate", file, "--json").stdout)
    assert (content["verdict"], content["template"], content["valid"]) == ("well-formed", None, True)


def test_template_is_found_in_the_data_root(file, small_tree, monkeypatch):
    for options in (("--data", small_tree.root), ()):
        if not options:
            monkeypatch.setenv("ABAW_DATA", str(small_tree.root))
        content = json.loads(abaw("validate", file, "--json", *options).stdout)
        assert content["verdict"] == "valid"
        assert content["template"].startswith(str(small_tree.root))
    file.write_text(rows({"d": [0, 1]}))
    shown = abaw("validate", file)
    assert shown.exit_code == 1
    assert "NOT valid" in shown.stdout


def test_template_of_other_videos_is_not_taken(tmp_path, small_tree):
    path = tmp_path / "predictions.txt"
    path.write_text(rows({"c": [7, 7]}))
    content = json.loads(abaw("validate", path, "--data", small_tree.root, "--json").stdout)
    assert content["verdict"] == "well-formed"
    assert any("for other videos (0 of 1 are in it): not taken" in text for text in content["assumed"])


def test_validate_takes_names_and_folders_of_runs(make_run, small_tree):
    folder = make_run("cnn-test-s0-0a1b2c3d", "test", rows({"d": [0, 1, 2]}))
    for name in ("0a1b2c3d", "expr/cnn", folder):
        shown = abaw("validate", name, "--data", small_tree.root)
        assert f"EXPR/{folder.name}/predictions.txt: valid" in shown.stdout


def test_validate_of_a_changed_run_is_refused(make_run):
    folder = make_run("cnn-test-s0-0a1b2c3d", "test", rows({"d": [0, 1, 2]}))
    (folder / "predictions.txt").write_text(rows({"d": [0, 1, 3]}))
    from harness.errors import SubmissionError

    with pytest.raises(SubmissionError, match="not what the run wrote"):
        abaw("validate", "0a1b2c3d")


def test_score_takes_the_data_root_as_labels(make_run, small_tree):
    make_run("cnn-val-s0-0a1b2c3d", "val", rows({"c": [7, 7]}))
    by_root = json.loads(abaw("score", "0a1b2c3d", "--labels", small_tree.root, "--json").stdout)
    folder = Path(by_root["labels"])
    assert small_tree.root in folder.parents
    by_folder = json.loads(abaw("score", "0a1b2c3d", "--labels", folder, "--json").stdout)
    assert by_root == by_folder
    assert by_root["scores"][0]["value"] == pytest.approx(1 / 8)  # one of eight classes occurs, and is right


def test_score_of_train_names_its_split(tmp_path, small_tree):
    path = tmp_path / "predictions.txt"
    path.write_text(rows({"a": [0, 1, 2], "b_left": [3, 0, 5, 6]}))
    content = json.loads(abaw("score", path, "--labels", small_tree.root, "--split", "train", "--json").stdout)
    assert content["frames"] == 6
    with pytest.raises(DataError, match="no labels of EXPR on test"):
        abaw("score", path, "--labels", small_tree.root, "--split", "test")


def test_pack_warns_of_a_validation_run(make_run):
    make_run("cnn-val-s0-0a1b2c3d", "val", rows({"c": [7, 7]}))
    make_run("cnn-test-s0-0a1b2c3e", "test", rows({"d": [0, 1, 2]}))
    assert "is a run on val: the organisers want predictions for test" in abaw("pack", "0a1b2c3d").stderr
    assert "run on" not in abaw("pack", "expr/cnn").stderr


def test_slots_send_finds_run_task_and_template(make_run, small_tree, tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_DATA", str(small_tree.root))
    folder = make_run("cnn-test-s0-0a1b2c3d", "test", rows({"d": [0, 1, 2]}))
    sent = json.loads(abaw("slots", "send", "expr/cnn", "--json").stdout)
    assert (sent["task"], sent["run_id"], sent["problems"]) == ("EXPR", "cnn-test-s0-0a1b2c3d", [])
    assert any("held against the template" in note for note in sent["notes"])
    (folder / "predictions.txt").write_text(rows({"d": [0, 1]}))
    shutil.copy(folder / "predictions.txt", tmp_path / "short.txt")
    from harness.errors import SubmissionError

    with pytest.raises(SubmissionError, match="not valid"):
        abaw("slots", "send", tmp_path / "short.txt")


def test_board_says_how_far_each_run_is(make_run, small_tree, monkeypatch):
    monkeypatch.setenv("ABAW_DATA", str(small_tree.root))

    def state() -> list[str]:
        rows_of_board = json.loads(abaw("runs", "--json").stdout)
        return [row["test_file"] for row in rows_of_board if row["split"] == "val" and row["kind"] == "run"]

    make_run("cnn-val-s0-0a1b2c3d", "val", rows({"c": [7, 7]}))
    assert state() == ["none"]
    make_run("cnn-test-s0-0a1b2c3e", "test", rows({"d": [0, 1, 2]}))
    assert state() == ["made"]
    abaw("slots", "send", "0a1b2c3e")
    assert state() == ["sent as slot 1"]
    abaw("slots", "result", "1", "0.386")
    assert state() == ["0.386 (slot 1)"]
    assert "0.386 (slot 1)" in abaw("runs").stdout


def test_slots_undo_takes_back_score_then_submission(file, tmp_path):
    abaw("slots", "send", file, "--task", "EXPR", "--yes")
    abaw("slots", "result", "1", "0.3")
    abaw("slots", "result", "1", "0.4")
    assert "the score 0.4000 was taken back" in abaw("slots", "undo").stdout
    entry = Ledger(tmp_path / "submissions").read()[0]
    assert entry.score == 0.3
    abaw("slots", "undo", "1")
    assert "the submission of" in abaw("slots", "undo").stdout
    assert Ledger(tmp_path / "submissions").read() == ()
    kept = json.loads((tmp_path / "submissions/slots.json").read_text())
    assert len(kept["undone"]) == 1
    assert [(score["number"], score["value"]) for score in kept["undone_results"]] == [(1, 0.4), (1, 0.3)]
    with pytest.raises(UnknownNameError):
        abaw("slots", "undo")
    assert "#2:" in abaw("slots", "send", file, "--task", "EXPR", "--yes").stdout
    abaw("slots", "result", "2", "0.5")
    assert len(json.loads((tmp_path / "submissions/slots.json").read_text())["undone_results"]) == 2


def test_edition_is_a_setting_of_slots(file, tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_EDITION", "9")
    assert json.loads(abaw("slots", "send", file, "--task", "EXPR", "--yes", "--json").stdout)["edition"] == 9
    monkeypatch.setenv("ABAW_EDITION", "999")
    result = abaw("slots", "send", file, "--task", "EXPR", "--yes")
    assert "#2:" in result.stdout
    assert "edition 999 is later than any that this version knows, 11" in result.stderr
    monkeypatch.setenv("ABAW_EDITION", "ninth")
    with pytest.raises(UsageError, match="edition must be a whole number"):
        abaw("slots")
