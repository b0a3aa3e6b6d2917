"""Hume-Vidmimic2: labels by video, images in the order of their numbers, audio inside video files of the test set."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.open import open_dataset
from harness.datasets.vidmimic import has_vidmimic, open_vidmimic
from harness.errors import DataError, UsageError
from harness.files.format import Format
from harness.files.formats import FORMATS
from harness.files.one_file import check_table, write_one_file
from harness.tasks import EMI
from tests.support.speech_trees import HEADER, MimicTree, small_mimics, write_audio, write_lines, write_mp4_index

ROW = [0, 0.5, 0, 0.25, 0, 0.25]
EMI_FORMAT: Format = FORMATS["EMI"]


@pytest.fixture
def mimics(tmp_path) -> MimicTree:
    return small_mimics(tmp_path / "data")


def test_labels_are_six_values_in_one_row(mimics):
    data = open_dataset(mimics.root, EMI)
    train = data.videos("train")
    assert [video.name for video in train] == ["00000", "00003"]
    assert [video.n_rows for video in train] == [1, 1]
    np.testing.assert_array_equal(data.labels("train"), [ROW, [1, 0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(data.labels("val"), [[0, 0, 1 / 3, 0, 0, 2 / 3]])
    assert data.labels("train").dtype == np.float64
    assert all(video.labels is None for video in data.videos("test"))


def test_images_from_0_and_from_1_are_frames_1_to_n(mimics):
    first, second = open_vidmimic(mimics.root).videos("train")
    assert first.n_frames == 12
    np.testing.assert_array_equal(first.images.frames, np.arange(1, 13))
    assert first.images.names == tuple(f"{k}.jpg" for k in range(12))
    assert second.n_frames == 10
    assert second.images.names[-2:] == ("9.jpg", "10.jpg")  # by number, never by text


def test_a_left_out_number_moves_frames_with_a_note(mimics):
    folder = mimics.images("00003", [1, 2, 3])
    (folder / "5.jpg").unlink()
    video = open_vidmimic(mimics.root).videos("train")[1]
    assert video.n_frames == 9
    assert "numbers go from 1 to 10, of which 1 are left out" in video.images.notes[0]


def test_thumbs_db_is_no_image_and_other_files_are_noted(mimics):
    folder = mimics.root / "face_images" / "00000"
    (folder / "Thumbs.db").write_bytes(b"x")
    assert open_vidmimic(mimics.root).videos("train")[0].images.notes == ()
    (folder / "face.txt").write_bytes(b"x")
    images = open_vidmimic(mimics.root).videos("train")[0].images
    assert len(images) == 12
    assert "1 file is no crop and was left out, such as face.txt" in images.notes[0]


def test_two_images_with_one_number_are_an_error(mimics):
    mimics.images("00000", [3])
    (mimics.root / "face_images" / "00000" / "03.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"two crops with one number; found 03\.jpg and 3\.jpg"):
        open_vidmimic(mimics.root).videos("train")[0].images  # noqa: B018


def test_opening_lists_no_folder_of_images(mimics, monkeypatch):
    listed = []
    real = open_vidmimic.__globals__["os"].scandir
    monkeypatch.setattr("os.scandir", lambda path: listed.append(str(path)) or real(path))
    data = open_vidmimic(mimics.root)
    data.fingerprint("train", "val", "test")
    assert not [path for path in listed if path.rpartition("/")[2].isdecimal()]
    assert data.videos("train")[0].n_frames == 12
    assert [path.rpartition("/")[2] for path in listed if path.rpartition("/")[2].isdecimal()] == ["00000"]


def test_audio_of_train_is_mp3_and_of_test_in_video_files(mimics):
    data = open_vidmimic(mimics.root)
    assert [video.audio.name for video in data.videos("train")] == ["00000.mp3", "00003.mp3"]
    assert [video.audio.name for video in data.videos("test")] == ["12660.mp4", "12661.mp4"]
    assert "test: the audio of 2 videos is the one inside their video files" in data.notes


def test_wav_is_taken_before_mp3_with_a_note(mimics):
    write_audio(mimics.root / "audio" / "00000.wav", 1.0)
    data = open_vidmimic(mimics.root)
    assert data.videos("train")[0].audio.name == "00000.wav"
    assert any("1 audio file is left out" in note and "00000.mp3" in note for note in data.notes)


def test_a_video_without_faces_has_no_images(mimics):
    for path in sorted((mimics.root / "face_images" / "00001").iterdir()):
        path.unlink()
    (mimics.root / "face_images" / "00001").rmdir()
    write_mp4_index(mimics.root / "raw" / "00001.mp4", 1.0)
    data = open_vidmimic(mimics.root)
    (video,) = data.videos("val")
    assert (video.n_frames, len(video.images), video.n_rows) == (0, 0, 1)
    assert any("val: 1 video has no folder in face_images" in note and "00001" in note for note in data.notes)


def test_folders_without_a_label_are_left_out(mimics):
    mimics.images("00007", [1])
    data = open_vidmimic(mimics.root)
    assert {video.name for members in data.splits.values() for video in members}.isdisjoint({"00007"})
    assert any(
        "1 folder in face_images has no label and is left out" in note and "00007" in note for note in data.notes
    )


def test_integer_ids_are_filled_up_with_a_note(mimics):
    mimics.labels("train", {"0": ROW, "3": ROW})
    data = open_vidmimic(mimics.root)
    assert [video.name for video in data.videos("train")] == ["00000", "00003"]
    assert data.videos("train")[0].n_frames == 12
    (note,) = [note for note in data.notes if "leading zeros" in note]
    assert "train_split.csv: 2 numbers in names lack their leading zeros and were read with them" in note


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Filename,Joy", "00000,1"], r"train_split\.csv:1:1: not a table of EMI labels; found 'Filename,Joy'"),
        ([HEADER, "00000,0,0,0,0,0"], r"train_split\.csv:2:7: error \[columns\] found 5 values, expected 6"),
        ([HEADER, "00000,0,0,0,0,0,1.5"], r":2:17: error \[range\] found 1\.5, expected a number from 0 to 1"),
        ([HEADER, "00000,0,0,0,0,0,nan"], r":2:17: error \[not-a-number\] found 'nan'"),
        ([HEADER, "00000,0,0,0,0,0,"], r":2:7: error \[columns\] found 5 values"),
        ([HEADER, "a0000,0,0,0,0,0,0"], r":2:1: error \[location\] found 'a0000"),
        ([HEADER, "00000,0,0,0,0,0,0", "0,0,0,0,0,0,0"], r":3:1: .*has a row already, in line 2"),
        ([HEADER], "no rows"),
    ],
)
def test_labels_that_cannot_be_read_are_one_error(mimics, lines, message):
    write_lines(mimics.root / "train_split.csv", lines)
    with pytest.raises(DataError, match=message) as caught:
        open_vidmimic(mimics.root)
    assert str(caught.value).count("\n") == 0


def test_columns_in_another_order_are_an_error(mimics):
    header = "Filename,Joy,Excitement,Empathic Pain,Determination,Amusement,Admiration"
    mimics.labels("val", {"00001": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}, header=header)
    with pytest.raises(
        DataError, match=r"valid_split\.csv:1:1: error \[column-order\] the columns are in another order"
    ):
        open_vidmimic(mimics.root)


def test_a_video_in_two_splits_is_an_error(mimics):
    mimics.labels("val", {"00000": ROW})
    with pytest.raises(DataError, match="a video is in both train and val; found 00000"):
        open_vidmimic(mimics.root)


def test_test_rows_make_a_valid_official_file(mimics, tmp_path):
    data = open_vidmimic(mimics.root)
    assert data.template.names() == ["12660", "12661"]
    decisions = {name: np.full((1, 6), 0.25) for name in data.template.videos}
    path = tmp_path / "predictions.txt"
    assert write_one_file(path, EMI_FORMAT, decisions, data.template) == 2
    checked = check_table(path.read_bytes(), str(path), EMI_FORMAT, data.template)
    assert not checked.report.errors
    assert path.read_text().splitlines()[0] == HEADER


def test_a_template_file_decides_on_test_videos(mimics, tmp_path):
    path = write_lines(tmp_path / "sample.txt", [HEADER, "12661,0,0,0,0,0,0", "12999,0,0,0,0,0,0"])
    data = open_vidmimic(mimics.root, template=path)
    assert [video.name for video in data.videos("test")] == ["12661", "12999"]
    assert [len(video.images) for video in data.videos("test")] == [2, 0]


def test_a_table_of_transcripts_is_read_where_it_lies(mimics):
    assert open_vidmimic(mimics.root).videos("train")[0].transcript is None
    write_lines(mimics.root / "transcripts.csv", ["Filename,text", '00000,"Well, yes"', "12660,"])
    data = open_vidmimic(mimics.root)
    assert data.videos("train")[0].transcript.text == "Well, yes"
    assert data.videos("train")[1].transcript is None
    assert data.videos("test")[0].transcript.is_empty


def test_a_folder_above_the_pack_is_as_good(mimics):
    assert has_vidmimic(mimics.root.parent)
    assert len(open_vidmimic(mimics.root.parent).videos("train")) == 2
    small_mimics(mimics.root.parent / "again")
    with pytest.raises(DataError, match=r"two folders with label files; found .*again and .*data"):
        open_vidmimic(mimics.root.parent)


def test_a_folder_without_the_data_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_vidmimic(tmp_path / "nowhere")
    (tmp_path / "cropped").mkdir()
    with pytest.raises(DataError, match=r"no Hume-Vidmimic2 data here; found cropped.*, expected train_split\.csv"):
        open_vidmimic(tmp_path)


def test_a_link_to_nothing_in_the_place_of_labels_is_named(mimics):
    (mimics.root / "valid_split.csv").unlink()
    (mimics.root / "valid_split.csv").symlink_to(mimics.root / "moved.csv")
    with pytest.raises(DataError, match=r"valid_split\.csv: no such file; found a link that leads to nothing"):
        open_vidmimic(mimics.root)


def test_an_option_of_aff_wild2_is_refused(mimics):
    with pytest.raises(UsageError, match=r"--crops cropped.*Leave it out"):
        open_dataset(mimics.root, EMI, crops="cropped")


def test_many_videos_open_in_time_that_grows_with_them(tmp_path):
    """Twelve thousand folders are found by one look into the folder above them."""
    tree = MimicTree(tmp_path)
    names = [f"{k:05d}" for k in range(3_000)]
    tree.labels("train", dict.fromkeys(names[:2_000], ROW))
    tree.labels("val", dict.fromkeys(names[2_000:], ROW))
    for name in names:
        (tmp_path / "face_images" / name).mkdir(parents=True)
    looks = []
    real = open_vidmimic.__globals__["os"].scandir
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.scandir", lambda path: looks.append(path) or real(path))
        data = open_vidmimic(tmp_path)
    assert len(data.videos("train")) == 2_000
    assert len(looks) < 20
