"""What is counted in each cell of a grid, that is of each blend at a half width, for all thresholds at once.

Counts are kept for each video, so that those of any set of videos are a sum. Frames are worked on in blocks that stay
in the processor's cache while all weights take their turn.
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
"""Of the filter, of two classes, of all units, or one of each unit; ``None`` for tasks and plans without."""

_BLENDS = 16  # whose decisions are held at a time


class Cells(ABC):
    """Statistics of the task's metric, counted cell by cell.

    Args:
        task: what is scored.
        labels: official values of all frames of all videos; frames that don't count are left out of all else.
        lengths: frames of each video, ``(n_videos,)``.
        thresholds: candidates, of the filter, of two classes or of the units.
        passing: frames that a filter of whole videos lets pass, for two classes; all by default.
    """

    def __init__(
        self,
        task: Task,
        labels: npt.NDArray[Any],
        lengths: Int,
        thresholds: Sequence[Threshold],
        passing: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.task = task
        self.lengths = lengths
        self.thresholds = thresholds
        self.valid = valid_rows(labels, task)
        self.labels = self.counted(labels)
        self.video = self.counted(np.repeat(np.arange(len(lengths)), lengths))
        self.passing = None if passing is None else self.counted(passing)

    def counted(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Rows that count, laid out as they were."""
        return values if self.valid.all() else values.T.compress(self.valid, axis=-1).T

    @abstractmethod
    def statistics(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[Float]:
        """Statistics of each blend of the parts.

        Args:
            parts: float64 ``(n, outputs)`` each, smoothed.
            factors: of each blend.
            classifier: ``(n, 8)``, as the parts; ``None`` without a filter.

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
    """The cells for a task's kind."""
    if task.kind == "values":
        return ValueCells(task, labels, lengths, thresholds)
    if task.kind == "binaries":
        return UnitCells(task, labels, lengths, thresholds)
    if task.is_pair and None not in thresholds:
        return PairCells(task, labels, lengths, thresholds, passing)
    return ClassCells(task, labels, lengths, thresholds, contempt)


class ClassCells(Cells):
    """Confusion matrices. One histogram of who decides what, by how sure the classifier is, serves all thresholds."""

    def __init__(
        self,
        task: Task,
        labels: npt.NDArray[Any],
        lengths: Int,
        thresholds: Sequence[Threshold],
        contempt: Contempt = "wins",
    ) -> None:
        super().__init__(task, labels, lengths, thresholds)
        self.contempt = contempt
        self.levels = np.unique([threshold for threshold in thresholds if threshold is not None])
        self.place = [
            0 if threshold is None else int(np.searchsorted(self.levels, threshold)) for threshold in thresholds
        ]

    def statistics(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[Float]:
        """See :class:`Cells`; the filter's thresholds."""
        n_classes, n_levels = self.task.n_outputs, len(self.levels) + 1
        parts = [self.counted(part) for part in parts]
        level = np.zeros(len(self.labels), np.int64)
        if classifier is not None:
            said, confidence = sure_of(self.counted(classifier), self.contempt)
            for threshold in self.levels:
                level += confidence > threshold
        codes = ((self.video * n_levels + level) * n_classes + self.labels) * n_classes

        def by_level(decisions: npt.NDArray[np.uint8]) -> Int:
            """How often, ``(n_videos, n_levels, classes, classes)``: of the frames that pass so many thresholds."""
            shape = len(self.lengths), n_levels, n_classes, n_classes
            return np.bincount(codes + decisions, minlength=int(np.prod(shape))).reshape(shape)

        fixed: npt.NDArray[Any] | int = 0
        if classifier is not None:
            heard = by_level(said)
            fixed = heard.sum(1, keepdims=True) - heard.cumsum(1)
        for first in range(0, len(factors), _BLENDS):
            for decisions in _decided(parts, factors[first : first + _BLENDS]):
                counts = by_level(decisions).cumsum(1) + fixed
                chosen = counts[:, self.place].swapaxes(0, 1)
                yield chosen.reshape(*chosen.shape[:2], -1).astype(np.float64)


def _decided(parts: Sequence[Float], factors: Sequence[Factors]) -> npt.NDArray[np.uint8]:
    """Classes that each blend decides for, ``(n_blends, n)``."""
    out = np.empty((len(factors), len(parts[0])), np.uint8)
    for block in blocks(len(parts[0])):
        views = [part[block] for part in parts]
        for row, own in zip(out, factors, strict=True):
            row[block] = most_probable(blend(views, own))
    return out


class ValueCells(Cells):
    """Moments of values; no thresholds."""

    def statistics(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[Float]:
        """See :class:`Cells`."""
        parts = [self.counted(part) for part in parts]
        frames = np.bincount(self.video, minlength=len(self.lengths))
        for own in factors:
            values = in_range(blend(parts, own), self.task.low, self.task.high)
            yield metric_for(self.task).by_video(self.labels, values, frames)[None]


class UnitCells(Cells):
    """A confusion matrix for each unit, from one histogram of how many thresholds a score reaches."""

    @property
    def _units(self) -> int:
        return self.task.n_outputs

    def _probabilities(self, blended: Float, block: slice) -> Float:
        """Return those of each unit, ``(units, n)``, in a block of frames."""
        return blended.T

    def statistics(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[Float]:
        """See :class:`Cells`; thresholds of the units, each for all of them or one for each."""
        units, n_videos = self._units, len(self.lengths)
        parts = [self.counted(part) for part in parts]
        levels = np.array(self.thresholds, np.float64).reshape(len(self.thresholds), -1)
        order = levels[:, 0].argsort()
        levels, place, n_levels = levels[order], order.argsort(), len(levels) + 1
        # contiguous rows: labels lie frame by frame
        labels = self.labels.reshape(len(self.labels), units)
        codes = (self.video * 2 + np.ascontiguousarray(labels.T, np.int32)) * n_levels
        reached = np.empty((units, len(self.labels)), np.uint8)
        for own in factors:
            for block in blocks(len(self.labels)):
                scores = self._probabilities(blend([part[block] for part in parts], own), block)
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
    """Of two classes, the confusion matrix: that of the second one as a unit."""

    @property
    def _units(self) -> int:
        return 1

    def _probabilities(self, blended: Float, block: slice) -> Float:
        present = shares(blended)[:, 1:].T
        return present if self.passing is None else present * self.passing[block]


def _how_many(scores: Float, levels: Float) -> npt.NDArray[np.uint8]:
    """How many thresholds each score reaches: ``(units, n)`` of levels ``(n_levels, 1 or units)``."""
    out = np.zeros(scores.shape, np.uint8)
    for level in levels:
        out += (scores >= level[:, None]).view(np.uint8)
    return out
