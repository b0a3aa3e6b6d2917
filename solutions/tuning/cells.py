"""Statistics of each cell of a grid, that is of each blend at a half width, for all thresholds at once.

Statistics are per video, so that those of any set of videos are a sum. Frames are worked on in blocks that stay in the
processor's cache while all weights take their turn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.metrics.metric import metric_for
from harness.tasks import Task, valid_rows
from solutions.postprocess.blending import blend
from solutions.postprocess.columns import blocks
from solutions.postprocess.decisions import in_range, most_probable, shares
from solutions.postprocess.filtering import Contempt, sure_of

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Factors = Sequence[float | Float]
Threshold = float | tuple[float, ...] | None
"""Threshold of the filter, of two classes or of all units, or one per unit; ``None`` where nothing has a threshold."""

_BLENDS = 16  # number of blends whose decisions are in memory at a time


class Cells(ABC):
    """Counter of the task's statistics, cell by cell.

    Args:
        task: the scored task.
        labels: official values of all frames of all videos; frames with the invalid marker are left out.
        lengths: frames of each video, ``(n_videos,)``.
        thresholds: candidates for the filter, for two classes or for the units.
        passing: bool ``(n,)``, frames that a filter of whole videos lets pass, for two classes; all by default.
    """

    def __init__(
        self,
        task: Task,
        labels: npt.NDArray[Any],
        lengths: Int,
        thresholds: Sequence[Threshold],
        passing: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Select the valid frames."""
        self.task = task
        self.lengths = lengths
        self.thresholds = thresholds
        self.valid = valid_rows(labels, task)
        self.labels = self.counted(labels)
        self.video = self.counted(np.repeat(np.arange(len(lengths)), lengths))
        self.passing = None if passing is None else self.counted(passing)

    def counted(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the valid rows in the memory layout of ``values``."""
        return values if self.valid.all() else values.T.compress(self.valid, axis=-1).T

    @abstractmethod
    def statistics(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[Float]:
        """Yield the statistics of each blend of the parts.

        Args:
            parts: float64 ``(n, outputs)`` each, smoothed.
            factors: one factor per part, for each blend.
            classifier: float64 ``(n, 8)``, smoothed; ``None`` without a confidence filter.

        Yields:
            float64 ``(n_thresholds, n_videos, k)``.
        """


def cells_of(
    task: Task,
    labels: npt.NDArray[Any],
    lengths: Int,
    thresholds: Sequence[Threshold],
    contempt: Contempt = "wins",
    passing: npt.NDArray[np.bool_] | None = None,
) -> Cells:
    """Return the counter for the kind of a task; see :class:`Cells` for the arguments."""
    if task.kind == "values":
        return ValueCells(task, labels, lengths, thresholds)
    if task.kind == "binaries":
        return UnitCells(task, labels, lengths, thresholds)
    if task.is_pair and None not in thresholds:
        return PairCells(task, labels, lengths, thresholds, passing)
    return ClassCells(task, labels, lengths, thresholds, contempt)


class ClassCells(Cells):
    """Counter of confusion matrices.

    One histogram of labels and decisions, split by the classifier's confidence, serves all thresholds of the filter.
    """

    def __init__(
        self,
        task: Task,
        labels: npt.NDArray[Any],
        lengths: Int,
        thresholds: Sequence[Threshold],
        contempt: Contempt = "wins",
    ) -> None:
        """Sort the filter's thresholds; see :class:`Cells` for the arguments."""
        super().__init__(task, labels, lengths, thresholds)
        self.contempt = contempt
        self.levels = np.unique([threshold for threshold in thresholds if threshold is not None])
        self.place = [
            0 if threshold is None else int(np.searchsorted(self.levels, threshold)) for threshold in thresholds
        ]

    def statistics(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[Float]:
        """Yield confusion matrices of each blend, for each threshold of the filter; see :class:`Cells`."""
        n_classes, n_levels = self.task.n_outputs, len(self.levels) + 1
        parts = [self.counted(part) for part in parts]
        level = np.zeros(len(self.labels), np.int64)
        if classifier is not None:
            classes, confidence = sure_of(self.counted(classifier), self.contempt)
            for threshold in self.levels:
                level += confidence > threshold
        codes = ((self.video * n_levels + level) * n_classes + self.labels) * n_classes

        def by_level(decisions: npt.NDArray[np.uint8]) -> Int:
            """Count frames by video, number of thresholds passed, label and decision.

            Returns:
                int64 ``(n_videos, n_levels, classes, classes)``.
            """
            shape = len(self.lengths), n_levels, n_classes, n_classes
            return np.bincount(codes + decisions, minlength=int(np.prod(shape))).reshape(shape)

        fixed: npt.NDArray[Any] | int = 0
        if classifier is not None:
            by_classifier = by_level(classes)
            fixed = by_classifier.sum(1, keepdims=True) - by_classifier.cumsum(1)
        for first in range(0, len(factors), _BLENDS):
            for decisions in _decided(parts, factors[first : first + _BLENDS]):
                counts = by_level(decisions).cumsum(1) + fixed
                chosen = counts[:, self.place].swapaxes(0, 1)
                yield chosen.reshape(*chosen.shape[:2], -1).astype(np.float64)


def _decided(parts: Sequence[Float], factors: Sequence[Factors]) -> npt.NDArray[np.uint8]:
    """Return the class that each blend decides for, uint8 ``(n_blends, n)``."""
    out = np.empty((len(factors), len(parts[0])), np.uint8)
    for block in blocks(len(parts[0])):
        views = [part[block] for part in parts]
        for row, weights in zip(out, factors, strict=True):
            row[block] = most_probable(blend(views, weights))
    return out


class ValueCells(Cells):
    """Counter of moments of values; there are no thresholds."""

    def statistics(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[Float]:
        """Yield the moments of each blend; see :class:`Cells`."""
        parts = [self.counted(part) for part in parts]
        frames = np.bincount(self.video, minlength=len(self.lengths))
        for weights in factors:
            values = in_range(blend(parts, weights), self.task.low, self.task.high)
            yield metric_for(self.task).by_video(self.labels, values, frames)[None]


class UnitCells(Cells):
    """Counter of a confusion matrix per unit, from one histogram of the number of thresholds that a score reaches."""

    @property
    def _units(self) -> int:
        return self.task.n_outputs

    def _probabilities(self, blended: Float, block: slice) -> Float:
        """Return the probability of each unit in a block of frames, ``(units, n)``."""
        return blended.T

    def statistics(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[Float]:
        """Yield confusion matrices of each blend, for each threshold of the units; see :class:`Cells`."""
        units, n_videos = self._units, len(self.lengths)
        parts = [self.counted(part) for part in parts]
        levels = np.array(self.thresholds, np.float64).reshape(len(self.thresholds), -1)
        order = levels[:, 0].argsort()
        levels, place, n_levels = levels[order], order.argsort(), len(levels) + 1
        # transpose to contiguous rows, because labels are stored frame by frame
        labels = self.labels.reshape(len(self.labels), units)
        codes = (self.video * 2 + np.ascontiguousarray(labels.T, np.int32)) * n_levels
        reached = np.empty((units, len(self.labels)), np.uint8)
        for weights in factors:
            for block in blocks(len(self.labels)):
                scores = self._probabilities(blend([part[block] for part in parts], weights), block)
                reached[:, block] = _how_many(scores, levels)
            out = np.empty((len(levels), n_videos, units, 2, 2))
            for k in range(units):
                counts = np.bincount(codes[k] + reached[k], minlength=n_videos * 2 * n_levels)
                by_level = counts.reshape(n_videos, 2, n_levels)
                absent = by_level.cumsum(-1)[..., :-1]
                out[:, :, k, :, 0] = np.moveaxis(absent, -1, 0)
                out[:, :, k, :, 1] = np.moveaxis(by_level.sum(-1, keepdims=True) - absent, -1, 0)
            yield out[place].reshape(len(place), n_videos, -1)


class PairCells(UnitCells):
    """Counter of the confusion matrix of two classes, with the second class as the only unit."""

    @property
    def _units(self) -> int:
        return 1

    def _probabilities(self, blended: Float, block: slice) -> Float:
        present = shares(blended)[:, 1:].T
        return present if self.passing is None else present * self.passing[block]


def _how_many(scores: Float, levels: Float) -> npt.NDArray[np.uint8]:
    """Return the number of thresholds that each score reaches.

    Args:
        scores: float64 ``(units, n)``.
        levels: float64 ``(n_levels, 1 or units)``, thresholds of all units or of each.

    Returns:
        uint8 ``(units, n)``.
    """
    out = np.zeros(scores.shape, np.uint8)
    for level in levels:
        out += (scores >= level[:, None]).view(np.uint8)
    return out
