"""What `abaw data check` says of DVD: counts, and everything that is wrong with pictures, films and labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.datasets.checking.dataset import check_data
from harness.datasets.checking.dvd import check_dvd
from harness.errors import DataError
from tests.support.numbered_films import cut_short, write_film


@pytest.fixture
def filmed(tiny_dvd):
    """The drawn scenes; makes films of a video in the place of its folder of frames."""

    def call(split: str, video: str, frames: int) -> Path:
        shutil.rmtree(tiny_dvd / split / "frames" / video, ignore_errors=True)
        return write_film(tiny_dvd / split / "videos" / f"{video}.mp4", frames)

    return call


def frames_of(root: Path, video: str) -> int:
    return len((root / f"Validation/annotations/{video}.csv").read_text().splitlines()) - 1


def test_splits_labels_and_the_violent_share_are_counted(tiny_dvd_once):
    report = check_dvd(tiny_dvd_once)
    rows = {r.split: (r.videos, r.labelled is None, r.without_picture) for r in report.splits}
    assert rows == {"train": (6, False, 0), "val": (3, False, 6), "test": (2, True, 0)}
    counts = report.label_counts["VD"]["train"]
    labelled = next(r.labelled for r in report.splits if r.split == "train")
    assert counts["non_violent"] + counts["violent"] == labelled
    assert counts["violent share"] == pytest.approx(counts["violent"] / labelled, abs=1e-4)
    assert report.problems == []
    assert report.notes == ["VD val: frames without a picture: 0004 lacks 6 of 73, the first is 42"]


def test_frames_missing_labels_are_not_counted_as_labelled(tiny_dvd_once):
    row = next(r for r in check_dvd(tiny_dvd_once).splits if r.split == "train")
    assert 0 < row.frames - row.labelled < 10  # the stretch that nobody annotated


def test_every_wrong_label_file_is_named(tiny_dvd):
    for video in ("0000", "0006"):
        (tiny_dvd / f"Training/annotations/{video}.csv").write_text("Frame_Number,Label\n1,3\n")
    with pytest.raises(DataError, match=r"0000\.csv:2:3.*\n.*0006\.csv:2:3"):
        check_dvd(tiny_dvd)


def test_folder_numbered_from_0_is_a_problem_and_unreadable(tiny_dvd):
    folder = tiny_dvd / "Training/frames/0000"
    (folder / "00001.jpg").rename(folder / "00000.jpg")
    problems = check_dvd(tiny_dvd).problems
    assert "0000: pictures must be numbered from 1" in problems[0]
    assert "VD train: 1 video has no picture that can be read; found 0000" in problems[1]
    assert "unpack" not in problems[1]


def test_pictures_beyond_the_labels_are_noted(tiny_dvd):
    folder = tiny_dvd / "Training/frames/0000"
    shutil.copy(folder / "00001.jpg", folder / "00500.jpg")
    assert any(note.endswith("official frames, but a picture numbered 500") for note in check_dvd(tiny_dvd).notes)


def test_a_film_as_long_as_its_labels_is_fine(tiny_dvd, filmed):
    filmed("Validation", "0001", frames_of(tiny_dvd, "0001"))
    report = check_dvd(tiny_dvd)
    assert report.problems == []
    assert "1 video has no folder of frames; their pictures come out of their films" in report.notes


def test_video_file_shorter_than_labels_is_a_problem(tiny_dvd, filmed):
    n = frames_of(tiny_dvd, "0001")
    filmed("Validation", "0001", n - 5)
    report = check_dvd(tiny_dvd)
    assert len(report.problems) == 1
    assert (
        f"0001.mp4: this film is shorter than its video's labels or template; found {n - 5} frames"
        in report.problems[0]
    )
    assert next(r.without_picture for r in report.splits if r.split == "val") == 6 + 5


def test_a_film_longer_than_its_labels_is_noted(tiny_dvd, filmed):
    n = frames_of(tiny_dvd, "0001")
    filmed("Validation", "0001", n + 5)
    report = check_dvd(tiny_dvd)
    assert report.problems == []
    assert f"VD val: 0001 has {n} official frames, but a picture numbered {n + 5}" in report.notes


def test_a_film_that_cannot_be_opened_or_decoded_is_a_problem(tiny_dvd, filmed):
    filmed("Validation", "0001", 4).write_bytes(b"no film")
    cut_short(filmed("Validation", "0007", 60), 0.0)
    report = check_dvd(tiny_dvd)
    assert sum("0001.mp4: can't be opened as a film" in text for text in report.problems) == 1
    assert sum("0007.mp4: this film's frames can't be decoded" in text for text in report.problems) == 1


def test_broken_video_file_of_unknown_length_is_a_problem(tiny_dvd, filmed):
    shutil.rmtree(tiny_dvd / "Expected_Output_Files")
    filmed("Test", "0002", 4).write_bytes(b"no film")
    report = check_dvd(tiny_dvd)
    assert [text.partition(":")[0].rpartition("/")[2] for text in report.problems] == ["0002.mp4"]
    assert next(r.videos for r in report.splits if r.split == "test") == 1


def test_frames_that_differ_from_their_video_file_are_noted(tiny_dvd):
    write_film(tiny_dvd / "Validation/videos/0001.mp4", 30)
    n = frames_of(tiny_dvd, "0001")
    assert f"{tiny_dvd}/Validation/frames/0001 holds {n} frames, its film 0001.mp4 30" in check_dvd(tiny_dvd).notes


def test_folder_of_frames_under_another_name_is_named(tiny_dvd):
    (tiny_dvd / "Training/frames").rename(tiny_dvd / "Training/Frames_jpg")
    (tiny_dvd / "Test/frames").rename(tiny_dvd / "Test/frames (1)")
    report = check_dvd(tiny_dvd)
    train, test = report.problems
    assert f"folders of images named after them in {tiny_dvd}/Training/Frames_jpg (6, such as 0000)" in train
    assert f"folders of images named after them in {tiny_dvd}/Test/frames (1) (2, such as 0002)" in test
    assert "rename the folder that holds them to frames" in train
    assert any("6 folders of images outside of frames/ are left out" in note for note in report.notes)
    (tiny_dvd / "Training/Frames_jpg").rename(tiny_dvd / "Training/frames")
    (tiny_dvd / "Test/frames (1)").rename(tiny_dvd / "Test/frames")
    assert check_dvd(tiny_dvd).problems == []


def test_equal_images_are_a_problem_unless_the_video_is_still(tiny_dvd):
    folder = tiny_dvd / "Training/frames/0000"
    for k in range(2, 14):
        (folder / f"{k:05d}.jpg").unlink()
        shutil.copy(folder / "00001.jpg", folder / f"{k:05d}.jpg")
    (text,) = check_dvd(tiny_dvd).problems
    assert "13 pictures of 1 video look like placeholders" in text
    assert "unless the film stands still there, remove them all" in text


def test_split_in_which_nothing_is_known_is_named(tiny_dvd):
    shutil.rmtree(tiny_dvd / "Test/frames")
    (tiny_dvd / "Test/pictures.tar").touch()
    text = "Test: holds nothing that is known as videos/, annotations/ or frames/: pictures.tar"
    assert text in check_dvd(tiny_dvd).notes


def renumber_annotations(root: Path, by: int) -> None:
    for path in root.glob("*/annotations/*.csv"):
        head, *rows = path.read_text().splitlines()
        pairs = (row.split(",") for row in rows)
        path.write_text("\n".join([head, *(f"{int(frame) + by},{label}" for frame, label in pairs), ""]))


def test_annotations_one_late_everywhere_are_one_problem(tiny_dvd):
    renumber_annotations(tiny_dvd, 1)
    report = check_dvd(tiny_dvd)
    (text,) = report.problems
    assert "annotations begin with frame 2 and end 1 beyond the last picture in 9 of 9 videos" in text
    assert "Their numbers are 1 too high: subtract 1 from each" in text
    assert not any("annotations begin" in note for note in report.notes)
    renumber_annotations(tiny_dvd, -1)
    assert check_dvd(tiny_dvd).problems == []


def test_annotations_without_any_first_frame_are_noted(tiny_dvd):
    for path in tiny_dvd.glob("*/annotations/*.csv"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join([lines[0], *lines[2:], ""]))
    report = check_dvd(tiny_dvd)
    assert report.problems == []
    assert any("annotations begin with frame 2 in 9 of 9 videos, such as 0000" in note for note in report.notes)


def test_every_third_picture_is_one_problem(tiny_dvd):
    for path in tiny_dvd.glob("*/frames/*/*.jpg"):
        if int(path.stem) % 3:
            path.unlink()
    (text,) = check_dvd(tiny_dvd).problems
    assert "only every third frame has a picture in 11 of 11 videos" in text


def test_both_layouts_may_lie_in_one_folder(tiny_dvd, small_tree):
    shutil.copytree(small_tree.root, tiny_dvd, dirs_exist_ok=True)
    report = check_data(tiny_dvd)
    assert {row.task for row in report.splits} == {"EXPR", "VD"}
    assert set(report.label_counts) == {"EXPR", "VD"}
    assert report.name == "abaw-synth-dvd"


def test_layouts_are_told_apart(tiny_dvd_once, small_tree, tmp_path):
    assert {row.task for row in check_data(tiny_dvd_once).splits} == {"VD"}
    assert {row.task for row in check_data(small_tree.root).splits} == {"EXPR"}
    with pytest.raises(DataError, match="no such folder"):
        check_data(tmp_path / "nothing")


def test_command_prints_images_and_exits_with_1_on_problems(tiny_dvd, abaw):
    shown = abaw("data", "check", tiny_dvd)
    assert shown.returncode == 0, shown.stderr
    assert "without a picture" in shown.stdout
    assert "violent share" in shown.stdout
    folder = tiny_dvd / "Training/frames/0000"
    (folder / "00001.jpg").rename(folder / "00000.jpg")
    wrong = abaw("data", "check", tiny_dvd, "--json")
    assert wrong.returncode == 1
    assert len(json.loads(wrong.stdout)["problems"]) == 2
