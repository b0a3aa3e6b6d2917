"""Aff-Wild2 in every edition's spelling, and everything that can be wrong with it."""

from __future__ import annotations

import os

import pytest

from harness.datasets.affwild2 import open_affwild2
from harness.datasets.checking.report import pictures_beyond_the_end
from harness.datasets.open import open_dataset
from harness.errors import DataError, SubmissionError, UsageError
from harness.tasks import AU, EXPR, VA, VD

UNITS = ",".join("0" * 12)


def names(videos) -> list[str]:
    return [video.name for video in videos]


@pytest.mark.parametrize(
    ("annotations", "challenge"),
    [
        ("Third ABAW Annotations", "EXPR_Classification_Challenge"),
        ("5th_ABAW_Annotations", "EXPR_Classification_Challenge"),
        ("6th ABAW Annotations", "EXPR_Recognition_Challenge"),
        ("6th_ABAW_Annotations", "EXPR_Recognition_Challenge"),
        ("9th ABAW Annotations", "EXPR_Recognition_Challenge"),
        ("annotations/6th ABAW Annotations", "EXPR Recognition Challenge"),
        (".", "EXPR_Recognition_Challenge"),
    ],
)
def test_every_editions_folders_are_found(tree, annotations, challenge):
    tree.labels("train", "a", [0, 1], annotations=annotations, challenge=challenge)
    tree.labels("val", "b", [2], annotations=annotations, challenge=challenge)
    tree.crops("a", [1])
    data = open_affwild2(tree.root, EXPR)
    assert names(data.videos("train")) == ["a"]
    assert names(data.videos("val")) == ["b"]
    assert data.videos("train")[0].labels.tolist() == [0, 1]
    assert data.videos("train")[0].n_frames == 2


def test_set_folders_with_spaces_are_found(small_tree):
    folder = small_tree.root / "6th_ABAW_Annotations/EXPR_Recognition_Challenge"
    (folder / "Validation_Set").rename(folder / "Validation Set")
    assert names(open_affwild2(small_tree.root, EXPR).videos("val")) == ["c"]


def test_of_two_editions_the_newer_is_taken_and_said(tree):
    tree.crops("a", [1])
    tree.labels("train", "a", [0], annotations="Third ABAW Annotations", challenge="EXPR_Classification_Challenge")
    tree.labels("train", "a", [7], annotations="6th_ABAW_Annotations")
    tree.labels("train", "a", [3], annotations="5th_ABAW_Annotations", challenge="EXPR_Classification_Challenge")
    data = open_affwild2(tree.root, EXPR)
    assert data.videos("train")[0].labels.tolist() == [7]
    said = "3 annotation folders for EXPR; took that of edition 6, as its name says"
    assert any(said in note for note in data.notes)


@pytest.mark.parametrize("task", [EXPR, VA, AU])
def test_each_task_has_its_own_videos(tree, task):
    tree.crops("a", [1])
    tree.labels("train", "expr", [0], task=EXPR)
    tree.labels("train", "va", ["0,0"], task=VA)
    tree.labels("train", "au", [UNITS], task=AU)
    assert names(open_affwild2(tree.root, task).videos("train")) == [task.name.lower()]


def test_cropped_is_taken_before_cropped_aligned(small_tree):
    small_tree.crops("a", [1], folder="cropped_aligned")
    data = open_affwild2(small_tree.root, EXPR)
    assert data.videos("train")[0].image_folder == small_tree.root / "cropped/a"
    assert any("crops: took cropped; also there: cropped_aligned" in note for note in data.notes)


def test_the_other_crops_can_be_asked_for(small_tree):
    small_tree.crops("a", [1], folder="cropped_aligned")
    data = open_affwild2(small_tree.root, EXPR, crops="cropped_aligned")
    assert data.videos("train")[0].image_folder == small_tree.root / "cropped_aligned/a"
    assert data.videos("train")[1].image_folder is None


@pytest.mark.parametrize(
    "folder", ["cropped_aligned/cropped_aligned", "cropped_aligned/cropped_aligned_new_50_vids", "batch1/cropped"]
)
def test_nested_crop_folders_are_opened(tree, folder):
    tree.labels("train", "a", [0])
    tree.crops("a", [1], folder=folder)
    assert open_affwild2(tree.root, EXPR).videos("train")[0].image_folder == tree.root / folder / "a"


def test_a_video_without_crops_stays_in(small_tree):
    small_tree.labels("train", "bare", [0])
    assert open_affwild2(small_tree.root, EXPR).videos("train")[2].image_folder is None


def test_the_sound_is_that_of_the_recording(small_tree):
    folder = small_tree.root / "audio"
    folder.mkdir()
    (folder / "b.wav").write_bytes(b"")
    a, b_left = open_affwild2(small_tree.root, EXPR).videos("train")
    assert b_left.audio == folder / "b.wav"
    assert a.audio is None


def test_flac_is_audio_and_gives_way_to_wav(small_tree):
    folder = small_tree.root / "audio"
    folder.mkdir()
    (folder / "b.flac").write_bytes(b"")
    assert open_affwild2(small_tree.root, EXPR).videos("train")[1].audio == folder / "b.flac"
    (folder / "b.wav").write_bytes(b"")
    data = open_affwild2(small_tree.root, EXPR)
    assert data.videos("train")[1].audio == folder / "b.wav"
    assert any(f"b has several audio files; took {folder / 'b.wav'}, not {folder / 'b.flac'}" in n for n in data.notes)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("CVPR_5th_ABAW_EXPR_test_set_sample.txt", ""),
        ("test_set_examples/CVPR_6th_ABAW_Expr_test_set_example.txt", "0"),
        ("prediction_files_format/CVPR_6th_ABAW_Expr_test_set_sample.txt", "0"),
    ],
)
def test_templates_of_each_edition_are_found(small_tree, path, value):
    (small_tree.root / "test_set_examples/CVPR_6th_ABAW_Expr_test_set_example.txt").unlink()
    small_tree.template({"d_right": 3, "e": 2}, value=value, path=path)
    data = open_affwild2(small_tree.root, EXPR)
    assert [(video.name, video.n_frames, video.labels) for video in data.videos("test")] == [
        ("d_right", 3, None),
        ("e", 2, None),
    ]
    assert data.template.dummy == value


def test_test_videos_stand_in_the_templates_order(small_tree):
    small_tree.template({"z": 1, "a2": 1, "m": 1})
    assert names(open_affwild2(small_tree.root, EXPR).videos("test")) == ["z", "a2", "m"]


def test_the_newest_template_of_the_task_is_taken(small_tree):
    small_tree.template({"old": 1}, value="", path="CVPR_5th_ABAW_EXPR_test_set_sample.txt")
    small_tree.template({"other": 1}, task=VA, value="0.5,-0.5", path="CVPR_8th_ABAW_VA_test_set_example.txt")
    data = open_affwild2(small_tree.root, EXPR)
    assert names(data.videos("test")) == ["d"]
    assert any("2 templates for EXPR; took" in note for note in data.notes)


def test_a_template_can_be_named(small_tree, tmp_path):
    path = small_tree.template({"mine": 2}, path="elsewhere.txt")
    assert names(open_affwild2(small_tree.root, EXPR, template=path).videos("test")) == ["mine"]


def test_a_named_template_of_another_task_is_refused(small_tree):
    path = small_tree.template({"d": 1}, task=VA, value="0.5,-0.5", path="va.txt")
    with pytest.raises(SubmissionError, match=r"va\.txt:1:1: not a template for EXPR; found the header of VA"):
        open_affwild2(small_tree.root, EXPR, template=path)


def test_broken_template_of_data_set_is_named_with_its_line(small_tree):
    path = small_tree.template({"d": 2})
    path.write_text(path.read_text().replace("d/00002.jpg", "d/2.jpg"))
    with pytest.raises(DataError, match=r"test_set_example\.txt:3:1: not a row of a template; found 'd/2\.jpg,0'"):
        open_affwild2(small_tree.root, EXPR)


def test_without_a_template_there_is_no_test_split(small_tree):
    (small_tree.root / "test_set_examples/CVPR_6th_ABAW_Expr_test_set_example.txt").unlink()
    data = open_affwild2(small_tree.root, EXPR)
    assert data.template is None
    with pytest.raises(DataError, match="no test videos for EXPR"):
        data.videos("test")


@pytest.mark.parametrize(
    ("expr", "va", "longer", "line"), [(3, 5, "va", 5), (5, 3, "expr", 5), (3, 4, "va", 5), (2, 1, "expr", 3)]
)
def test_tasks_of_unequal_length_name_the_first_extra_line(tree, expr, va, longer, line):
    tree.crops("a", [1])
    files = {
        "expr": tree.labels("train", "a", [0] * expr),
        "va": tree.labels("val", "a", ["0,0"] * va, task=VA),
    }
    with pytest.raises(DataError) as caught:
        open_affwild2(tree.root, EXPR)
    assert str(caught.value).startswith(f"{files[longer]}:{line}:1: this label file is longer than its video")
    assert f"found {max(expr, va)} frames here, expected {min(expr, va)}" in str(caught.value)
    assert "--ignore-lengths" in str(caught.value)


def test_every_other_task_is_asked_for_the_length(tree):
    tree.crops("a", [1])
    tree.labels("train", "a", [0] * 3)
    tree.labels("train", "a", ["0,0"] * 4, task=VA)
    tree.labels("train", "a", [UNITS] * 3, task=AU)
    with pytest.raises(DataError, match="VA_Estimation_Challenge"):
        open_affwild2(tree.root, EXPR)


def test_lengths_may_be_ignored_and_that_is_said(tree):
    tree.crops("a", [1])
    tree.labels("train", "a", [0] * 3)
    tree.labels("train", "a", ["0,0"] * 5, task=VA)
    data = open_affwild2(tree.root, EXPR, ignore_lengths=True)
    assert data.videos("train")[0].n_frames == 3
    assert "longer than its video" in data.notes[0]


def test_a_word_in_a_label_file_is_named_with_line_and_column(small_tree):
    path = small_tree.labels("val", "c", [7, "happy"])
    with pytest.raises(DataError) as caught:
        open_affwild2(small_tree.root, EXPR)
    assert str(caught.value).startswith(f"{path}:3:1: not a label; found 'happy', expected one whole number from 0 to ")


def test_a_video_in_both_splits_is_refused(small_tree):
    small_tree.labels("val", "a", [0, 1, 2])
    with pytest.raises(DataError, match=r"videos in both Train_Set and Validation_Set; found \['a'\]"):
        open_affwild2(small_tree.root, EXPR)


def test_a_missing_root_is_called_that(tmp_path):
    with pytest.raises(DataError, match="no such folder; expected the folder that holds cropped/"):
        open_affwild2(tmp_path / "missing", EXPR)


def test_a_file_as_root_is_called_that(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"")
    with pytest.raises(DataError, match="not a folder"):
        open_affwild2(tmp_path / "data.zip", EXPR)


def test_an_empty_root_is_called_that(tree):
    with pytest.raises(DataError, match="no Aff-Wild2 annotations here; found an empty folder"):
        open_affwild2(tree.root, EXPR)


def test_a_root_with_other_things_names_them(tree):
    tree.crops("a", [1])
    with pytest.raises(DataError, match="no Aff-Wild2 annotations here; found cropped, expected"):
        open_affwild2(tree.root, EXPR)


def test_a_root_without_crops_is_called_that(tree):
    tree.labels("train", "a", [0])
    with pytest.raises(DataError, match=r"no cropped/<video>/<NNNNN>\.jpg; found no crops at all"):
        open_affwild2(tree.root, EXPR)


def test_a_folder_nobody_may_read_is_passed_over(small_tree):
    closed = small_tree.root / "lost+found"
    closed.mkdir(mode=0)
    if os.access(closed, os.R_OK):
        pytest.skip("root may read everything")
    assert len(open_affwild2(small_tree.root, EXPR).videos("train")) == 2


def test_crops_past_the_official_end_are_known(small_tree):
    small_tree.crops("c", [9])
    data = open_affwild2(small_tree.root, EXPR)
    assert pictures_beyond_the_end(data.videos("val")) == {"c": 9}
    assert pictures_beyond_the_end(data.videos("train")) == {}


def test_no_data_set_named_says_how_to_name_one():
    with pytest.raises(UsageError, match=r"--data ROOT, set ABAW_DATA, or put data"):
        open_dataset(None, EXPR)


def test_a_task_of_another_data_set_is_refused(small_tree):
    with pytest.raises(DataError, match="no violence data here; found 6th_ABAW_Annotations, cropped"):
        open_dataset(small_tree.root, VD)
