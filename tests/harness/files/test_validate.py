"""Every way in which files have been seen to be wrong, each with its line and column."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from harness.errors import SubmissionError
from harness.files.one_file import validate_one_file
from harness.files.report import SHOWN_PER_KIND
from harness.files.template import read_template
from harness.tasks import AU, EXPR, VA

ZEROS = ",".join("0" * 12)


def found(report) -> list[tuple[str, int, int]]:
    """Code, line and column of every problem, warnings included, in file order."""
    problems = sorted(report.problems, key=lambda p: (p.line, p.column))
    return [(p.code, p.line, p.column) for p in problems]


def rows(name: str, *values: object) -> list[str]:
    return [f"{name}/{k:05d}.jpg,{value}" for k, value in enumerate(values, start=1)]


@pytest.fixture
def template(tree):
    """Rows of three videos: ``a`` has three frames, ``b_left`` two, ``c`` one."""
    return read_template(tree.template({"a": 3, "b_left": 2, "c": 1}), EXPR)


GOOD = [*rows("a", 1, 2, 3), *rows("b_left", 4, 5), *rows("c", 6)]


def test_a_right_file_has_nothing_to_say(submission, template):
    report = validate_one_file(submission(*GOOD), EXPR, template)
    assert report.valid
    assert found(report) == []
    assert (report.rows, report.videos) == (6, 3)
    assert report.assumed == []


def test_without_a_template_what_was_not_checked_is_said(submission):
    report = validate_one_file(submission(*GOOD), EXPR)
    assert report.valid
    assert found(report) == []
    assert "no template given" in report.assumed[0]


def test_a_missing_end_of_line_is_fine(submission, template):
    assert validate_one_file(submission(*GOOD, end=""), EXPR, template).valid


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("a/00002.jpg,8", "range", 13),
        ("a/00002.jpg,-1", "range", 13),
        ("a/00002.jpg,3.0", "not-whole", 13),
        ("a/00002.jpg,0.7", "not-whole", 13),
        ("a/00002.jpg,1e300", "not-whole", 13),
        ("a/00002.jpg,Anger", "not-a-number", 13),
        ("a/00002.jpg,nan", "not-a-number", 13),
        ("a/00002.jpg,1_0", "not-a-number", 13),
        ("a/00002.jpg,٣", "not-a-number", 13),
        ("a/00002.jpg," + "9" * 5000, "not-whole", 13),
        ("a/00002.jpg,", "blank-value", 13),
        ("a/00002.jpg, ", "blank-value", 13),
        ("a/00002.jpg,,,,,,,,", "blank-value", 13),
        ("a/00002.jpg,3,,,,,,,", "trailing-comma", 14),
        ("a/00002.jpg, 3", "space", 13),
        ("a/00002.jpg,1,2", "columns", 13),
        ("a/00002.jpg", "columns", 12),
        ("a/00001.jpg,3", "duplicate", 1),
        ("", "blank", 1),
        ("  ", "blank", 1),
        ('"a/00002.jpg,3"', "quoted", 1),
        ('"a/00002.jpg",3', "quoted", 1),
        ("a/00002.png,3", "extension", 1),
        ("a/00002.JPG,3", "extension", 1),
        ("a/2.jpg,3", "padding", 1),
        ("a/0002.jpg,3", "padding", 1),
        ("a/000002.jpg,3", "padding", 1),
        ("a\\00002.jpg,3", "backslash", 2),
        ("cropped/a/00002.jpg,3", "name", 1),
        ("/data/cropped/a/00002.jpg,3", "name", 1),
        ("a.mp4/00002.jpg,3", "name", 1),
        ("C:\\crops\\a\\00002.jpg,3", "name", 1),
        (EXPR.submission_header, "repeated-header", 1),
        ("\0a/00002.jpg,3", "control", 1),
        ("a/00002.jpg,3\x0b", "control", 14),
        ("a/00002.jpg,\u00a03", "control", 13),
        ("a/00002.jpg,\u20033", "control", 13),
        ("\u200ba/00002.jpg,3", "control", 1),
        ('"a/00002.jpg","3,5"', "quoted-comma", 1),
        ("a/" + "9" * 5000 + ".jpg,3", "location", 1),
        ("00002.jpg,3", "location", 1),
        ("a/frame-2.jpg,3", "location", 1),
        ("3", "location", 1),
    ],
)
def test_a_wrong_row_of_classes(submission, row, code, column):
    report = validate_one_file(submission("a/00001.jpg,0", row, "b/00001.jpg,0"), EXPR)
    assert (code, 3, column) in found(report)
    assert {line for _, line, _ in found(report)} == {3}
    assert report.valid == (code in ("space", "blank", "extension", "padding", "backslash", "repeated-header"))


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("1.01,0", "range", 13),
        ("0.5,-1.5", "range", 17),
        ("-5,-5", "range", 13),
        ("0.5,inf", "not-a-number", 17),
        ("0.5,nan", "not-a-number", 17),
        ("0.5,", "columns", 13),
        ("0.5", "columns", 13),
        ("0.5,0.5,0.5", "columns", 13),
        ("0.5, 0.5", "space", 17),
        ("0.5;0.5", "columns", 13),
        ("0.5,1e999", "range", 17),
    ],
)
def test_a_wrong_row_of_values(submission, row, code, column):
    report = validate_one_file(submission("a/00001.jpg,0,0", f"a/00002.jpg,{row}", task=VA), VA)
    assert (code, 3, column) in found(report)


@pytest.mark.parametrize("row", ["-1,1", "1e-3,-0", "+.5,1.", "0.1234567890123456789,-1E-7"])
def test_every_way_to_write_a_number_is_fine(submission, row):
    assert found(validate_one_file(submission(f"a/00001.jpg,{row}", task=VA), VA)) == []


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("0,0,0,0,0,0,0,0,0,0,0,2", "range", 35),
        ("-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1", "range", 13),
        ("0,0.9,0,0,0,0,0,0,0,0,0,0", "not-whole", 15),
        ("0,0,0,0,0,0,0,0,0,0,0", "columns", 13),
        ("0,0,0,,0,0,0,0,0,0,0,0", "not-a-number", 19),
    ],
)
def test_a_wrong_row_of_units(submission, row, code, column):
    report = validate_one_file(submission(f"a/00001.jpg,{ZEROS}", f"a/00002.jpg,{row}", task=AU), AU)
    assert (code, 3, column) in found(report)


def test_the_mark_of_unlabelled_frames_is_called_that(submission):
    report = validate_one_file(submission("a/00001.jpg,-1"), EXPR)
    assert "expected a whole number from 0 to 7 (the mark of a frame that nobody annotated is no prediction)" in str(
        report.errors[0]
    )


@pytest.mark.parametrize(
    ("header", "code", "column"),
    [
        (VA.submission_header, "task", 1),
        (AU.submission_header, "task", 1),
        (f'"{EXPR.submission_header}"', "quoted", 1),
        (EXPR.submission_header.replace(",", '","').join('""'), "quoted", 1),
        (EXPR.submission_header + ",", "header", len(EXPR.submission_header) + 1),
        (EXPR.submission_header + " ", "header", len(EXPR.submission_header) + 1),
        (" " + EXPR.submission_header, "header", 1),
        (EXPR.header, "header", 1),
        ("image_location,Expression", "header", 1),
        ("", "header", 1),
    ],
)
def test_a_wrong_header(submission, header, code, column):
    report = validate_one_file(submission("a/00001.jpg,0", header=header), EXPR)
    assert found(report) == [(code, 1, column)]


def test_a_header_of_another_task_says_of_which(submission):
    report = validate_one_file(submission("a/00001.jpg,0,0", task=VA), EXPR)
    assert "this is a file for VA, expected EXPR" in str(report.errors[0])


def test_a_missing_header_costs_no_row(submission, template):
    report = validate_one_file(submission(*GOOD[1:], header=GOOD[0]), EXPR, template)
    assert found(report) == [("header", 1, 1)]
    assert report.rows == 6


@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_rows(tmp_path, data):
    path = tmp_path / "predictions.txt"
    path.write_bytes(data)
    codes = {code for code, _, _ in found(validate_one_file(path, EXPR))}
    assert {"header", "empty"} <= codes


def test_a_byte_order_mark_is_named_and_nothing_else(submission, template):
    path = submission(*GOOD)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert found(validate_one_file(path, EXPR, template)) == [("bom", 1, 1)]


def test_windows_line_ends_are_named_once_where_the_first_is(submission, template):
    path = submission(*GOOD)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[:2]) + b"\n" + b"\r\n".join(lines[2:]))
    assert found(validate_one_file(path, EXPR, template)) == [("crlf", 3, 14)]


def test_what_is_no_text_is_named_with_line_and_column(tmp_path):
    path = tmp_path / "predictions.txt"
    path.write_bytes(EXPR.submission_header.encode() + b"\nab\xff\n")
    report = validate_one_file(path, EXPR)
    assert found(report) == [("location", 2, 1), ("not-text", 2, 3)]
    assert "not a text file; found byte 0xff, expected UTF-8" in str(report.errors[1])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SubmissionError, match="can't read the file; found No such file or directory"):
        validate_one_file(tmp_path / "missing.txt", EXPR)
    with pytest.raises(SubmissionError, match="Is a directory"):
        validate_one_file(tmp_path, EXPR)


def test_a_missing_row_is_named_where_it_should_be(submission, template):
    report = validate_one_file(submission(*GOOD[:3], *GOOD[4:]), EXPR, template)
    assert found(report) == [("missing", 5, 1)]
    assert "no row for b_left/00001.jpg, which is line 5 of" in str(report.errors[0])


def test_a_partial_video_misses_its_tail(submission, template):
    report = validate_one_file(submission(*GOOD[:1], *GOOD[3:]), EXPR, template)
    assert found(report) == [("missing", 3, 1), ("missing", 3, 1)]


def test_an_extra_last_frame_says_how_many_there_are(submission, template):
    report = validate_one_file(submission(*GOOD[:3], "a/00004.jpg,3", *GOOD[3:]), EXPR, template)
    assert found(report) == [("extra", 5, 1)]
    assert "a/00004.jpg is not in the template; a has 3 frames" in str(report.errors[0])


def test_a_video_of_another_side_is_guessed(submission, template):
    report = validate_one_file(submission(*GOOD, "b/00001.jpg,0"), EXPR, template)
    assert "b/00001.jpg is not in the template; did you mean b_left?" in str(report.errors[0])


def test_a_video_nobody_knows_is_called_that(submission, template):
    report = validate_one_file(submission(*GOOD, "zzz/00001.jpg,0"), EXPR, template)
    assert "there is no such video" in str(report.errors[0])


def test_frames_counted_from_zero_are_named(submission, template):
    zero_based = ["a/00000.jpg,1", "a/00001.jpg,2", "a/00002.jpg,3", *GOOD[3:]]
    report = validate_one_file(submission(*zero_based), EXPR, template)
    assert found(report) == [("extra", 2, 1), ("missing", 5, 1)]
    assert "frames are numbered from 1" in str(report.errors[0])


def test_frames_from_zero_are_named_without_template_too(submission):
    path = submission(*rows("a", 1), "b/00000.jpg,1", "b/00001.jpg,1", "c/00000.jpg,1")
    report = validate_one_file(path, EXPR)
    assert found(report) == [("zero-based", 3, 1), ("zero-based", 5, 1)]
    assert not report.valid


def test_gaps_are_a_warning_without_a_template(submission):
    report = validate_one_file(submission(*rows("a", 1, 1), "b/00002.jpg,1", "b/00005.jpg,1"), EXPR)
    assert found(report) == [("gaps", 4, 1)]
    assert "b: 3 of frames 1 to 5 have no row" in report.problems[0].message
    assert report.valid


def test_a_row_with_a_wrong_value_is_no_missing_row(submission, template):
    path = submission("a/00001.jpg,9", *GOOD[1:])
    assert found(validate_one_file(path, EXPR)) == [("range", 2, 13)]
    assert found(validate_one_file(path, EXPR, template)) == [("range", 2, 13)]


def test_rows_in_another_order_are_named(submission, template):
    report = validate_one_file(submission(GOOD[1], GOOD[0], *GOOD[2:]), EXPR, template)
    assert found(report) == [("order", 2, 1), ("order", 3, 1)]
    assert "found a/00002.jpg, the template has a/00001.jpg here" in str(report.errors[0])


def test_order_is_checked_beside_missing_and_extra_rows(submission, template):
    report = validate_one_file(submission(GOOD[1], GOOD[0], "zzz/00001.jpg,0", *GOOD[3:]), EXPR, template)
    assert {code for code, _, _ in found(report)} == {"order", "extra", "missing"}


def test_a_duplicate_does_not_put_the_rest_out_of_order(submission, template):
    report = validate_one_file(submission(GOOD[0], *GOOD), EXPR, template)
    assert found(report) == [("duplicate", 3, 1)]
    assert "a/00001.jpg has a row already, in line 2" in str(report.errors[0])


def test_a_wrong_name_with_the_right_first_letter_does_not_pass(submission, template):
    report = validate_one_file(submission(*rows("ab", 1, 2, 3), *GOOD[3:]), EXPR, template)
    assert report.counts["error", "extra"] == 3
    assert report.counts["error", "missing-video"] == 1
    assert "no row for any of the 3 frames of a" in str(report.errors[-1])


@pytest.mark.parametrize(
    ("task", "dummy"), [(EXPR, "0"), (VA, "0.5,-0.5"), (AU, "1,0,1,1,1,0,0,1,0,0,0,1")], ids=["EXPR", "VA", "AU"]
)
def test_a_template_sent_in_as_it_is_gets_a_warning(tree, task, dummy):
    path = tree.template({"a": 2}, task=task, value=dummy)
    report = validate_one_file(path, task, read_template(path, task))
    assert report.valid
    assert found(report) == [("dummy", 2, 1)]


def test_a_template_with_blanks_sent_in_as_it_is_is_wrong(tree):
    path = tree.template({"a": 2}, value="")
    report = validate_one_file(path, EXPR, read_template(path, EXPR))
    assert found(report) == [("blank-value", 2, 13), ("blank-value", 3, 13)]


def test_a_file_with_one_value_of_its_own_is_no_dummy(tree, submission):
    template = read_template(tree.template({"a": 2}, value="0"), EXPR)
    assert found(validate_one_file(submission(*rows("a", 0, 1)), EXPR, template)) == []


def test_five_of_a_kind_are_shown_and_all_are_counted(submission):
    report = validate_one_file(submission(*rows("a", *["x"] * 12), *rows("b", *[9] * 3)), EXPR)
    assert report.counts == {("error", "not-a-number"): 12, ("error", "range"): 3}
    assert len(report.problems) == SHOWN_PER_KIND + 3 == 8
    assert report.n_errors == 15
    assert [p.line for p in report.errors] == [2, 3, 4, 5, 6, 14, 15, 16]


def test_a_problem_reads_like_a_compilers(submission):
    path = submission("a/00001.jpg,9")
    assert (
        str(validate_one_file(path, EXPR).errors[0])
        == f"{path}:2:13: error [range] found 9, expected a whole number from 0 to 7"
    )


@pytest.mark.parametrize("task", [EXPR, VA, AU], ids=lambda task: task.name)
def test_no_bytes_make_it_fall_over(tmp_path, task, repetitions):
    rng = np.random.default_rng(0)
    path = tmp_path / "predictions.txt"
    header = task.submission_header.encode()
    pieces = [header, b"a/00001.jpg", b"\n", b"\r", b",", b".", b"-1", b"1", b"nan", b'"', b"\0", b"/", b".jpg", b"_",
              "²٣\u2028".encode(), b"1e999"]  # fmt: skip
    for _ in range(repetitions(50, 2000)):
        mixed = b"".join(pieces[k] for k in rng.integers(len(pieces), size=rng.integers(60)))
        for data in (mixed, rng.bytes(50), header + b"\n" + mixed):
            path.write_bytes(data)
            with contextlib.suppress(SubmissionError):
                validate_one_file(path, task)
