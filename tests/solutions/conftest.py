"""A small data set of crops that can be changed and opened again, as between two commands."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.settings import Settings
from harness.system.images import opencv
from harness.tasks import AU, EXPR, VA


@pytest.fixture(autouse=True)
def _no_power_cut(monkeypatch) -> None:
    """Leave what is written to the system's cache: no test cuts the power."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@dataclass
class Album:
    """Crops of noise below ``root``, one folder a video; a crop's bytes depend on its video and its number alone."""

    root: Path
    folders: dict[str, Path] = field(default_factory=dict)

    def add(self, video: str, frames: Iterable[int]) -> None:
        self.folders[video] = self.root / "cropped" / video
        self.folders[video].mkdir(parents=True)
        for frame in frames:
            rng = np.random.default_rng([frame, *video.encode()])
            image = rng.integers(0, 256, (*rng.integers(16, 40, 2), 3), dtype=np.uint8)
            self.write(video, frame, image)

    def write(self, video: str, frame: int, image: np.ndarray) -> None:
        self.crop(video, frame).write_bytes(opencv().imencode(".jpg", image)[1].tobytes())

    def crop(self, video: str, frame: int) -> Path:
        return self.folders[video] / f"{frame:05d}.jpg"

    def open(self, *videos: str, name: str = "album") -> Dataset:
        """The data set as it lies on disk now, with the videos in this order; all of them by default."""
        opened = [Video(video, 30, image_folder=self.folders[video]) for video in videos or self.folders]
        return Dataset(name, self.root, EXPR, {"train": opened})


@pytest.fixture
def album(tmp_path) -> Album:
    """Three videos: one longer than a batch, one with gaps, one short."""
    made = Album(tmp_path / "album")
    made.add("a", range(1, 21))
    made.add("b_left", [2, 3, 5, 8, 13])
    made.add("c", [1, 2, 3])
    return made


@pytest.fixture(scope="session")
def _tiny_features(drawn_once, tmp_path_factory) -> Path:
    from solutions.cache.features import FeatureSource

    source = FeatureSource(Settings(cache=tmp_path_factory.mktemp("tiny"), device="cpu", workers=1))
    for task in (EXPR, VA, AU):
        source.extract("tiny", open_dataset(drawn_once, task), ["train", "val", "test"])
    return source.settings.cache


@pytest.fixture(scope="session")
def fill_cache(_tiny_features) -> Callable[[Path], Path]:
    """Put the features that the encoder ``tiny`` gives of the drawn data set into a cache, and return the cache."""
    return lambda cache: Path(shutil.copytree(_tiny_features, cache, dirs_exist_ok=True))


@pytest.fixture(scope="module")
def home(tmp_path_factory, fill_cache) -> Path:
    """A folder for runs, with a cache of features."""
    folder = tmp_path_factory.mktemp("home")
    fill_cache(folder / "cache")
    return folder


@pytest.fixture(scope="module")
def call(home, drawn_once) -> Callable[..., Result]:
    """Run the console command in this process on the drawn data set, with the runs and the cache in ``home``."""

    def run(command: str, *arguments: str) -> Result:
        places = ["--out", str(home / "out")]
        if command in ("run", "submit", "blend"):
            places += ["--data", str(drawn_once)]
        if command in ("run", "submit"):
            places += ["--cache", str(home / "cache"), "--device", "cpu"]
        return CliRunner().invoke(cli, [command, *arguments, *places])

    return run
