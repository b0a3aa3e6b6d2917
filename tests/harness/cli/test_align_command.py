"""``abaw data align``: every layout, one decoding per file, errors, exit codes, JSON, the chart, the page on causes."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.datasets.alignment.align import align_data
from harness.datasets.alignment.causes import CAUSES
from harness.datasets.audio import streams
from harness.datasets.video_files import counts
from harness.errors import DataError, UsageError
from harness.plugins.registry import audio_rows
from tests.support import clicked_films as films
from tests.support.data_trees import Tree
from tests.support.numbered_films import cut_short, write_film
from tests.support.places import REPOSITORY
from tests.support.speech_trees import small_doubts, small_mimics, write_audio

GOLDEN = REPOSITORY / "tests" / "harness" / "golden" / "films"


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch):
    """Nothing is remembered from other tests but what lies on disk."""
    monkeypatch.setattr(counts, "_READINGS", replace(counts._READINGS, memory={}))
    monkeypatch.setattr(streams, "_READINGS", replace(streams._READINGS, memory={}))


@pytest.fixture
def decodings(monkeypatch) -> list[Path]:
    """The files whose images are decoded, as they are."""
    decoded, counted = [], counts._counted
    monkeypatch.setattr(counts, "_counted", lambda path, threads: (decoded.append(path), counted(path, threads))[1])
    return decoded


@pytest.fixture
def listenings(monkeypatch) -> list[Path]:
    """The files whose streams are read, as they are."""
    listened, read = [], streams._read
    monkeypatch.setattr(streams, "_read", lambda path: (listened.append(path), read(path))[1])
    return listened


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def aligned(*arguments: object) -> dict:
    return json.loads(run("data", "align", *arguments, "--json").stdout)


def causes(report: dict) -> dict[str, dict[str, int]]:
    return {
        video["name"]: {misfit["cause"]: misfit["offset_frames"] for misfit in video["misfits"]}
        for video in report["videos"]
    }


GOLDEN_CAUSES = {
    "b_frames.mp4": {},
    "cut.mp4": {"hidden-frames": 6},
    "edit_list.mp4": {"hidden-frames": 8},
    "empty_chunks.avi": {"empty-chunks": 24, "variable-rate": -8},
    "fragmented.mp4": {"fragmented": -40},
    "late_sound.mp4": {"late-audio": 10},
    "long_sound.mkv": {"header-count": 27, "long-audio": 25, "audio-rows": 24},
    "odd_size.mp4": {},
    "one_frame.mp4": {},
    "rotated.mp4": {"rotated": 0},
    "stream.ts": {},
    "variable_rate.mp4": {"variable-rate": -8},
}
"""The files that ffmpeg made, see the page beside them: late by .416 s, long by 1.008 s at 25 frames per second."""


def test_valid_files_of_ffmpeg_get_their_cause_and_offset():
    pytest.importorskip("av", reason="PyAV, which reads audio, is not installed")
    assert causes(aligned(GOLDEN)) == GOLDEN_CAUSES


def test_json_tells_all_that_was_measured():
    videos = {video["name"]: video for video in aligned(GOLDEN)["videos"]}
    cut, turned = videos["cut.mp4"], videos["rotated.mp4"]
    assert [cut[key] for key in ("frames", "header_frames", "packets", "shown")] == [34, 40, 40, 34]
    assert (cut["rate"], cut["seconds"], cut["variable_rate"], cut["fragmented"]) == (25, 1.36, False, False)
    assert (turned["width"], turned["height"], turned["rotation"]) == (64, 48, 90)
    assert videos["variable_rate.mp4"]["variable_rate"]
    assert videos["fragmented.mp4"]["fragmented"]


def test_without_pyav_images_are_aligned_and_a_note_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    report = aligned(GOLDEN)
    of_audio = {"late-audio", "long-audio", "audio-rows"}
    assert causes(report) == {
        name: {cause: frames for cause, frames in own.items() if cause not in of_audio}
        for name, own in GOLDEN_CAUSES.items()
    }
    assert any("audio in video files was left out" in note and "PyAV" in note for note in report["notes"])


def test_one_line_per_video_that_does_not_fit_and_a_summary():
    pytest.importorskip("av", reason="PyAV, which reads audio, is not installed")
    result = run("data", "align", GOLDEN)
    lines = result.stdout.splitlines()
    assert sum(line.startswith("cut.mp4: ") for line in lines) == 1
    assert not any(line.startswith("b_frames.mp4") for line in lines)
    assert next(line for line in lines if line.startswith("late_sound.mp4")).startswith(
        "late_sound.mp4: late-audio +10 frames (+416 ms; audio starts 0.416 s after the first image)"
    )
    assert re.search(r"hidden-frames +note +2 +\+7 +\+8", result.stdout)
    assert lines[-1] == "12 videos, 12 decoded: 4 fit, 7 have notes, 1 has problems"
    assert result.exit_code == 1


def test_notes_alone_end_with_exit_code_0(tmp_path):
    shutil.copy(GOLDEN / "cut.mp4", tmp_path)
    assert run("data", "align", tmp_path).exit_code == 0


def test_each_file_is_decoded_once_for_all_commands(tmp_path, decodings, listenings, monkeypatch):
    pytest.importorskip("av", reason="PyAV, which reads audio, is not installed")
    root = tmp_path / "films"
    for split, name in (("Training", "0001"), ("Validation", "0002"), ("Test", "0003")):
        (root / split / "videos").mkdir(parents=True)
        shutil.copy(GOLDEN / "late_sound.mp4", root / split / "videos" / f"{name}.mp4")
        if split != "Test":
            (root / split / "annotations").mkdir()
            rows = ["Frame_Number,Label", *(f"{k},{k % 2}" for k in range(1, 51)), ""]
            (root / split / "annotations" / f"{name}.csv").write_text("\n".join(rows))
    for arguments in (
        ("data", "align", root),
        ("data", "align", root),
        ("data", "check", root),
        ("extract", "tiny", "--data", root, "--task", "VD", "--split", "test", "--device", "cpu", "--workers", 1),
        ("data", "frames", root),
    ):
        for module in (counts, streams):
            monkeypatch.setattr(module, "_READINGS", replace(module._READINGS, memory={}))  # as in a new process
        result = run(*arguments)
        assert result.exit_code == 0, result.output
    assert (len(decodings), len(listenings)) == (3, 3)


def test_frames_that_were_written_need_no_second_decoding(tmp_path, decodings, monkeypatch):
    (tmp_path / "Test/videos").mkdir(parents=True)
    shutil.copy(GOLDEN / "variable_rate.mp4", tmp_path / "Test/videos/a.mp4")
    run("data", "frames", tmp_path)
    monkeypatch.setattr(counts, "_READINGS", replace(counts._READINGS, memory={}))
    assert causes(aligned(tmp_path))["a"] == {"variable-rate": -8}
    assert decodings == []


def entries(cache: Path) -> list[Path]:
    return sorted(path for folder in ("films", "streams") for path in (cache / folder).glob("*.json"))


def test_a_changed_file_is_read_again(tmp_path, decodings):
    folder, cache = tmp_path / "videos", tmp_path / "own"
    path = write_film(folder / "a.mp4", 12)
    assert aligned(folder, "--cache", cache)["videos"][0]["frames"] == 12
    write_film(path, 9)
    assert aligned(folder, "--cache", cache)["videos"][0]["frames"] == 9
    assert len(decodings) == 2


@pytest.mark.parametrize("kind", ["films", "streams"])
@pytest.mark.parametrize("change", ["number", "cut", "empty", "newer", "other file"])
def test_a_damaged_entry_of_the_cache_is_never_trusted(tmp_path, monkeypatch, kind, change):
    pytest.importorskip("av", reason="PyAV, which reads audio, is not installed")
    folder, cache = tmp_path / "videos", tmp_path / "own"
    folder.mkdir()
    shutil.copy(GOLDEN / "late_sound.mp4", folder)
    right = aligned(folder, "--cache", cache)
    (entry,) = (cache / kind).glob("*.json")
    text = entry.read_text()
    damaged = {
        "number": re.sub(r'("frames":|"start":)[0-9.]+', r"\g<1>7", text),
        "cut": text[: len(text) // 2],
        "empty": "",
        "newer": text.replace('"format":', '"format":9'),
        "other file": re.sub(r'"key":"[0-9a-f]', '"key":"x', text),
    }[change]
    assert damaged != text
    entry.write_text(damaged)
    for module in (counts, streams):
        monkeypatch.setattr(module, "_READINGS", replace(module._READINGS, memory={}))
    assert aligned(folder, "--cache", cache) == right
    assert entry.read_text() == text or change == "newer"


def test_a_missing_folder_is_one_clear_error(tmp_path):
    with pytest.raises(
        DataError, match=r"nowhere: no such folder; expected the folder of a data set or of video files"
    ):
        align_data(tmp_path / "nowhere")


def test_an_empty_folder_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"no video files here, and no data set; found an empty folder, expected files"):
        align_data(tmp_path)


def test_a_file_that_is_no_video_is_one_clear_error(tmp_path):
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(DataError, match=r"a\.txt: can't be opened as a film; found 5 bytes"):
        align_data(tmp_path / "a.txt")


def test_a_damaged_file_is_named_and_the_others_go_on(tmp_path):
    cut_short(write_film(tmp_path / "half.mp4", 60), 0.5)
    (tmp_path / "none.mp4").write_bytes(b"no video")
    write_film(tmp_path / "whole.mp4", 60)
    result = run("data", "align", tmp_path, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert causes(report)["none.mp4"] == {"unreadable": 0}
    assert causes(report)["whole.mp4"] == {}
    (half,) = [video for video in report["videos"] if video["name"] == "half.mp4"]
    assert half["misfits"][0]["cause"] == "unreadable"
    assert half["misfits"][0]["offset_frames"] == half["frames"] - 60


def test_hidden_files_are_left_out(tmp_path):
    write_film(tmp_path / ".trash" / "a.mp4", 3)
    write_film(tmp_path / "sub" / "b.mp4", 3)
    assert [video.name for video in align_data(tmp_path).videos] == ["sub/b.mp4"]


def test_affwild2_holds_labels_and_crops_against_frames(tmp_path):
    tree = Tree(tmp_path)
    for name, rows, crops in (("a", 50, 50), ("b", 53, 50), ("c", 45, 52), ("d_left", 50, 50)):
        tree.labels("train", name, [1] * rows)
        tree.crops(name, range(1, crops + 1))
    for name in ("a", "b", "c", "d", "stranger"):
        write_film(tmp_path / "videos" / f"{name}.mp4", 50)
    report = aligned(tmp_path)
    assert causes(report) == {
        "a": {},
        "b": {"labels-beyond": 3},
        "c": {"labels-end-early": -5, "images-beyond": 2},
        "d_left": {},
        "stranger.mp4": {},
    }
    assert "1 video file is of no labelled or listed video: stranger.mp4, for one" in report["notes"]


def test_two_people_of_one_file_are_decoded_once(tmp_path, decodings):
    tree = Tree(tmp_path)
    for name in ("d_left", "d_right"):
        tree.labels("train", name, [1] * 50)
        tree.crops(name, range(1, 51))
    file = write_film(tmp_path / "videos" / "d.mp4", 50)
    assert causes(aligned(tmp_path)) == {"d_left": {}, "d_right": {}}
    assert decodings == [file]


def test_links_to_folders_are_followed_once(tmp_path):
    write_film(tmp_path / "disk" / "a.mp4", 3)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/linked").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/back").symlink_to(tmp_path / "videos")
    assert [video.name for video in align_data(tmp_path / "videos").videos] == ["linked/a.mp4"]


def test_an_audio_file_without_its_late_start_is_a_problem(tmp_path):
    pytest.importorskip("av", reason="PyAV, which makes the files, is not installed")
    tree = Tree(tmp_path)
    for name, seconds in (("filled", 4.0), ("early", 3.5), ("long", 6.0)):
        tree.labels("train", name, [1] * films.FRAMES)
        tree.crops(name, range(1, films.FRAMES + 1))
        (tmp_path / "videos").mkdir(exist_ok=True)
        films.write(tmp_path / "videos" / f"{name}.mov", audio="pcm_s16le", audio_from=0.5)
        write_audio(tmp_path / "audios" / f"{name}.wav", seconds)
    found = causes(aligned(tmp_path))
    assert found["filled"] == {"late-audio": 12}
    # 3.5 s spread over 4 s from .5 s on: the first row is that of frame 12.5, the last that of the last frame
    assert found["early"] == {"late-audio": 12, "audio-file-start": 12, "audio-rows": 12}
    assert found["long"] == {"late-audio": 12, "audio-rows": 49}


def test_vidmimic_holds_images_and_audio_against_frames(tmp_path):
    pytest.importorskip("av", reason="PyAV, which makes the files, is not installed")
    tree = small_mimics(tmp_path)
    (tmp_path / "raw").mkdir()
    for name in ("00000", "00003", "00001"):
        write_audio(tmp_path / "audio" / f"{name}.mp3", 4.0)
        tree.images(name, range(100))
        films.write(tmp_path / "raw" / f"{name}.mp4", "mpeg4")
    films.write(tmp_path / "raw" / "00003.mp4", "mpeg4", ticks=[k if k < 50 else 2 * k - 50 for k in range(100)])
    tree.images("00003", range(149))
    for name, to in (("12660", 4.0), ("12661", 6.0)):
        films.write(tmp_path / "test_data" / "raw" / f"{name}.mp4", "mpeg4", audio="aac", audio_to=to)
    found = causes(aligned(tmp_path))
    assert found["00000"] == found["00001"] == {}
    # 4 s of audio beside 5.96 s of images; the last of 100 frames is put at 3.96 s, when frame 74.5 is shown
    assert found["00003"] == {"variable-rate": -17, "images-constant-rate": 49, "audio-rows": -25}
    assert found["12660"] == {"images-end-early": -95}
    assert found["12661"] == {"images-end-early": -98, "long-audio": 50, "audio-rows": 49}


def test_bah_holds_frames_of_its_two_packs(tmp_path):
    tree = small_doubts(tmp_path)
    report = align_data(tmp_path)
    names = [video.name for video in report.videos]
    assert len(names) == 4
    for video in report.videos:
        home = tree.test_home if "82714" in video.name else tree.home
        write_film(home / "videos" / video.name, 5)
    lengths = {video.name: video.official for video in report.videos}
    for video in align_data(tmp_path).videos:
        offsets = {misfit.cause: misfit.whole_frames for misfit in video.misfits}
        assert video.frames == 5
        assert offsets.get("labels-beyond", offsets.get("labels-end-early", 0)) == lengths[video.name] - 5


def test_features_without_a_file_meet_official_frames(tmp_path):
    tree = Tree(tmp_path / "data")
    tree.labels("train", "a", [1] * 20)
    tree.crops("a", range(1, 21))
    (tmp_path / "openface").mkdir()
    rows = [f"{k},{k / 30:.3f},1,1" for k in range(1, 24)]
    (tmp_path / "openface/a.csv").write_text("\n".join(["frame,timestamp,confidence,success", *rows, ""]))
    report = aligned(tmp_path / "data", "--features", tmp_path / "openface")
    (misfit,) = report["videos"][0]["misfits"]
    assert (misfit["cause"], misfit["offset_frames"], misfit["offset_ms"]) == ("features-beyond", 3, 0)
    assert any("1 video has no video file" in note for note in report["notes"])


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_offsets_are_drawn(tmp_path, ending):
    chart = tmp_path / f"offsets{ending}"
    result = run("data", "align", GOLDEN, "--plot", chart)
    assert f"chart: {chart}" in result.stdout
    content = chart.read_bytes()
    assert content.startswith(b"\x89PNG") if ending == ".png" else b"variable-rate" in content


def test_a_chart_of_another_kind_is_refused_before_work(tmp_path, decodings):
    result = run("data", "align", GOLDEN, "--plot", tmp_path / "a.pdf")
    assert isinstance(result.exception, UsageError)
    assert decodings == []


def test_page_on_alignment_lists_every_cause():
    page = (REPOSITORY / "docs/alignment.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    expected = [f"| `{c.name}` | {c.level} | {c.recognised} | {c.do} |" for c in CAUSES.values()]
    assert [row for row in rows if row.split("`")[1] in CAUSES] == expected


SECONDS = (0.0, 0.01, 0.025, 1.0, 3.7)


def test_rows_of_encoders_are_as_many_as_they_give(monkeypatch):
    """The log-mel encoder runs; the convolutions' lengths are theirs, layer by layer."""
    from solutions.encoders.audio.convolutions import KERNELS
    from solutions.encoders.audio.log_mel import LogMelEncoder

    by_name = {rows.encoder: rows for rows in audio_rows()}
    assert {*by_name} == {"wav2vec2", "hubert", "log-mel", "speech-embedding"}
    for seconds in SECONDS:
        samples = np.zeros(round(seconds * 16_000), np.float32)
        assert by_name["log-mel"].count(seconds) == len(LogMelEncoder().encode(samples))
        n = len(samples)
        for width, stride in KERNELS:
            n = max(0, (n - width) // stride + 1)
        assert by_name["wav2vec2"].count(seconds) == by_name["hubert"].count(seconds) == n
        assert by_name["speech-embedding"].count(seconds) == -(-len(samples) // 1280)


def test_rows_of_long_audio_begin_anew_in_each_chunk():
    rows = next(rows for rows in audio_rows() if rows.encoder == "wav2vec2")
    each = (360 * 16_000 - 400) // 320 + 1
    assert rows.count(721.0) == 2 * each + 49
    assert rows.start(np.array([0.0, 1.0, each, 2 * each + 10])).tolist() == [0.0, 0.02, 360.0, 720.2]


@pytest.mark.parametrize(("name", "kind"), [("photo.jpg", "JPEG"), ("photo.png", "PNG"), ("photo.mp4", "JPEG")])
def test_single_image_is_refused_whatever_its_name(tmp_path, name, kind):
    image = np.zeros((64, 64, 3), np.uint8)
    path = tmp_path / name
    path.write_bytes(cv2.imencode(f".{kind.lower()}", image)[1].tobytes())
    done = run("data", "align", path)
    assert isinstance(done.exception, DataError)
    assert str(done.exception).startswith(f"{path}: a single image can't be aligned; found an image file ({kind}), ")
    assert done.stdout == ""
