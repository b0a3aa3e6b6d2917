"""The official file, byte for byte, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import StorageError, SubmissionError
from harness.files.one_file import read_one_file, validate_one_file, write_one_file
from harness.files.template import read_template
from harness.tasks import AU, EXPR, VA

GOLDEN = Path(__file__).parents[1] / "golden"
LONG, SHORT = "14-30-1920x1080", "video2_left"
DECISIONS = {
    EXPR: {LONG: np.array([0, 7, 4]), SHORT: np.array([5])},
    VA: {LONG: np.array([[0.5, -0.5], [1, -1], [1 / 3, 0]]), SHORT: np.array([[-1e-6, 0.1234567]])},
    AU: {
        LONG: np.array([[1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 1], [0] * 12, [1] * 12]),
        SHORT: np.array([[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0]]),
    },
}
TASKS = pytest.mark.parametrize("task", [EXPR, VA, AU], ids=lambda task: task.name)


@TASKS
def test_the_file_is_the_golden_one_to_the_byte(tmp_path, task):
    rows = write_one_file(tmp_path / "out.txt", task, DECISIONS[task], [LONG, SHORT])
    assert rows == 4
    assert (tmp_path / "out.txt").read_bytes() == (GOLDEN / f"{task.name.lower()}.txt").read_bytes()


@TASKS
def test_a_golden_file_is_its_own_template(tmp_path, task):
    golden = GOLDEN / f"{task.name.lower()}.txt"
    template = read_template(golden, task)
    write_one_file(tmp_path / "out.txt", task, DECISIONS[task], template)
    assert (tmp_path / "out.txt").read_bytes() == golden.read_bytes()
    assert validate_one_file(tmp_path / "out.txt", task, template).problems == []


@TASKS
def test_what_is_read_is_what_was_written(task):
    table = read_one_file(GOLDEN / f"{task.name.lower()}.txt", task)
    assert list(table.frames) == [LONG, SHORT]
    assert table.frames[LONG].tolist() == [1, 2, 3]
    for name, values in DECISIONS[task].items():
        assert np.allclose(table.values[name], values, atol=5e-7)
        assert table.values[name].dtype == (np.float64 if task is VA else np.int64)
        assert table.values[name].shape == values.shape


def test_the_templates_rows_and_order_decide(submission, tmp_path):
    template = read_template(submission("b/00002.jpg,0", "a/00001.jpg,0", "b/00001.jpg,0"), EXPR)
    out = tmp_path / "out.txt"
    write_one_file(out, EXPR, {"a": np.array([1, 2]), "b": np.array([3, 4]), "c": np.array([5])}, template)
    assert out.read_text().splitlines()[1:] == ["b/00002.jpg,4", "a/00001.jpg,1", "b/00001.jpg,3"]


@pytest.mark.parametrize("decisions", [{"a": np.array([1])}, {"b": np.array([1, 2])}, {}])
def test_a_row_without_a_prediction_is_never_written(submission, tmp_path, decisions):
    template = read_template(submission("a/00001.jpg,0", "a/00002.jpg,0"), EXPR)
    with pytest.raises(SubmissionError, match=r"no prediction for a/0000[12]\.jpg"):
        write_one_file(tmp_path / "out.txt", EXPR, decisions, template)
    assert not (tmp_path / "out.txt").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="can't write"):
        write_one_file(tmp_path / "file/out.txt", EXPR, {"a": np.array([1])}, ["a"])


def test_rows_are_put_in_frame_order(submission):
    table = read_one_file(submission("a/00003.jpg,3", "a/00001.jpg,1", "a/00002.jpg,2"), EXPR)
    assert table.dense({"a": 3})["a"].tolist() == [1, 2, 3]


def test_rows_beyond_the_length_asked_for_are_left_out(submission):
    table = read_one_file(submission("a/00001.jpg,1", "a/00002.jpg,2", "a/00003.jpg,3"), EXPR)
    assert table.dense({"a": 2})["a"].tolist() == [1, 2]


def test_a_gap_names_the_first_frame_and_how_many(submission):
    table = read_one_file(submission("a/00001.jpg,1", "a/00004.jpg,1"), EXPR)
    with pytest.raises(SubmissionError, match=r"2 of the 4 frames of a have no row, the first is a/00002\.jpg"):
        table.dense({"a": 4})


def test_the_last_frame_counts_too(submission):
    table = read_one_file(submission("a/00001.jpg,1"), EXPR)
    with pytest.raises(SubmissionError, match=r"1 of the 2 frames of a have no row, the first is a/00002\.jpg"):
        table.dense({"a": 2})


def test_a_video_without_rows_is_named(submission):
    with pytest.raises(SubmissionError, match="no rows for video b, which has labels"):
        read_one_file(submission("a/00001.jpg,1"), EXPR).dense({"b": 1})


def test_a_file_with_errors_is_not_read(submission):
    path = submission(*[f"a/{k:05d}.jpg,9" for k in range(1, 8)])
    with pytest.raises(SubmissionError) as caught:
        read_one_file(path, EXPR)
    assert f"{path}: 7 errors; see all with: abaw validate" in str(caught.value)
    assert str(caught.value).count("[range]") == 5
