"""The organisers' list of rows: 5th edition with blanks, 6th on with dummy values."""

from __future__ import annotations

import pytest

from harness.errors import SubmissionError
from harness.files.template import read_template, task_of_header
from harness.tasks import AU, EXPR, VA


@pytest.mark.parametrize(
    ("task", "value"),
    [(EXPR, ""), (EXPR, "0"), (VA, ""), (VA, "0.5,-0.5"), (AU, "1,0,1,1,1,0,0,1,0,0,0,1")],
)
def test_rows_keep_their_order_and_values(tree, task, value):
    path = tree.template({"b": 2, "a_left": 1}, task=task, value=value)
    template = read_template(path, task)
    assert template.names() == ["b/00001.jpg", "b/00002.jpg", "a_left/00001.jpg"]
    assert template.dummy == value
    assert template.videos == ("b", "a_left")
    assert template.n_frames == {"b": 2, "a_left": 1}
    assert len(template) == 3


def test_the_length_of_a_video_is_its_highest_frame(submission):
    path = submission("v/00007.jpg,0", "v/00003.jpg,0")
    assert read_template(path, EXPR).n_frames == {"v": 7}


def test_frames_beyond_99999_have_six_digits(submission):
    path = submission("v/99999.jpg,0", "v/100000.jpg,0")
    assert read_template(path, EXPR).names() == ["v/99999.jpg", "v/100000.jpg"]


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n"])
def test_how_the_file_ends_does_not_matter(submission, end):
    assert len(read_template(submission("v/00001.jpg,0", "v/00002.jpg,0", end=end), EXPR)) == 2


def test_a_byte_order_mark_does_not_matter(submission):
    path = submission("v/00001.jpg,0", header="\ufeff" + EXPR.submission_header)
    assert len(read_template(path, EXPR)) == 1


@pytest.mark.parametrize(
    "row", ["", "v", "v/00001.png,0", "00001.jpg,0", "v/1.jpg,0", "v/000001.jpg,0", "v/00000.jpg,0", '"v/00001.jpg",0',
            "v/99999999999999999999.jpg,0", "v/٠٠٠٠١.jpg,0"]
)  # fmt: skip
def test_a_row_of_another_form_is_named_with_its_line(submission, row):
    path = submission("v/00001.jpg,0", row, "v/00002.jpg,0")
    with pytest.raises(SubmissionError, match=r"predictions\.txt:3:1: not a row of a template"):
        read_template(path, EXPR)


def test_a_template_of_another_task_says_of_which(submission):
    with pytest.raises(SubmissionError, match=r":1:1: not a template for EXPR; found the header of VA, expected"):
        read_template(submission("v/00001.jpg,0.5,-0.5", task=VA), EXPR)


def test_a_label_file_is_no_template(submission):
    with pytest.raises(SubmissionError, match="not a template for EXPR; found 'Neutral,Anger"):
        read_template(submission("0", header=EXPR.header), EXPR)


def test_a_template_without_rows_is_called_that(submission):
    with pytest.raises(SubmissionError, match="the template has no rows"):
        read_template(submission(), EXPR)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SubmissionError, match=r"missing\.txt: can't read the template"):
        read_template(tmp_path / "missing.txt", EXPR)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SubmissionError, match="binary:1:1: not a template for EXPR"):
        read_template(tmp_path / "binary", EXPR)


def test_fingerprint_covers_rows_and_order_not_dummy_values(submission):
    def fingerprint(*rows: str) -> str:
        return read_template(submission(*rows), EXPR).fingerprint()

    first = fingerprint("a/00001.jpg,0", "a/00002.jpg,0")
    assert fingerprint("a/00001.jpg,", "a/00002.jpg,7") == first
    assert fingerprint("a/00002.jpg,0", "a/00001.jpg,0") != first
    assert fingerprint("b/00001.jpg,0", "b/00002.jpg,0") != first


@pytest.mark.parametrize("task", [EXPR, VA, AU])
def test_a_header_names_its_task(task):
    assert task_of_header(task.submission_header + "\r\n") is task
    assert task_of_header(task.header) is None
