"""Audio features that are reduced while they are extracted, clips side by side, from compressed files."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.datasets.audio.media import open_media
from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError, UsageError
from harness.settings import Settings
from harness.tasks import AH, EMI
from solutions.cache import features as features_module
from solutions.cache.audio import extract_audio_features
from solutions.cache.features import FeatureSource
from solutions.cache.recording import Recording
from solutions.encoders.encoder import Part
from solutions.encoders.pooling import ReducedAudioEncoder
from solutions.encoders.registry import is_audio, is_encoder, make_audio_encoder
from solutions.networks.parallel import in_parallel

RATE, STEP = 16_000, 320


class Levels:
    """Mean, spread and loudest value of each 20 ms of a chunk; keeps the threads that it ran on."""

    name = "levels"
    parts = (Part("embeddings", 3, np.dtype(np.float16)),)
    chunk_seconds = 2
    rows_per_second = RATE // STEP
    parallel = "batches"

    def __init__(self) -> None:
        self.threads: set[str] = set()

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name, "dtype": "float16"}

    def encode(self, samples: np.ndarray) -> np.ndarray:
        self.threads.add(threading.current_thread().name)
        steps = samples[: len(samples) // STEP * STEP].reshape(-1, STEP)
        return np.stack([steps.mean(1), steps.std(1), np.abs(steps).max(1)], 1).astype(np.float32)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", device="cpu", workers=3)


@pytest.fixture
def clips(tmp_path: Path) -> Dataset:
    """Ten clips of one to five seconds, as EMI has them: mp3, FLAC and wav, one of them silent on the disk."""
    folder = tmp_path / "data" / "audio"
    folder.mkdir(parents=True)
    videos = []
    for k in range(10):
        path = folder / f"{k:05}{('.mp3', '.flac', '.wav')[k % 3]}"
        audio = np.random.default_rng(k).normal(0, 0.1, RATE * (1 + k % 5) + 37 * k)
        kind = {"format": "MP3", "subtype": "MPEG_LAYER_III"} if path.suffix == ".mp3" else {}
        soundfile.write(path, audio, RATE, **kind)
        videos.append(Video(path.stem, 30, audio=path, rows=1))
    return Dataset("clips", folder.parent, EMI, {"train": videos})


def rows_of(path: Path) -> np.ndarray:
    encoder = Levels()
    return np.concatenate([encoder.encode(samples) for samples in open_media(path).chunks(2)]).astype(np.float64)


def test_stat_is_stored_instead_of_rows(clips: Dataset, settings: Settings) -> None:
    inner = Levels()
    cache, report = extract_audio_features(ReducedAudioEncoder(inner), clips, ["train"], settings)
    assert (report.encoder, report.videos, report.frames) == ("stat:levels", 10, 10)
    for video in clips.videos("train"):
        rows = rows_of(video.audio)
        expected = np.concatenate([rows.mean(0), rows.std(0), rows.min(0), rows.max(0)])[None]
        stored = cache.get(Recording(video.name, video.audio))
        assert (stored.frames.tolist(), stored.values.dtype) == ([1], np.float32)
        np.testing.assert_allclose(stored.values, expected, atol=1e-6)
    assert sum(path.stat().st_size for path in settings.cache.rglob("*.npy")) < 10 * 200
    assert len(inner.threads) > 1


def test_clips_side_by_side_give_the_same_as_one_after_the_other(
    clips: Dataset, settings: Settings, tmp_path: Path
) -> None:
    several, one = settings, replace(settings, cache=tmp_path / "one", workers=1)
    encoder = Levels()
    encoder.parallel = "threads"
    left, _ = extract_audio_features(Levels(), clips, ["train"], several)
    right, _ = extract_audio_features(encoder, clips, ["train"], one)
    for video in clips.videos("train"):
        item = Recording(video.name, video.audio)
        np.testing.assert_array_equal(left.get(item).values, right.get(item).values)


def test_long_recordings_are_left_to_all_cores(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    seconds = {"a": 61, "b": 1, "c": 1, "d": 1}
    for name, n in seconds.items():
        soundfile.write(folder / f"{name}.wav", np.random.default_rng(n).normal(0, 0.1, n * RATE), RATE)
    videos = [Video(name, 30, audio=folder / f"{name}.wav", rows=1) for name in seconds]
    encoder = Levels()
    extract_audio_features(encoder, Dataset("long", folder, EMI, {"train": videos}), ["train"], settings)
    assert threading.current_thread().name in encoder.threads  # the long one
    assert len(encoder.threads) > 1


def test_damaged_clips_are_named_and_the_others_kept(clips: Dataset, settings: Settings) -> None:
    broken = clips.videos("train")[3].audio
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    (clips.root / "audio" / "00007.flac").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        extract_audio_features(ReducedAudioEncoder(Levels()), clips, ["train"], settings)
    assert "2 audio files can't be read; features of the other 8 are kept" in str(caught.value)
    assert {"00003.mp3", "00007.flac"} == {name for name in ("00003.mp3", "00007.flac") if name in str(caught.value)}
    broken.write_bytes(content)
    clips.videos("train")[7].audio.unlink()
    soundfile.write(clips.root / "audio" / "00007.flac", np.ones(RATE) * 0.1, RATE)
    _, report = extract_audio_features(ReducedAudioEncoder(Levels()), clips, ["train"], settings)
    assert (report.frames, report.reused) == (2, 8)


def test_an_error_of_a_clip_comes_out(clips: Dataset, settings: Settings) -> None:
    encoder = Levels()

    def broken(samples: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    encoder.encode = broken
    with pytest.raises(ZeroDivisionError):
        extract_audio_features(encoder, clips, ["train"], settings)


class Together(Levels):
    """Levels of several clips at a time; keeps how many there were."""

    seconds_together = 6

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def encode_together(self, clips: list[np.ndarray]) -> list[np.ndarray]:
        self.calls.append(len(clips))
        return [self.encode(samples) for samples in clips]


@pytest.mark.parametrize("workers", [1, 3])
def test_clips_encoded_together_keep_their_own_rows(clips: Dataset, settings: Settings, workers: int) -> None:
    inner = Together()
    broken = clips.videos("train")[3].audio
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    settings = replace(settings, workers=workers)
    with pytest.raises(DataError, match=r"00003\.mp3"):
        extract_audio_features(ReducedAudioEncoder(inner), clips, ["train"], settings)
    assert max(inner.calls) > 2  # pieces of several clips
    assert len(inner.calls) < len(clips.videos("train"))
    broken.write_bytes(content)
    cache, report = extract_audio_features(ReducedAudioEncoder(inner), clips, ["train"], settings)
    assert report.reused == 9
    for video in clips.videos("train"):
        rows = rows_of(video.audio)
        expected = np.concatenate([rows.mean(0), rows.std(0), rows.min(0), rows.max(0)])[None]
        np.testing.assert_allclose(cache.get(Recording(video.name, video.audio)).values, expected, atol=1e-6)


MEMORY = """
import resource, sys
from pathlib import Path
import torch
from harness.datasets.dataset import Dataset, Video
from harness.settings import Settings
from harness.tasks import EMI
from solutions.cache.audio import extract_audio_features
from solutions.encoders.audio.wav2vec2 import Architecture, Wav2Vec2Encoder
from solutions.encoders.pooling import ReducedAudioEncoder

folder = Path(sys.argv[1])
small = Architecture("layer_norm", True, 16, 2, 4, 24, channels=8, position_kernel=8, position_groups=2)
tensors = small.build(convolution_bias=True).state_dict()
encoder = Wav2Vec2Encoder("hubert", small, tensors, "0" * 64, device="cpu")
encoder.chunk_seconds = 10
for name in ("piece", "long"):
    data = Dataset(name, folder, EMI, {"train": [Video(name, 1, rows=1, audio=folder / f"{name}.wav")]})
    settings = Settings(cache=folder / "cache", device="cpu", workers=1)
    extract_audio_features(ReducedAudioEncoder(encoder), data, ["train"], settings)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_memory_is_bounded_by_the_longest_piece(tmp_path: Path) -> None:
    """Ten minutes in pieces of 10 s: the whole of it would take 38 MB as samples, and 77 MB while it is normalised."""
    rng = np.random.default_rng(0)
    for name, seconds in (("piece", 10), ("long", 600)):
        soundfile.write(tmp_path / f"{name}.wav", rng.normal(0, 0.1, seconds * RATE), RATE, subtype="PCM_16")
    words = [sys.executable, "-c", MEMORY, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    piece, long = map(int, done.stdout.split())
    assert long - piece < 24 * 2**20


@pytest.mark.parametrize("task", [EMI, AH])
def test_rows_follow_the_level_of_the_task(
    clips: Dataset, settings: Settings, monkeypatch: pytest.MonkeyPatch, task
) -> None:
    monkeypatch.setattr(features_module, "is_audio", lambda name: name.removeprefix("stat:") == "levels")
    makers = {"levels": Levels, "stat:levels": lambda: ReducedAudioEncoder(Levels())}
    monkeypatch.setattr(features_module, "make_audio_encoder", lambda name, settings: makers[name]())
    rows = None if task is AH else 1
    videos = [replace(video, rows=rows) for video in clips.videos("train")]
    source, data = FeatureSource(settings), Dataset("clips", clips.root, task, {"train": videos})
    for name, own in (("levels", len(rows_of(videos[1].audio))), ("stat:levels", 1)):
        features = source.features(name, data, "train").of(videos[1])
        n = videos[1].n_frames if task is AH else own
        assert features.frames.tolist() == list(range(1, n + 1))
        assert len(features.values) == n
    assert (features.values == features.values[0]).all()  # a single row is every frame's


def test_log_mel_statistics_of_a_data_set(clips: Dataset, settings: Settings) -> None:
    source = FeatureSource(settings)
    features = source.features("log-mel-statistics", clips, "train")
    rows = np.concatenate([features.of(video).values for video in clips.videos("train")])
    assert rows.shape == (10, 121)
    seconds = [soundfile.info(video.audio).frames / RATE for video in clips.videos("train")]
    np.testing.assert_allclose(rows[:, -1], seconds, atol=0.011)
    assert source.features("stat:log-mel", clips, "train").of(clips.videos("train")[0]).values.shape == (1, 160)
    reports = source.taken_reports()
    assert [report.frames for report in reports] == [10, 10]


def test_stat_names_are_encoders() -> None:
    assert is_encoder("stat:hubert")
    assert is_audio("stat:hubert")
    assert is_encoder("stat:landmarks")
    assert not is_audio("stat:landmarks")
    assert not is_encoder("stat:stat:hubert")
    assert not is_encoder("stat:flow")
    assert not is_encoder("stat:nothing")


def test_stat_of_one_row_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="log-mel-statistics has one row per recording"):
        make_audio_encoder("stat:log-mel-statistics", settings)


def test_work_in_parallel_keeps_order_and_bounds_what_is_begun() -> None:
    begun: list[int] = []

    def items():
        for k in range(40):
            begun.append(k)
            yield k

    work = in_parallel(lambda k: k * k, items(), 3)
    assert next(work) == (0, 0)
    assert len(begun) <= 2 * 3 + 1
    assert list(work) == [(k, k * k) for k in range(1, 40)]
