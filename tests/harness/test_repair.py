"""What can be mended without making up predictions is mended and counted; the rest is refused, and nothing written."""

from __future__ import annotations

import pytest

from harness.errors import SubmissionError
from harness.submission.formats import FORMATS
from harness.submission.one_file import read_one_file, validate_one_file
from harness.submission.repair import repair
from harness.submission.template import read_template
from harness.tasks import EXPR, VA

HEADER = EXPR.submission_header
N = 40
ROWS = [f"a/{k:05d}.jpg,{k % 8}" for k in range(1, N + 1)] + [f"b_left/{k:05d}.jpg,7" for k in range(1, N + 1)]


@pytest.fixture
def template(tree):
    return tree.template({"a": N, "b_left": N})


@pytest.fixture
def mend(tmp_path, template):
    """Writes a file, mends it, and checks what comes out; returns changes and rows."""

    def call(content: str | bytes, rows: list[str] | None = None):
        path, out = tmp_path / "in.txt", tmp_path / "out.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        done = repair(path, out, template=template)
        assert validate_one_file(out, EXPR, read_template(template, EXPR)).problems == []
        assert out.read_text() == "\n".join([HEADER, *(rows or ROWS), ""])
        return dict(done.changes)

    return call


def text(rows: list[str], header: str = HEADER, end: str = "\n") -> str:
    return end.join([header, *rows, ""])


def test_a_right_file_stays_as_it_is(mend):
    assert mend(text(ROWS)) == {}


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (b"\xef\xbb\xbf" + text(ROWS).encode(), {"byte-order mark removed": 1}),
        (text(ROWS).encode("utf-16"), {"written as UTF-8": 1}),
        (text(ROWS, end="\r\n"), {"line ends made LF": 2 * N + 1}),
        (text(ROWS, header=f'"{HEADER}"'), {"header written as it belongs": 1}),
        (text(ROWS, header=f"{HEADER},"), {"header written as it belongs": 1}),
        (text(ROWS)[len(HEADER) + 1 :], {"header written as it belongs": 1}),
        (text([f"{row},,,,,,," for row in ROWS]), {"trailing commas removed": 2 * N}),
        (text([f'"{row}"' for row in ROWS]), {"quotes removed": 2 * N}),
        (text([row.replace(",", ", ") for row in ROWS]), {"spaces removed": 2 * N}),
        (text([f"{row}.0" for row in ROWS]), {"whole numbers written without a decimal point": 2 * N}),
        (text([*ROWS[:3], "", *ROWS[3:]]), {"blank lines removed": 1}),
        (text([*ROWS, *ROWS[:2]]), {"second rows for a frame, with the same value, removed": 2}),
        (text(ROWS[N:] + ROWS[:N]), {"rows put in the template's order": 2 * N}),
        (text([*ROWS[:N], f"a/{N + 1:05d}.jpg,1", *ROWS[N:]]), {"rows that the template does not have removed": 1}),
        (text(ROWS[:-1]), {"missing frames taken from the nearest": 1}),
    ],
)
def test_what_is_mended_is_counted(mend, content, changes):
    assert mend(content) == changes


def test_a_missing_class_is_taken_from_the_nearest_frame(mend):
    expected = [*ROWS[:4], "a/00005.jpg,4", *ROWS[5:]]  # frame 5 had class 5, its neighbours have 4 and 6
    assert mend(text(ROWS[:4] + ROWS[5:]), expected) == {"missing frames taken from the nearest": 1}


def test_missing_values_are_interpolated(tmp_path, tree):
    rows = [f"a/{k:05d}.jpg,{k / 100:.2f},-0.5" for k in range(1, 41) if k != 20]
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text(rows, header=VA.submission_header))
    template = tree.template({"a": 40}, task=VA, value="0.5,-0.5")
    assert dict(repair(path, out, template=template).changes) == {"missing frames interpolated": 1}
    assert read_one_file(out, VA).values["a"][19].tolist() == [0.2, -0.5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS[:3], "a/00004.jpg,9", *ROWS[4:]], r"1 problems that can't be mended(.|\n)*\[range\] found 9"),
        ([*ROWS[:3], "a/00004.jpg,-1", *ROWS[4:]], "the mark of a frame that nobody annotated"),
        ([*ROWS[:3], "a/00004.jpg,nan", *ROWS[4:]], "not-a-number"),
        ([*ROWS[:3], "a/00004.jpg,", *ROWS[4:]], "blank-value"),
        ([*ROWS[:3], "a/00004.jpg,0.7", *ROWS[4:]], "not-whole"),
        ([*ROWS, "a/00001.jpg,3"], "duplicate"),
        (ROWS[:N], "1 videos have no row; found b_left"),
        (ROWS[: N - 8] + ROWS[N:], f"8 of {N} frames of a have no row; expected at most 5%"),
        (["a/00000.jpg,1", *ROWS[: N - 1], *ROWS[N:]], "frame 0, but frames are numbered from 1"),
    ],
)
def test_what_would_be_a_made_up_prediction_is_refused(tmp_path, template, rows, message):
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text(rows))
    with pytest.raises(SubmissionError, match=message):
        repair(path, out, template=template)
    assert not out.exists()


def test_without_a_template_videos_keep_their_order(tmp_path):
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text(ROWS[N:] + ROWS[:N]))
    repair(path, out)
    assert out.read_text() == text(ROWS[N:] + ROWS[:N])


def test_the_file_itself_is_never_overwritten(tmp_path, template):
    path = tmp_path / "in.txt"
    path.write_text(text(ROWS))
    with pytest.raises(SubmissionError, match="the file to mend is kept"):
        repair(path, path, template=template)
    assert path.read_text() == text(ROWS)


def test_other_formats_are_mended_too(tmp_path):
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    header = FORMATS["EMI"].header
    path.write_text(f"{header.replace('Empathic Pain', 'Empathic_Pain')}\n00001,0.5,0,0,0,0,1,\n")
    changes = repair(path, out).changes
    assert dict(changes) == {"header written as it belongs": 1, "trailing commas removed": 1}
    assert out.read_text() == f"{header}\n00001,0.5,0,0,0,0,1\n"
