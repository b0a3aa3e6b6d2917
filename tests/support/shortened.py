"""A data set cut down to a few videos of a few frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.datasets.crops import Crops
from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.tasks import Task


def opened(root: Path, task: Task, videos: Mapping[str, int], frames: int) -> Dataset:
    """The first videos of each split, the first frames of each; without the template, which has them all."""
    data = open_dataset(root, task)
    splits = {split: [shortened(video, frames) for video in data.videos(split)[:n]] for split, n in videos.items()}
    return replace(data, splits=splits, template=None)


def shortened(video: Video, n: int) -> Video:
    """A video that ends after ``n`` frames."""
    crops = video.crops
    k = int((crops.frames <= n).sum())
    short = replace(video, n_frames=n, labels=None if video.labels is None else video.labels[:n])
    kept = (column[:k] for column in (crops.frames, crops.names, crops.sizes, crops.modified))
    short.__dict__["crops"] = Crops(crops.folder, *kept)
    return short
