"""One list of spellings: what ``validate`` names, ``repair`` mends, to the same rows."""

from __future__ import annotations

import pytest

from harness.errors import SubmissionError
from harness.files.checking.submission import validate
from harness.files.checking.table import check_table
from harness.files.format import Format
from harness.files.formats import FORMATS
from harness.files.repair import plan
from harness.files.spelling import SPELLINGS, is_plain, plain_line
from harness.files.template import read_template
from harness.tasks import EXPR

MINIMAL = {
    "EXPR": ["a/00001.jpg,3", "a/00002.jpg,4"],
    "VA": ["a/00001.jpg,0.25,-1", "a/00002.jpg,1e-3,0"],
    "AU": ["a/00001.jpg,0,0,0,0,0,0,1,0,0,0,0,0", "a/00002.jpg,1,0,0,0,0,0,1,0,0,0,0,0"],
    "EMI": ["00003,0.5,0,0,0,0,1", "00017,0,0,0,0.25,0,1"],
    "AH-frames": ["82683/Visite 1/x.mp4/frame-0.jpg,1", "82683/Visite 1/x.mp4/frame-1.jpg,0"],
    "AH-labels": ["Videos/82711/Visite_1/a.mp4,1", "Videos/82711/Visite_1/b.mp4,0"],
}
RESPELLED = [
    ("EXPR", "a\\00001.jpg,3", "backslash"),
    ("EXPR", "a/00001.JPG,3", "extension"),
    ("EXPR", "a/00001.jpeg,3", "extension"),
    ("EXPR", "a/00001.png,3", "extension"),
    ("EXPR", "a/1.jpg,3", "padding"),
    ("EXPR", "a/000001.jpg,3", "padding"),
    ("EXPR", "cropped_aligned/a/00001.jpg,3", "name"),
    ("EXPR", "./a/00001.jpg,3", "name"),
    ("EXPR", "/data/affwild2/cropped/a/00001.jpg,3", "name"),
    ("EXPR", "D:\\crops\\a\\00001.jpg,3", "name"),
    ("EXPR", "a.mp4/00001.jpg,3", "name"),
    ("EXPR", "a.AVI/00001.jpg,3", "name"),
    ("EXPR", "batch1/a.mp4/00001.jpg,3", "name"),
    ("EXPR", '"a/00001.jpg",3', "quoted"),
    ("EXPR", '"a/00001.jpg,3"', "quoted"),
    ("EXPR", "a/00001.jpg,3,,,,,,,", "trailing-comma"),
    ("EXPR", "a/00001.jpg , 3 ", "space"),
    ("EXPR", "a/00001.jpg,\t3", "space"),
    ("EXPR", "a/00001.jpg,3.0", "not-whole"),
    ("AU", "a/00001.jpg,False,0,0,0,0,0,True,0,0,0,0,0", "boolean"),
    ("AU", "a/00001.jpg,0.0,0,0,0,0,0,1.,0,0,0,0,0", "not-whole"),
    ("VA", '"a/00001.jpg","0.25","-1"', "quoted"),
    ("EXPR", "a/00001.webp,3", "extension"),
    ("EXPR", "a/00001.bmp,3", "extension"),
    ("EXPR", "a/00001,3", "frame-name"),
    ("EXPR", "a/frame_00001.jpg,3", "frame-name"),
    ("EXPR", "a/frame_det_00_000001.bmp,3", "frame-name"),
    ("EXPR", "a/a_00001.jpg,3", "frame-name"),
    ("EXPR", "a.m4v/00001.jpg,3", "name"),
    ("EXPR", "a/00001.jpg,3.000000000000000000e+00", "not-whole"),
    ("AU", "a/00001.jpg,0e0,0,0,0,0,0,1.0e+00,0,0,0,0,0", "not-whole"),
    ("EMI", "wav/00003.wav,0.5,0,0,0,0,1", "name"),
    ("EMI", "3,0.5,0,0,0,0,1", "padding"),
    ("EMI", "3.0,0.5,0,0,0,0,1", "padding"),
    ("EMI", "00003.mp4,0.5,0,0,0,0,1", "name"),
    ("EMI", "test/00003,0.5,0,0,0,0,1", "name"),
    ("AH-frames", "82683\\Visite 1\\x.mp4\\frame-0.jpg,1", "backslash"),
    ("AH-frames", "BAH/videos/82683/Visite 1/x.mp4/frame-0.jpg,1", "name"),
    ("AH-frames", "82683/Visite 1/x.mp4/frame-000.jpg,1", "padding"),
    ("AH-labels", "/data/BAH/Videos/82711/Visite_1/a.mp4,1", "name"),
    ("AH-labels", "Videos/82711/Visite_1/a.MP4,1", "extension"),
    ("AH-labels", "Videos/82711/Visite_1/a.avi,1", "name"),
    ("AH-labels", "Videos/82711/Visite_1/a,1", "name"),
]


def content(format: Format, rows: list[str]) -> bytes:
    return "\n".join([*([format.header] if format.header else []), *rows, ""]).encode()


@pytest.mark.parametrize(("name", "row", "code"), RESPELLED)
def test_spelling_is_named_read_and_mended(name, row, code, tmp_path):
    format = FORMATS[name]
    first, second = MINIMAL[name]
    data = content(format, [second, row])  # not in the first line, by which a file is recognised
    checked = check_table(data, "file", format, known=False)
    line = len(data.decode().splitlines())
    own = [p for p in checked.report.problems if p.line == line and p.code in SPELLINGS]
    assert code in {p.code for p in own}
    assert all(p.severity == SPELLINGS[p.code].severity for p in own)
    right = check_table(content(format, [second, first]), "file", format, known=False)
    assert right.report.problems == []
    assert checked.rows.videos == right.rows.videos
    assert checked.rows.frame.tolist() == right.rows.frame.tolist()
    assert checked.rows.values.tolist() == right.rows.values.tolist()
    (tmp_path / "p.txt").write_bytes(data)
    done = plan(tmp_path / "p.txt", task=format.task)
    assert done.changes[SPELLINGS[code].mended] == 1
    assert next(iter(done.files.values())) == content(format, [second, first])


@pytest.mark.parametrize("code", ["blank", "repeated-header"])
def test_lines_that_are_no_rows_are_warned_of_and_removed(code, tmp_path):
    format, rows = FORMATS["EXPR"], MINIMAL["EXPR"]
    spoilt = [rows[0], "" if code == "blank" else format.header, rows[1]]
    (tmp_path / "p.txt").write_bytes(content(format, spoilt))
    report = check_table(content(format, spoilt), "file", format, known=False).report
    assert [(p.severity, p.code, p.line) for p in report.problems] == [("warning", code, 3)]
    assert report.rows == 2
    done = plan(tmp_path / "p.txt")
    assert dict(done.changes) == {SPELLINGS[code].mended: 1}
    assert done.files["p.txt"] == content(format, rows)


@pytest.mark.parametrize("code", ["blank", "repeated-header"])
def test_lines_that_move_all_frames_behind_them_are_errors(code, tmp_path):
    """Where line k is frame k, leaving a line out would move every frame that follows."""
    format = FORMATS["EXPR-videos"]
    spoilt = ["3", "" if code == "blank" else format.header, "4"]
    assert not check_table(content(format, spoilt), "file", format, video="a", known=False).report.valid
    (tmp_path / "a.txt").write_bytes(content(format, spoilt))
    with pytest.raises(SubmissionError, match=rf"\[{code}\]"):
        plan(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("name", "row", "code"),
    [
        ("EXPR", "\0a/00001.jpg,3", "control"),
        ("EXPR", "a\0/00001.jpg,3", "control"),
        ("EXPR", "a/00001.jpg,3\x00", "control"),
        ("EXPR", "a/00001.jpg,\x0b3", "control"),
        ("EXPR", "a/00001.jpg,\x0c3", "control"),
        ("EXPR", "a/00001.jpg,3\x85", "control"),
        ("EXPR", "a/00001.jpg,\u00a03", "control"),
        ("EXPR", "a/00001.jpg,3\u3000", "control"),
        ("EXPR", "\ufeffa/00001.jpg,3", "control"),
        ("EXPR", "a\u200b/00001.jpg,3", "control"),
        ("EXPR", "a/00001.jpg\r,3", "control"),
        ("VA", 'a/00001.jpg,"-1,0"', "quoted-comma"),
        ("VA", 'a/00001.jpg,"0,5","0,5"', "quoted-comma"),
        ("EXPR", 'a/00001.jpg,"3', "quotes"),
    ],
)
def test_what_has_two_meanings_is_an_error_that_repair_refuses(name, row, code, tmp_path):
    format = FORMATS[name]
    data = content(format, [MINIMAL[name][1], row])
    report = check_table(data, "file", format, known=False).report
    line = data.split(b"\n").index(row.encode()) + 1
    assert ("error", code, line) in [(p.severity, p.code, p.line) for p in report.problems]
    (tmp_path / "p.txt").write_bytes(data)
    with pytest.raises(SubmissionError, match=rf"p\.txt:{line}:\d+: error \[{code}\]"):
        plan(tmp_path / "p.txt")


@pytest.mark.parametrize("name", ["group one/a", "a.mp4", "/data/a", "../a", "..", "a\\b", " a"])
def test_template_with_another_name_than_a_videos_is_refused(tree, name):
    path = tree.template({name: 2})
    with pytest.raises(SubmissionError, match="not a row of a template"):
        read_template(path, EXPR)


@pytest.mark.parametrize("name", ["../x/b.mp4", "/x/b.mp4", "a//b.mp4", "a/./b.mp4"])
def test_name_that_leads_out_of_a_folder_is_never_plain(name):
    assert not is_plain(name, FORMATS["AH-frames"])
    assert not is_plain(name, FORMATS["AH-labels"])


@pytest.mark.parametrize("line", ["a/00001.jpg,3", "a b/00001.jpg,3", "video-1_left/00001.jpg,7"])
def test_plain_line_stays_as_it_is(line):
    assert plain_line(line, FORMATS["EXPR"]).notes == ()
    assert plain_line(line, FORMATS["EXPR"]).text == line


def test_two_names_of_one_video_are_two_rows_for_a_frame():
    data = content(FORMATS["EXPR"], ["cropped/a/00001.jpg,3", "a/00001.jpg,4"])
    report = check_table(data, "file", FORMATS["EXPR"], known=False).report
    assert ("error", "duplicate", 3) in [(p.severity, p.code, p.line) for p in report.problems]


@pytest.mark.parametrize("row", ["wav/00003.wav,0.5,0,0,0,0,1", "00003.mp4,0.5,0,0,0,0,1"])
def test_template_does_not_hide_what_is_wrong_with_a_name(row, tmp_path):
    format = FORMATS["EMI"]
    (tmp_path / "t.csv").write_bytes(content(format, ["00003,0,0,0,0,0,0"]))
    template = read_template(tmp_path / "t.csv", format)
    for given in (None, template):
        report = check_table(content(format, [row]), "file", format, given, known=False).report
        assert [(p.severity, p.code) for p in report.problems] == [("error", "name")]


@pytest.mark.parametrize(("text", "end"), [("3.000000000000000000e+00", "e+00'"), ("x" * 50, "…'")])
def test_value_is_shown_to_its_end_or_is_said_to_be_cut(text, end):
    report = check_table(content(FORMATS["EXPR"], [f"a/00001.jpg,{text}"]), "file", FORMATS["EXPR"]).report
    assert report.errors[0].message.split(", expected")[0].endswith(end)


# whole files


def expr(separator: str) -> str:
    rows = [FORMATS["EXPR"].header.replace(",", separator), *(row.replace(",", separator) for row in MINIMAL["EXPR"])]
    return "\n".join([*rows, ""])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (expr(";"), "separator"),
        (expr("\t"), "separator"),
        (expr(",").partition("\n")[0] + "\n" + expr(";").partition("\n")[2], "separator"),
        ("".join(f"{k},{line}\n" for k, line in zip(["", 0, 1], expr(",").splitlines(), strict=True)), "index"),
        ("".join(f"{k},{line}\n" for k, line in zip(["Unnamed: 0", 1, 2], expr(",").split(), strict=True)), "index"),
    ],
)
def test_other_separators_and_an_index_are_named_and_mended(text, code, tmp_path):
    (tmp_path / "p.txt").write_text(text)
    assert [p.code for p in validate(tmp_path / "p.txt").errors] == [code]
    done = plan(tmp_path / "p.txt")
    assert dict(done.changes) == {SPELLINGS[code].mended: 1}
    assert done.files["p.txt"] == content(FORMATS["EXPR"], MINIMAL["EXPR"])


def test_semicolons_beside_decimal_commas_are_refused(tmp_path):
    (tmp_path / "p.txt").write_text("image_location;valence;arousal\na/00001.jpg;0,5;-0,5\n")
    assert ("error", "decimal-comma") in validate(tmp_path / "p.txt", task="VA").counts
    with pytest.raises(SubmissionError, match=r"p\.txt:2:14: error \[decimal-comma\]"):
        plan(tmp_path / "p.txt", task="VA")


def test_first_column_that_does_not_count_the_rows_is_no_index(tmp_path):
    (tmp_path / "p.txt").write_text(f",{FORMATS['EXPR'].header}\n0,a/00001.jpg,3\n7,a/00002.jpg,3\n")
    assert not validate(tmp_path / "p.txt", task="EXPR").valid
    with pytest.raises(SubmissionError):
        plan(tmp_path / "p.txt", task="EXPR")
