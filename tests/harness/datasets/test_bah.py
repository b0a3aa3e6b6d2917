"""BAH: frames from 0, names with spaces and folders, lists with commas, persons in one split each."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

from harness.datasets.bah import has_bah, open_bah
from harness.datasets.open import open_dataset
from harness.errors import DataError, UsageError
from harness.files.formats import FORMATS
from harness.files.one_file import check_table, write_one_file
from harness.files.persons import person_of_name
from harness.system import regular
from harness.system.names import inside, unusable
from harness.tasks import AH, AHV
from tests.support.speech_trees import (
    OTHER,
    PLAIN,
    SAID,
    SPACED,
    TESTED,
    DoubtTree,
    small_doubts,
    write_audio,
    write_images,
    write_lines,
    write_mp4_index,
)


@pytest.fixture
def doubts(tmp_path) -> DoubtTree:
    return small_doubts(tmp_path / "data")


@pytest.fixture
def later(tmp_path) -> DoubtTree:
    return small_doubts(tmp_path / "later", edition=10)


def test_edition_8_has_a_label_per_frame(doubts):
    data = open_dataset(doubts.root, AH)
    first, second = data.videos("train")
    assert first.name == SPACED
    np.testing.assert_array_equal(first.labels, [0, 1, 1, 0])
    np.testing.assert_array_equal(second.labels, [0, 0, 0])
    assert (first.n_frames, first.n_rows) == (4, 4)
    assert first.labels.dtype == np.int64
    assert data.labels("val").tolist() == [1, 1, 0, 0, 0]


def test_frame_0_is_the_first_frame(doubts):
    images = open_bah(doubts.root, AH).videos("train")[0].images
    np.testing.assert_array_equal(images.frames, [1, 2, 3, 4])
    assert images.names[0] == "frame-0.jpg"


def test_a_missing_crop_leaves_its_frame_without_one(doubts):
    folder = doubts.home / "cropped-aligned-faces" / SPACED
    (folder / "frame-1.jpg").unlink()
    video = open_bah(doubts.root, AH).videos("train")[0]
    np.testing.assert_array_equal(video.images.frames, [1, 3, 4])
    assert video.n_frames == 4


def test_a_video_without_crops_has_no_images(doubts):
    (doubts.home / "cropped-aligned-faces").rename(doubts.home / "put-away")
    write_mp4_index(doubts.home / "videos" / SPACED, 1.0)
    data = open_bah(doubts.root, AH)
    assert [len(video.images) for video in data.videos("train")] == [0, 0]
    assert data.videos("train")[0].n_frames == 4
    assert any("train: 2 videos have no folder in cropped-aligned-faces" in note for note in data.notes)


def test_other_names_of_crops_are_an_error(doubts):
    folder = doubts.home / "cropped-aligned-faces" / OTHER
    for path in sorted(folder.iterdir()):
        path.unlink()
    write_images(folder, ["00001.jpg"])
    with pytest.raises(DataError, match=r"don't tell their frames.*00001\.jpg, expected frame-<k>\.jpg"):
        open_bah(doubts.root, AH).videos("val")[0].images  # noqa: B018


def test_editions_10_and_11_have_a_label_per_video(later):
    data = open_dataset(later.root, AHV)
    assert data.labels("train").tolist() == [1, 0]
    assert data.labels("val").tolist() == [1]
    first = data.videos("train")[0]
    assert first.name.startswith("Videos/82711/Visite_1/")
    assert (first.n_frames, first.n_rows, first.person, first.group) == (4, 1, "82711", "82711")
    assert first.transcript.text == " Yes, and no, you know."
    assert data.videos("test")[0].labels is None
    assert data.template.names() == [f"Videos/{TESTED}"]


def test_videos_of_edition_8_are_a_variant_with_a_note(doubts):
    data = open_bah(doubts.root, AHV)
    assert data.labels("train").tolist() == [1, 0]
    assert any("edition 8: labels of videos" in note and "variant" in note for note in data.notes)
    assert [video.name for video in data.videos("test")] == [TESTED]


def test_frames_of_edition_10_are_refused(later):
    with pytest.raises(DataError, match=r"edition 10 or 11, which score videos.*Open these data for the task AHV"):
        open_bah(later.root, AH)


def test_packs_of_two_editions_are_kept_apart(doubts):
    small_doubts(doubts.root / "eleven", edition=10)
    assert open_bah(doubts.root, AH).videos("train")[0].name == SPACED
    data = open_bah(doubts.root, AHV)
    assert data.videos("train")[0].name.startswith("Videos/")
    assert any(note.startswith("left out: ") and "train-data" in note for note in data.notes)


def test_lists_of_two_editions_in_one_folder_are_an_error(later):
    later.listed("val", f"{PLAIN},0, No.")
    with pytest.raises(DataError, match=r"lists of two editions are mixed.*Videos/.* here, and 82712/.*val\.txt:1"):
        open_bah(later.root, AHV)


@pytest.mark.parametrize("task", [AH, AHV], ids=["AH", "AHV"])
def test_a_person_in_two_splits_is_an_error(doubts, task):
    name = SPACED.replace("Question_2", "Question_7")
    doubts.listed("val", f"{name},0, Hm.")
    doubts.annotated({SPACED: [0], SPACED.replace("Question_2", "Question_3"): [0], name: [0]})
    with pytest.raises(DataError, match=r"a person is in both train and val.*found 82711, with ") as caught:
        open_bah(doubts.root, task)
    assert name in str(caught.value)


def test_the_person_is_the_first_folder():
    assert person_of_name(SPACED) == "82711"
    assert person_of_name(f"Videos/{OTHER}") == "82713"


@pytest.mark.parametrize("rows", [(PLAIN,), (f"{PLAIN},",), (f"{PLAIN},, Said, indeed.",)])
def test_a_list_without_labels_is_an_error(doubts, rows):
    doubts.listed("val", *rows)
    with pytest.raises(DataError, match=rf"val\.txt:1:{len(PLAIN) + 1}: a split file without labels"):
        open_bah(doubts.root, AHV)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"{PLAIN},2,x", rf"val\.txt:2:{len(PLAIN) + 2}: not a label of a video; found '2', expected 0 or 1"),
        ("video,label,transcript", r"val\.txt:2:1: this row names no video"),
        (f"{OTHER},0,x", r"val\.txt:2:1: a video has two rows; .*line 1"),
        (f"../{PLAIN},0,x", r"val\.txt:2:1: this can't be the name of a video"),
    ],
)
def test_a_list_that_cannot_be_read_is_an_error(doubts, row, message):
    doubts.listed("val", f"{OTHER},1, Oui.", row)
    with pytest.raises(DataError, match=message):
        open_bah(doubts.root, AHV)


def test_a_listed_video_without_frames_is_an_error(doubts):
    doubts.listed("val", f"{OTHER},1, Oui.", f"{PLAIN},0, Non.")
    with pytest.raises(DataError, match=rf"val\.txt:2:1: videos of a split without labels of frames; found {PLAIN}"):
        open_bah(doubts.root, AH)


def test_transcripts_of_files_come_before_those_of_lists(doubts):
    doubts.transcript(SPACED, *SAID)
    (doubts.home / "transcription" / OTHER / f"{OTHER.rpartition('/')[2][:-4]}.yml").unlink()
    data = open_bah(doubts.root, AH)
    first, (other,) = data.videos("train")[0], data.videos("val")
    assert first.transcript.text == " Yes, and no."
    assert first.transcript.lines[0].end == 1.5
    assert first.transcript.source.startswith("transcription/82711/Visite 1/")
    assert other.transcript.text == " Oui, mais non."
    assert other.transcript.source == "the list of its split"


def test_an_empty_transcript_is_allowed_and_counted(doubts):
    data = open_bah(doubts.root, AH)
    (video,) = data.videos("test")
    assert video.transcript.is_empty
    assert f"test: 1 video has an empty transcript: {TESTED}" in data.notes


def test_a_transcript_with_another_tag_is_one_error(doubts):
    doubts.transcript(SPACED, "text: !!python/object/apply:os.system ['true']")
    with pytest.raises(DataError, match=r"_Video\.yml:1:7: .*found !!python/object/apply:os\.system, .*!!python/tuple"):
        open_bah(doubts.root, AH)


def test_audio_files_come_before_video_files(doubts):
    write_mp4_index(doubts.home / "videos" / SPACED, 1.0)
    write_mp4_index(doubts.home / "videos" / OTHER, 1.0)
    write_audio(doubts.home / "audio" / SPACED.replace(".mp4", ".wav"), 0.2)
    data = open_bah(doubts.root, AH)
    assert [video.audio and video.audio.name[-9:] for video in data.videos("train")] == ["Video.wav", None]
    assert data.videos("val")[0].audio == doubts.home / "videos" / OTHER


def test_files_whose_names_lost_their_spaces_are_taken(doubts):
    folder = doubts.home / "cropped-aligned-faces"
    (folder / "82711" / "Visite 1").rename(folder / "82711" / "Visite_1")
    for path in sorted((folder / "82711" / "Visite_1").iterdir()):
        path.rename(path.with_name(path.name.replace(" ", "_")))
    data = open_bah(doubts.root, AH)
    assert [len(video.images) for video in data.videos("train")] == [4, 3]
    assert any("whose name has no spaces" in note for note in data.notes)


def test_personal_details_are_never_opened(doubts, monkeypatch):
    for name in ("meta_data.yml", "bah-video.csv"):
        write_lines(doubts.home / name, ["age: 33"])
    opened = []
    real = regular.read_file
    # every file that the harness reads whole goes through this function
    monkeypatch.setattr(regular, "read_file", lambda path, most=None: opened.append(path.name) or real(path, most))
    data = open_bah(doubts.root, AH)
    data.videos("train")[0].images  # noqa: B018
    assert {"annotation.yml", "train.txt", "val.txt", "trial-0.txt"} <= set(opened)
    assert {"meta_data.yml", "bah-video.csv"}.isdisjoint(opened)


@pytest.mark.parametrize("name", [SPACED, OTHER, f"Videos/{OTHER}"])
def test_names_with_spaces_and_folders_fit_into_a_cache(tmp_path, name):
    assert unusable(name) == ""
    path = inside(tmp_path, name, ".embeddings.npy")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert path.relative_to(tmp_path).as_posix() == f"{name}.embeddings.npy"


@pytest.mark.parametrize("format", ["AH-frames", "AH-labels"])
def test_names_with_spaces_make_valid_official_files(doubts, tmp_path, format):
    doubts.template({TESTED: 3, SPACED.replace("82711", "82799"): 2})
    data = open_bah(doubts.root, AH if format == "AH-frames" else AHV)
    if format == "AH-frames":
        assert [video.n_frames for video in data.videos("test")] == [3, 2]
    decisions = {video.name: np.ones(video.n_rows, np.int64) for video in data.videos("test")}
    path = tmp_path / "trial-0.txt"
    assert write_one_file(path, FORMATS[format], decisions, data.template) == (5 if format == "AH-frames" else 2)
    checked = check_table(path.read_bytes(), str(path), FORMATS[format], data.template)
    assert not checked.report.problems or {p.code for p in checked.report.problems} == {"constant"}
    last = path.read_text().splitlines()[-1]
    assert last.startswith("82799/Visite 1/82799_Question_2_2023-05-02 13-22-23_Video.mp4")
    assert last.endswith("/frame-1.jpg,1" if format == "AH-frames" else ".mp4,1")


def test_rows_of_a_list_of_videos_are_no_template(later):
    template = open_bah(later.root, AHV).template
    assert template.where == str(later.root / "split" / "test.txt")
    assert template.path is None


def test_frames_of_a_template_are_no_template_of_videos(doubts):
    doubts.template({TESTED: 3})
    by_frame, by_video = (open_bah(doubts.root, task).template for task in (AH, AHV))
    assert by_frame.path == doubts.root / "test-data" / "submissions" / "trial-0.txt"
    assert by_video.videos == (TESTED,)
    assert by_video.path is None


def test_replacing_an_attribute_keeps_a_length_by_images(later):
    video = open_bah(later.root, AHV).videos("train")[0]
    assert dataclasses.replace(video, person="x").n_frames == 4


def test_labels_change_the_fingerprint(doubts):
    before = open_bah(doubts.root, AH).fingerprint("train")
    assert open_bah(doubts.root, AHV).fingerprint("train") != before
    second = SPACED.replace("Question_2", "Question_3")
    doubts.annotated({SPACED: [0, 1, 1, 1], second: [0, 0, 0], OTHER: [1, 1, 0, 0, 0]})
    assert open_bah(doubts.root, AH).fingerprint("train") != before


def test_a_pack_given_by_itself_is_as_good(doubts):
    data = open_bah(doubts.home, AH)
    assert len(data.videos("train")) == 2
    assert data.splits["test"] == ()
    assert any("no list of test videos" in note for note in data.notes)


def test_a_folder_without_the_data_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_bah(tmp_path / "nowhere", AH)
    (tmp_path / "cropped").mkdir()
    assert not has_bah(tmp_path)
    with pytest.raises(DataError, match=r"no BAH data here; found cropped, expected annotation\.yml"):
        open_bah(tmp_path, AH)


@pytest.mark.parametrize("name", ["annotation.yml", "default-split/val.txt", f"transcription/{SPACED}"])
def test_a_pipe_in_the_place_of_a_file_is_named(doubts, name):
    path = doubts.home / name
    if path.is_dir():
        path = next(path.iterdir())
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"can't read the .*found a pipe, where a file belongs"):
        open_bah(doubts.root, AH)


def test_an_option_of_aff_wild2_is_refused(doubts):
    with pytest.raises(UsageError, match="--annotations"):
        open_dataset(doubts.root, AH, annotations=doubts.root)
