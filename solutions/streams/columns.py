"""Columns of several encoders side by side as features of a split, reduced over time or aligned with frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.errors import SolutionError
from harness.system.counts import counted
from solutions.cache.features import FeatureSource, Rate, SplitFeatures
from solutions.cache.features_file import Features
from solutions.cache.thinning import thinned
from solutions.columns import N_STATISTICS, Columns, Pooling
from solutions.encoders.names import STAT
from solutions.encoders.registry import PRECOMPUTED, is_audio, is_text

Array = npt.NDArray[Any]
Read = Callable[[Video], Features]


def joined_features(source: FeatureSource, columns: Sequence[Columns], data: Dataset, split: str) -> SplitFeatures:
    """Return columns side by side as features with the single part ``embeddings``.

    For tasks of level ``video`` a video has one row, if all encoders have features of it, else none. For tasks of level
    ``frame`` a video has one row for each frame that all encoders have features of; reduced columns are repeated.

    Raises:
        SolutionError: columns of a task of level ``video`` are not reduced; an encoder lacks a part; a width differs.
    """
    opened = [opened_columns(source, entry, data, split) for entry in columns]
    reads = [read for _, read in opened]
    features = [part for part, _ in opened]
    if data.task.level == "video":
        if unreduced := [entry.encoder for entry in columns if entry.pooling == "none"]:
            do = "Reduce them by mean or stat in the recipe"
            what = f"{data.task.name} has one row per video, these columns have more"
            raise SolutionError(what, found=", ".join(unreduced), do=do)
        by_video = {video.name: _side_by_side([read(video) for read in reads]) for video in data.videos(split)}

        def read(video: Video) -> Features:
            return by_video[video.name]
    else:
        pooled = [entry.pooling != "none" for entry in columns]

        def read(video: Video) -> Features:
            parts = [read_rows(video) for read_rows in reads]
            aligned = [_on_frames(part, video) if whole else part for part, whole in zip(parts, pooled, strict=True)]
            return _side_by_side(aligned)

    identity = {entry.encoder: dict(part.identity) for entry, part in zip(columns, features, strict=True)}
    notes = tuple(dict.fromkeys(note for part in features for note in part.notes))
    return SplitFeatures(("embeddings",), identity, features[0].report, notes, read)


def opened_columns(source: FeatureSource, entry: Columns, data: Dataset, split: str) -> tuple[SplitFeatures, Read]:
    """Return the features behind an entry of columns, and a function that reads a video's rows.

    Raises:
        SolutionError: the encoder lacks the part, or gives another width than the recipe states.
    """
    how: Rate = "linear" if entry.pooling == "none" else "own"
    name = source_name(entry)
    thin = thinned(data, [split], entry.every)
    features = source.features(name, thin, split, how=how)
    thinned_videos = {video.name: video for video in thin.videos(split)}  # with the images that have cached features
    if entry.part not in features.parts:
        names = ", ".join(features.parts)
        raise SolutionError(f"{entry.encoder} gives no {entry.part}", found=names, do="Name another part")

    def read(video: Video) -> Features:
        its = features.of(thinned_videos[video.name])
        if name != entry.encoder:
            statistics = its.parts[entry.part]
            n_columns = statistics.shape[1] // N_STATISTICS
            columns = statistics[:, :n_columns] if entry.pooling == "mean" else statistics
            return Features(its.frames, {"embeddings": np.asarray(columns)}, its.undetected)
        frames, rows = its.frames, its.parts[entry.part]
        if entry.every > 1 and entry.encoder.startswith(PRECOMPUTED):  # other encoders saw thinned images already
            frames, rows = frames[:: entry.every], rows[:: entry.every]
        if entry.width is not None and rows.shape[1] != entry.width:
            what = f"{entry.encoder} has another width than the recipe"
            do = "Bring features of the encoder that the recipe names"
            where, width = f"video {video.name}", counted(rows.shape[1], "column")
            raise SolutionError(what, where=where, found=width, expected=entry.width, do=do)
        if entry.pooling == "none":
            return Features(frames, {"embeddings": rows}, its.undetected)
        if entry.pooling == "row" and len(rows) > 1:
            what, do = f"{entry.encoder} has several rows for one video", "Reduce them by mean or stat in the recipe"
            raise SolutionError(
                what, where=f"video {video.name}", found=counted(len(rows), "row"), expected="one row", do=do
            )
        if not len(rows):
            return Features(frames[:0], {"embeddings": reduced_width(rows, entry.pooling)}, its.undetected)
        reduced = reduce_rows(rows, entry.pooling)[None].astype(np.float32)
        return Features(np.ones(1, np.int64), {"embeddings": reduced}, its.undetected)

    return features, read


def source_name(entry: Columns) -> str:
    """Return the name of the cached features: for reduced audio and text the cache has statistics instead of rows."""
    has_statistics = is_audio(entry.encoder) or is_text(entry.encoder)
    return STAT + entry.encoder if entry.pooling in ("mean", "stat") and has_statistics else entry.encoder


def reduce_rows(rows: Array, pooling: Pooling) -> npt.NDArray[np.float64]:
    """Return the rows of a video reduced over time: their mean, or STAT.

    STAT is mean, standard deviation (divided by n), minimum and maximum, joined in this order (abaw8, section 3.2).

    Args:
        rows: ``(t, d)``, ``t`` at least 1.
        pooling: ``mean``, ``stat``, or ``row`` for a single row, which is its own mean.

    Returns:
        float64 ``(d,)`` or ``(4 d,)``.

    Example:
        >>> reduce_rows(np.array([[0.0, 2.0], [4.0, 2.0]]), "stat").tolist()
        [2.0, 2.0, 2.0, 0.0, 0.0, 2.0, 4.0, 2.0]
    """
    rows = np.asarray(rows, np.float64)
    if pooling in ("mean", "row"):
        return np.asarray(rows.mean(0))
    return np.concatenate([rows.mean(0), rows.std(0), rows.min(0), rows.max(0)])


def reduced_width(rows: Array, pooling: Pooling) -> npt.NDArray[np.float32]:
    """Return an array with 0 rows and the width of reduced rows, float32."""
    return np.empty((0, rows.shape[1] * (N_STATISTICS if pooling == "stat" else 1)), np.float32)


def _on_frames(pooled: Features, video: Video) -> Features:
    """Return features that repeat a video's single row on each frame, as a view without copies."""
    rows = pooled.parts["embeddings"]
    if not len(rows):
        return pooled
    shape = (video.n_frames, rows.shape[1])
    return Features(np.arange(1, video.n_frames + 1), {"embeddings": np.broadcast_to(rows, shape)}, pooled.undetected)


def _side_by_side(parts: Sequence[Features]) -> Features:
    """Return the columns of several features joined, on the frames that all of them have."""
    if len(parts) == 1:
        return parts[0]
    frames = parts[0].frames
    for part in parts[1:]:
        frames = np.intersect1d(frames, part.frames, assume_unique=True)
    blocks = []
    for part in parts:
        rows = part.parts["embeddings"]
        if len(frames) != len(part.frames):
            rows = rows[np.searchsorted(part.frames, frames)]
        blocks.append(np.asarray(rows, np.float32))
    return Features(frames, {"embeddings": np.concatenate(blocks, axis=1)}, max(part.undetected for part in parts))
