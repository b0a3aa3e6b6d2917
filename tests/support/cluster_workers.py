"""What workers of a test's cluster do: they import this module."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.datasets.audio.waveform import SAMPLE_RATE
from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError
from harness.plugins.interface import Predictions, VideoPrediction
from harness.settings import Settings
from harness.tasks import EXPR
from solutions.cache.images import extract_features
from solutions.encoders.encoder import Part

FATAL_HEIGHT = 61
HOLD, STARTED = "hold", "started-"


class Colours:
    """Mean and spread of each channel; kills its own process at a picture of the fatal height.

    Where there is a file called ``HOLD`` in the folder of the cache, it says that it has started, and waits until that
    file is gone.
    """

    name = "colours"
    parts = (Part("embeddings", 6, np.dtype(np.float16)),)
    parallel = "threads"
    batch_size = 8

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.cache

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name}

    def prepare(self, image: np.ndarray) -> np.ndarray:
        return image

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        if any(len(image) == FATAL_HEIGHT for image in images):
            os.kill(os.getpid(), signal.SIGKILL)
        if (self.folder / HOLD).exists():
            (self.folder / f"{STARTED}{os.getpid()}").touch()
            while (self.folder / HOLD).exists():
                time.sleep(0.02)
        return np.array([[*image.mean((0, 1)), *image.std((0, 1))] for image in images], np.float32)


class OtherColours(Colours):
    """Another version of the same: what it makes does not belong into the same cache."""

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name, "format": 2}


class Refusing(Colours):
    """Can't do it, whatever it is shown."""

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        raise ValueError("not my kind of picture")


class Loudness:
    """Mean and spread of each 20 ms of sound."""

    name = "loudness"
    parts = (Part("embeddings", 2, np.dtype(np.float16)),)
    chunk_seconds = 2
    rows_per_second = 50

    def __init__(self, settings: Settings) -> None:
        pass

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name}

    def encode(self, samples: np.ndarray) -> np.ndarray:
        step = SAMPLE_RATE // self.rows_per_second
        steps = samples[: len(samples) // step * step].reshape(-1, step)
        return np.stack([steps.mean(1), steps.std(1)], 1).astype(np.float32)


def unpicklable(item: object) -> object:
    """Raises what can't be sent as it is."""

    class Local(Exception):
        pass

    raise Local("of a class that only this function knows")


def refuses_to_start() -> object:
    """Makes no worker."""
    raise ValueError("no library here")


class Moody:
    """A solution that can't be trained under the first seed."""

    name, task = "expr/moody", EXPR

    def __init__(self, settings: Settings) -> None:
        pass

    def describe(self) -> dict[str, object]:
        return {}

    def fit(self, data: Dataset, *, seed: int) -> None:
        if seed == 0:
            raise DataError("not in the mood")

    def predict(self, data: Dataset, split: str) -> Predictions:
        videos = {}
        for video in data.videos(split):
            scores = np.full((video.n_frames, 8), 0.125, np.float32)
            videos[video.name] = VideoPrediction(scores, np.zeros(video.n_frames, np.int64))
        return Predictions(EXPR, videos)

    def save(self, folder: Path) -> None:
        pass


class NearestFace:
    """A solution on extracted features that needs no torch: the nearest training frame's class, or a guess.

    Its decisions follow the training frames, the features and the seed.
    """

    name, task = "expr/nearest-face", EXPR

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def describe(self) -> dict[str, object]:
        return {"encoder": Colours.name}

    def prepare(self, data: Dataset, split: str) -> None:
        for name in dict.fromkeys(("train", split)):
            extract_features(Colours(self.settings), data, [name], self.settings, make=Colours)

    def trainings(self) -> frozenset[str]:
        return frozenset()

    def fit(self, data: Dataset, *, seed: int) -> None:
        videos = data.videos("train")
        faces = [self._features(data, "train", video) for video in videos]
        self.values = np.concatenate([values for _, values in faces])
        self.classes = np.concatenate([v.labels[frames - 1] for v, (frames, _) in zip(videos, faces, strict=True)])
        self.seed = seed

    def predict(self, data: Dataset, split: str) -> Predictions:
        guesses, videos = np.random.default_rng(self.seed), {}
        for video in data.videos(split):
            frames, values = self._features(data, split, video)
            decisions = guesses.integers(0, 8, video.n_frames)
            nearest = np.linalg.norm(values[::2, None] - self.values, axis=2).argmin(1)
            decisions[frames[::2] - 1] = self.classes[nearest].clip(0)
            videos[video.name] = VideoPrediction(np.eye(8, dtype=np.float32)[decisions], decisions)
        return Predictions(EXPR, videos, {"tuned_on": "nothing"})

    def save(self, folder: Path) -> None:
        np.save(folder / "values.npy", self.values)

    def _features(self, data: Dataset, split: str, video: Video) -> tuple[np.ndarray, np.ndarray]:
        cache, _ = extract_features(Colours(self.settings), data, [split], self.settings, make=Colours)
        features = cache.get(video)
        return features.frames, np.array(features.parts["embeddings"], np.float32)
