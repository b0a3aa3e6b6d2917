"""What can be mended without making up predictions is mended and counted; the rest is refused, and nothing written."""

from __future__ import annotations

import zipfile

import pytest

from harness.errors import SubmissionError
from harness.files.checking.submission import validate
from harness.files.formats import FORMATS
from harness.files.one_file import read_one_file, validate_one_file
from harness.files.repair import Options, repair
from harness.files.template import read_template
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
        ([*ROWS[:3], "a/00004.jpg,9", *ROWS[4:]], r"1 problem that can't be mended(.|\n)*\[range\] found 9"),
        ([*ROWS[:3], "a/00004.jpg,-1", *ROWS[4:]], "the mark of a frame that nobody annotated"),
        ([*ROWS[:3], "a/00004.jpg,nan", *ROWS[4:]], "not-a-number"),
        ([*ROWS[:3], "a/00004.jpg,", *ROWS[4:]], "blank-value"),
        ([*ROWS[:3], "a/00004.jpg,0.7", *ROWS[4:]], "not-whole"),
        ([*ROWS, "a/00001.jpg,3"], "duplicate"),
        (ROWS[:N], "1 video has no row; found b_left"),
        (ROWS[: N - 8] + ROWS[N:], f"8 of {N} frames of a have no row; expected at most 2 "),
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


# names of videos


@pytest.mark.parametrize(
    "spelled", [str.upper, lambda n: f"{n}_aligned", lambda n: f"{n}.m4v", lambda n: f"{n}_mp4", lambda n: f"{n}_v2"]
)
def test_names_in_another_spelling_are_mended(mend, tmp_path, template, spelled):
    content = text([f"{spelled(row.partition('/')[0])}/{row.partition('/')[2]}" for row in ROWS])
    assert mend(content) == {"names of videos written as they belong": 2 * N}
    report = validate(tmp_path / "in.txt", template=template)
    assert {p.code for p in report.problems} == {"name"}
    assert "expected 'a'" in report.errors[0].message


@pytest.mark.parametrize("names", [("a", "a_aligned"), ("a_cropped", "a_aligned")])
def test_rows_under_several_names_of_a_video_are_never_removed(tmp_path, template, names):
    path = tmp_path / "in.txt"
    path.write_text(text([row.replace("a/", f"{name}/") for name in names for row in ROWS[:N]] + ROWS[N:]))
    with pytest.raises(SubmissionError, match=f"a has rows under several names; found '{names[0]}', '{names[1]}'"):
        repair(path, tmp_path / "out.txt", template=template)
    assert ("error", "several-names") in validate(path, template=template).counts


def test_absent_videos_may_be_those_with_other_names(tmp_path, template):
    path = tmp_path / "in.txt"
    path.write_text(text([row.replace("b_left/", "anna/") for row in ROWS]))
    with pytest.raises(SubmissionError, match=r"found b_left\. If they are among the 1 others, the first 'anna'"):
        repair(path, tmp_path / "out.txt", template=template)


def test_duplicates_are_the_same_if_their_numbers_are(tmp_path):
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text(["v/00001.jpg,0.50,0.1", "v/1.jpg,0.5,1e-1"], header=VA.submission_header))
    assert repair(path, out).changes["second rows for a frame, with the same value, removed"] == 1
    assert out.read_text() == text(["v/00001.jpg,0.50,0.1"], header=VA.submission_header)
    path.write_text(text(["v/00001.jpg,0.50,0.1", "v/1.jpg,0.51,0.1"], header=VA.submission_header))
    with pytest.raises(SubmissionError, match="with other values"):
        repair(path, out, force=True)


# headers

CLASSES = "Neutral,Anger,Disgust,Fear,Happy,Sad,Surprised,Others"


@pytest.mark.parametrize(
    ("name", "header", "row"),
    [
        ("EXPR", f"image_location,{CLASSES}", "a/00001.jpg,3"),
        ("EXPR", "image_location,pred", "a/00001.jpg,3"),
        ("EXPR", f"# {HEADER}", "a/00001.jpg,3"),
        ("VA", "image_location,val,arousal", "a/00001.jpg,0.5,0.5"),
        ("AU", f"image_location,{','.join(f'AU{k:02d}' for k in (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26))}",
         "a/00001.jpg,0,0,0,0,0,0,0,0,0,0,0,1"),
        ("EMI", FORMATS["EMI"].header.replace(" ", ""), "00001,0.1,0.2,0.3,0.4,0.5,0.6"),
        ("AH-labels", "video,label", "Videos/1/Visite_1/a.mp4,1"),
        ("AH-trials", "video,p0,p1,label", "Videos/1/Visite_1/a.mp4,0.25,0.75,1"),
    ],
)  # fmt: skip
def test_header_that_validate_names_is_mended(tmp_path, name, header, row):
    format = FORMATS[name]
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(f"{header}\n{row}\n")
    assert [p.code for p in validate(path, task=format.task).errors] == ["header"]
    assert dict(repair(path, out, task=format.task).changes) == {"header written as it belongs": 1}
    assert out.read_text() == "\n".join([*([format.header] if format.header else []), row, ""])


@pytest.mark.parametrize(
    ("task", "header", "row"),
    [
        ("EXPR", "image_location,Happy,Sad,Neutral,Anger,Disgust,Fear,Surprised,Others", "a/00001.jpg,3"),
        ("EXPR", HEADER.replace("Other", "Contempt"), "a/00001.jpg,3"),
        ("VA", "image_location,first,second", "a/00001.jpg,0.5,0.5"),
    ],
)
def test_header_whose_names_may_mean_other_columns_is_refused(tmp_path, task, header, row):
    (tmp_path / "in.txt").write_text(f"{header}\n{row}\n")
    with pytest.raises(SubmissionError, match="its values may mean something else"):
        repair(tmp_path / "in.txt", tmp_path / "out.txt", task=task)


def test_row_that_is_no_row_is_never_taken_for_a_header(tmp_path):
    (tmp_path / "in.txt").write_text("Videos 1 Visite_1 a,1\nVideos/1/Visite_1/b.mp4,1\n")
    assert [(p.code, p.line) for p in validate(tmp_path / "in.txt", task="AH").errors] == [("location", 1)]
    with pytest.raises(SubmissionError, match=r"in\.txt:1:1: error \[location\]"):
        repair(tmp_path / "in.txt", tmp_path / "out.txt", task="AH")


# hesitancy

AH_ROWS = ["Videos/82711/Visite_1/a b.mp4,1", "Videos/82512/Visite_2/d.mp4,0"]


@pytest.mark.parametrize(
    "spelled",
    [
        lambda row: row.replace(".mp4", ".avi"),
        lambda row: row.replace(".mp4", ""),
        lambda row: row.replace("Videos/", "videos/").replace("Visite", "visite"),
        lambda row: row.removeprefix("Videos/"),
        lambda row: row.rpartition("/")[2],
        lambda row: row.replace("Visite_", "Visite "),
    ],
)
@pytest.mark.parametrize("task", [None, "AH"])
def test_first_row_in_other_spelling_keeps_the_format(tmp_path, spelled, task):
    path, template = tmp_path / "in.txt", tmp_path / "template.txt"
    template.write_text("\n".join([*AH_ROWS, ""]).replace(",1", ",0"))
    path.write_text("\n".join([*map(spelled, AH_ROWS), ""]))
    report = validate(path, task=task, template=template)
    assert (report.format, {p.code for p in report.problems}) == ("AH-labels", {"name"})
    done = repair(path, tmp_path / "out.txt", task=task, template=template)
    assert dict(done.changes) == {"names of videos written as they belong": 2}
    assert (tmp_path / "out.txt").read_text() == "\n".join([*AH_ROWS, ""])


def test_blank_lines_before_first_row_keep_the_format(tmp_path):
    (tmp_path / "in.txt").write_text("\n".join(["", "", *AH_ROWS, ""]))
    report = validate(tmp_path / "in.txt")
    assert (report.format, report.valid, report.counts["warning", "blank"]) == ("AH-labels", True, 2)
    assert dict(repair(tmp_path / "in.txt", tmp_path / "out.txt").changes) == {"blank lines removed": 2}


# what is not touched


def test_values_keep_their_text_and_rows_their_order(tmp_path):
    rows = ["b/00001.jpg,0.1234567890123,-1", "a/00001.jpg,1e-3,+.5", "b/00002.jpg,0.10,-0"]
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text([*rows, ""], header=VA.submission_header))
    assert dict(repair(path, out).changes) == {"blank lines removed": 1}
    assert out.read_text() == text(rows, header=VA.submission_header)


def test_filled_row_leaves_the_text_of_all_others(tmp_path):
    rows = [f"a/{k:05d}.jpg,0.{k:010d},-0.50" for k in range(1, 41)]
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text([*rows[:9], *rows[10:]], header=VA.submission_header))
    assert dict(repair(path, out).changes) == {"missing frames interpolated": 1}
    lines = out.read_text().splitlines()[1:]
    assert [line for line in lines if not line.startswith("a/00010.jpg")] == [*rows[:9], *rows[10:]]


@pytest.mark.parametrize("kept", ["template", "labels", "path"])
def test_no_input_is_ever_overwritten(tmp_path, template, tree, kept):
    path = tmp_path / "in.txt"
    path.write_text(text(ROWS))
    labels = tree.labels("val", "a", [0] * N)
    out = {"template": template, "labels": labels, "path": path}[kept]
    before = out.read_bytes()
    given = {"template": template} if kept != "labels" else {"labels": labels}
    with pytest.raises(SubmissionError, match="is kept"):
        repair(path, out, force=True, **given)
    assert out.read_bytes() == before


def test_file_that_is_there_is_replaced_only_with_force(tmp_path):
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text(ROWS))
    out.write_text("mine")
    with pytest.raises(SubmissionError, match=r"this is there already.*--force"):
        repair(path, out)
    assert out.read_text() == "mine"
    repair(path, out, force=True)
    assert out.read_text() == text(ROWS)


# what is refused


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text(ROWS).encode().replace(b"b_left", b"b\xff"), r"\[not-text\] not a text file; found byte 0xff"),
        (text(ROWS).encode().replace(b"a/00003", b"\0a/00003"), r"\[control\] found U\+0000"),
        (text(ROWS).encode("utf-16")[:-1], r"\[not-text\]"),
        (text(["a/00001.jpg,1", "a/00003.jpg,2"]).encode(), "1 of 3 frames of a have no row; expected at most 0"),
    ],
)
def test_what_has_no_certain_meaning_is_refused(tmp_path, content, message):
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_bytes(content)
    with pytest.raises(SubmissionError, match=message):
        repair(path, out)
    assert not out.exists()


# systematic differences


def rows_of(lengths: dict[str, int], first: int = 1, last: int = 0, step: int = 1) -> list[str]:
    return [f"{name}/{k:05d}.jpg,{k % 8}" for name, n in lengths.items() for k in range(first, n + 1 + last, step)]


LENGTHS = {"a": 100, "b_left": 140, "c": 120}


@pytest.mark.parametrize(
    ("rows", "words", "options"),
    [
        (rows_of(LENGTHS, first=0, last=-1), "frame", Options(shift=1)),
        (rows_of(LENGTHS, first=2, last=1), "numbers are 1 too high in 3 of 3 videos", Options(shift=-1)),
        (rows_of(LENGTHS, last=-1), "no row for the last frame of 3 of 3 videos", Options(trust_numbers=True)),
        (rows_of(LENGTHS, first=2), "no row for the first frame of 3 of 3 videos", Options(trust_numbers=True)),
        (rows_of(LENGTHS, last=1), "1 row too many at the end of 3 of 3 videos", Options(trust_numbers=True)),
        (rows_of(LENGTHS, step=2), "only every second frame of 3 of 3 videos has a row", None),
    ],
    ids=["from 0", "too high", "short", "late", "long", "stride"],
)
def test_systematic_difference_is_refused_until_explained(tmp_path, tree, rows, words, options):
    template = tree.template(LENGTHS)
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text(rows))
    with pytest.raises(SubmissionError, match=words):
        repair(path, out, template=template)
    assert not out.exists()
    for wrong in (Options(shift=3), *([Options(trust_numbers=True)] if options is None or options.shift else [])):
        with pytest.raises(SubmissionError):
            repair(path, out, template=template, options=wrong)
    if options is not None:
        repair(path, out, template=template, options=options)
        assert validate_one_file(out, EXPR, read_template(template, EXPR)).valid


def test_shifted_rows_keep_their_values(tmp_path, tree):
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text([f"a/{k:05d}.jpg,{k % 8}" for k in range(100)]))
    done = repair(path, out, template=tree.template({"a": 100}), options=Options(shift=1))
    assert dict(done.changes) == {"frame numbers changed by +1": 100}
    assert out.read_text().splitlines()[1] == "a/00001.jpg,0"
    assert out.read_text().splitlines()[-1] == "a/00100.jpg,3"


def test_last_frame_of_one_video_of_many_is_a_gap(mend):
    assert mend(text(ROWS[:-1])) == {"missing frames taken from the nearest": 1}


# labels in place of a template


def test_labels_say_which_frames_there_must_be(tmp_path, tree):
    folder = tree.labels("val", "a", [0] * N).parent
    tree.labels("val", "b_left", [1] * N)
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text([row for row in ROWS if "00017" not in row]))
    assert dict(repair(path, out, labels=folder).changes) == {"missing frames taken from the nearest": 2}
    assert len(out.read_text().splitlines()) == 2 * N + 1
    path.write_text(text(ROWS[:-1]))
    assert dict(repair(path, out, labels=folder, force=True).changes) == {"missing frames taken from the nearest": 1}


# formats with classes beside values, and with few frames


def mtl(frame: int, values: str) -> str:
    return f"v/{frame:05d}.jpg,{values}," + ",".join("0" * 12)


def test_sparse_file_without_a_template_is_left_alone(tmp_path):
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text([mtl(1, "0.5,-0.5,7"), mtl(30, "0.1,0.2,0")], header=FORMATS["MTL"].header))
    assert repair(path, out).changes == {}
    assert out.read_bytes() == path.read_bytes()


def test_class_between_two_classes_is_never_invented(tmp_path, tree):
    frames = [*range(1, 20), *range(21, 42)]
    rows = [mtl(k, f"{k / 100:.2f},0,{0 if k < 20 else 7}") for k in frames]
    path, out, template = tmp_path / "in.txt", tmp_path / "out.txt", tmp_path / "template.txt"
    path.write_text(text(rows, header=FORMATS["MTL"].header))
    template.write_text(text([mtl(k, "0,0,0") for k in range(1, 42)], header=FORMATS["MTL"].header))
    done = repair(path, out, template=template)
    assert dict(done.changes) == {"missing frames interpolated": 1}
    assert out.read_text().splitlines()[20] == mtl(20, "0.200000,0.000000,0")


# columns and ranges


def test_columns_in_other_order_are_sorted_with_their_values(tmp_path):
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text("image_location,arousal,valence\na/00001.jpg,0.1,-0.5\n")
    assert dict(repair(path, out, task="VA").changes) == {"values put in the order of the columns": 1}
    assert out.read_text() == f"{VA.submission_header}\na/00001.jpg,-0.5,0.1\n"


def test_columns_of_clips_in_another_order_are_put_right(tmp_path):
    names = FORMATS["EMI"].header.split(",")
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(",".join([names[0], *reversed(names[1:])]) + "\n00001,0.1,0.2,0.3,0.4,0.5,0.6\n")
    repair(path, out)
    assert out.read_text() == f"{FORMATS['EMI'].header}\n00001,0.6,0.5,0.4,0.3,0.2,0.1\n"


def test_names_of_classes_in_another_order_are_refused(tmp_path):
    """Their numbers may be others, too."""
    path = tmp_path / "in.txt"
    path.write_text(text(ROWS, header=HEADER.replace("Neutral,Anger", "Anger,Neutral")))
    with pytest.raises(SubmissionError, match="its values may mean something else"):
        repair(path, tmp_path / "out.txt")


def test_values_out_of_range_are_clipped_where_that_is_asked_for(tmp_path):
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(f"{FORMATS['EMI'].header}\n00001,-0.03,0.2,1.5,0.4,0.50,0.6\n")
    with pytest.raises(SubmissionError, match="give --clip"):
        repair(path, out)
    done = repair(path, out, options=Options(clip=True))
    assert dict(done.changes) == {"values put on the nearest end of 0 to 1": 2}
    assert out.read_text() == f"{FORMATS['EMI'].header}\n00001,0,0.2,1,0.4,0.50,0.6\n"


# a file per video


@pytest.fixture
def expected_files(tmp_path):
    folder = tmp_path / "Expected_Output_Files"
    folder.mkdir()
    for name, n in {"0002": 40, "0013": 50}.items():
        (folder / f"{name}.csv").write_text("\n".join(["Frame_Number,Label", *(f"{k},0" for k in range(1, n + 1)), ""]))
    return folder


def test_folder_of_files_is_mended_as_a_whole(tmp_path, expected_files):
    given = tmp_path / "given"
    given.mkdir()
    (given / "2.csv").write_text("Frame_Number,Label\n" + "".join(f"{k},{k % 2}.0\n" for k in range(1, 41)))
    (given / "0013.CSV").write_text("Frame_Number,Label\n" + "".join(f"{k},True\n" for k in range(1, 51) if k != 25))
    done = repair(given, tmp_path / "out", template=expected_files)
    assert dict(done.changes) == {
        "names of files written as they belong": 2,
        "whole numbers written without a decimal point": 40,
        "True and False written as 1 and 0": 49,
        "missing frames taken from the nearest": 1,
    }
    assert validate(tmp_path / "out", template=expected_files).problems == []
    repair(given, tmp_path / "out.zip", template=expected_files)
    assert validate(tmp_path / "out.zip", template=expected_files).valid


def test_folder_that_holds_something_else_is_never_replaced(tmp_path, expected_files):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(SubmissionError, match=r"other files lie in this folder; found thesis\.tex"):
        repair(expected_files, out, template=expected_files, force=True)
    assert (out / "thesis.tex").read_text() == "years of work"


def test_every_videos_file_short_by_a_frame_is_systematic(tmp_path, expected_files):
    given = tmp_path / "given"
    given.mkdir()
    for path in expected_files.iterdir():
        (given / path.name).write_text("\n".join([*path.read_text().splitlines()[:-1], ""]))
    with pytest.raises(SubmissionError, match="no row for the last frame of 2 of 2 videos"):
        repair(given, tmp_path / "out", template=expected_files)


def test_zip_with_one_table_is_mended(tmp_path, template):
    path, out = tmp_path / "in.zip", tmp_path / "out.txt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("predictions.txt", text([row.replace(",", ", ") for row in ROWS]))
    assert dict(repair(path, out, template=template).changes) == {"spaces removed": 2 * N}
    assert out.read_text() == text(ROWS)


def test_several_tables_are_mended_one_by_one(tmp_path, template):
    given = tmp_path / "given"
    (given / "b").mkdir(parents=True)
    (given / "expr.txt").write_text(text([row.replace(",", ", ") for row in ROWS]))
    va = text(["a/00001.jpg,0.5,0.5"], header=VA.submission_header)
    (given / "b" / "va.txt").write_text(va)
    done = repair(given, tmp_path / "out")
    assert dict(done.changes) == {"spaces removed": 2 * N}
    assert (tmp_path / "out/expr.txt").read_text() == text(ROWS)
    assert (tmp_path / "out/b/va.txt").read_text() == va
    repair(given, tmp_path / "out", template=template, force=True)  # of one of the tasks
    repair(given, tmp_path / "out.zip", template=template)
    assert validate(tmp_path / "out.zip", template=template).valid


def test_name_of_a_videos_file_in_another_spelling_is_mended(tmp_path, expected_files):
    given = tmp_path / "given"
    given.mkdir()
    for path, name in zip(sorted(expected_files.iterdir()), ["0002.mp4.csv", "13_pred.csv"], strict=True):
        (given / name).write_bytes(path.read_bytes())
    report = validate(given, template=expected_files)
    assert report.counts == {("error", "name"): 2}
    assert dict(repair(given, tmp_path / "out", template=expected_files).changes) == {
        "names of files written as they belong": 2
    }
    assert validate(tmp_path / "out", template=expected_files).problems == []


@pytest.mark.parametrize("names", [("0002", "2"), ("0002_pred", "0002.mp4"), ("0002", "0002_pred")])
def test_two_files_for_one_video_are_never_mended(tmp_path, expected_files, names):
    given = tmp_path / "given"
    given.mkdir()
    for name in names:
        (given / f"{name}.csv").write_bytes((expected_files / "0002.csv").read_bytes())
    with pytest.raises(SubmissionError, match="a second file for video 0002"):
        repair(given, tmp_path / "out", template=expected_files)


def test_files_that_are_left_out_or_moved_are_said(tmp_path, expected_files):
    given = tmp_path / "given"
    (given / "submission/VD").mkdir(parents=True)
    for path in expected_files.iterdir():
        (given / "submission/VD" / path.name).write_bytes(path.read_bytes())
    (given / ".DS_Store").write_bytes(b"")
    changes = dict(repair(given, tmp_path / "out", template=expected_files).changes)
    assert changes.pop("files taken out of submission/VD") == 2
    assert [text for text in changes if ".DS_Store" in text and text.startswith("left out")]


def test_another_editions_header_is_written_as_the_templates(tmp_path, expected_files):
    given = tmp_path / "given"
    given.mkdir()
    for path in expected_files.iterdir():
        (given / path.name).write_text(path.read_text().replace("Frame_Number", "Frame_Num"))
    assert validate(given).valid
    assert {p.code for p in validate(given, template=expected_files).errors} == {"header"}
    done = repair(given, tmp_path / "out", template=expected_files)
    assert dict(done.changes) == {"header written as it belongs": 2}


def test_file_of_real_test_set_fills_ends_without_template(tmp_path, monkeypatch):
    for module in ("template", "checking.table", "repair"):
        monkeypatch.setattr(f"harness.files.{module}.test_set_counts", lambda task: {"a": N, "b_left": N})
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text(text(ROWS[: N - 1] + ROWS[N:-1]))
    done = repair(path, out)
    assert "--trust-numbers" in done.remaining[0]
    done = repair(path, out, options=Options(trust_numbers=True), force=True)
    assert (dict(done.changes), done.remaining) == ({"missing frames taken from the nearest": 2}, ())
    assert len(out.read_text().splitlines()) == 2 * N + 1


def test_header_without_one_of_the_classes_is_refused(tmp_path):
    header = FORMATS["EXPR-videos"].header
    (tmp_path / "a.txt").write_text(f"{header.removesuffix(',Other')}\n3\n4\n")
    with pytest.raises(SubmissionError):
        repair(tmp_path / "a.txt", tmp_path / "out.txt", task="EXPR", edition=3)


def test_repair_that_leaves_a_file_not_valid_ends_with_1(abaw, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    (given / "video72.txt").write_text("valence,arousal\n0.5,0.5\n")  # of the real test set, with 130 frames
    shown = abaw("repair", given, tmp_path / "out")
    assert shown.returncode == 1
    assert "nothing that is wrong could be mended" in shown.stdout
    assert "still NOT valid, 1 video has another number of rows than of frames" in shown.stdout
    assert (tmp_path / "out/video72.txt").exists()


def test_swapped_number_and_label_columns_are_exchanged(tmp_path):
    folder = tmp_path / "VD"
    folder.mkdir()
    for name in ("0001", "0002"):
        rows = [f"{k % 2},{k}\n" for k in range(1, 40)]
        (folder / f"{name}.csv").write_text("Label,Frame_Number\n" + "".join(rows))
    report = validate(folder, task="VD")
    assert [found.code for found in report.errors] == ["column-order"] * 2
    assert "the columns are in another order: Label, Frame_Number" in report.errors[0].message
    done = repair(folder, tmp_path / "out", task="VD")
    assert dict(done.changes) == {"values put in the order of the columns": 78}
    assert (tmp_path / "out/0002.csv").read_text().splitlines()[:3] == ["Frame_Number,Label", "1,1", "2,0"]


def test_columns_whose_rows_contradict_the_header_are_refused(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("arousal,image_location,valence\na/00001.jpg,0.1,0.2\n0.1,a/00002.jpg,0.2\n")
    assert not validate(path, task="VA").valid
    with pytest.raises(SubmissionError):
        repair(path, tmp_path / "out.txt", task="VA")


def test_all_problems_are_counted_and_frames_from_0_get_advice(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text(text([f"a/{k:05d}.jpg,9" for k in range(60)]))
    with pytest.raises(SubmissionError, match=r"61 problems that can't be mended") as caught:
        repair(path, tmp_path / "out.txt")
    assert str(caught.value).endswith("--shift +1")


def test_a_shift_with_gaps_is_refused_and_undone_when_asked(tmp_path, tree):
    template, lengths = tree.template(TEN), TEN
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    lost = {name: 20 + 7 * k for k, name in enumerate(lengths)}
    path.write_text(
        text([f"{n}/{k + 1:05d}.jpg,{k % 8}" for n, m in lengths.items() for k in range(1, m + 1) if k != lost[n]])
    )
    with pytest.raises(SubmissionError, match=r"numbers are 1 too high in 10 of 10 videos.*--shift -1"):
        repair(path, out, template=template)
    done = repair(path, out, template=template, options=Options(shift=-1))
    assert done.changes["missing frames taken from the nearest"] == 10
    assert out.read_text().splitlines()[1] == "v0/00001.jpg,1"


TEN = {f"v{k}": 100 + 3 * k for k in range(10)}


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (lambda k, n: 2 < k <= n - 2, "the first 2 and the last 2 frames of 10 of 10 videos"),
        (lambda k, n: k != 37, "frame 37 of 10 of 10 videos has no row"),
        (lambda k, n: k % 25, "every 25th frame of 10 of 10 videos has no row"),
    ],
)
def test_gaps_at_one_place_are_filled_only_if_numbers_are_right(tmp_path, tree, keep, words):
    path, out, template = tmp_path / "in.txt", tmp_path / "out.txt", tree.template(TEN)
    path.write_text(text([f"{n}/{k:05d}.jpg,{k % 8}" for n, m in TEN.items() for k in range(1, m + 1) if keep(k, m)]))
    assert any(words in found.message for found in validate(path, template=template).problems)
    with pytest.raises(SubmissionError, match=rf"{words}.*--trust-numbers"):
        repair(path, out, template=template)
    repair(path, out, template=template, options=Options(trust_numbers=True))
    assert validate(out, template=template).valid
