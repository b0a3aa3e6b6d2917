"""Features of audio: once a recording, resumable, and stretched to the official frames of each video that shares it."""

from __future__ import annotations

import os
import shutil
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from harness.datasets.audio.waveform import SAMPLE_RATE
from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.errors import DataError, SolutionError, StorageError
from harness.settings import Settings
from harness.system.locks import claim
from harness.tasks import EXPR
from solutions.cache import features as features_module
from solutions.cache.audio import extract_audio_features
from solutions.cache.features import FeatureSource
from solutions.cache.features_file import FeatureCache
from solutions.cache.recording import Recording, recordings_of
from solutions.encoders.audio.wav2vec2 import Architecture, Wav2Vec2Encoder
from solutions.encoders.encoder import Part
from tests.support.digests import digests

STEP = 320


class Levels:
    """Mean, spread and number of each 20 ms of a chunk. Keeps the lengths of the chunks that it was given."""

    name = "wav2vec2"
    parts = (Part("embeddings", 3, np.dtype(np.float16)),)
    chunk_seconds = 2
    rows_per_second = SAMPLE_RATE // STEP

    def __init__(self, dies_at: int = 10**9) -> None:
        self.given: list[int] = []
        self.dies_at = dies_at

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name, "chunk_seconds": self.chunk_seconds}

    def encode(self, samples: np.ndarray) -> np.ndarray:
        if len(self.given) == self.dies_at:
            raise KeyboardInterrupt
        self.given.append(len(samples))
        steps = samples[: len(samples) // STEP * STEP].reshape(-1, STEP)
        return np.stack([steps.mean(1), steps.std(1), np.arange(len(steps))], 1).astype(np.float32)


SECONDS = {"x": 5, "y": 1, "z": 2}


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(cache=tmp_path / "cache", device="cpu", workers=1)


@pytest.fixture
def sounds(tmp_path) -> Path:
    """Three recordings of noise."""
    folder = tmp_path / "data" / "audios"
    folder.mkdir(parents=True)
    for name in SECONDS:
        write(folder / f"{name}.wav")
    return folder


def write(path: Path, seed: int = 0) -> None:
    rng = np.random.default_rng([seed, *path.stem.encode()])
    wavfile.write(path, SAMPLE_RATE, rng.integers(-9000, 9000, SECONDS[path.stem] * SAMPLE_RATE, dtype=np.int16))


def opened(folder: Path, frames: int = 40) -> Dataset:
    """Videos of two faces of x, one of y, one of z, one without sound."""
    named = {"x_left": "x", "x_right": "x", "y": "y", "z": "z", "silent": None}
    videos = [Video(v, frames, audio=folder / f"{r}.wav" if r else None) for v, r in named.items()]
    return Dataset("album", folder.parent, EXPR, {"train": videos})


def extract(encoder: Levels, folder: Path, settings: Settings):
    return extract_audio_features(encoder, opened(folder), ["train"], settings)


@pytest.fixture
def source(settings, monkeypatch) -> FeatureSource:
    monkeypatch.setattr(features_module, "make_audio_encoder", lambda name, settings: Levels())
    return FeatureSource(settings)


def test_recording_is_encoded_once_for_all_its_videos(sounds, settings):
    encoder = Levels()
    cache, report = extract(encoder, sounds, settings)
    assert encoder.given == [2 * SAMPLE_RATE, 2 * SAMPLE_RATE, SAMPLE_RATE, SAMPLE_RATE, 2 * SAMPLE_RATE]
    assert (report.encoder, report.videos, report.frames, report.reused) == ("wav2vec2", 3, 8 * 50, 0)
    assert sorted(Path(name).name for name in digests(settings.cache)) == sorted(
        f"{n}.{end}" for n in "xyz" for end in ("json", "embeddings.npy")
    )
    stored = cache.get(Recording("x", sounds / "x.wav"))
    assert stored.frames.tolist() == list(range(1, 251))
    assert stored.values[:, 2].tolist() == [*range(100), *range(100), *range(50)]
    assert stored.values.dtype == np.float16


def test_recordings_are_listed_once_in_the_videos_order(sounds):
    videos = opened(sounds).videos("train")
    assert [recording.name for recording in recordings_of(videos)] == ["x", "y", "z"]


def test_the_same_again_encodes_nothing(sounds, settings):
    extract(Levels(), sounds, settings)
    encoder = Levels()
    report = extract(encoder, sounds, settings)[1]
    assert encoder.given == []
    assert (report.frames, report.reused) == (0, 400)


@pytest.mark.parametrize("dies_at", range(5))
def test_after_a_kill_only_what_is_missing_is_encoded(sounds, settings, tmp_path, dies_at):
    with pytest.raises(KeyboardInterrupt):
        extract(Levels(dies_at), sounds, settings)
    finished = {0: 0, 1: 0, 2: 0, 3: 1, 4: 2}[dies_at]
    assert len(digests(settings.cache)) == 2 * finished
    encoder = Levels()
    extract(encoder, sounds, settings)
    assert len(encoder.given) == 5 - {0: 0, 1: 3, 2: 4}[finished]
    whole = Settings(cache=tmp_path / "undisturbed", device="cpu")
    extract(Levels(), sounds, whole)
    assert digests(settings.cache) == digests(whole.cache)


def test_a_changed_recording_is_encoded_again_and_no_other(sounds, settings):
    before = extract(Levels(), sounds, settings)[0].get(Recording("z", sounds / "z.wav")).values.copy()
    write(sounds / "z.wav", seed=1)
    encoder = Levels()
    cache, _ = extract(encoder, sounds, settings)
    assert encoder.given == [2 * SAMPLE_RATE]
    assert not np.array_equal(cache.get(Recording("z", sounds / "z.wav")).values, before)


def test_a_copy_of_the_same_sound_is_recognised(sounds, settings):
    extract(Levels(), sounds, settings)
    os.utime(sounds / "x.wav", (0, 0))
    encoder = Levels()
    extract(encoder, sounds, settings)
    assert encoder.given == []


def test_other_chunks_are_other_features(sounds, settings, monkeypatch):
    extract(Levels(), sounds, settings)
    monkeypatch.setattr(Levels, "chunk_seconds", 360)
    encoder = Levels()
    cache, _ = extract(encoder, sounds, settings)
    assert encoder.given == [n * SAMPLE_RATE for n in (5, 1, 2)]
    assert cache.get(Recording("x", sounds / "x.wav")).values[-1, 2] == 249


def test_what_can_not_be_read_is_said_and_the_rest_is_kept(sounds, settings):
    (sounds / "x.wav").write_bytes(b"ID3")
    (sounds / "z.wav").unlink()
    with pytest.raises(DataError) as caught:
        extract(Levels(), sounds, settings)
    message = str(caught.value)
    assert message.startswith("2 audio files can't be read; features of the other 1 are kept, and the same command ")
    assert f"{sounds / 'x.wav'}: the file is neither .wav nor .flac" in message
    assert f"{sounds / 'z.wav'}: can't read the audio" in message
    assert {Path(name).name for name in digests(settings.cache)} == {"y.json", "y.embeddings.npy"}
    write(sounds / "x.wav")
    write(sounds / "z.wav")
    encoder = Levels()
    extract(encoder, sounds, settings)
    assert sum(encoder.given) == 7 * SAMPLE_RATE


def test_sound_that_is_too_short_for_a_row_is_said(sounds, settings):
    wavfile.write(sounds / "y.wav", SAMPLE_RATE, np.ones(STEP - 1, np.int16))
    with pytest.raises(DataError, match=r"y\.wav: shorter than one step of the encoder"):
        extract(Levels(), sounds, settings)
    assert len(digests(settings.cache)) == 4


def test_full_disk_is_detected_before_encoding(sounds, settings, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, 8 * 50 * 3 * 2 - 1))
    encoder = Levels()
    with pytest.raises(StorageError, match="not enough space for the features"):
        extract(encoder, sounds, settings)
    assert encoder.given == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda rows: rows[:, :2], r"gave \(100, 2\), expected 3 columns"),
        (lambda rows: rows * np.float32(1e6), "values that its features' type can't hold"),
        (lambda rows: rows * np.nan, "values that its features' type can't hold"),
    ],
)
def test_an_encoder_that_breaks_its_contract_is_named(sounds, settings, monkeypatch, answer, says):
    encode = Levels.encode
    monkeypatch.setattr(Levels, "encode", lambda self, samples: answer(encode(self, samples)))
    with pytest.raises(SolutionError, match=says):
        extract(Levels(), sounds, settings)


def test_every_official_frame_gets_its_moment_of_sound(sounds, source):
    data = opened(sounds, frames=100)
    split = source.features("wav2vec2", data, "train")
    assert split.parts == ("embeddings",)
    assert split.report.frames == 400
    left, right, y, *_ = (split.of(video) for video in data.videos("train"))
    assert left.frames.tolist() == list(range(1, 101))
    assert left.undetected == 0
    assert left.values[:, 2].tolist() == [(k * 250 // 100) % 100 for k in range(100)]
    assert np.array_equal(left.values, right.values)
    assert y.values[:, 2].tolist() == [k // 2 for k in range(100)]


def test_means_are_a_choice_that_the_identity_names(sounds, settings, source):
    data = opened(sounds, frames=25)
    averaged = FeatureSource(settings, how="mean")
    point, mean = (s.features("wav2vec2", data, "train") for s in (source, averaged))
    assert mean.of(data.videos("train")[2]).values[:, 2].tolist() == [2 * k + 0.5 for k in range(25)]
    assert mean.report.reused == 400  # what is cached does not depend on it
    assert (point.identity["stretch"], mean.identity["stretch"]) == ("point", "mean")
    assert point.identity == source.identity("wav2vec2")


def test_a_video_without_sound_has_no_rows_and_a_note_says_so(sounds, source):
    data = opened(sounds)
    split = source.features("wav2vec2", data, "train")
    silent = split.of(data.videos("train")[-1])
    assert (silent.values.shape, silent.values.dtype, silent.frames.shape) == ((0, 3), np.float16, (0,))
    assert "wav2vec2: no audio for silent" in split.notes


def test_sound_of_two_faces_that_does_not_fit_is_noted_once(sounds, source):
    notes = source.features("wav2vec2", opened(sounds), "train").notes
    assert "wav2vec2: 1 recording out of step with the video's frames, the first: " in notes[1]
    assert "the audio of x_left and x_right is longer than their frames; found 5.00 s of audio" in notes[1]


def test_a_data_set_without_any_sound_says_where_it_belongs(tmp_path, source):
    data = Dataset("album", tmp_path, EXPR, {"train": [Video("a", 9), Video("b", 9)]})
    with pytest.raises(DataError, match=r"no video has any; expected audios/<video>.wav\. Make them with: ffmpeg"):
        source.features("wav2vec2", data, "train")


def test_an_encoder_is_made_once(sounds, settings, monkeypatch):
    made: list[str] = []
    monkeypatch.setattr(features_module, "make_audio_encoder", lambda name, s: made.append(name) or Levels())
    source = FeatureSource(settings)
    for _ in range(3):
        source.features("wav2vec2", opened(sounds), "train")
        source.identity("wav2vec2")
    assert made == ["wav2vec2"]


def test_crops_come_through_the_same_door(album, settings):
    source = FeatureSource(settings)
    data = album.open()
    split = source.features("tiny", data, "train")
    assert (split.parts, split.notes, split.report.frames) == (("embeddings",), (), 28)
    assert split.identity == source.identity("tiny")
    assert split.of(data.videos("train")[1]).frames.tolist() == [2, 3, 5, 8, 13]
    shutil.rmtree(settings.cache)
    with pytest.raises(SolutionError, match="changed while they were read"):
        split.of(data.videos("train")[0])


def test_the_drawn_data_sets_sound_goes_all_the_way(drawn_once, settings, tmp_path, monkeypatch):
    """With a reduced network, from weights that were imported."""
    import torch

    from solutions.encoders.audio import wav2vec2
    from solutions.weights.store import import_weights

    small = wav2vec2.Architecture("group_norm", False, 16, 2, 4, 24, channels=8, position_kernel=8, position_groups=2)
    weights, _ = wav2vec2.ENCODERS["wav2vec2"]
    monkeypatch.setitem(wav2vec2.ENCODERS, "wav2vec2", (weights, small))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = small.build(convolution_bias=False)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    import_weights(weights, tmp_path / "weights.pth", settings, replace=True)
    data = open_dataset(drawn_once, EXPR)
    report = FeatureSource(settings).extract("wav2vec2", data, ["train", "val"])
    videos = [*data.videos("train"), *data.videos("val")]
    assert report.videos == len({video.base for video in videos}) < len(videos)
    split = FeatureSource(settings).features("wav2vec2", data, "val")
    assert split.report.frames == 0
    for video in data.videos("val"):
        rate, samples = wavfile.read(video.audio)
        assert rate == SAMPLE_RATE
        chunk = torch.from_numpy(wav2vec2.normalised((samples / 32768).astype(np.float32)))[None]
        with torch.inference_mode():
            expected = network(chunk)[0][0].numpy()
        at = np.arange(video.n_frames) * len(expected) // video.n_frames
        got = split.of(video).values
        assert got.dtype == np.float16
        np.testing.assert_allclose(got, expected[at], atol=2e-3)


def test_recording_of_other_process_comes_last_from_the_cache(sounds, settings, tmp_path):
    elsewhere = Settings(cache=tmp_path / "elsewhere", device="cpu", workers=1)
    extract(Levels(), sounds, elsewhere)
    cache = FeatureCache(settings.cache, Levels(), opened(sounds))
    held = claim(cache.claim_path(Recording("x", sounds / "x.wav")))

    def finish() -> None:
        """As the process that has the claim would."""
        shutil.copytree(elsewhere.cache, settings.cache, dirs_exist_ok=True, ignore=shutil.ignore_patterns("[yz].*"))
        held.release()

    timer = threading.Timer(0.5, finish)
    timer.start()
    encoder = Levels()
    _, report = extract(encoder, sounds, settings)
    timer.join()
    assert encoder.given == [SAMPLE_RATE, 2 * SAMPLE_RATE]
    assert (report.videos, report.frames, report.reused) == (3, 3 * 50, 5 * 50)
    assert digests(settings.cache) == digests(elsewhere.cache)


def test_two_that_hear_at_once_encode_each_recording_once(sounds, settings, repetitions):
    for _ in range(repetitions(5, 100)):
        encoders = [Levels(), Levels()]
        with ThreadPoolExecutor(2) as pool:
            reports = [report for _, report in pool.map(lambda own: extract(own, sounds, settings), encoders)]
        assert sum(sum(encoder.given) for encoder in encoders) == 8 * SAMPLE_RATE
        assert [report.frames + report.reused for report in reports] == [8 * 50, 8 * 50]
        assert not list(settings.cache.rglob("*.lock"))
        shutil.rmtree(settings.cache)


def test_features_of_streams_cached_earlier_are_made_again(sounds, settings):
    """Audio of a transport stream counted from its first packet, where that is no image."""
    cache = FeatureCache(settings.cache, Levels(), opened(sounds))
    wav, stream = (Recording("a", Path(f"a{ending}")) for ending in (".wav", ".TS"))
    assert cache.place(wav) == cache.folder
    assert cache.place(stream) != cache.folder
    assert cache.key_of(wav) == cache.key != cache.key_of(stream)


def test_an_error_while_hearing_releases_every_claim(sounds, settings):
    with pytest.raises(KeyboardInterrupt):
        extract(Levels(dies_at=1), sounds, settings)
    assert not list(settings.cache.rglob("*.lock"))
    assert extract(Levels(), sounds, settings)[1].frames == 8 * 50


def test_workers_change_no_byte_an_interruption_the_last_bits(tmp_path, settings):
    """Short recordings are encoded together: see docs/promises.md."""
    torch.manual_seed(0)
    small = Architecture("group_norm", False, 16, 2, 4, 24, channels=8, position_kernel=8, position_groups=2)
    own = Wav2Vec2Encoder("wav2vec2", small, small.build(convolution_bias=False).state_dict(), "0" * 64, device="cpu")
    rng, folder = np.random.default_rng(0), tmp_path / "data/audios"
    folder.mkdir(parents=True)
    names = [f"clip{k:02d}" for k in range(12)]
    for k, name in enumerate(names):
        wavfile.write(folder / f"{name}.wav", SAMPLE_RATE, rng.integers(-9000, 9000, 9_000 * (1 + k % 4), np.int16))
    videos = [Video(name, 40, audio=folder / f"{name}.wav") for name in names]
    data = Dataset("album", folder.parent, EXPR, {"train": videos, "first": videos[:5]})
    made = {}
    for name, workers, splits in (("one", 1, ["train"]), ("three", 3, ["train"]), ("resumed", 1, ["first", "train"])):
        there = replace(settings, cache=tmp_path / name, workers=workers)
        for split in splits:
            cache, _ = extract_audio_features(own, data, [split], there, make=lambda _: own)
        made[name] = {v.name: cache.get(Recording(v.name, v.audio)).values.astype(np.float64) for v in videos}
    assert digests(tmp_path / "one", "*.npy") == digests(tmp_path / "three", "*.npy")
    for video, rows in made["one"].items():
        # float16 keeps 11 bits
        np.testing.assert_allclose(made["resumed"][video], rows, rtol=2**-10, atol=1e-5)
