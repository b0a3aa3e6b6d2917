"""Images are found wherever downloads and tools put them, or what is there is named."""

from __future__ import annotations

import re
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.affwild2 import open_affwild2
from harness.datasets.checking.dataset import check_affwild2, check_data
from harness.datasets.dvd import open_dvd
from harness.datasets.images import placeholders
from harness.datasets.images.numbered import list_images
from harness.errors import DataError
from harness.system.counts import counted
from harness.system.images import opencv
from harness.tasks import EXPR, VA


@pytest.mark.parametrize(
    "place",
    [
        "cropped_images/batch1",
        "cropped_images/batch2/cropped_new_50_vids",
        "cropped_aligned_image_test/batch1 (1)/cropped_aligned",
        "batch2/cropped_aligned_new_50_vids",
        "cropped-aligned",
        "Cropped Images",
        "data/Aff-Wild2/cropped/batch 3",
    ],
)
def test_crops_in_batch_folders_are_found(tree, place):
    tree.labels("train", "a", [0, 1])
    folder = tree.crops("a", [1, 2], folder=place)
    assert open_affwild2(tree.root, EXPR).videos("train")[0].image_folder == folder


@pytest.mark.parametrize(
    ("folder", "name"),
    [("a_aligned", "a"), ("a.mp4", "a"), ("A", "a"), ("video1_left_aligned", "video1_left")],
)
def test_folder_named_by_a_tool_is_its_video_and_said(tree, folder, name):
    tree.labels("train", name, [0, 1])
    tree.crops(folder, [1, 2])
    data = open_affwild2(tree.root, EXPR)
    assert data.videos("train")[0].image_folder.name == folder
    assert any(f"{name}: took the images in" in note for note in data.notes)


def test_folder_that_may_be_two_videos_is_nobodys(tree):
    tree.labels("train", "a", [0, 1])
    tree.crops("a_aligned", [1, 2])
    tree.crops("a.mp4", [1, 2])
    data = open_affwild2(tree.root, EXPR)
    assert data.videos("train")[0].image_folder is None
    assert data.strangers == ("a.mp4", "a_aligned")


def test_of_two_folders_of_a_video_the_fuller_is_taken_and_said(tree):
    tree.labels("train", "a", [0] * 5)
    tree.crops("a", [1, 2], folder="cropped/batch1")
    fuller = tree.crops("a", [1, 2, 3, 4], folder="cropped/batch2")
    data = open_affwild2(tree.root, EXPR)
    assert data.videos("train")[0].image_folder == fuller
    assert any(f"a has 2 folders of images, {tree.root}/cropped/batch1/a (2 files)" in note for note in data.notes)


def test_other_image_folder_is_named_when_crops_are_missing(tree):
    tree.labels("train", "a", [0, 1])
    tree.crops("a", [1, 2], folder="images/batch1")
    with pytest.raises(DataError, match=r"images/batch1 with 1 folder of images such as a, 1 of them named after"):
        open_affwild2(tree.root, EXPR)


def test_folders_that_are_no_videos_are_named(tree):
    tree.labels("train", "a", [0, 1])
    tree.labels("train", "b", [0, 1])
    tree.crops("b", [1, 2])
    tree.crops("somebody", [1, 2])
    (text,) = [p for p in check_affwild2(tree.root).problems if "no crop at all" in p]
    assert "found a; and folders of images that are no video's: somebody" in text
    assert "or rename these folders after their videos" in text


def test_folders_named_as_videos_outside_of_crops_are_named(small_tree):
    (small_tree.root / "Test_Images").mkdir()
    (small_tree.root / "cropped/d").rename(small_tree.root / "Test_Images/d")
    (text,) = check_affwild2(small_tree.root).problems
    assert "EXPR test: 1 video has no crop at all; found d" in text
    assert f"folders of images named after them in {small_tree.root}/Test_Images (1, such as d)" in text
    assert f"if these are their crops, of the same kind as the others, put them into {small_tree.root}/cropped" in text
    (small_tree.root / "Test_Images/d").rename(small_tree.root / "cropped/d")
    assert check_affwild2(small_tree.root).problems == []


@pytest.mark.parametrize("place", ["Test_Images/{}/img", "cropped_aligned/{}"])
def test_folders_of_another_kind_or_deeper_are_named(small_tree, place):
    folder = small_tree.root / place.format("d")
    folder.parent.mkdir(parents=True)
    (small_tree.root / "cropped/d").rename(folder)
    (text,) = check_affwild2(small_tree.root).problems
    parent = small_tree.root / place.partition("/")[0]
    assert f"folders of images named after them in {parent} (1, such as {folder.relative_to(parent)})" in text


def test_images_one_folder_deeper_are_read_and_said(tree):
    for name in ("a", "b"):
        tree.labels("train", name, [0, 1])
        tree.crops("faces", [1, 2], folder=f"cropped/{name}")
    data = open_affwild2(tree.root, EXPR)
    assert [len(video.images) for video in data.videos("train")] == [2, 2]
    (note,) = data.notes
    assert note == (
        f"a: took the images in {tree.root}/cropped/a/faces, one folder deeper than usual; likewise for 1 more video"
    )
    assert data.strangers == ()


def test_images_beside_thumbnails_or_preview_are_found(tree):
    for name in ("a", "b"):
        tree.labels("train", name, [0, 1])
        tree.crops(name, [1, 2], folder="cropped/batch1")
        tree.crops("thumbs", [1], folder=f"cropped/batch1/{name}")
    (tree.root / "cropped/batch1/preview.jpg").touch()
    data = open_affwild2(tree.root, EXPR)
    assert [video.image_folder.name for video in data.videos("train")] == ["a", "b"]
    assert check_affwild2(tree.root).problems == []


def test_two_folders_of_images_in_a_video_are_nobodys_and_named(tree):
    tree.labels("train", "a", [0, 1])
    for name in ("faces", "masks"):
        tree.crops(name, [1, 2], folder="cropped/a")
    (text,) = check_affwild2(tree.root).problems
    assert "found a; and folders of images that are no video's: faces, masks" in text


def test_folders_of_another_tasks_videos_are_no_strangers(small_tree):
    small_tree.labels("train", "v", ["0.5,0.5"] * 3, task=VA)
    small_tree.crops("v", [1, 2, 3])
    small_tree.labels("train", "bare", [0, 1])
    (text,) = check_affwild2(small_tree.root).problems
    assert "found bare" in text
    assert "no video's" not in text


def test_problem_that_tasks_share_is_one(tree):
    for task, rows in ((EXPR, [0, 1]), (VA, ["0,0"] * 2)):
        tree.labels("train", "a", rows, task=task)
        tree.labels("train", "b", rows, task=task)
    tree.crops("b", [1, 2])
    (text,) = check_affwild2(tree.root).problems
    assert text.startswith("EXPR, VA train: 1 video has no crop at all; found a")


# names of images


@pytest.mark.parametrize(
    "pattern",
    [
        "{:05d}.JPG",
        "{}.jpeg",
        "frame_{:05d}.jpg",
        "frame-{}.png",
        "x1_{:04d}.jpg",
        "frame_det_00_{:06d}.bmp",
        "{:05d}_0.jpg",
        "{:05d} (1).jpg",
    ],
)
def test_images_with_one_text_around_their_number_are_read(tmp_path, pattern):
    for k in (1, 2, 13):
        (tmp_path / pattern.format(k)).write_bytes(b"x")
    assert list_images(tmp_path).frames.tolist() == [1, 2, 13]


def test_images_named_otherwise_are_noted(tmp_path):
    (tmp_path / "frame_00001.jpg").write_bytes(b"x")
    (note,) = list_images(tmp_path).notes
    assert "files are named otherwise; frame_00001.jpg was taken for frame 1" in note


@pytest.mark.parametrize(
    "names", [("1_1.jpg", "2_2.jpg"), ("a1.jpg", "b2.jpg"), ("face.jpg",), ("00001_left.jpg", "00001.x.png")]
)
def test_images_whose_names_tell_no_frame_are_refused(tmp_path, names):
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        DataError, match=rf"don't tell their frames.*found {counted(len(names), 'file')} such as {sorted(names)[0]}"
    ):
        list_images(tmp_path)


@pytest.mark.parametrize("name", ["00001_0.jpg", "frame_det_00_000001.bmp", "video13_1_00001.jpg"])
def test_image_alone_is_the_frame_of_its_longest_number(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    crops = list_images(tmp_path)
    assert crops.frames.tolist() == [1]
    assert f"{name} was taken for frame 1" in crops.notes[0]


@pytest.mark.parametrize("pattern", ["{frame:05d}_{face}.jpg", "frame_det_{face:02d}_{frame:06d}.bmp"])
def test_two_faces_of_a_frame_are_refused_until_one_is_left(tmp_path, pattern):
    names = {(k, face): pattern.format(frame=k, face=face) for k in range(1, 5) for face in (0, 1)}
    for name in names.values():
        (tmp_path / name).write_bytes(b"x")
    pair = rf"{re.escape(names[1, 0])} and {re.escape(names[1, 1])}"
    with pytest.raises(DataError, match=rf"several images for one frame.*found 8 files, of them {pair}, expected one"):
        list_images(tmp_path)
    for k in range(1, 5):
        (tmp_path / names[k, k % 2]).unlink()
    assert list_images(tmp_path).frames.tolist() == [1, 2, 3, 4]


def test_images_counted_from_zero_are_refused_in_any_spelling(tmp_path):
    for k in range(3):
        (tmp_path / f"frame_{k:05d}.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="must be numbered from 1"):
        list_images(tmp_path)


def test_files_beside_numbered_images_are_noted(tmp_path):
    for name in ("00001.jpg", "preview.jpg", "notes.txt", "Thumbs.db", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    crops = list_images(tmp_path)
    assert crops.frames.tolist() == [1]
    assert "2 files are no crops and were left out" in crops.notes[0]


# a violence data set


@pytest.mark.parametrize(
    ("annotations", "frames"), [("Annotations", "Frames"), ("annotation", "images"), ("labels", "frames/batch1")]
)
def test_folders_of_a_split_are_found_in_any_spelling(tmp_path, annotations, frames):
    for split in ("Training", "valid"):
        folder = tmp_path / split
        (folder / annotations).mkdir(parents=True)
        name = f"00{len(split)}"
        (folder / annotations / f"{name}.csv").write_text("Frame_Number,Label\n1,0\n2,1\n")
        (folder / frames / name).mkdir(parents=True)
        for k in (1, 2):
            (folder / frames / name / f"{k:05d}.jpg").write_bytes(b"x")
    data = open_dvd(tmp_path)
    assert [len(video.images) for split in ("train", "val") for video in data.videos(split)] == [2, 2]


def test_one_video_in_two_folders_of_frames_is_refused(tmp_path):
    for batch in ("batch1", "batch2"):
        (tmp_path / "Training/frames" / batch / "0001").mkdir(parents=True)
        (tmp_path / "Training/frames" / batch / "0001/00001.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"two folders of frames for one video; found .*batch1/0001 and .*batch2/0001"):
        open_dvd(tmp_path)


# editions


def test_unnumbered_beside_numbered_annotations_are_refused(tree):
    tree.crops("a", [1])
    tree.labels("train", "a", [0])
    other = tree.labels("train", "a", [7], annotations="annotations")
    with pytest.raises(DataError, match=r"different labels; the newest can't be told.*\(no edition in its name\)"):
        open_affwild2(tree.root, EXPR)
    data = open_affwild2(tree.root, EXPR, annotations=other.parents[2])
    assert data.videos("train")[0].labels.tolist() == [7]


def test_edition_in_the_name_of_a_folder_above_counts(tree):
    tree.crops("a", [1])
    tree.labels("train", "a", [0])
    tree.labels("train", "a", [7], annotations="Dataset_ABAW10th/annotations")
    data = open_affwild2(tree.root, EXPR)
    assert data.videos("train")[0].labels.tolist() == [7]
    assert any("took that of edition 10, as its name says" in note for note in data.notes)
    assert not any("newest" in note for note in data.notes)


def test_the_same_annotations_twice_need_no_question(tree):
    tree.crops("a", [1])
    for name in ("6th_ABAW_Annotations", "backup"):
        tree.labels("train", "a", [3], annotations=name)
    assert open_affwild2(tree.root, EXPR).videos("train")[0].labels.tolist() == [3]


def test_annotations_that_hold_none_of_the_task_are_refused(tree, tmp_path):
    tree.crops("a", [1])
    tree.labels("train", "a", [3])
    with pytest.raises(DataError, match="no annotations for EXPR in the folder that was named"):
        open_affwild2(tree.root, EXPR, annotations=tmp_path / "elsewhere")


def test_unnumbered_beside_numbered_template_stops_test_split(small_tree):
    small_tree.template({"d": 2}, path="test_release/ABAW_Expr_test_set_example.txt")
    data = open_affwild2(small_tree.root, EXPR)
    assert len(data.videos("val")) == 1
    with pytest.raises(
        DataError, match=r"2 templates for EXPR with different rows.*no edition in its name.*--template"
    ):
        data.videos("test")
    assert any("2 templates for EXPR" in text for text in check_affwild2(small_tree.root).problems)


# numbers and placeholders


def videos(tree, lengths, change):
    for name, n in lengths.items():
        tree.labels("train", name, [0] * n)
        tree.crops(name, change(n))


def test_crops_at_another_frame_rate_are_one_problem(tree):
    videos(tree, {"a": 100, "b": 160, "c": 60}, lambda n: range(1, n // 5 + 1))
    (text,) = check_affwild2(tree.root).problems
    assert "the last crop's number is about 0.20 times the number of frames in 3 videos" in text
    assert "another frame rate" in text


def test_crops_one_too_high_in_all_videos_are_one_problem(tree):
    videos(tree, {"a": 10, "b": 16, "c": 6}, lambda n: range(2, n + 2))
    (text,) = check_affwild2(tree.root).problems
    assert "crops go on to 1 beyond the last frame in 3 of 3 videos" in text


LENGTHS = {"a": 100, "b": 160, "c": 60, "d": 80}


def test_crops_begun_at_two_are_told_to_be_one_too_high(tree):
    videos(tree, LENGTHS, lambda n: range(2, n + 2))
    (text,) = check_affwild2(tree.root).problems
    assert "4 of these videos begin with crop 2: numbers are 1 too high. Rename them" in text


def test_crops_beyond_the_end_of_many_videos_are_noted_in_short(tree):
    videos(tree, dict.fromkeys("abcdefgh", 10), lambda n: range(2, n + 2))
    notes = [note for note in check_affwild2(tree.root).notes if note.startswith("EXPR train")]
    assert len(notes) == 6
    assert notes[-1] == "EXPR train: 3 more videos have a crop numbered beyond their last frame"


def test_labels_one_short_are_no_crops_one_too_high(tree):
    videos(tree, LENGTHS, lambda n: range(1, n + 2))
    (text,) = check_affwild2(tree.root).problems
    assert "crops go on to 1 beyond the last frame in 4 of 4 videos" in text
    assert "The first crop is 1: either the labels end early or their frame numbers are too low" in text


def test_crops_one_too_low_in_all_videos_are_one_problem(tree):
    videos(tree, LENGTHS, lambda n: [k for k in range(1, n) if k % 7 or n - k < 3])
    (text,) = check_affwild2(tree.root).problems
    assert "no video has a crop for its last frame, and 4 of 4 have one just before" in text
    assert "found crop 99 is the last in a, which has 100 frames" in text
    assert "as where they were counted from 0 and number 0 was lost" in text


def test_crops_one_too_low_in_labelled_videos_only_are_a_problem(tree):
    videos(tree, LENGTHS, lambda n: range(1, n))
    tree.template({"t": 50, "u": 40})
    for name, n in {"t": 50, "u": 40}.items():
        tree.crops(name, range(1, n + 1))
    (text,) = check_affwild2(tree.root).problems
    assert "no video has a crop for its last frame, and 4 of 4" in text


def test_crops_missing_first_frames_everywhere_are_one_problem(tree):
    videos(tree, LENGTHS, lambda n: [k for k in range(3, n + 1) if k % 7])
    (text,) = check_affwild2(tree.root).problems
    assert "no video has a crop before frame 3, and 4 of 4 begin just there" in text


@pytest.mark.parametrize(("step", "word"), [(2, "second"), (3, "third"), (5, "5th")])
def test_crops_of_every_other_frame_are_one_problem(tree, step, word):
    videos(tree, LENGTHS, lambda n: [k for k in range(1, n + 1, step) if k % 7])
    (text,) = check_affwild2(tree.root).problems
    assert f"only every {word} frame has a crop in 4 of 4 videos" in text
    assert "Extract every frame" in text


def test_crops_renumbered_without_gaps_are_one_problem(tree):
    videos(tree, LENGTHS, lambda n: range(1, {100: 94, 160: 144, 60: 60, 80: 77}[n]))
    (text,) = check_affwild2(tree.root).problems
    assert "crops have no gap but end early, by 1 to 17, in 4 of 4 videos; found crops 1 to 143 in b" in text
    assert "If they were numbered one after the other" in text


def test_last_frame_missing_in_one_video_of_many_is_no_problem(tree):
    videos(tree, LENGTHS, lambda n: range(1, n + (n != 60)))
    assert check_affwild2(tree.root).problems == []


def test_missing_crops_here_and_there_are_no_problem(tree):
    videos(tree, {"a": 100, "b": 160, "c": 60}, lambda n: [k for k in range(1, n + 1) if k % 7])
    assert check_affwild2(tree.root).problems == []


@pytest.mark.parametrize("black", [True, False])
def test_placeholders_are_doubted(tree, black):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        tree.labels("train", name, [0] * 60)
        folder = tree.crops(name, [])
        for k in range(1, 61):
            image = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            if k % 3 == 0 and name == "a":
                image = np.full((16, 16, 3), 0 if black else 127, np.uint8)
            (folder / f"{k:05d}.jpg").write_bytes(opencv().imencode(".jpg", image)[1].tobytes())
    (text,) = check_affwild2(tree.root).problems
    assert "20 crops of 1 video look like placeholders: the same file again and again" in text
    assert ("which is black" in text) == black


def draw(folder, frames, seed, placeholders=()):
    """Images of noise, and one and the same black image in some frames."""
    rng = np.random.default_rng(seed)
    for k in frames:
        image = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) * (k not in placeholders)
        (folder / f"{k:05d}.jpg").write_bytes(opencv().imencode(".jpg", image)[1].tobytes())


@pytest.mark.process
def test_placeholders_few_in_each_video_are_counted_to_the_last(tree):
    copies = {"a": 1, "b": 2, "c": 9, "it's d": 12, "e": 0}
    for seed, (name, n) in enumerate(copies.items()):
        tree.labels("train", name, [0] * 60)
        draw(tree.crops(name, []), range(1, 61), seed, placeholders=range(9, 9 + 3 * n, 3))
    (text,) = check_affwild2(tree.root).problems
    assert "24 crops of 4 videos look like placeholders" in text
    assert f"found 24 in 4 videos the same as {tree.root}/cropped/a/00009.jpg, which is black" in text
    command = text.partition("`")[2].partition("`")[0]
    listed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(listed) == 24
    for path in listed:
        Path(path).unlink()
    assert check_affwild2(tree.root).problems == []


def test_placeholders_of_several_kinds_are_each_named(tree):
    for name in ("a", "b"):
        tree.labels("train", name, [0] * 60)
        draw(tree.crops(name, []), range(1, 61), ord(name))
        for k in range(31, 61):
            (tree.root / "cropped" / name / f"{k:05d}.jpg").write_bytes(b"" if name == "a" else b"none")
    (text,) = check_affwild2(tree.root).problems
    assert "60 crops of 2 videos look like placeholders" in text
    assert "30 in 1 video the same as" in text
    assert "a/00031.jpg, which is empty; 30 in 1 video" in text
    assert "lists those of the first file" in text


def test_placeholders_beyond_what_is_read_are_estimated(tree, monkeypatch):
    monkeypatch.setattr(placeholders, "_MOST_READ", 50)
    for name in ("a", "b"):
        tree.labels("train", name, [0] * 400)
        folder = tree.crops(name, [])
        for k in range(1, 401):
            (folder / f"{k:05d}.bmp").write_bytes(b"none" if k % 2 else (k + 1000 * (name == "a")).to_bytes(4, "big"))
    (text,) = check_affwild2(tree.root).problems
    n = int(text.partition("about ")[2].partition(" crops")[0])
    assert 300 <= n <= 500


# sound


def sounds(tree, seconds):
    (tree.root / "audios").mkdir(exist_ok=True)
    for name, length in seconds.items():
        with wave.open(str(tree.root / "audios" / f"{name}.wav"), "wb") as stream:
            stream.setparams((1, 2, 1000, 0, "NONE", ""))
            stream.writeframes(b"\0\0" * round(1000 * length))


def test_sound_that_does_not_fit_its_frames_is_a_problem(tree):
    lengths = {"118-30-640x480": 30 * 80, "7": 25 * 40, "8-25-1280x720": 25 * 60}
    seconds = {"118-30-640x480": 75.0, "7": 40.0, "8-25-1280x720": 60.3}
    sounds(tree, seconds)
    for name, n in lengths.items():
        tree.labels("train", name, [0] * n)
        tree.crops(name, range(1, n + 1, 100))
    (tree.root / "audios/9.mp3").write_bytes(b"x")
    report = check_data(tree.root)
    (text,) = [p for p in report.problems if "sound" in p]
    assert "the audio of 118-30-640x480 is shorter than its frames" in text
    assert "found 75.00 s of audio, expected 80.00 s, 2,400 frames at 30 per second, as its name says" in text
    assert "150 frames off" in text
    assert any("1 file is no .wav or .flac and was left out" in note for note in report.notes)


def test_sound_of_two_people_is_held_against_their_frames_once(tree):
    for name in ("1-30-640x360_left", "1-30-640x360_right", "2-30-640x360"):
        tree.labels("train", name, [0] * 260)
        tree.crops(name, range(1, 261))
    sounds(tree, {"1-30-640x360": 10.4, "2-30-640x360": 8.7})
    (text,) = check_data(tree.root).problems
    assert "1-30-640x360.wav: the audio of 1-30-640x360_left and 1-30-640x360_right is longer than their frames" in text
    assert "found 10.40 s of audio, expected 8.67 s, 260 frames at 30 per second, as its name says" in text


def test_sound_named_by_a_tool_or_in_a_batch_is_taken_and_said(tree):
    for name in ("8-25-1280x720", "7"):
        tree.labels("train", name, [0] * 50)
        tree.crops(name, range(1, 51))
    sounds(tree, {"8-25-1280x720.mp4": 2.0})
    (tree.root / "audios").rename(tree.root / "batch1")
    sounds(tree, {"7": 2.0})
    (tree.root / "batch1").rename(tree.root / "audios/batch1")
    data = open_affwild2(tree.root, EXPR)
    assert {video.name: video.audio.name for video in data.videos("train")} == {
        "7": "7.wav",
        "8-25-1280x720": "8-25-1280x720.mp4.wav",
    }
    (note,) = data.notes
    assert "8-25-1280x720: took the audio in" in note


def test_unclaimed_audio_is_named_when_audio_is_missing(small_tree):
    sounds(small_tree, {"a": 0.1, "b_left": 0.1, "c": 0.1})
    notes = check_affwild2(small_tree.root).notes
    assert "2 recordings have no audio (b, d), and 1 audio file is no video's: b_left.wav" in notes


@pytest.mark.parametrize(("content", "words"), [(b"", "an empty file"), (b"no sound", "a file that begins with")])
def test_unreadable_audio_is_a_problem_and_does_not_count(small_tree, content, words):
    sounds(small_tree, {"a": 0.1, "b": 0.1})
    (small_tree.root / "audios/b.wav").write_bytes(content)
    report = check_affwild2(small_tree.root)
    (text,) = report.problems
    assert "b.wav: this audio file can't be read, or holds no audio, and does not count: " in text
    assert f"found {words}" in text
    assert report.splits[0].with_sound == 1
