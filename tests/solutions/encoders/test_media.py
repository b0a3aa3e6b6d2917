"""Audio of compressed files and of video files: positions of known impulses, lengths, and damage that is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from harness.datasets.audio.media import open_media
from harness.datasets.audio.pieces import pieces
from harness.errors import DataError, MissingDependencyError, NoAudioError
from tests.support.places import REAL

RATE = 16_000


def whole(path: Path, seconds: int = 60) -> np.ndarray:
    return np.concatenate(list(open_media(path).chunks(seconds)))


def impulses(n: int, *at: int) -> np.ndarray:
    audio = np.random.default_rng(0).standard_normal(n) * 0.005
    audio[[*at]] = 0.9
    return audio.astype(np.float32)


def loudest(audio: np.ndarray, n: int) -> list[int]:
    return sorted(int(at) for at in np.argsort(-np.abs(audio))[:n])


def mp3(path: Path, audio: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, audio, rate, format="MP3", subtype="MPEG_LAYER_III")
    return path


def muxed(
    path: Path, codec: str, audio: np.ndarray, rate: int, *, audio_start: float = 0.0, video: bool = False
) -> Path:
    """Write a container with audio, after a number of seconds, and with ten grey images per second beside it."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        if video:
            images = container.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
            for k in range(round(len(audio) / rate * 10)):
                image = av.VideoFrame.from_ndarray(np.full((32, 32, 3), k % 250, np.uint8), format="rgb24")
                container.mux(images.encode(image))
            container.mux(images.encode(None))
        whole_numbers = (audio * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(whole_numbers, format="s16", layout="mono")
        frame.rate, frame.pts = rate, round(audio_start * rate)
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


# --- pieces ---


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("block", [700, 50_000])
def test_pieces_of_any_block_equal_the_whole(rate: int, block: int) -> None:
    audio = np.random.default_rng(1).standard_normal(rate * 5 + 1234).astype(np.float32)
    blocks = [audio[at : at + block] for at in range(0, len(audio), block)]
    got = list(pieces(blocks, rate, 2))
    common = np.gcd(rate, RATE)
    expected = audio if rate == RATE else resample_poly(audio, RATE // common, rate // common)
    assert [len(piece) for piece in got[:-1]] == [2 * RATE] * (len(got) - 1)
    np.testing.assert_allclose(np.concatenate(got), expected, atol=1e-5)
    assert sum(map(len, got)) == -(-len(audio) * RATE // rate)


def test_pieces_hold_no_more_than_they_need() -> None:
    """The longest clip lasts 1,250 seconds: no piece may wait for the end."""
    asked: list[int] = []

    def blocks():
        for k in range(40):
            asked.append(k)
            yield np.zeros(RATE // 2, np.float32)

    first = next(pieces(blocks(), RATE, 2))
    assert len(first) == 2 * RATE
    assert len(asked) == 6  # two seconds and the one behind them


# --- mp3, FLAC ---


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_mp3_impulses_stay_at_their_samples(tmp_path: Path, rate: int) -> None:
    n = 2 * rate
    audio = impulses(n, rate // 2, rate + 77)
    at = [rate // 2, rate + 77]
    path = mp3(tmp_path / "a.mp3", audio, rate)
    decoded = np.concatenate(list(open_media(path)._blocks()))
    assert len(decoded) == n
    assert loudest(decoded, 2) == at
    got = whole(path)
    assert len(got) == 2 * RATE
    assert np.abs(np.array(loudest(got, 2)) - np.array(at) * RATE / rate).max() <= 1
    np.testing.assert_array_equal(whole(path, 1), got)


@pytest.mark.parametrize("block", [160, 8_000])
def test_mp3_in_blocks_equals_one_read(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """soundfile 0.14.0 seeks after each block, and gives wrong samples at the beginning of the next one."""
    seconds = np.arange(5 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * (200 + 50 * np.sin(seconds)) * seconds)
    path = mp3(tmp_path / "a.mp3", tone + np.random.default_rng(0).normal(0, 0.05, len(seconds)))
    at_once, _ = soundfile.read(path, dtype="float32")
    monkeypatch.setattr("harness.datasets.audio.media._BLOCK", block)
    np.testing.assert_allclose(whole(path), at_once, atol=1e-6)


def test_flac_gives_the_samples_that_were_written(tmp_path: Path) -> None:
    audio = np.random.default_rng(2).integers(-128, 128, (5000, 2)) / 128
    soundfile.write(tmp_path / "a.flac", audio, RATE)
    np.testing.assert_allclose(whole(tmp_path / "a.flac"), audio.mean(1), atol=1e-7)


@pytest.mark.real
def test_real_mp3_has_the_length_of_its_original() -> None:
    clips = REAL / "emi_ah" / "emodb" / "clips.csv"
    if not clips.is_file():
        pytest.skip("the real clips are not here")
    rows = [line.split(",") for line in clips.read_text().splitlines()[1:]]
    for row in rows[::60]:
        audio = whole(clips.parent / "mp3" / f"{row[0]}.mp3")
        assert len(audio) == round(float(row[-1]) * RATE)


def damaged(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    return {
        "cut": content[:middle],
        "hole": content[:middle] + bytes(2000) + content[middle + 2000 :],
        "noise": content[:middle] + np.random.default_rng(3).bytes(2000) + content[middle + 2000 :],
        "short": content[: middle - 1000] + content[middle + 1000 :],
        "empty": b"",
        "page": b"<html>" + b"x" * 5000,
    }


@pytest.mark.parametrize("kind", ["cut", "hole", "noise", "short", "empty", "page"])
@pytest.mark.parametrize("suffix", [".mp3", ".flac"])
def test_damaged_audio_file_is_refused(tmp_path: Path, kind: str, suffix: str) -> None:
    whole_file = tmp_path / f"whole{suffix}"
    audio = np.random.default_rng(4).standard_normal(3 * RATE) * 0.1
    if suffix == ".mp3":
        pytest.importorskip("av")
        mp3(whole_file, audio)
    else:
        soundfile.write(whole_file, audio, RATE)
    path = tmp_path / f"{kind}{suffix}"
    path.write_bytes(damaged(whole_file.read_bytes())[kind])
    with pytest.raises(DataError, match=rf"{kind}{suffix}.*ffmpeg -i VIDEO"):
        whole(path)


def test_mp3_without_length_is_read_to_its_end(tmp_path: Path) -> None:
    """libsndfile alone reads half of this one: it guesses the length from the size."""
    pytest.importorskip("av")
    path = mp3(tmp_path / "a.mp3", impulses(RATE * 2, RATE))
    content = path.read_bytes()
    kilobits = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[content[2] >> 4]  # MPEG 2, layer III
    second = 72_000 * kilobits // RATE  # behind the frame that holds LAME's header
    assert content[second : second + 2] == content[:2]
    bare = tmp_path / "bare.mp3"
    bare.write_bytes(content[second:])
    audio = whole(bare)
    assert loudest(audio, 1) == [RATE + 1105]  # the encoder's delay stays: nothing notes it
    assert 2 * RATE <= len(audio) <= 2 * RATE + 1105 + 2 * 576


@pytest.mark.parametrize("name", ["no.mp3", "no.wav", "no.flac"])
def test_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=name):
        open_media(tmp_path / name)


# --- video files ---

CONTAINERS = [("aac", "mp4", 0), ("aac", "mov", 0), ("flac", "mkv", 0), ("pcm_s16le", "avi", 0), ("mp2", "mpg", 481)]


@pytest.mark.parametrize(("codec", "suffix", "delay"), CONTAINERS)
def test_container_audio_lies_where_it_was_written(tmp_path: Path, codec: str, suffix: str, delay: int) -> None:
    rate = 44_100
    path = muxed(tmp_path / f"a.{suffix}", codec, impulses(2 * rate, rate // 2, rate), rate)
    audio = open_media(path)
    decoded = np.concatenate(list(audio._blocks()))
    assert loudest(decoded, 2) == [rate // 2 + delay, rate + delay]
    assert 2 * rate <= len(decoded) <= 2 * rate + 1152
    assert audio.seconds == pytest.approx(2, abs=0.05)
    got = whole(path)
    assert np.abs(np.array(loudest(got, 2)) - np.array([0.5, 1]) * RATE - delay * RATE / rate).max() <= 1


@pytest.mark.parametrize("start", [0.0, 0.35])
def test_late_audio_begins_with_silence(tmp_path: Path, start: float) -> None:
    path = muxed(tmp_path / "a.mp4", "aac", impulses(2 * RATE, RATE), RATE, audio_start=start, video=True)
    audio = whole(path)
    assert loudest(audio, 1)[0] == pytest.approx(RATE + start * RATE, abs=16)  # mp4 counts in milliseconds here
    assert not start or not audio[: round(start * RATE) - 1100].any()


def test_cut_mp4_is_refused(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = muxed(tmp_path / "a.mp4", "aac", impulses(4 * RATE, RATE), RATE)
    front = tmp_path / "front.mp4"
    with av.open(str(path)) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    content = front.read_bytes()
    front.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DataError, match=r"front\.mp4"):
        whole(front)


@pytest.mark.parametrize("content", [b"", b"\0" * 3000, b"<html>" + b"x" * 3000])
def test_no_video_file_is_refused(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mp4: audio that can't be decoded"):
        open_media(tmp_path / "a.mp4")


def test_video_file_without_audio_is_named(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        images = container.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
        container.mux(images.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(images.encode(None))
    with pytest.raises(NoAudioError, match=r"mute\.mp4: the video file has no audio; found video"):
        open_media(tmp_path / "mute.mp4")


def test_missing_pyav_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"needs PyAV.*\[av\].*or make an audio file: ffmpeg"):
        open_media(tmp_path / "a.mp4")


@pytest.mark.real
def test_real_mpg_has_audio_of_three_seconds() -> None:
    pytest.importorskip("av")
    files = sorted((REAL / "emi_ah" / "grid").glob("*.mpg"))
    if not files:
        pytest.skip("the real video files are not here")
    audio = whole(files[0])
    assert len(audio) / RATE == pytest.approx(3, abs=0.1)
    assert audio.std() > 0.001
