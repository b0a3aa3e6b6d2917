"""F1 of action units, each a binary decision, from one 2 × 2 confusion matrix per unit.

The competition's score is the mean of the *binary* F1, the F1 of "present". The macro-F1 over present and absent is
much higher: a unit that is present in 5 % of frames and guessed at random has a binary F1 of 0.04 and a macro-F1 of
0.49.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from harness.metrics.frames import Int, counted, share, video_of_frame
from harness.metrics.interface import Float, Metric, Scores, mean_and_each
from harness.tasks import Task


def unit_confusions(
    labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: npt.ArrayLike, *, invalid: int = -1
) -> Int:
    """Return the confusion matrix of each unit in each video.

    Args:
        labels: 0, 1, or the invalid marker, ``(n, units)``; a frame with any marker is left out.
        decisions: 0 or 1, ``(n, units)``; decisions on frames left out are ignored.
        lengths: frames of each video, ``(n_videos,)``.
        invalid: the invalid marker.

    Returns:
        int64 ``(n_videos, units, 2, 2)``: label (row), decision (column).

    Raises:
        ValueError: shapes differ, or a value is not among those listed.
    """
    if labels.ndim != 2 or labels.shape != decisions.shape:
        raise ValueError(f"labels {labels.shape} and decisions {decisions.shape} must be two-dimensional and alike")
    # einsum adds booleans as "or", several times as fast as any(1) on short rows
    valid = ~np.einsum("ij->i", labels == invalid)
    if not (_within(labels, -1 if invalid == -1 else 0) and _within(decisions, 0)):
        lengths, labels, decisions = counted(valid, lengths, labels, decisions)
        labels, decisions, valid = _bits("labels", labels), _bits("decisions", decisions), np.ones(len(labels), bool)
    # codes come first: it is faster to drop a million numbers than a million rows
    frames, label_code, decision_code = counted(valid, lengths, _code(labels), _code(decisions))
    units = labels.shape[1]
    video = video_of_frame(frames) << units
    hits, present, decided = (
        _unit_sums(video + code, len(frames), units) for code in (label_code & decision_code, label_code, decision_code)
    )
    out = np.empty((len(frames), units, 2, 2), np.int64)
    out[..., 1, 1] = hits
    out[..., 1, 0] = present - hits
    out[..., 0, 1] = decided - hits
    out[..., 0, 0] = frames[:, None] - present - decided + hits
    return out


def _within(values: npt.NDArray[Any], lowest: int) -> bool:
    """Tell if all values are whole numbers from ``lowest`` to 1."""
    return values.dtype.kind in "iub" and (not values.size or bool(values.min() >= lowest and values.max() <= 1))


def _bits(name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} must be 0 or 1, got [{values.min()}, {values.max()}]")
    return values.astype(np.int8)


def _code(values: npt.NDArray[Any]) -> Int:
    """Return each row of 0 and 1 as one number, the first unit in the lowest bit, int64 ``(n,)``."""
    return np.asarray(np.einsum("ij,j->i", values, 1 << np.arange(values.shape[1]), dtype=np.int64))


def _unit_sums(codes: Int, n_videos: int, units: int) -> Int:
    """Return the number of times that each bit is set in each video, from ``video << units | code``."""
    count = np.bincount(codes, minlength=n_videos << units).reshape(n_videos, 1 << units)
    return np.asarray(np.rint(count @ _bits_of_codes(units)), np.int64)


@functools.cache
def _bits_of_codes(units: int) -> Float:
    """Return the bits of each code, float64 ``(2 ** units, units)``."""
    return (np.arange(1 << units)[:, None] >> np.arange(units) & 1).astype(np.float64)


def binary_f1(confusion: npt.NDArray[Any]) -> Float:
    """Return the F1 of "present".

    Args:
        confusion: ``(..., 2, 2)``, rows are labels.

    Returns:
        float64 ``(...)``; 0 for a unit absent from both labels and decisions.
    """
    confusion = np.asarray(confusion, np.float64)
    hits = confusion[..., 1, 1]
    return share(2 * hits, 2 * hits + confusion[..., 0, 1] + confusion[..., 1, 0])


@dataclass(frozen=True)
class MeanBinaryF1(Metric):
    """Mean of the units' binary F1. Statistics: a 2 × 2 confusion matrix per unit, one after the other."""

    task: Task
    name: ClassVar[str] = "mean_binary_f1"
    constant_names: ClassVar[tuple[str, ...]] = ("every unit", "no unit")

    def by_video(self, labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: npt.ArrayLike) -> Float:
        """Return the statistics of each video as :meth:`Metric.by_video`; labels, decisions: ``(n, units)``."""
        counts = unit_confusions(labels, decisions, lengths, invalid=self.task.invalid)
        return counts.reshape(len(counts), 4 * self.task.n_outputs).astype(np.float64)

    def confusion(self, statistics: Float) -> Float:
        """Return statistics ``(..., k)`` as confusion matrices ``(..., units, 2, 2)``, rows are labels."""
        return statistics.reshape(*statistics.shape[:-1], self.task.n_outputs, 2, 2)

    def headline(self, statistics: Float) -> Float:
        """Return the mean over the units."""
        return np.asarray(binary_f1(self.confusion(statistics)).mean(-1))

    def details(self, statistics: Float) -> Scores:
        """Return the mean, and F1 of each unit."""
        return mean_and_each(self.name, "f1", self.task.targets, binary_f1(self.confusion(statistics)))

    def constants(self, statistics: Float) -> Float:
        """Return statistics of two constant predictions: every unit in all frames, the better one, and no unit."""
        present = self.confusion(statistics).sum(-1)
        out = np.zeros((2, self.task.n_outputs, 2, 2))
        out[0, ..., 1], out[1, ..., 0] = present, present
        return out.reshape(2, -1)

    def n_frames(self, statistics: Float) -> Float:
        """Return the number of frames with a label."""
        return np.asarray(statistics[..., :4].sum(-1))

    def label_part(self, statistics: Float) -> Float:
        """Return the number of frames in which each unit is absent and present, ``(..., 2 units)``."""
        return np.asarray(self.confusion(statistics).sum(-1).reshape(*statistics.shape[:-1], -1))
