"""Features of the two expression networks, and a stride, beside the same work done otherwise.

Without their published weights the networks have drawn ones, which take as long.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shutil
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from harness.datasets.dataset import Dataset, Video
from harness.errors import MissingDependencyError
from harness.settings import Settings
from harness.system.images import opencv
from harness.tasks import EXPR
from solutions.cache.features_file import Features
from solutions.cache.images import extract_features
from solutions.cache.thinning import thinned
from solutions.encoders.encoder import Encoder
from solutions.encoders.images.expression import PairPreprocessing, load_pair
from solutions.encoders.registry import make_encoder
from solutions.networks.expression_pair import ExpressionPair
from solutions.weights.store import load_weights, weights_folder
from tests.support import shortened
from tests.support.npm_packages import bring_expression

pytestmark = pytest.mark.real
VIDEOS, FRAMES = 5, 200
LONGER_VIDEOS, LONGER_FRAMES = 2, 600
STRIDE = 5
Rows = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    made = Settings(cache=tmp_path_factory.mktemp("expression"), device="cpu", workers=os.cpu_count() or 1)
    try:
        for name in ("expression", "expression.mini-xception"):
            load_weights(name, Settings())
        shutil.copytree(weights_folder(Settings()), weights_folder(made))
    except MissingDependencyError:
        bring_expression(made, tmp_path_factory.mktemp("drawn"))
    return made


@pytest.fixture
def data(real_faces) -> Dataset:
    return shortened.opened(real_faces, EXPR, {"train": VIDEOS, "val": 1, "test": 1}, FRAMES)


@pytest.fixture(scope="module")
def encoder(settings) -> Encoder:
    """Return the encoder with its graph built: a command builds it once."""
    made = make_encoder("expression", settings)
    made.encode([made.prepare(np.zeros((112, 112, 3), np.uint8))])
    return made


def crops_of(data: Dataset) -> int:
    return sum(len(video.images) for video in data.videos("train"))


def one_by_one(pair: ExpressionPair, data: Dataset) -> Rows:
    """Return rows by plain torch: both networks one after the other, one image per call."""
    cv2, prepare = opencv(), PairPreprocessing().prepare
    torch.set_num_threads(os.cpu_count() or 1)
    rows = {}
    with torch.inference_mode():
        for video in data.videos("train"):
            images = (cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in video.images.paths())
            rows[video.name] = np.concatenate([pair(torch.from_numpy(prepare(i))[None]).numpy() for i in images])
    return rows


def extracted(encoder: Encoder, data: Dataset, settings: Settings) -> Mapping[str, Features]:
    """Return features from an empty cache."""
    shutil.rmtree(settings.cache / "features", ignore_errors=True)
    with contextlib.redirect_stderr(io.StringIO()):  # progress
        cache, _ = extract_features(encoder, data, ["train"], settings)
    return {video.name: cache.get(video) for video in data.videos("train")}


def test_beside_plain_torch(beside, data, settings, encoder):
    pair = load_pair(*(load_weights(name, settings).tensors for name in ("expression", "expression.mini-xception")))
    pair.eval()

    def same(theirs: Rows, ours: Mapping[str, Features]) -> None:
        for name, features in ours.items():
            np.testing.assert_allclose(features.parts["logits"], theirs[name][:, 512:], atol=1e-4, rtol=1e-4)
            np.testing.assert_allclose(features.values, theirs[name][:, :512], atol=1e-3, rtol=1e-3)  # stored float16
        video = data.videos("train")[0]
        with video.images.reader() as reader:
            images = [encoder.prepare(picture.image) for picture in reader.read(range(32))]
        np.testing.assert_allclose(encoder.encode(images), theirs[video.name][:32], atol=1e-4, rtol=1e-4)

    beside(
        "extraction, expression, two threads; ours stores them",
        f"{crops_of(data):,} real crops",
        "both networks one after the other in plain torch, one image per call",
        theirs=lambda: one_by_one(pair, data),
        ours=lambda: extracted(encoder, data, settings),
        same=same,
    )  # fmt: skip


def test_beside_landmarks(beside, mediapipe, data, settings, encoder):
    landmarks = make_encoder("landmarks", settings)

    def same(theirs: Mapping[str, Features], ours: Mapping[str, Features]) -> None:
        for name, features in ours.items():
            assert len(theirs[name].frames) + theirs[name].undetected == len(features.frames)

    beside(
        "extraction, expression",
        f"{crops_of(data):,} real crops",
        "landmarks, by the same command",
        theirs=lambda: extracted(landmarks, data, settings),
        ours=lambda: extracted(encoder, data, settings),
        same=same,
    )  # fmt: skip


@pytest.fixture
def longer(data, tmp_path) -> Dataset:
    """Return longer videos of links to the same crops: what a command does once a video weighs as little as it does."""
    crops = [path for video in data.videos("train") for path in video.images.paths()]
    videos = []
    for k in range(LONGER_VIDEOS):
        folder = tmp_path / "longer" / str(k)
        folder.mkdir(parents=True)
        for frame in range(LONGER_FRAMES):
            os.link(crops[(k * LONGER_FRAMES + frame) % len(crops)], folder / f"{frame + 1:05d}.jpg")
        videos.append(Video(str(k), LONGER_FRAMES, None, folder))
    return Dataset("longer", tmp_path / "longer", EXPR, {"train": videos})


def test_stride(beside, longer, settings, encoder):
    data = longer
    thin = thinned(data, ["train"], STRIDE)

    def same(theirs: Mapping[str, Features], ours: Mapping[str, Features]) -> None:
        for name, features in ours.items():
            np.testing.assert_array_equal(features.frames, theirs[name].frames[::STRIDE])
            np.testing.assert_allclose(features.values, theirs[name].values[::STRIDE], atol=1e-3, rtol=1e-3)

    beside(
        f"extraction, expression, --stride {STRIDE}",
        f"{crops_of(data):,} real crops",
        "every frame",
        theirs=lambda: extracted(encoder, data, settings),
        ours=lambda: extracted(encoder, dataclasses.replace(thin), settings),
        same=same,
        repeats=3,
    )  # fmt: skip
