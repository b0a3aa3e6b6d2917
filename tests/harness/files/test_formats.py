"""Every official format: its golden file to the byte, back again, and one changed line named by its number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SubmissionError, UnknownNameError
from harness.files.checking.table import check_table
from harness.files.format import Format
from harness.files.formats import FORMATS, detect, format_named
from harness.files.one_file import DECIMALS, format_rows, table_of, write_one_file
from harness.files.parsing.blocks import cut
from harness.files.video_files import video_text, write_videos

GOLDEN = Path(__file__).parents[1] / "golden"
ALL = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
TABLES = pytest.mark.parametrize("format", [f for f in FORMATS.values() if not f.per_video], ids=lambda f: f.name)

# what a video or clip is called where a format names it, and how many rows it has at most
NAMES = {
    "EMI": ["00001", "00002", "19999"],
    "AH-frames": ["82683/Visite_1/82683_Question_1.mp4", "1/Visite 2/b.mp4"],
    "AH-labels": ["Videos/82711/Visite_1/a.mp4", "Videos/82711/Visite_1/b.mp4"],
    "AH-trials": ["Videos/82711/Visite_1/a.mp4", "Videos/82711/Visite_1/b.mp4"],
}


def names(format: Format) -> list[str]:
    return NAMES.get(format.name, ["14-30-1920x1080", "video2_left", "45-24-1280x720_right"])


def is_clip(format: Format) -> bool:
    return format.row is not None and format.row.first is None


@st.composite
def predictions(draw, format: Format):
    """Official values of a few videos, as a file can hold them."""
    out = {}
    for name in names(format):
        n = 1 if is_clip(format) else draw(st.integers(1, 6))
        rows = [
            [
                draw(st.integers(int(c.low), int(c.high)))
                if c.whole
                else draw(st.integers(int(c.low * 10**DECIMALS), int(c.high * 10**DECIMALS))) / 10**DECIMALS
                for c in format.columns
            ]
            for _ in range(n)
        ]
        if format.sums_to_one:
            rows = [[(10**DECIMALS - round(p1 * 10**DECIMALS)) / 10**DECIMALS, p1, label] for _, p1, label in rows]
        out[name] = np.array(rows, format.dtype).reshape(format.shape(n))
    return out


def written(format: Format, values, folder: Path) -> dict[str, bytes]:
    """The file, or the files by video, that hold ``values``."""
    if format.per_video:
        return {name: video_text(format, own).encode() for name, own in values.items()}
    path = folder / "predictions.txt"
    write_one_file(path, format, values, list(values))
    return {"": path.read_bytes()}


@ALL
@given(data=st.data())
def test_what_is_read_is_what_was_written(tmp_path_factory, format, data):
    values = data.draw(predictions(format))
    back = {}
    for video, content in written(format, values, tmp_path_factory.mktemp("out")).items():
        table = table_of(check_table(content, "file", format, video=video, known=False))
        assert table.report.problems == []
        back |= table.values
    assert list(back) == list(values)
    for name, own in values.items():
        assert back[name].dtype == own.dtype
        assert np.array_equal(back[name], own)


@ALL
@given(data=st.data())
def test_a_changed_line_is_named_by_its_number(tmp_path_factory, format, data):
    values = data.draw(predictions(format))
    video, content = next(iter(written(format, values, tmp_path_factory.mktemp("out")).items()))
    lines = content.decode().split("\n")[:-1]
    header = int(bool(format.header))
    at = data.draw(st.integers(header, len(lines) - 1))
    nan = lines[at].rpartition(",")[0] + ",nan"
    spoilt = data.draw(st.sampled_from(["", "nonsense", lines[at] + ",1", nan, "9e9"]))
    lines[at] = spoilt
    report = check_table("\n".join([*lines, ""]).encode(), "file", format, video=video, known=False).report
    own = {p.line for p in report.problems if p.code not in ("gaps", "header", "empty")}
    # the first line of a file without a header may be taken for a header
    assert own == {at + 1} or (at == 0 and not header and not report.valid), (spoilt, report.problems)


@ALL
@given(data=st.binary(max_size=200))
def test_any_bytes_are_valid_or_have_a_problem(format, data):
    header = f"{format.header}\n".encode() if format.header else b""
    for content in (data, header + data):
        checked = check_table(content, "file", format, video="v")
        assert checked.report.valid or checked.report.errors
        if checked.report.valid:
            assert len(checked.rows)


@ALL
def test_the_golden_file_to_the_byte(format, tmp_path):
    golden = GOLDEN / f"{format.name.lower()}{format.suffix}"
    content = golden.read_bytes()
    checked = check_table(content, str(golden), format, video="v", known=False)
    assert checked.report.problems == []
    table = table_of(checked)
    again = written(format, table.values, tmp_path)
    assert list(again.values()) == [content]


@TABLES
def test_the_first_line_tells_the_format(format):
    first = (GOLDEN / f"{format.name.lower()}{format.suffix}").read_text().split("\n")[0]
    assert detect(first, per_video=False) is format
    assert detect(f'"{first}",,', per_video=False) is format
    assert detect("\ufeff" + first + "\r", per_video=False) is format


def test_the_first_line_of_a_videos_file_tells_the_format():
    for name in ("EXPR-videos", "VA-videos", "AU-videos", "VD"):
        assert detect(FORMATS[name].header, per_video=True).name == name
    assert detect("Frame_Num,Label", per_video=True).name == "VD"
    assert detect("Frame_Num,Predicted_Label", per_video=True) is None


@pytest.mark.parametrize(
    ("row", "name"),
    [("a/00001.jpg,3", None), ("a/00001.jpg,0.1,0.2", "VA"), ("a/00001.jpg" + ",0" * 12, "AU"),
     ("a/00001.jpg" + ",0" * 15, "MTL"), ("p/v/x.mp4/frame-0.jpg,1", "AH-frames"), ("V/x.mp4,0.5,0.5,1", "AH-trials"),
     ("V/x.mp4,1", "AH-labels"), ("00012,0,0,0,0,0,0", "EMI"), ("hello", None), ("", None)],
)  # fmt: skip
def test_a_first_row_tells_the_format_where_it_can(row, name):
    found = detect(row, per_video=False)
    # EXPR and CE have the same rows; the first is taken
    assert (found.name if found else None) == (name or ("EXPR" if row.startswith("a/") else None))


def test_an_edition_rules_formats_out():
    assert detect("V/x.mp4,1", per_video=False, edition=8) is None
    assert detect(FORMATS["VA"].header, per_video=False, edition=3) is None


def test_an_unknown_format_gets_a_guess():
    assert format_named("ah-TRIALS") is FORMATS["AH-trials"]
    with pytest.raises(UnknownNameError, match="Did you mean EXPR"):
        format_named("EXPRS")


def test_probabilities_are_written_so_that_they_add_up():
    rng = np.random.default_rng(0)
    p1 = rng.random(2000)
    rows = format_rows(FORMATS["AH-trials"], np.stack([1 - p1, p1, (p1 > 0.4).astype(float)], 1))
    assert all(float(a) + float(b) == 1.0 for a, b, _ in (row.split(",") for row in rows))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("EXPR", np.array([1.5]), "class of EXPR, row 1; found 1.5, expected a whole number from 0 to 7"),
        ("EXPR", np.array([8]), "found 8, expected"),
        ("EXPR", np.array([np.nan]), "found nan, expected"),
        ("EXPR", np.zeros((3, 8)), r"found shape \(3, 8\), expected \(3,\)"),
        ("VA", np.array([[0, 1.01]]), "arousal of VA, row 1; found 1.01, expected a number from -1 to 1"),
        ("VA", np.zeros(4), r"found shape \(4,\), expected \(4, 2\)"),
        ("AU", np.full((1, 12), -1), "AU1 of AU, row 1; found -1, expected"),
        ("EMI", np.array([[0, 0, 0, 0, 0, -0.01]]), "Joy of EMI, row 1; found -0.01, expected"),
    ],
)
def test_what_is_no_official_value_is_not_written(name, values, message):
    with pytest.raises(SubmissionError, match=message):
        format_rows(FORMATS[name], values)


def test_video_files_are_all_there_or_none(tmp_path):
    values = {"0001": np.array([0, 1, 1]), "0002_left": np.array([0])}
    paths = write_videos(tmp_path / "out", FORMATS["VD"], values)
    assert [path.name for path in paths] == ["0001.csv", "0002_left.csv"]
    assert paths[0].read_text() == "Frame_Number,Label\n1,0\n2,1\n3,1\n"
    for bad, message in (
        ({"a": np.array([2])}, "label of VD, row 1; found 2"),
        ({"../a": np.array([0])}, "not the name"),
    ):
        with pytest.raises(SubmissionError, match=message):
            write_videos(tmp_path / "bad", FORMATS["VD"], {**values, **bad})
        assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("first", "code", "column", "words"),
    [
        (
            "Filename,Admiration,Amusement,Determination,Empathic_Pain,Excitement,Joy",
            "header",
            45,
            "found 'Empathic_Pain', expected 'Empathic Pain'",
        ),
        ("Filename,Joy", "header", 1, "found 'Filename,Joy', expected 'Filename,Admiration"),
    ],
)  # fmt: skip
def test_a_header_is_compared_field_by_field(first, code, column, words):
    report = check_table(f"{first}\n00001,0,0,0,0,0,0\n".encode(), "file", FORMATS["EMI"]).report
    assert [(p.code, p.line, p.column) for p in report.errors] == [(code, 1, column)]
    assert words in report.errors[0].message


def test_inner_frames_are_missed_only_if_all_are_required():
    rows = "v/00001.jpg{0}\nv/00008.jpg{0}\n"
    for name, codes in (("MTL", []), ("AU", ["gaps"])):
        format = FORMATS[name]
        content = f"{format.header}\n" + rows.format(",0" * len(format.columns))
        report = check_table(content.encode(), "file", format, known=False).report
        assert [p.code for p in report.problems] == codes


def test_a_header_where_none_belongs():
    content = b"image,label\nV/a.mp4,0.25,0.75,1\n"
    report = check_table(content, "file", FORMATS["AH-trials"]).report
    assert [(p.code, p.line) for p in report.errors] == [("header", 1)]
    assert "no header here" in report.errors[0].message


def test_the_ninth_editions_header_of_vd_is_read_and_said():
    report = check_table(b"Frame_Num,Label\n1,0\n2,1\n", "0001.csv", FORMATS["VD"], video="0001").report
    assert report.valid
    assert "as some editions had it" in report.assumed[0]
    report = check_table(b"Frame_Number,Predicted_Label\n1,0\n", "0001.csv", FORMATS["VD"], video="0001").report
    assert [(p.code, p.column) for p in report.errors] == [("header", 14)]


@pytest.mark.parametrize(
    ("row", "code"),
    [("V/a.mp4,0.5,0.5,1", None), ("V/a.mp4,0.1,0.8,1", "sum"), ("V/a.mp4,0.30000000000000004,0.7,0", None),
     ("V/a.mp4,0.2999999999999999,0.7,0", "sum"), ("V/a.mp4,0.9,0.1,1", None), ("V/a.mp4,1.5,-0.5,1", "range")],
)  # fmt: skip
def test_probabilities_must_sum_to_one_but_may_contradict_label(row, code):
    report = check_table(f"{row}\n".encode(), "file", FORMATS["AH-trials"]).report
    assert sorted({p.code for p in report.errors}) == ([code] if code else [])


@given(
    values=st.lists(
        st.tuples(*[st.floats(-1, 1).map(lambda v: format(v, ".17g")) | st.integers(-1, 1).map(str)] * 2), min_size=1
    )
)
def test_numbers_of_any_spelling_are_those_that_python_reads(values):
    body = "".join(f"v/{k:05d}.jpg,{a},{b}\n" for k, (a, b) in enumerate(values, start=1))
    rows = cut(body.encode(), 0, FORMATS["VA"])
    assert rows is not None
    assert rows.values.tolist() == [[float(a), float(b)] for a, b in values]


@pytest.mark.parametrize("decimals", [1, 3, 6, 9, 12])
def test_numbers_of_equal_length_are_those_that_python_reads(decimals):
    rng = np.random.default_rng(decimals)
    text = [[f"{v:.{decimals}f}" for v in row] for row in rng.uniform(-1, 1, (500, 2))]
    text[0] = ["1." + "0" * decimals, "-1." + "0" * decimals]
    body = "".join(f"v/{k:05d}.jpg,{a},{b}\n" for k, (a, b) in enumerate(text, start=1))
    rows = cut(body.encode(), 0, FORMATS["VA"])
    assert rows is not None
    assert rows.values.tolist() == [[float(a), float(b)] for a, b in text]
