"""Synthetic splits with Aff-Wild2's rates of classes and units, and features that lean to the labels.

Frames without a crop lie within and at the end of videos. They are not annotated, so that who scores frames with a crop
alone, as the papers' authors do, scores the same frames as the harness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.numbered import ImageFiles
from harness.plugins.interface import ExtractionReport
from harness.settings import Settings
from harness.tasks import AU, EXPR, VA, Task
from solutions.cache.features import SplitFeatures
from solutions.cache.features_file import Features

EXPR_COUNTS = np.array([177198, 16573, 10771, 9080, 95463, 78751, 31615, 165866])
"""Training frames of each expression."""
AU_WEIGHTS = np.array([4.232, 10.044, 3.248, 1.879, 1.259, 1.452, 2.042, 17.787, 15.905, 19.520, 0.798, 6.732])
"""``T / (2 pos)`` of each unit on training frames."""
AFFECTNET_OF = np.array([5, 0, 2, 3, 4, 6, 7, 1])
"""Column of AffectNet's eight classes for each of Aff-Wild2's; Contempt stands in the last place."""

VIDEOS = {"train": 6, "val": 5}
SEGMENT = 8
FEWEST_SEGMENTS = {"train": 2, "val": 2}
"""Segments of each class, so that it is there to be learned, and beside any one fold to be chosen on."""
DIMS = {"embeddings": 24, "logits": 10, "audio": 16}


@dataclass(frozen=True)
class DrawnFeatures:
    """Features of drawn videos by encoder; stands for the encoders, whose weights are not here."""

    settings: Settings
    rows: Mapping[str, Mapping[str, Features]] = field(repr=False)

    def features(self, encoder: str, data: Dataset, split: str, *, how: Any = None) -> SplitFeatures:
        """Return the features of a split's videos."""
        by_video = self.rows["audio" if encoder == "wav2vec2" else "faces"]
        parts = tuple(next(iter(by_video.values())).parts)
        report = ExtractionReport(encoder, len(data.videos(split)), 0, 0, 0, 0.0)
        return SplitFeatures(parts, self.identity(encoder), report, (), lambda video: by_video[video.name])

    def identity(self, encoder: str, *, how: Any = None) -> dict[str, Any]:
        """Return what tells these features from others."""
        return {"drawn": encoder}

    def taken_reports(self) -> tuple[ExtractionReport, ...]:
        """Return what was encoded: nothing."""
        return ()


def drawn(task: Task, seed: int, folder: Path) -> tuple[Dataset, DrawnFeatures]:
    """Return a data set with a train and a val split, and its features.

    Args:
        task: EXPR, VA or AU.
        seed: of all that is drawn.
        folder: for the cache.
    """
    rng = np.random.default_rng(seed)
    mixes = {part: rng.normal(size=(_signal_columns(task), dim)) for part, dim in DIMS.items()}
    splits: dict[str, list[Video]] = {}
    rows: dict[str, dict[str, Features]] = {"faces": {}, "audio": {}}
    for split, n_videos in VIDEOS.items():
        lengths = rng.integers(80, 130, n_videos)
        labels = _labels(task, rng, int(lengths.sum()), FEWEST_SEGMENTS[split])
        splits[split] = []
        for k, own in enumerate(np.split(labels, np.cumsum(lengths)[:-1])):
            name, n = f"{split}-{k}", len(own)
            crops = _crops(rng, n)
            signal = _signal(task, own)
            own = own.copy()
            own[np.setdiff1d(np.arange(n), crops - 1)] = task.invalid
            own[rng.random(n) < 0.05] = task.invalid
            video = Video(name, n, own)
            stamps = np.ones(len(crops), np.int64)
            video.__dict__["images"] = ImageFiles(None, crops, tuple(f"{f:05d}.jpg" for f in crops), stamps, stamps)
            splits[split].append(video)
            faces = _features(task, rng, signal, mixes, own)
            rows["faces"][name] = Features(crops, {part: values[crops - 1] for part, values in faces.items()}, 0)
            audio = (signal @ mixes["audio"] + rng.normal(0, 3, (n, DIMS["audio"]))).astype(np.float32)
            rows["audio"][name] = Features(np.arange(1, n + 1), {"embeddings": audio}, 0)
    settings = Settings(cache=folder, device="cpu", workers=1, reuse_heads=True)
    return Dataset(f"rates-{seed}", folder, task, splits), DrawnFeatures(settings, rows)


def _crops(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return 1-based frames with a crop: some are missing in between, in half of the videos also at the end."""
    end = n - int(rng.integers(10, 30)) if rng.random() < 0.5 else n
    frames = np.arange(1, end + 1)
    keep = rng.random(end) > 0.04
    keep[[0, -1]] = True
    hole = int(rng.integers(5, end - 15))
    keep[hole : hole + 8] = False
    return frames[keep].astype(np.int64)


def _labels(task: Task, rng: np.random.Generator, n: int, fewest: int) -> np.ndarray:
    n_segments = -(-n // SEGMENT)
    if task is EXPR:
        shares = EXPR_COUNTS / EXPR_COUNTS.sum()
        always = np.repeat(np.arange(8), fewest)
        deck = np.concatenate([always, rng.choice(8, max(n_segments - len(always), 0), p=shares)])
        return np.repeat(rng.permutation(deck), SEGMENT)[:n].astype(np.int64)
    if task is AU:
        rates = 0.5 / AU_WEIGHTS
        deck = np.column_stack(
            [rng.permutation(np.arange(n_segments) < max(fewest, round(r * n_segments))) for r in rates]
        )
        return np.repeat(deck, SEGMENT, 0)[:n].astype(np.int64)
    walk = np.cumsum(rng.normal(0, 0.08, (n, 2)), 0)
    return np.round(np.tanh(walk - walk.mean(0)), 3)


def _signal_columns(task: Task) -> int:
    return task.n_outputs


def _signal(task: Task, labels: np.ndarray) -> np.ndarray:
    return np.eye(8)[labels] * 2 if task is EXPR else labels.astype(np.float64) * 2


def _features(
    task: Task, rng: np.random.Generator, signal: np.ndarray, mixes: Mapping[str, np.ndarray], labels: np.ndarray
) -> dict[str, np.ndarray]:
    n = len(signal)
    embeddings = signal @ mixes["embeddings"] + rng.normal(0, 2.5, (n, DIMS["embeddings"]))
    if task is VA:
        logits = signal @ mixes["logits"] + rng.normal(0, 1.5, (n, DIMS["logits"]))
    else:  # eight classes in AffectNet's order, sure of itself now and then, Contempt included
        logits = np.zeros((n, 8))
        known = signal if task is EXPR else signal @ mixes["logits"][:, :8]
        logits[:, AFFECTNET_OF] = known * 1.5 + rng.normal(0, 1.2, (n, 8))
    return {"embeddings": embeddings.astype(np.float32), "logits": logits.astype(np.float32)}
