"""Label files of violence detection: what is read, what is masked, and which line is wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError
from harness.files.labels.by_frame import read_frame_labels

HEADER = "Frame_Number,Label"


@pytest.fixture
def written(write_file) -> Callable[[str | bytes], Path]:
    return functools.partial(write_file, "0007.csv")


def test_frames_count_from_1_and_missing_ones_are_masked(written):
    labels = read_frame_labels(written(f"{HEADER}\n2,1\n3,0\n5,1\n"))
    assert labels.tolist() == [-1, 1, 0, -1, 1]
    assert labels.dtype == np.int64


@pytest.mark.parametrize("header", [HEADER, "Frame_Num,Label", "frame_number,LABEL", "\ufeffFrame_Number,Label"])
def test_every_spelling_of_the_header_is_read(written, header):
    assert read_frame_labels(written(f"{header}\n1,0\n2,1\n")).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("1,0\r\n2,1\r\n", [0, 1]),
        ("1,0\n2,\n3,1\n", [0, -1, 1]),
        ("1,0.0\n2,\n3,1.0\n", [0, -1, 1]),  # as pandas writes it
        ("2,1\n1,0\n", [0, 1]),
        ("1,-1\n2,1", [-1, 1]),
        ("1,1\n\n\n", [1]),
    ],
)
def test_untidy_files_are_read(written, rows, expected):
    assert read_frame_labels(written(f"{HEADER}\n{rows}")).tolist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEADER}\n1,0\n2,1\n2,1\n", r"0007\.csv:4:1: .*2 has a row already, in line 3"),
        (f"{HEADER}\n1,0\n2,2\n", r"0007\.csv:3:3: .*found 2, expected a whole number from -1 to 1"),
        (f"{HEADER}\n1,0\n2,0.5\n", r"0007\.csv:3:3: .*found '0\.5'"),
        (f"{HEADER}\n1,0\n2,violent\n", r"0007\.csv:3:3: .*found 'violent'"),
        (f"{HEADER}\n0,0\n1,1\n", r"0007\.csv:2:1: .*frames are numbered from 1"),
        (f"{HEADER}\n1,0\n2,1,1\n", r"0007\.csv:3:3: .*found 2 values, expected 1"),
        (
            f"{HEADER}\n900000000,1\n",
            r"0007\.csv:2:1: .*found frame 900,000,000, .*no video is as long",
        ),
        (HEADER, r"0007\.csv:1:1: .*no rows"),
        ("", r"0007\.csv:1:1: not a label file for VD; found ''"),
        ("Valence,Arousal\n0,0\n", r"0007\.csv:1:1: not a label file for VD; found 'Valence,Arousal'"),
        (f"{HEADER}\n".encode("utf-16"), r"0007\.csv:1:1: error \[encoding\] the file is in UTF-16"),
    ],
)
def test_the_line_that_is_wrong_is_named(written, text, message):
    with pytest.raises(DataError, match=message):
        read_frame_labels(written(text))


def test_a_file_that_is_wrong_throughout_is_counted_not_listed(written):
    text = "\n".join([HEADER, *(f"{k},2" for k in range(1, 101))])
    with pytest.raises(DataError, match=r":2:3: .* \(and 99 more\)$"):
        read_frame_labels(written(text))


def test_a_long_file_says_what_a_short_one_says(written):
    """Plain rows are read all at once, others line by line: to the same end."""
    rng = np.random.default_rng(0)
    frames = np.flatnonzero(rng.random(3000) < 0.8) + 1
    labels = rng.integers(-1, 2, len(frames))
    rows = [f"{k},{label}" for k, label in zip(frames.tolist(), labels.tolist(), strict=True)]
    plain = read_frame_labels(written("\n".join([HEADER, *rows, ""])))
    rows[7] = rows[7] + ","  # nobody minds a last comma, and the whole file goes the long way
    expected = np.full(int(frames[-1]), -1)
    expected[frames - 1] = labels
    assert np.array_equal(plain, expected)
    with pytest.raises(DataError, match=r"0007\.csv:9:\d+: .*trailing comma"):
        read_frame_labels(written("\n".join([HEADER, *rows, ""])))
