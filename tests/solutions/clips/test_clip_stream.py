"""A stream of clips from training to scores: windows over rows are windows over pictures; what is kept, serves."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import tests.support.drawn_films as films
from harness.datasets.dataset import Dataset
from harness.errors import DataError, SolutionError
from harness.settings import Settings
from harness.system.locks import claim
from solutions.cache.features import FeatureSource
from solutions.clips import fitting
from solutions.clips.checkpoint import load_epoch
from solutions.clips.fitting import model_key
from solutions.clips.inputs import picture_reader, start_of
from solutions.clips.settings import ClipNetwork, ClipStream, ClipTraining, Windows
from solutions.clips.windows import windows_of
from solutions.streams import clips as clip_stream
from solutions.streams.clips import FittedClips

pytestmark = pytest.mark.slow

TRAINING = ClipTraining(clip_length=8, batch=2, accumulate=1, epochs=2, epoch_clips=4, learning_rate=1e-3)
RESNET = ClipNetwork("resnet18.tv_in1k", head="tcn", hidden=8, layers=2, size=32)
TUNED = ClipStream(RESNET, TRAINING, Windows(8, 5))
FROZEN = replace(TUNED, training=replace(TRAINING, mode="fixed", encoders="frozen", augment="none"))
VIDEO = replace(TUNED, network=replace(RESNET, rgb="r3d_18.kinetics400", head="conv1d"))


@pytest.fixture(scope="module", autouse=True)
def _backbones_of_few_layers():
    with films.small_backbones():
        yield


@pytest.fixture
def graphs() -> None:
    """Let encoders become graphs, as they do for a user."""


@pytest.fixture(autouse=True)
def _few_graphs(request, monkeypatch):
    # for a few small pictures a graph takes a hundred times as long as they do
    if "graphs" not in request.fixturenames:
        monkeypatch.setattr("solutions.encoders.backends.torch.export", None)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Dataset:
    return films.drawn(tmp_path_factory.mktemp("films"), {"train": (26, 20), "val": (21,), "test": (13, 1)})


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return Settings(cache=tmp_path_factory.mktemp("cache"), device="cpu", workers=1, weights="random")


@pytest.fixture
def source(settings) -> FeatureSource:
    return FeatureSource(settings)


def scores_of(fitted: FittedClips, source: FeatureSource, data: Dataset, split: str, epoch: int = -1) -> np.ndarray:
    found = fitted.scores(source, data, split, [])
    return found[epoch % len(found)]


def one_window_after_the_other(net: nn.Module, data: Dataset, split: str, windows: Windows, size: int) -> np.ndarray:
    """The authors' inference: each window by itself, its pictures read and encoded again."""
    out = []
    for video in data.videos(split):
        total, count = np.zeros((video.n_frames, 2)), np.zeros(video.n_frames)
        for window in windows_of(video.n_frames, windows).tolist():
            with picture_reader(video.images, video.n_frames, size, 1) as read:
                pictures = np.stack([read(np.array([frame]))[0] for frame in window])
            with torch.inference_mode():
                votes = net({"rgb": torch.from_numpy(pictures)[None]}).softmax(2)[0].numpy()
            for frame, vote in zip(window, votes, strict=True):
                total[frame] += vote
                count[frame] += 1
        out.append(total / count[:, None])
    return np.concatenate(out)


@pytest.mark.parametrize("stream", [TUNED, FROZEN, VIDEO], ids=["tuned", "frozen", "video"])
@pytest.mark.usefixtures("graphs")
def test_scores_are_those_of_one_window_after_the_other(stream, data, source, settings):
    fitted = FittedClips.fit(stream, source, data, 3)
    net = fitting.bare_net(stream, {}, settings, encoders=True)
    if stream is FROZEN:
        net.encoders["rgb"] = start_of(stream.network, "rgb", settings)
        net.freeze()
    load_epoch(net, fitted.files[-1])
    expected = one_window_after_the_other(net.eval(), data, "test", stream.windows, stream.network.size)
    found = scores_of(fitted, source, data, "test")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found[:, 1]) > 1e-4, "scores that don't follow the pictures prove nothing"
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)


def test_epochs_differ_and_each_is_made_once_when_asked_for(data, source, monkeypatch):
    fitted = FittedClips.fit(TUNED, source, data, 3)
    made, make = [], fitted._epoch
    monkeypatch.setattr(fitted, "_epoch", lambda epoch, *rest: (made.append(epoch), make(epoch, *rest))[1])
    found = fitted.scores(source, data, "test", [])
    assert (len(found), made) == (2, [])
    assert not np.array_equal(found[1], found[0])
    assert found[1] is found[1]
    assert made == [1, 0]


def test_trained_network_is_cached_until_an_input_differs(data, source, settings, monkeypatch):
    FittedClips.fit(TUNED, source, data, 3)
    trained = []
    monkeypatch.setattr(clip_stream, "train_stream", lambda stream, *rest: trained.append(stream))
    again = FittedClips.fit(replace(TUNED, windows=Windows(8, 2)), source, data, 3)  # only inference knows windows
    assert again.n_epochs == 2
    assert trained == []
    other_seed = (TUNED, source, data, 4)
    shorter = (replace(TUNED, training=replace(TRAINING, epochs=1)), source, data, 3)
    pretrained = (TUNED, FeatureSource(replace(settings, precision="bfloat16")), data, 3)
    fewer = (TUNED, source, replace(data, splits={**data.splits, "train": data.videos("train")[:1]}), 3)
    keys = {model_key(*given) for given in ((TUNED, source, data, 3), other_seed, shorter, pretrained, fewer)}
    assert len(keys) == 5


def test_spoilt_weights_are_made_anew(data, settings, tmp_path):
    source = FeatureSource(replace(settings, cache=tmp_path))
    fitted = FittedClips.fit(FROZEN, source, data, 0)
    expected = scores_of(fitted, source, data, "val")
    fitted.files[0].unlink()
    assert np.array_equal(scores_of(FittedClips.fit(FROZEN, source, data, 0), source, data, "val"), expected)


def test_weights_with_a_flipped_bit_are_trained_again(data, settings, tmp_path, caplog):
    source = FeatureSource(replace(settings, cache=tmp_path))
    fitted = FittedClips.fit(FROZEN, source, data, 0)
    whole = [path.read_bytes() for path in fitted.files]
    content = bytearray(whole[0])
    content[-1] ^= 64
    fitted.files[0].write_bytes(content)
    again = FittedClips.fit(FROZEN, source, data, 0)
    assert [path.read_bytes() for path in again.files] == whole
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{fitted.folder}: damaged on the disk, so that the clip network is trained again; found "
        f"{fitted.files[0].name}."
    )
    trained = fitted.files[0].stat().st_mtime_ns
    FittedClips.fit(FROZEN, source, data, 0)
    assert fitted.files[0].stat().st_mtime_ns == trained


def test_a_saved_stream_needs_no_cache(data, settings, tmp_path):
    source = FeatureSource(replace(settings, cache=tmp_path / "cache"))
    fitted = FittedClips.fit(TUNED, source, data, 0)
    expected = scores_of(fitted, source, data, "test")
    fitted.save(tmp_path / "saved")
    shutil.rmtree(tmp_path / "cache")
    loaded = FittedClips.load(TUNED, tmp_path / "saved")
    elsewhere = FeatureSource(replace(settings, cache=tmp_path / "other"))
    assert np.array_equal(scores_of(loaded, elsewhere, data, "test"), expected)
    np.testing.assert_array_equal(loaded.prior, fitted.prior)


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"prior": 1, "feature_dims": {}, "epochs": []}'])
def test_what_is_no_saved_stream_is_said(tmp_path, content):
    (tmp_path / "clips.json").write_text(content)
    with pytest.raises(SolutionError, match="not a saved clip network"):
        FittedClips.load(TUNED, tmp_path)


def test_what_another_process_trains_is_waited_for_and_taken(data, source, settings, monkeypatch):
    FittedClips.fit(TUNED, source, data, 3)
    trained = []
    monkeypatch.setattr(clip_stream, "train_stream", lambda stream, *rest: trained.append(stream))
    key = model_key(TUNED, source, data, 3)
    held = claim(settings.cache / "models" / f"resnet18.tv_in1k-tcn-{key}.lock")
    timer = threading.Timer(0.5, held.release)
    timer.start()
    start = time.monotonic()
    assert FittedClips.fit(TUNED, source, data, 3).n_epochs == 2
    assert time.monotonic() - start > 0.4
    timer.join()
    assert trained == []


def test_fresh_training_keeps_weights_used_by_other_process(data, settings, tmp_path, monkeypatch):
    source = FeatureSource(replace(settings, cache=tmp_path))
    fitted = FittedClips.fit(FROZEN, source, data, 0)
    before = {path.name: path.read_bytes() for path in fitted.folder.iterdir()}
    there: list[set[str]] = []
    train = clip_stream.train_stream

    def watched(*given):
        train(*given)
        there.append({path.name for path in fitted.folder.iterdir()})

    monkeypatch.setattr(clip_stream, "train_stream", watched)
    again = FittedClips.fit(FROZEN, FeatureSource(replace(source.settings, reuse_heads=False)), data, 0)
    assert there == [{*before}]
    assert again.folder == fitted.folder
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == before
    assert [path.name for path in (tmp_path / "models").iterdir()] == [again.folder.name]


def test_video_without_features_gets_the_prior_and_a_note(data, source, tmp_path):
    fitted = FittedClips.fit(TUNED, source, data, 3)
    first, second = data.videos("test")
    bare = replace(data, splits={**data.splits, "test": [replace(first, image_folder=None), second]})
    notes: list[str] = []
    found = fitted.scores(source, bare, "test", notes)[1]
    labels = np.concatenate([video.labels for video in data.videos("train")])
    shares = np.bincount(labels[labels >= 0]) / (labels >= 0).sum()
    np.testing.assert_allclose(found[: first.n_frames], np.tile(shares, (first.n_frames, 1)), atol=1e-6)
    assert notes == [f"{first.name}: nothing is known of it; all get the training set's shares"]
    np.testing.assert_array_equal(found[first.n_frames :], scores_of(fitted, source, data, "test")[first.n_frames :])


def test_frame_without_image_takes_the_nearest_image(data, source, tmp_path):
    fitted = FittedClips.fit(TUNED, source, data, 3)
    gaps = films.film(tmp_path, "gaps", 13, missing=(1, 2, 6, 13))
    whole = films.film(tmp_path, "whole", 13)
    names = [f"{frame:05d}.jpg" for frame in (3, 3, 3, 4, 5, 5, 7, 8, 9, 10, 11, 12, 12)]
    contents = [(whole.image_folder / name).read_bytes() for name in names]
    for k, content in enumerate(contents):
        (whole.image_folder / f"{k + 1:05d}.jpg").write_bytes(content)
    found = [
        scores_of(fitted, source, replace(data, root=tmp_path, splits={"test": [video]}), "test")
        for video in (gaps, whole)
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


@pytest.mark.parametrize("stream", [TUNED, VIDEO], ids=["tuned", "video"])
def test_a_broken_picture_is_named(stream, data, source, tmp_path):
    fitted = FittedClips.fit(stream, source, data, 3)
    video = films.film(tmp_path, "broken", 13)
    (video.image_folder / "00007.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"00007\.jpg"):
        scores_of(fitted, source, replace(data, root=tmp_path, splits={"test": [video]}), "test")


def test_training_without_any_annotation_is_refused(data, settings, tmp_path):
    source = FeatureSource(replace(settings, cache=tmp_path))
    blank = [replace(video, labels=np.full(video.n_frames, -1)) for video in data.videos("train")]
    with pytest.raises(DataError, match="no training frame is annotated"):
        FittedClips.fit(TUNED, source, replace(data, splits={**data.splits, "train": blank}), 0)


def test_identities_differ_by_weights_size_and_precision(settings):
    found = [
        str(FittedClips.identities(stream, FeatureSource(replace(settings, **changed))))
        for stream, changed in (
            (TUNED, {}),
            (replace(TUNED, network=replace(RESNET, size=64)), {}),
            (replace(TUNED, network=replace(RESNET, rgb="efficientnet_b0.ra_in1k")), {}),
            (FROZEN, {}),
            (FROZEN, {"precision": "bfloat16"}),
        )
    ]
    assert len(set(found)) == len(found)


def test_encoder_is_taken_over_only_from_a_tuned_equal_kind():
    for changed, words in (
        (replace(FROZEN, rgb_from="frozen", rgb_base=FROZEN), "has no tuned resnet18"),
        (replace(FROZEN, rgb_from="another", rgb_base=VIDEO), "has no tuned resnet18"),
        (replace(TUNED, rgb_from="tuned", rgb_base=TUNED), "stays frozen"),
    ):
        with pytest.raises(SolutionError, match=words):
            fitting.taken_from(changed)


def test_pictures_rise_from_call_to_call_and_none_is_lost(tmp_path: Path):
    video = films.film(tmp_path, "film", 9, missing=(4,))
    with picture_reader(video.images, 9, 16, 2) as read:
        parts = [read(np.array(frames)) for frames in ([0, 1, 2], [3], [4, 5, 6, 7], [8])]
    pictures = np.concatenate(parts)
    assert pictures.shape == (9, 16, 16, 3)
    np.testing.assert_array_equal(pictures[3], pictures[2])
    assert len({picture.tobytes() for picture in pictures}) == 8
