"""Label files: what counts as one, and exactly where it is wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError
from harness.files.labels.text import count_rows, read_labels
from harness.tasks import AU, EXPR, VA, valid_rows


@pytest.fixture
def label_file(write_file) -> Callable[[str | bytes], Path]:
    return functools.partial(write_file, "video.txt")


def test_row_k_is_frame_k_plus_1(label_file):
    labels = read_labels(label_file(f"{EXPR.header}\n4\n-1\n7\n"), EXPR)
    assert labels.tolist() == [4, -1, 7]
    assert labels.dtype == np.int64


def test_values_keep_their_decimals(label_file):
    labels = read_labels(label_file(f"{VA.header}\n0.25,-1\n-5,-5\n"), VA)
    assert labels.tolist() == [[0.25, -1], [-5, -5]]
    assert labels.dtype == np.float64


def test_action_units_are_twelve_columns(label_file):
    labels = read_labels(label_file(f"{AU.header}\n{','.join('010101010101')}\n{','.join(['-1'] * 12)}\n"), AU)
    assert labels.shape == (2, 12)
    assert labels[0].tolist() == [0, 1] * 6


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff{VA.header}\n0,0\n",
        f"{VA.header}\r\n0,0\r\n",
        f"{VA.header}\r0,0\r",
        f"{VA.header}\n0,0",
        f"{VA.header}\n0,0\n\n \n",
        "valence, arousal\n0, 0\n",
    ],
    ids=["byte-order mark", "CR LF", "CR", "no end", "blank lines at the end", "spaces"],
)
def test_harmless_differences_are_read(label_file, text):
    path = label_file(text)
    assert read_labels(path, VA).tolist() == [[0, 0]]
    assert count_rows(path) == 1


def test_no_rows_is_no_frames(label_file):
    assert read_labels(label_file(f"{EXPR.header}\n"), EXPR).shape == (0,)
    assert read_labels(label_file(f"{AU.header}\n"), AU).shape == (0, 12)
    assert count_rows(label_file(f"{AU.header}\n")) == 0


@pytest.mark.parametrize(
    ("task", "rows", "place"),
    [
        (EXPR, "0\n1\nhappy\n3\n", "4:1"),
        (EXPR, "0\n8\n", "3:1"),
        (EXPR, "-2\n", "2:1"),
        (EXPR, "3.0\n", "2:1"),
        (EXPR, "0\n\n1\n", "3:1"),
        (EXPR, "0\n1,2\n", "3:1"),
        (EXPR, "99999999999999999999\n", "2:1"),
        (EXPR, "0\x0c1\n", "2:1"),
        (VA, "0.5,0.5\n0.5,1.5\n", "3:5"),
        (VA, "0.5,nan\n", "2:5"),
        (VA, "0.5\n0.5,0.5,0.5\n", "2:1"),
        (AU, ",".join(["0"] * 11 + ["2"]) + "\n", "2:23"),
        (AU, ",".join(["0"] * 11) + "\n", "2:1"),
    ],
)
def test_the_first_wrong_label_is_named_with_line_and_column(label_file, task, rows, place):
    path = label_file(f"{task.header}\n{rows}")
    with pytest.raises(DataError) as caught:
        read_labels(path, task)
    assert str(caught.value).startswith(f"{path}:{place}: not a label; found")


def test_two_short_rows_with_right_total_are_still_wrong(label_file):
    path = label_file(f"{VA.header}\n0.1,0.2,0.3\n0.4\n")
    with pytest.raises(DataError, match=r"video\.txt:2:1: not a label; found '0\.1,0\.2,0\.3'"):
        read_labels(path, VA)


def test_a_file_of_another_task_is_named(label_file):
    with pytest.raises(DataError, match=r"video\.txt:1:1: not a label file for EXPR; found 'valence,arousal'"):
        read_labels(label_file(f"{VA.header}\n0,0\n"), EXPR)


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_called_that(label_file, text):
    with pytest.raises(DataError, match="the label file is empty; expected the header"):
        read_labels(label_file(text), EXPR)


def test_what_is_no_text_is_named(label_file):
    with pytest.raises(DataError, match="can't read the label file"):
        read_labels(label_file(b"\xff\xfe\x00"), EXPR)


def test_a_missing_file_is_named(tmp_path):
    for read in (count_rows, lambda path: read_labels(path, EXPR)):
        with pytest.raises(DataError, match="can't read the label file"):
            read(tmp_path / "missing.txt")


def test_one_mark_takes_the_whole_frame_out():
    assert valid_rows(np.array([0, -1, 7]), EXPR).tolist() == [True, False, True]
    assert valid_rows(np.array([[0.5, -5], [-5, -5], [0, 1]]), VA).tolist() == [False, False, True]
    units = np.zeros((2, 12), np.int64)
    units[1, 5] = -1
    assert valid_rows(units, AU).tolist() == [True, False]


def test_minus_one_is_a_valence():
    assert valid_rows(np.array([[-1.0, -1.0]]), VA).tolist() == [True]
