"""Checks of Hume-Vidmimic2 and BAH: each doubt is named, and a clean pack has none."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.datasets.audio.media import open_media
from harness.datasets.checking.dataset import check_data
from harness.errors import DataError
from tests.support.speech_trees import (
    HEADER,
    OTHER,
    SPACED,
    TESTED,
    DoubtTree,
    MimicTree,
    small_doubts,
    small_mimics,
    write_audio,
    write_lines,
    write_mp4_index,
)


@pytest.fixture
def mimics(tmp_path) -> MimicTree:
    tree = small_mimics(tmp_path / "mimics")
    for name in ("00000", "00003", "00001"):
        write_mp4_index(tree.root / "raw" / f"{name}.mp4", 1.0)
    return tree


@pytest.fixture
def doubts(tmp_path) -> DoubtTree:
    tree = small_doubts(tmp_path / "doubts")
    for name, n in ((SPACED, 4), (SPACED.replace("Question_2", "Question_3"), 3), (OTHER, 5)):
        write_mp4_index(tree.home / "videos" / name, n / 24)
    write_mp4_index(tree.test_home / "videos" / TESTED, 2 / 24)
    return tree


def rows_of(report) -> list[tuple[object, ...]]:
    return [
        (row.task, row.split, row.videos, row.frames, row.labelled, row.without_picture, row.with_sound)
        for row in report.splits
    ]


def test_a_clean_pack_of_mimicry_has_no_problem(mimics):
    report = check_data(mimics.root)
    assert report.problems == []
    assert rows_of(report) == [
        ("EMI", "train", 2, 22, 2, 0, 2),
        ("EMI", "val", 1, 3, 1, 0, 1),
        ("EMI", "test", 2, 7, None, 0, 2),
    ]
    assert "images of a face begin with 0 in 2 videos, with 1 in 3 videos" in report.notes
    assert report.label_counts["EMI"]["train"]["Admiration mean"] == 0.5


def test_a_clean_pack_of_edition_8_has_no_problem(doubts):
    report = check_data(doubts.root)
    assert report.problems == []
    assert rows_of(report) == [
        ("AH", "train", 2, 7, 7, 0, 2),
        ("AH", "val", 1, 5, 5, 0, 1),
        ("AH", "test", 1, 2, None, 0, 1),
        ("AHV", "train", 2, 7, 2, 0, 2),
        ("AHV", "val", 1, 5, 1, 0, 1),
        ("AHV", "test", 1, 2, None, 0, 1),
    ]
    assert report.label_counts["AH"]["train"] == {"absent": 5, "present": 2}
    assert report.label_counts["AHV"]["train"] == {"absent": 1, "present": 1}
    assert report.count_meaning["AHV"] == "labelled videos by class"
    assert "train: 1 person" in report.notes
    assert "test: 1 of 1 video has a transcript, 1 of these is empty" in report.notes


def test_missing_crops_are_named(doubts):
    (doubts.home / "cropped-aligned-faces" / SPACED / "frame-2.jpg").unlink()
    (problem,) = check_data(doubts.root).problems
    assert problem.startswith(f"1 video lacks crops; found 3 for the 4 frames of {SPACED}")


def test_missing_crops_of_edition_10_are_named(tmp_path):
    tree = small_doubts(tmp_path, edition=10)
    name = f"Videos/{OTHER}"
    (tree.home / "cropped-aligned-faces" / name / "frame-4.jpg").unlink()
    (problem,) = check_data(tree.root).problems
    assert f"found 4 for the 5 frames of {name}" in problem


def test_videos_without_any_crop_are_named(mimics, doubts):
    shutil.rmtree(mimics.root / "face_images" / "00001")
    (problem,) = check_data(mimics.root).problems
    assert problem.startswith("EMI val: 1 video has no crop at all; found 00001. A stream of faces knows nothing of")
    shutil.rmtree(doubts.home / "cropped-aligned-faces" / OTHER)
    problems = check_data(doubts.root).problems
    assert [problem.partition(";")[0] for problem in problems] == [
        "AH val: 1 video has no crop at all",
        "AHV val: 1 video has no crop at all",
    ]


def test_an_image_folder_that_cannot_be_listed_is_named(mimics):
    (mimics.root / "face_images" / "00000" / "03.jpg").write_bytes(b"x")
    problems = check_data(mimics.root).problems
    assert any("two crops with one number; found 03.jpg and 3.jpg" in problem for problem in problems)


def test_audio_of_another_length_is_named(mimics, doubts):
    write_audio(mimics.root / "audio" / "00003.mp3", 3.0)
    (problem,) = check_data(mimics.root).problems
    assert "00003.mp3: this audio is longer than its video; found 3.0" in problem
    assert "expected 1.00 s, as the audio in" in problem
    write_mp4_index(doubts.home / "videos" / OTHER, 9.0)
    (problem,) = check_data(doubts.root).problems
    assert "this audio is longer than its video; found 9.00 s, expected 0.21 s, 5 frames at 24 per second" in problem


def test_audio_without_a_video_file_is_noted(mimics):
    (mimics.root / "raw" / "00001.mp4").unlink()
    report = check_data(mimics.root)
    assert any(note.startswith("1 audio file has no video file in ") and "00001" in note for note in report.notes)
    shutil.rmtree(mimics.root / "raw")
    assert any("3 audio files and no video files in" in note for note in check_data(mimics.root).notes)


def test_a_video_file_without_audio_is_named(mimics):
    write_mp4_index(mimics.root / "test_data" / "raw" / "12661.mp4", None)
    report = check_data(mimics.root)
    (problem,) = report.problems
    assert "12661.mp4: this video file has no audio" in problem
    assert report.splits[-1].with_sound == 1


def test_audio_that_cannot_be_read_is_named(mimics):
    (mimics.root / "audio" / "00000.mp3").write_bytes(b"no mp3 at all")
    write_audio(mimics.root / "audio" / "00003.wav", 0.01)
    problems = check_data(mimics.root).problems
    assert any("00000.mp3: this audio file can't be read" in problem for problem in problems)
    assert any("00003.wav: too short an audio file; found 0.0100 s" in problem for problem in problems)


def test_many_files_alike_are_counted(mimics):
    names = [f"{k:05d}" for k in range(10, 30)]
    mimics.labels("train", {name: [0, 1, 0, 0, 0, 0] for name in names})
    for name in names:
        mimics.images(name, [1])
        (mimics.root / "audio" / f"{name}.mp3").write_bytes(b"")
    problems = check_data(mimics.root).problems
    assert len(problems) == 6
    assert problems[-1] == "15 more audio files can't be used"


def test_integer_ids_are_noted(mimics):
    mimics.labels("train", {"0": [0] * 6, "3": [1, 0, 0, 0, 0, 0]})
    assert any("2 numbers in names lack their leading zeros" in note for note in check_data(mimics.root).notes)


def test_every_label_file_that_cannot_be_read_is_named(mimics):
    write_lines(mimics.root / "train_split.csv", [HEADER, "x,0"])
    write_lines(mimics.root / "valid_split.csv", [HEADER, "y,0"])
    with pytest.raises(DataError, match=r"train_split\.csv:2:1.*\n.*valid_split\.csv:2:1"):
        check_data(mimics.root)


def test_a_person_in_two_splits_is_named(doubts):
    doubts.listed("val", f"{SPACED.replace('Question_2', 'Question_7')},0, Hm.")
    doubts.annotated(
        {SPACED: [0], SPACED.replace("Question_2", "Question_3"): [0], SPACED.replace("Question_2", "Question_7"): [0]}
    )
    with pytest.raises(DataError, match=r"a person is in both train and val.*found 82711"):
        check_data(doubts.root)


def test_labels_that_contradict_each_other_are_named(doubts):
    second = SPACED.replace("Question_2", "Question_3")
    labels = {SPACED: [0, 1, 1, 0], second: [0, 1, 0], OTHER: [0, 0, 0, 0, 0]}
    doubts.annotated(labels, {SPACED: 0, second: 0, OTHER: 1})
    report = check_data(doubts.root)
    assert any(f"two labels for {SPACED}; found 0 here, 1 in the list" in problem for problem in report.problems)
    assert any(f"{second} is labelled 0 as a video; found 1 frame labelled 1" in p for p in report.problems)
    assert any(f"1 video is labelled 1 and has no frame that is: {OTHER}" in note for note in report.notes)


def test_annotations_that_cannot_be_read_are_named(tmp_path):
    tree = small_doubts(tmp_path, edition=10)
    write_lines(tree.home / "video_annotation_transcript.yaml", ["v.mp4: !!python/name:os.system ''"])
    report = check_data(tree.root)
    (problem,) = report.problems
    assert "video_annotation_transcript.yaml:1:" in problem
    assert {row.task for row in report.splits} == {"AHV"}  # labels of videos come from the lists


def test_a_list_without_labels_is_named(tmp_path):
    tree = small_doubts(tmp_path, edition=10)
    tree.listed("val", f"Videos/{OTHER}")
    with pytest.raises(DataError, match="a split file without labels"):
        check_data(tree.root)


def test_persons_who_change_splits_between_editions_are_noted(doubts):
    later = small_doubts(doubts.root / "eleven", edition=10)
    moved = f"Videos/{SPACED.replace('Visite 1', 'Visite_1')}"
    later.listed("train", f"Videos/{OTHER},1, Oui.")
    later.listed("val", f"{moved},1, Yes.")
    later.listed("test", f"Videos/{TESTED},0, No.")
    report = check_data(doubts.root)
    assert any(
        "2 persons are in one split in edition 8 and in another in edition 10 (82711, 82713)" in n for n in report.notes
    )


def test_several_layouts_below_one_root_are_all_counted(doubts):
    small_mimics(doubts.root / "mimics")
    report = check_data(doubts.root)
    assert {row.task for row in report.splits} == {"EMI", "AH", "AHV"}


def test_the_command_prints_and_exits_by_problems(mimics, abaw):
    done = abaw("data", "check", mimics.root)
    assert done.returncode == 0, done.stderr
    assert "no problems" in done.stdout
    shutil.rmtree(mimics.root / "face_images" / "00001")
    done = abaw("data", "check", mimics.root, "--json")
    assert done.returncode == 1
    assert [row["without_picture"] for row in json.loads(done.stdout)["splits"]] == [0, 0, 0]


# --- audio as a run reads it ---


def damaged_mp3(path: Path) -> None:
    write_audio(path, 2.0)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : 2 * len(content) // 3] = b"\0" * (2 * len(content) // 3 - len(content) // 3)
    path.write_bytes(bytes(content))


def cut_mp3(path: Path) -> None:
    write_audio(path, 2.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_wav(path: Path) -> None:
    write_audio(path, 2.0)
    path.write_bytes(path.read_bytes()[:20_000])


def endless_wav(path: Path) -> None:
    soundfile.write(path, np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")


def wav_with_a_loss(path: Path) -> None:
    soundfile.write(path, np.zeros(16_000), 16_000, subtype="IMA_ADPCM")


def wav_of_doubles(path: Path) -> None:
    soundfile.write(path, 0.1 * np.sin(np.arange(16_000) / 9), 16_000, subtype="DOUBLE")


def flac_of_two_channels(path: Path) -> None:
    soundfile.write(path, np.zeros((44_100, 2)), 44_100)


FILES = {
    damaged_mp3: ".mp3", cut_mp3: ".mp3", cut_wav: ".wav", endless_wav: ".wav", wav_with_a_loss: ".wav",
    wav_of_doubles: ".wav", flac_of_two_channels: ".flac",
}  # fmt: skip


@pytest.mark.parametrize("make", list(FILES), ids=lambda make: make.__name__)
def test_audio_that_a_run_refuses_is_named_and_no_other(mimics, make):
    (mimics.root / "audio" / "00003.mp3").unlink()
    (mimics.root / "raw" / "00003.mp4").unlink()
    path = mimics.root / "audio" / f"00003{FILES[make]}"
    make(path)
    try:
        list(open_media(path).chunks(60))
        refused = ""
    except DataError as error:
        refused = str(error).removeprefix(f"{path}: ")
    named = [problem for problem in check_data(mimics.root).problems if str(path) in problem]
    assert bool(named) == bool(refused)
    assert all("this audio file can't be read" in problem and refused in problem for problem in named)
    assert bool(refused) == (make not in (wav_of_doubles, flac_of_two_channels))


def test_video_files_of_any_kind_are_decoded(mimics):
    av = pytest.importorskip("av")
    path = mimics.root / "test_data" / "raw" / "12661.mkv"
    (path.with_suffix(".mp4")).unlink()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), format="s16", layout="mono")
        frame.rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    report = check_data(mimics.root)
    assert report.problems == []
    assert report.splits[-1].with_sound == 2
    path.write_bytes(path.read_bytes()[:300])
    (problem,) = check_data(mimics.root).problems
    assert "12661.mkv: this audio file can't be read" in problem


def test_cut_mp4_is_named(mimics):
    pytest.importorskip("av")
    path = mimics.root / "test_data" / "raw" / "12661.mp4"
    path.write_bytes(path.read_bytes()[:4000])
    (problem,) = check_data(mimics.root).problems
    assert "12661.mp4: this audio file can't be read" in problem


def test_missing_pyav_is_noted_and_lengths_come_from_the_index(mimics, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    report = check_data(mimics.root)
    assert report.problems == []
    assert any("the audio of 2 video files was not decoded" in note for note in report.notes)
    write_mp4_index(mimics.root / "test_data" / "raw" / "12661.mp4", None)
    (problem,) = check_data(mimics.root).problems
    assert "12661.mp4: this video file has no audio" in problem


def test_numbers_in_a_table_of_words_get_their_zeros(mimics):
    (mimics.root / "transcripts.csv").write_text("Filename,text\n0,zero\n3,three\n1,one\n12660,a\n12661,\n")
    report = check_data(mimics.root)
    assert any("3 names lack leading zeros, such as 0, taken for 00000" in note for note in report.notes)
    assert "val: 1 of 1 video has a transcript, 0 of these are empty" in report.notes
    assert "test: 2 of 2 videos have a transcript, 1 of these is empty" in report.notes
