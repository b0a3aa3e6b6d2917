"""DVD's layout: splits, labels, pictures and templates, whole or in part."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dvd import open_dvd
from harness.datasets.open import open_dataset
from harness.errors import DataError, SubmissionError, UsageError
from harness.tasks import EXPR, VD
from tests.support.numbered_films import write_film

HEADER = "Frame_Number,Label"


@dataclass
class Scenes:
    """A data set below ``root``; each method adds what its name says."""

    root: Path

    def labels(self, split: str, video: str, labels: list[int]) -> Path:
        rows = [f"{k},{label}" for k, label in enumerate(labels, 1)]
        return self._write(self.root / split / "annotations" / f"{video}.csv", [HEADER, *rows])

    def frames(self, split: str, video: str, numbers, *, name: str = "{:05d}.jpg") -> Path:
        folder = self.root / split / "frames" / video
        folder.mkdir(parents=True, exist_ok=True)
        for k in numbers:
            (folder / name.format(k)).write_bytes(b"\xff\xd8" + k.to_bytes(4, "little"))
        return folder

    def template(self, video: str, n: int, *, header: str = HEADER, folder: str = "Expected_Output_Files") -> Path:
        return self._write(self.root / folder / f"{video}.csv", [header, *(f"{k},0" for k in range(1, n + 1))])

    def _write(self, path: Path, lines: list[str]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, ""]))
        return path


@pytest.fixture
def scenes(tmp_path) -> Scenes:
    """Two training videos, one of validation, one of test."""
    scenes = Scenes(tmp_path / "fights")
    scenes.labels("Training", "0002", [0, 1, 1])
    scenes.labels("Training", "0001", [0, 0])
    scenes.labels("Validation", "0007", [1, 0, 1, 0])
    for split, video, n in (("Training", "0001", 2), ("Training", "0002", 3), ("Validation", "0007", 4)):
        scenes.frames(split, video, range(1, n + 1))
    scenes.frames("Test", "0008", range(1, 6))
    scenes.template("0008", 5)
    return scenes


def summary(root: Path) -> dict[str, list[tuple[str, int]]]:
    return {split: [(v.name, v.n_frames) for v in videos] for split, videos in open_dvd(root).splits.items()}


def test_splits_videos_labels_and_pictures_are_found(scenes):
    data = open_dataset(scenes.root, VD)
    assert summary(scenes.root) == {
        "train": [("0001", 2), ("0002", 3)], "val": [("0007", 4)], "test": [("0008", 5)]
    }  # fmt: skip
    assert data.labels("train").tolist() == [0, 0, 0, 1, 1]
    assert data.videos("test")[0].labels is None
    assert [len(v.images) for split in ("train", "val", "test") for v in data.videos(split)] == [2, 3, 4, 5]
    assert {v.noun for videos in data.splits.values() for v in videos} == {"picture"}
    assert data.template.n_frames == {"0008": 5}
    assert data.notes == ()


def test_the_data_may_lie_one_folder_further_down(scenes, tmp_path):
    shutil.move(scenes.root, tmp_path / "disk" / "DVD")
    assert summary(tmp_path / "disk")["val"] == [("0007", 4)]
    assert open_dvd(tmp_path / "disk").template.n_frames == {"0008": 5}


@pytest.mark.parametrize(
    "folder", ["Test/Expected_Output_Files", "expected output files", "Test/x/../Expected_Output_files"]
)
def test_templates_may_lie_anywhere_near(scenes, folder):
    shutil.rmtree(scenes.root / "Expected_Output_Files")
    scenes.template("0008", 4, folder=folder)
    assert summary(scenes.root)["test"] == [("0008", 4)]


def test_templates_may_be_zipped(scenes):
    folder = scenes.root / "Expected_Output_Files"
    shutil.make_archive(str(folder), "zip", folder)
    shutil.rmtree(folder)
    assert summary(scenes.root)["test"] == [("0008", 5)]


def test_two_sets_of_templates_are_told_and_one_may_be_named(scenes):
    other = scenes.template("0008", 3, folder="Test/Expected_Output_Files").parent
    data = open_dvd(scenes.root)
    assert data.template.n_frames == {"0008": 5}
    assert "2 folders of expected output files; took" in data.notes[0]
    assert open_dvd(scenes.root, template=other).template.n_frames == {"0008": 3}


@pytest.mark.parametrize("header", ["Frame_Num,Label", "frame_number,label", "Frame_Number,Predicted_Label"])
def test_a_template_keeps_its_own_header(scenes, header):
    plain = open_dvd(scenes.root).template.fingerprint()
    scenes.template("0008", 5, header=header)
    template = open_dvd(scenes.root).template
    assert template.headers == {"0008": header}
    assert template.fingerprint() != plain


def test_a_template_with_a_header_of_something_else_is_refused(scenes):
    path = scenes.template("0008", 5, header="Valence,Arousal")
    with pytest.raises(DataError, match=r"not a template for VD: .*0008\.csv:1:1: error \[header\]"):
        open_dvd(scenes.root)
    with pytest.raises(SubmissionError, match="not a template for VD"):
        open_dvd(scenes.root, template=path.parent)


def test_without_templates_the_last_picture_ends_a_test_video(scenes):
    shutil.rmtree(scenes.root / "Expected_Output_Files")
    scenes.frames("Test", "0008", [9])
    data = open_dvd(scenes.root)
    assert (data.template, [(v.name, v.n_frames) for v in data.videos("test")]) == (None, [("0008", 9)])
    assert "a test video is taken to end with its last picture" in data.notes[0]


def test_test_videos_are_the_templates(scenes):
    scenes.frames("Test", "0020", [1, 2])
    scenes.template("0030", 7)
    data = open_dvd(scenes.root)
    assert [(v.name, v.n_frames, len(v.images)) for v in data.videos("test")] == [("0008", 5, 5), ("0030", 7, 0)]
    assert data.notes == ("Test: 1 video without template is left out: 0020",)


def test_a_video_without_annotations_is_left_out_and_told(scenes):
    scenes.frames("Training", "0099", [1])
    data = open_dvd(scenes.root)
    assert [v.name for v in data.videos("train")] == ["0001", "0002"]
    assert data.notes == ("Training: 1 video without annotations is left out: 0099",)


def test_a_split_without_any_annotation_has_no_labels(scenes):
    shutil.rmtree(scenes.root / "Validation" / "annotations")
    data = open_dvd(scenes.root)
    assert [(v.name, v.n_frames, v.labels) for v in data.videos("val")] == [("0007", 4, None)]
    with pytest.raises(DataError, match="labels of val are needed; found none for 0007"):
        data.labels("val")


def test_a_part_of_the_data_opens_as_far_as_it_can(scenes):
    shutil.rmtree(scenes.root / "Training")
    shutil.rmtree(scenes.root / "Test")
    data = open_dvd(scenes.root)
    assert {split: len(videos) for split, videos in data.splits.items()} == {"train": 0, "val": 1, "test": 1}
    with pytest.raises(DataError, match=r"no train videos for VD; found splits: val, test"):
        data.videos("train")


def test_labels_of_test_videos_are_taken_where_they_are(scenes):
    scenes.labels("Test", "0008", [1, 0, 1])
    assert open_dvd(scenes.root).labels("test").tolist() == [1, 0, 1, -1, -1]
    path = scenes.labels("Test", "0008", [1] * 6)
    with pytest.raises(DataError, match=rf"{path}: 0008 has labels beyond the end .*found 6 frames, expected 5"):
        open_dvd(scenes.root)


@pytest.mark.parametrize("name", ["{:05d}.jpg", "{}.jpg", "{:03d}.PNG", "{:07d}.jpeg"])
def test_pictures_are_known_by_their_number(scenes, name):
    shutil.rmtree(scenes.root / "Validation" / "frames")
    scenes.frames("Validation", "0007", [3, 1, 10], name=name)
    assert open_dvd(scenes.root).videos("val")[0].images.frames.tolist() == [1, 3, 10]


def test_two_pictures_of_one_frame_are_refused(scenes):
    scenes.frames("Validation", "0007", [2], name="{}.png")
    with pytest.raises(DataError, match=r"one file per frame; found 00002\.jpg and 2\.png"):
        _ = open_dvd(scenes.root).videos("val")[0].images.frames


def test_pictures_numbered_from_0_are_refused(scenes):
    scenes.frames("Validation", "0007", [0])
    with pytest.raises(DataError, match=r"pictures must be numbered from 1.*found 00000\.jpg to 00004\.jpg, 5 files"):
        _ = open_dvd(scenes.root).videos("val")[0].images


def test_unreadable_test_video_does_not_stop_the_others(scenes):
    shutil.rmtree(scenes.root / "Expected_Output_Files")
    scenes.frames("Test", "0009", [0, 1])
    data = open_dvd(scenes.root)
    assert [v.name for v in data.videos("test")] == ["0008"]
    assert any(note.startswith("left out: ") and "0009" in note for note in data.notes)


def test_a_film_stands_in_for_a_folder_that_is_missing_or_empty(scenes):
    write_film(scenes.root / "Validation/videos/0007.mp4", 4)
    write_film(scenes.root / "Training/videos/0001.mp4", 2)
    shutil.rmtree(scenes.root / "Validation/frames/0007")
    (scenes.root / "Validation/frames/0007").mkdir()
    data = open_dvd(scenes.root)
    assert [v.images.random_access for split in ("train", "val") for v in data.videos(split)] == [True, True, False]
    assert "1 video has no folder of frames" in data.notes[0]


def test_two_films_of_one_video_are_refused(scenes):
    write_film(scenes.root / "Test/videos/0008.mp4", 2)
    write_film(scenes.root / "Test/videos/0008.avi", 2, codec="MJPG")
    with pytest.raises(DataError, match=r"two films for one video; found 0008\.avi and 0008\.mp4"):
        open_dvd(scenes.root)


def test_a_video_in_two_splits_is_refused(scenes):
    scenes.labels("Validation", "0001", [1])
    with pytest.raises(DataError, match="a video is in both Training and Validation; found 0001"):
        open_dvd(scenes.root)


def test_two_folders_for_a_split_are_refused(scenes):
    (scenes.root / "val" / "frames").mkdir(parents=True)
    with pytest.raises(DataError, match="two folders for val; found Validation and val"):
        open_dvd(scenes.root)


def test_a_wrong_label_file_is_named_with_its_line(scenes):
    scenes.labels("Training", "0001", [0, 2])
    with pytest.raises(DataError, match=r"Training/annotations/0001\.csv:3:3"):
        open_dvd(scenes.root)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "no such folder"),
        (lambda root: root.write_text(""), "not a folder"),
        (lambda root: root.mkdir(), "no violence data here; found an empty folder, expected Training/annotations"),
        (lambda root: (root / "cropped").mkdir(parents=True), "no violence data here; found cropped"),
        (lambda root: (root / "Training").mkdir(parents=True), "no violence data here; found Training"),
    ],
)
def test_root_without_dvd_is_distinguished_from_missing_root(tmp_path, make, message):
    make(tmp_path / "data")
    with pytest.raises(DataError, match=message):
        open_dvd(tmp_path / "data")


def test_a_video_may_have_one_frame(scenes):
    scenes.labels("Training", "0003", [1])
    scenes.frames("Training", "0003", [1])
    write_film(scenes.root / "Training/videos/0004.mp4", 1)
    scenes.labels("Training", "0004", [0])
    videos = open_dvd(scenes.root).videos("train")[2:]
    assert [(v.n_frames, v.labels.tolist(), v.images.frames.tolist()) for v in videos] == [(1, [1], [1]), (1, [0], [1])]


def test_crops_are_not_to_be_chosen(scenes):
    with pytest.raises(UsageError, match="violence is detected in whole frames; found --crops cropped"):
        open_dataset(scenes.root, VD, crops="cropped")


def test_faces_are_not_to_be_had_here(scenes):
    with pytest.raises(DataError, match="no Aff-Wild2 annotations here"):
        open_dataset(scenes.root, EXPR)


def test_fingerprints_know_labels_and_pictures(scenes):
    def prints() -> tuple[str, str]:
        data = open_dvd(scenes.root)
        return data.fingerprint("train"), data.images_fingerprint("train")

    labels, pictures = prints()
    assert prints() == (labels, pictures)
    (scenes.root / "Training/frames/0001/00002.jpg").unlink()
    assert prints()[0] == labels
    assert prints()[1] != pictures
    scenes.labels("Training", "0001", [1, 0])
    assert prints()[0] != labels


def test_the_drawn_scenes_open(tiny_dvd_once):
    data = open_dvd(tiny_dvd_once)
    assert data.name == "abaw-synth-dvd"
    assert {split: len(videos) for split, videos in data.splits.items()} == {"train": 6, "val": 3, "test": 2}
    assert all(np.isin(v.labels, (-1, 0, 1)).all() for split in ("train", "val") for v in data.videos(split))


def test_annotations_with_other_names_are_joined_with_images(scenes):
    folder = scenes.root / "Training/annotations"
    (folder / "0001.csv").rename(folder / "1.csv")
    data = open_dvd(scenes.root)
    assert {v.name: len(v.images) for v in data.videos("train")} == {"0001": 2, "0002": 3}
    assert "Training: 1 annotation with names in another spelling is taken: 1.csv for 0001" in data.notes
    assert not any("without annotations" in text for text in data.notes)


def test_images_with_other_names_are_joined_with_template(scenes):
    folder = scenes.root / "Test/frames"
    (folder / "0008").rename(folder / "8")
    data = open_dvd(scenes.root)
    assert {v.name: len(v.images) for v in data.videos("test")} == {"0008": 5}
    assert "Test: 1 video with names in another spelling is taken: 8 for 0008" in data.notes
    assert not any("without template" in text for text in data.notes)
