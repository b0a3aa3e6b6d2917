"""Whatever a team is about to send in, a file, a folder or a zip: what it is is found out, and assumptions are said."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.errors import SubmissionError
from harness.files.checking.submission import open_submission, validate
from harness.files.formats import FORMATS
from harness.files.one_file import write_one_file
from harness.files.repair import plan, repair
from harness.files.template import affwild2_videos
from harness.files.template import test_set_counts as known_counts
from harness.files.video_files import write_videos
from harness.tasks import EXPR

GOLDEN = Path(__file__).parents[1] / "golden"


def codes(report) -> list[tuple[str, str]]:
    return sorted((p.severity, p.code) for p in report.problems)


def zipped(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", [name for name, f in FORMATS.items() if not f.per_video])
def test_a_table_is_recognised_and_what_was_assumed_is_said(name):
    format = FORMATS[name]
    submission = open_submission(GOLDEN / f"{name.lower()}{format.suffix}", known=False)
    assert submission.report.valid, submission.report.problems
    assert submission.format is format
    assert submission.report.assumed[0].startswith(f"taken for {name} (edition")


@pytest.mark.parametrize("name", [name for name, f in FORMATS.items() if not f.per_video])
def test_a_table_in_a_zip_is_the_same(tmp_path, name):
    path = GOLDEN / f"{name.lower()}{FORMATS[name].suffix}"
    archive = zipped(tmp_path / "out.zip", {"predictions.txt": path.read_bytes()})
    report = open_submission(archive, known=False).report
    assert report.valid
    assert (report.rows, report.format) == (validate(path).rows, name)
    assert str(validate(zipped(archive, {"a/p.txt": path.read_bytes() + b"oops\n"})).errors[0]).startswith(
        f"{archive}!a/p.txt:"
    )


@pytest.mark.parametrize("place", ["folder", "flat.zip", "nested.zip"])
def test_video_files_in_a_folder_or_a_zip(tmp_path, place):
    values = {"0001": np.array([0, 1]), "0002": np.array([1])}
    files = write_videos(tmp_path / "folder", FORMATS["VD"], values)
    path = tmp_path / place
    if place != "folder":
        zipped(path, {("sub/" if "nested" in place else "") + file.name: file.read_bytes() for file in files})
    submission = open_submission(path)
    assert submission.report.valid
    assert (submission.report.rows, submission.report.videos, submission.format.name) == (3, 2, "VD")
    assert {name: part.rows.values.tolist() for name, part in submission.parts.items()} == {"0001": [0, 1], "0002": [1]}
    assert any("the files lie in sub" in text for text in submission.report.assumed) == ("nested" in place)


def test_video_files_against_the_organisers(tmp_path):
    wanted = write_videos(tmp_path / "wanted", FORMATS["VD"], {"1": np.zeros(3, int), "2": np.zeros(2, int)})[0].parent
    given = tmp_path / "given"
    write_videos(given, FORMATS["VD"], {"1": np.array([0, 1]), "3": np.array([1])})
    (given / "3.csv").rename(given / "3.txt")
    report = validate(given, template=wanted)
    assert codes(report) == [
        ("error", "extra-video"), ("error", "missing"), ("error", "missing-video"), ("error", "suffix"),
        ("error", "systematic"),
    ]  # fmt: skip
    assert "no file 2.csv" in "\n".join(map(str, report.errors))
    assert validate(wanted, template=wanted).problems == []
    assert validate(wanted, template=wanted).assumed == [
        "taken for VD (editions 9 to 10), from the first line of its files"
    ]


@pytest.mark.parametrize(("name", "found"), [("1", []), ("1_pred", [("error", "name")])])
def test_one_videos_file_is_held_against_its_template(tmp_path, name, found):
    wanted = write_videos(tmp_path / "wanted", FORMATS["VD"], {"1": np.zeros(3, int), "2": np.zeros(2, int)})[0].parent
    path = tmp_path / f"{name}.csv"
    path.write_text("Frame_Number,Label\n1,0\n2,1\n3,0\n")
    assert codes(validate(path, template=wanted)) == found
    assert codes(validate(path, template=wanted / "1.csv")) == found
    done = plan(path, template=wanted)
    assert list(done.changes) == (["taken for the file of 1: call it 1.csv"] if found else [])
    path.rename(tmp_path / "9.csv")
    assert codes(validate(tmp_path / "9.csv", template=wanted)) == [("error", "extra-video")]
    with pytest.raises(SubmissionError, match="9 is not in the template"):
        plan(tmp_path / "9.csv", template=wanted)


def test_files_with_other_suffix_are_recognised_and_mended(tmp_path):
    wanted = write_videos(tmp_path / "wanted", FORMATS["VD"], {"1": np.zeros(3, int), "2": np.zeros(2, int)})[0].parent
    given = tmp_path / "given"
    given.mkdir()
    for path in wanted.iterdir():
        (given / f"{path.stem}.txt").write_bytes(path.read_bytes())
    assert {p.code for p in validate(given, template=wanted).errors} == {"suffix"}
    done = plan(given, template=wanted)
    assert sorted(done.files) == ["1.csv", "2.csv"]
    assert dict(done.changes) == {"names of files written as they belong": 2}


@pytest.mark.parametrize("format", ["VD", "CE"])
def test_names_that_all_end_as_tools_make_them_are_doubted(tmp_path, format):
    path = tmp_path / "given"
    if format == "VD":
        write_videos(path, FORMATS["VD"], {"1_pred": np.zeros(3, int), "2_pred": np.zeros(2, int)})
    else:
        path.write_text(f"{FORMATS['CE'].header}\nx_aligned/00001.jpg,1\ny_aligned/00001.jpg,1\n")
    report = validate(path)
    assert codes(report) == [("warning", "unknown-videos")]
    assert "all names end as tools make them: is '" in report.problems[0].message
    if format == "VD":
        (path / "2_pred.csv").rename(path / "2.csv")
        assert codes(validate(path)) == []


def test_every_problem_of_a_folder_names_its_file(tmp_path):
    write_videos(tmp_path / "out", FORMATS["VD"], {"1": np.array([0, 1, 1])})
    (tmp_path / "out/2.csv").write_text("Frame_Number,Label\n1,2\n3,0\n")
    report = validate(tmp_path / "out")
    assert [str(p).partition(": ")[0] for p in report.errors] == [f"{tmp_path / 'out'}!2.csv:2:3"]
    assert ("warning", "gaps") in codes(report)


def test_third_editions_files_have_a_line_a_frame(tmp_path):
    names = dict(list(known_counts("EXPR").items())[:3])
    values = {name: np.zeros(n, int) for name, n in names.items()}
    first = next(iter(values))
    values[first] = values[first][:-1]
    report = validate(write_videos(tmp_path / "out", FORMATS["EXPR-videos"], values)[0].parent)
    assert report.counts["error", "rows"] == 1
    assert f"{names[first] - 1} rows, but the video has {names[first]} frames" in str(report.errors[0])
    assert report.counts["warning", "missing-video"] == 228 - 3


@pytest.mark.parametrize("rest", [".mp4", "_pred", ""])
def test_names_of_third_editions_files_are_checked(tmp_path, rest):
    counts = dict(sorted(known_counts("VA").items(), key=lambda pair: pair[1])[:3])
    values = {f"{name}{rest}": np.zeros((n - 5, 2)) for name, n in counts.items()}
    folder = write_videos(tmp_path / "out", FORMATS["VA-videos"], values)[0].parent
    report = validate(folder, task="VA")
    assert report.counts["error", "rows"] == 3
    assert report.counts["error", "name"] == (3 if rest else 0)
    assert len([text for text in report.assumed if "no template given" in text]) == 1
    done = repair(folder, tmp_path / "mended", task="VA")
    assert sorted(done.files) == sorted(f"{name}.txt" for name in counts)
    assert "3 videos have another number of rows than of frames" in done.remaining[0]


def test_names_of_files_for_validation_are_checked_too(tmp_path):
    others = sorted(affwild2_videos() - set(known_counts("VA")))[:3]
    values = {f"{name}_pred": np.zeros((3, 2)) for name in others}
    folder = write_videos(tmp_path / "out", FORMATS["VA-videos"], values)[0].parent
    report = validate(folder, task="VA")
    assert report.counts == {("error", "name"): 3}
    assert any("taken for a file for training or validation" in text for text in report.assumed)
    assert sorted(plan(folder, task="VA").files) == [f"{name}.txt" for name in others]


def test_files_of_videos_that_nobody_knows_are_warned_of(tmp_path):
    folder = write_videos(tmp_path / "out", FORMATS["VA-videos"], {"x": np.zeros((2, 2)), "y": np.zeros((3, 2))})[0]
    report = validate(folder.parent, task="VA")
    assert codes(report) == [("warning", "unknown-videos")]
    assert "0 of 2 videos are in the table of VA-videos's real test set, not 'x'" in report.problems[0].message


@pytest.mark.parametrize("name", ["EXPR", "VA", "MTL"])
@pytest.mark.parametrize("rest", ["_aligned", ".m4v", "_v2"])
def test_names_of_the_real_test_set_with_a_rest_are_errors(tmp_path, name, rest):
    format = FORMATS[name]
    values = {"EXPR": "3", "VA": "0.5,0.5", "MTL": "0,0,1," + ",".join("0" * 12)}[name]
    videos = ["102-30-640x360", "6-30-1920x1080_left", "video95"]
    path = tmp_path / "p.txt"
    path.write_text("\n".join([format.header, *(f"{video}{rest}/00001.jpg,{values}" for video in videos), ""]))
    report = validate(path)
    named = [p for p in report.errors if p.code == "name"]
    assert [p.line for p in named] == [2, 3, 4]
    assert "expected '102-30-640x360'" in named[0].message
    assert ("warning", "unknown-videos") not in report.counts
    assert b"video95/00001.jpg" in plan(path).files["p.txt"]


def test_two_files_for_one_video_are_refused(tmp_path):
    content = "Frame_Number,Label\n1,0\n"
    report = validate(zipped(tmp_path / "x.zip", {"a/1.csv": content, "b/1.csv": content}))
    assert ("error", "duplicate-video") in codes(report)


def test_trials_of_one_list_are_checked_one_by_one(tmp_path):
    row = "Videos/1/Visite_1/a.mp4,0.25,0.75,1\n"
    report = validate(zipped(tmp_path / "x.zip", {"trial-0.txt": row, "trial-1.txt": row.replace("0.75", "0.5")}))
    assert [(p.code, p.where) for p in report.errors] == [("sum", f"{tmp_path / 'x.zip'}!trial-1.txt")]


def test_names_and_counts_are_checked_without_template(tmp_path):
    counts = known_counts("EXPR")
    assert (len(counts), sum(counts.values())) == (228, 1_022_655)
    values = {name: np.zeros(n, int) for name, n in counts.items()}
    order = list(reversed(values))
    path = tmp_path / "predictions.txt"
    write_one_file(path, EXPR, values, order)
    report = validate(path)
    assert report.valid
    assert "the order of the rows was not checked" in " ".join(report.assumed)
    data = path.read_bytes()
    gone = order[0]
    header, second_video = data.index(b"\n") + 1, data.index(f"\n{order[1]}/".encode()) + 1
    last_row = data.rindex(b"\n", 0, -1) + 1
    path.write_bytes(data[:header] + data[second_video:last_row] + f"{order[-1]}/99999.jpg,0\n".encode())
    report = validate(path)
    assert codes(report) == [
        ("error", "extra"), ("error", "missing"), ("error", "missing-video"), ("warning", "constant"),
    ]  # fmt: skip
    assert f"no row for any of the {counts[gone]} frames of {gone}" in "\n".join(map(str, report.errors))


def test_what_is_no_submission_lists_what_is_known(tmp_path):
    (tmp_path / "a.txt").write_text("hello\n")
    with pytest.raises(SubmissionError, match=r"a\.txt:1:1: can't tell what this file is(.|\n)*EMI: Filename,"):
        validate(tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SubmissionError, match="the folder is empty"):
        validate(tmp_path / "empty")
    with pytest.raises(SubmissionError, match="no such file or folder"):
        validate(tmp_path / "missing")


def test_a_named_task_is_held_against_even_if_nothing_fits(tmp_path):
    (tmp_path / "a.txt").write_text("hello\n")
    report = validate(tmp_path / "a.txt", task="EMI")
    assert not report.valid
    assert report.format == "EMI"


def test_a_header_before_rows_that_have_none_is_said(tmp_path):
    (tmp_path / "trial-0.txt").write_text("video,p0,p1,label\nVideos/1/Visite_1/a.mp4,0.25,0.75,1\n")
    report = validate(tmp_path / "trial-0.txt")
    assert (report.format, codes(report)) == ("AH-trials", [("error", "header")])


def test_frames_of_violence_counted_from_zero_are_said(tmp_path):
    (tmp_path / "1.csv").write_text("Frame_Number,Label\n0,1\n1,1\n")
    assert codes(validate(tmp_path / "1.csv")) == [("error", "zero-based")]


def test_a_file_that_may_be_mended_says_so(abaw, tmp_path):
    path = tmp_path / "p.txt"
    path.write_text(f"{EXPR.submission_header}\nv/00001.jpg,3.0\n")
    shown = abaw("validate", path)
    assert f"abaw repair {path} OUT" in shown.stdout
    path.write_text(f"{EXPR.submission_header}\nv/00001.jpg,9\n")
    assert "abaw repair can't mend this" in abaw("validate", path).stdout
