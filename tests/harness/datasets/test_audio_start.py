"""Audio files that don't cover the time of their images: told by the index of the video file beside them."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

import pytest

from harness.datasets.audio.limits import audio_command
from harness.datasets.checking.audio_start import audio_problem
from harness.datasets.checking.dataset import check_data
from harness.datasets.video_files.mp4 import read_mp4
from tests.support.places import REPOSITORY

GOLDEN = REPOSITORY / "tests" / "harness" / "golden" / "films"


def write_wav(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(16_000)
        stream.writeframes(bytes(2 * round(16_000 * seconds)))
    return path


def test_the_command_keeps_silence_before_a_late_start():
    assert audio_command("a.ts", "a.wav") == (
        "ffmpeg -i a.ts -map 0:a:0 -af aresample=async=1:first_pts=0 -ac 1 -ar 16000 a.wav -map 0:v:0 -c copy -f null -"
    )


def test_the_index_tells_when_each_track_starts():
    index = read_mp4(GOLDEN / "late_sound.mp4")
    images, audio = index.first("vide"), index.first("soun")
    assert (images.start, images.end) == (0, 2)
    assert audio.start == pytest.approx(0.416, abs=1e-3)  # 0.48 s less one packet, the encoder's delay
    assert audio.end == pytest.approx(2.016)


def test_audio_without_its_late_start_is_a_problem(tmp_path):
    message = audio_problem(write_wav(tmp_path / "a.wav", 1.6), GOLDEN / "late_sound.mp4")
    assert "a.wav: The audio of this video starts 0.42 s after its images" in message
    assert "found 1.60 s of audio, expected 2.02 s, as in" in message
    assert "-af aresample=async=1:first_pts=0 -ac 1" in message


@pytest.mark.parametrize("film", ["late_sound.mp4", "b_frames.mp4", "fragmented.mp4", "long_sound.mkv", "stream.ts"])
def test_audio_of_the_right_length_is_fine(tmp_path, film):
    """Where the file tells nothing, or has no audio, nothing is said either."""
    assert audio_problem(write_wav(tmp_path / "a.wav", 2.0), GOLDEN / film) == ""


def test_audio_that_lasts_longer_than_its_images_is_a_problem(tmp_path):
    message = audio_problem(write_wav(tmp_path / "a.wav", 4.0), GOLDEN / "late_sound.mp4")
    assert "The audio of this video lasts longer than its images" in message
    assert "found 4.00 s of audio, expected 2.00 s" in message


def test_images_that_start_after_the_audio_are_a_problem(tmp_path, monkeypatch):
    data = bytearray((GOLDEN / "late_sound.mp4").read_bytes())
    at = data.index(b"hdlr") + 12, data.index(b"hdlr", data.index(b"hdlr") + 4) + 12
    data[at[0] : at[0] + 4], data[at[1] : at[1] + 4] = b"soun", b"soun"
    (tmp_path / "a.mp4").write_bytes(data)
    assert audio_problem(write_wav(tmp_path / "a.wav", 1.5), tmp_path / "a.mp4") == ""  # no images, nothing to say
    data[at[0] : at[0] + 4], data[at[1] : at[1] + 4] = b"soun", b"vide"
    (tmp_path / "a.mp4").write_bytes(data)
    message = audio_problem(write_wav(tmp_path / "a.wav", 2.0), tmp_path / "a.mp4")
    assert "The images of this video start 0.42 s after its audio" in message
    assert "first_pts=0,atrim=start=0.416 -ac 1" in message


def test_a_file_of_unknown_length_is_told_of_a_late_start(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    assert "found audio of unknown length" in audio_problem(tmp_path / "a.wav", GOLDEN / "late_sound.mp4")


@pytest.mark.parametrize("length", [0, 4, 8, 60, 800, 4000])
def test_a_spoilt_index_tells_nothing(tmp_path, length):
    data = (GOLDEN / "late_sound.mp4").read_bytes()
    at = data.index(b"moov")
    (tmp_path / "a.mp4").write_bytes(data[: at + length])
    index = read_mp4(tmp_path / "a.mp4")
    assert index is None or all(track.shown <= 60 for track in index.tracks)


@pytest.mark.parametrize(("seconds", "problems"), [(1.6, 1), (2.016, 0)])
def test_check_holds_audio_against_the_film_below_the_root(small_tree, seconds, problems):
    write_wav(small_tree.root / "audios" / "a.wav", seconds)
    (small_tree.root / "batch1").mkdir()
    shutil.copy(GOLDEN / "late_sound.mp4", small_tree.root / "batch1" / "a.mp4")
    found = check_data(small_tree.root).problems
    assert len([text for text in found if "audios/a.wav: The audio of this video starts" in text]) == problems
