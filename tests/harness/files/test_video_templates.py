"""Templates with a file a video, and files written after them."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from harness.errors import SubmissionError
from harness.files.checking.table import check_table
from harness.files.format import Format
from harness.files.formats import FORMATS
from harness.files.video_files import write_videos
from harness.files.video_templates import joined, read_video_templates

VD = FORMATS["VD"]
HEADER = "Frame_Number,Label"


@pytest.fixture
def expected(tmp_path):
    """Writes templates; returns their folder."""

    def write(**files: str):
        folder = tmp_path / "Expected_Output_Files"
        for name, text in files.items():
            path = folder / f"{name.strip('_')}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        return folder

    return write


def test_templates_are_joined_in_the_order_of_their_names(expected):
    folder = expected(_0009=f"{HEADER}\n1,0\n2,0\n", _0003="Frame_Num,Label\r\n1,\r\n3,\r\n")
    template = joined(read_video_templates(folder, VD), folder, VD)
    assert template.videos == ("0003", "0009")
    assert template.n_frames == {"0003": 3, "0009": 2}
    assert template.frame.tolist() == [1, 3, 1, 2]
    assert template.headers == {"0003": "Frame_Num,Label"}


def test_a_zip_and_a_folder_within_the_folder_say_the_same(expected, tmp_path):
    folder = expected(_0003=f"{HEADER}\n1,0\n")
    with zipfile.ZipFile(tmp_path / "expected.zip", "w") as archive:
        archive.write(folder / "0003.csv", "Expected_Output_Files/0003.csv")
        archive.writestr("Expected_Output_Files/README.md", "how to")
    zipped, plain = (joined(read_video_templates(p, VD), p, VD) for p in (tmp_path / "expected.zip", folder))
    assert zipped.fingerprint() == plain.fingerprint()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEADER}\n1,0\n1,0\n", r"0003\.csv:3:1: error \[duplicate\]"),
        (f"{HEADER}\n0,0\n1,0\n", r"0003\.csv:2:1: error \[zero-based\]"),
        ("Frame_Number,Score\n1,0\n", r"0003\.csv:1:14: error \[header\] found 'Score', expected 'Label'"),
        (HEADER, r"0003\.csv:1:1: error \[empty\]"),
    ],
)
def test_what_is_no_template_is_named_with_its_line(expected, text, message):
    with pytest.raises(SubmissionError, match=message):
        read_video_templates(expected(_0003=text), VD)


def test_two_templates_of_one_video_are_refused(expected):
    folder = expected(_0003=f"{HEADER}\n1,0\n")
    (folder / "more").mkdir()
    (folder / "more" / "0003.csv").write_text(f"{HEADER}\n1,0\n")
    with pytest.raises(SubmissionError, match="a second template for one video"):
        read_video_templates(folder, VD)


def test_a_folder_of_other_files_is_no_template(tmp_path):
    (tmp_path / "a.txt").write_text("1")
    with pytest.raises(SubmissionError, match=r"no templates; expected <video>\.csv files"):
        read_video_templates(tmp_path, VD)


def test_files_have_their_templates_rows_and_header(expected, tmp_path):
    folder = expected(_0003="frame_num,label\n3,0\n1,0\n", _0009=f"{HEADER}\n1,0\n")
    template = joined(read_video_templates(folder, VD), folder, VD)
    decisions = {"0003": np.array([1, 0, 0]), "0009": np.array([1, 1, 1]), "other": np.array([0])}
    paths = write_videos(tmp_path / "out", VD, decisions, template=template)
    assert [path.read_text() for path in paths] == ["frame_num,label\n3,0\n1,1\n", f"{HEADER}\n1,1\n"]


@pytest.mark.parametrize("decisions", [{"0003": np.array([1])}, {}])
def test_a_frame_without_a_decision_is_named_and_nothing_written(expected, tmp_path, decisions):
    folder = expected(_0003=f"{HEADER}\n1,0\n2,0\n")
    template = joined(read_video_templates(folder, VD), folder, VD)
    with pytest.raises(SubmissionError, match=r"no prediction for frame [12] of 0003; found [01] predictions"):
        write_videos(tmp_path / "out", VD, decisions, template=template)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(5))
def test_rows_read_at_once_are_those_read_line_by_line(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    frames = rng.permutation(5000)[:2000] + 1
    text = "\n".join([HEADER, *(f"{k},{rng.integers(2)}" for k in frames.tolist()), ""]).encode()

    def read():
        checked = check_table(text, "a.csv", VD, video="a", known=False)
        return checked.rows.frame.tolist(), checked.rows.values.tolist(), str(checked.report)

    at_once = read()
    monkeypatch.setattr("harness.files.checking.table._rows_at_once", lambda *given: None)
    assert read() == at_once


@pytest.mark.parametrize(
    "row",
    ["1,2", "01,0", "+1,0", "1, 0", "1,0,0", "1", ",0", "1,", "1.0,0", "1e1,0", "-1,0", "9999999999,0", "1,00"],
)
def test_a_row_that_is_not_plain_is_judged_line_by_line(row, monkeypatch):
    text = f"{HEADER}\n{row}\n7,1\n".encode()

    def errors(format: Format = VD):
        return [str(e) for e in check_table(text, "a.csv", format, video="a", known=False).report.errors]

    found = errors()
    monkeypatch.setattr("harness.files.checking.table._rows_at_once", lambda *given: None)
    assert found == errors()
