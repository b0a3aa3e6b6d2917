"""F1 and accuracy from confusion matrices, which add up over videos.

As in the competition, macro-F1 covers the full label set, and frames are pooled over videos. A class absent from both
labels and predictions counts 0, as in ``sklearn.metrics.f1_score(labels=range(n), average="macro",
zero_division=0)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from harness.metrics.frames import Int, counted, share, video_of_frame, whole_numbers
from harness.metrics.interface import Float, Metric, Scores
from harness.tasks import Task


def confusion_matrix(labels: npt.NDArray[Any], decisions: npt.NDArray[Any], n_classes: int) -> Int:
    """Return the number of frames by label (row) and decision (column).

    Args:
        labels: whole numbers ``(n,)`` in ``[0, n_classes)``.
        decisions: whole numbers ``(n,)`` in ``[0, n_classes)``.
        n_classes: number of classes.

    Returns:
        int64 ``(n_classes, n_classes)``.

    Raises:
        ValueError: lengths differ or a value is out of range.
    """
    return np.asarray(confusion_matrices(labels, decisions, np.array([len(labels)]), n_classes)[0])


def confusion_matrices(labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: Int, n_classes: int) -> Int:
    """Return the confusion matrix of each video, in one pass.

    Args:
        labels: labels of all videos, one after the other, as :func:`confusion_matrix` takes them.
        decisions: decisions on the same frames.
        lengths: frames of each video, ``(n_videos,)``.
        n_classes: number of classes.

    Returns:
        int64 ``(n_videos, n_classes, n_classes)``.

    Raises:
        ValueError: lengths differ or a value is out of range.
    """
    _check(labels, decisions, n_classes)
    cells = video_of_frame(lengths) * n_classes + whole_numbers(labels)
    cells = cells * n_classes + whole_numbers(decisions)
    counts = np.bincount(cells, minlength=len(lengths) * n_classes**2)
    return counts.reshape(len(lengths), n_classes, n_classes).astype(np.int64, copy=False)


def _check(labels: npt.NDArray[Any], decisions: npt.NDArray[Any], n_classes: int) -> None:
    if labels.shape != decisions.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and decisions {decisions.shape} must be one-dimensional, equally long")
    for name, values in (("labels", labels), ("decisions", decisions)):
        if len(values) and not (values.min() >= 0 and values.max() < n_classes):
            raise ValueError(f"{name} must lie in [0, {n_classes}), got [{values.min()}, {values.max()}]")


def f1_per_class(confusion: npt.NDArray[Any]) -> Float:
    """Return F1 of each class.

    Args:
        confusion: ``(..., C, C)``, rows are labels.

    Returns:
        float64 ``(..., C)``; 0 for a class absent from both labels and decisions.
    """
    confusion = np.asarray(confusion, np.float64)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    # einsum adds short rows several times as fast as sum; whole numbers add up to the same in any order
    both = np.einsum("...ij->...i", confusion) + np.einsum("...ij->...j", confusion)
    return np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0)


def macro_f1(confusion: npt.NDArray[Any]) -> Float:
    """Return the mean of F1 over all classes, ``(..., C, C)`` to ``(...)``."""
    return np.asarray(f1_per_class(confusion).mean(-1))


def weighted_f1(confusion: npt.NDArray[Any]) -> Float:
    """Return mean F1, each class weighted by its share of labels, ``(..., C, C)`` to ``(...)``; 0 without frames."""
    labels = np.asarray(confusion, np.float64).sum(-1)
    return share((f1_per_class(confusion) * labels).sum(-1), labels.sum(-1))


def accuracy(confusion: npt.NDArray[Any]) -> Float:
    """Return the share of right decisions, ``(..., C, C)`` to ``(...)``; 0 without frames."""
    confusion = np.asarray(confusion, np.float64)
    return share(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum((-2, -1)))


@dataclass(frozen=True)
class MacroF1(Metric):
    """Macro-F1 over all classes of the task, present or not. Statistics: the confusion matrix, row by row."""

    task: Task
    name: ClassVar[str] = "macro_f1"

    @property
    def constant_names(self) -> tuple[str, ...]:
        """Names of the constant predictions: the classes."""
        return self.task.targets

    def by_video(self, labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: npt.ArrayLike) -> Float:
        """Return the statistics of each video as :meth:`Metric.by_video`; labels, decisions: classes ``(n,)``."""
        n = self.task.n_outputs
        frames, labels, decisions = counted(labels != self.task.invalid, lengths, labels, decisions)
        counts = confusion_matrices(labels, decisions, frames, n)
        return counts.reshape(-1, n * n).astype(np.float64)

    def confusion(self, statistics: Float) -> Float:
        """Return statistics ``(..., k)`` as confusion matrices ``(..., C, C)``, rows are labels."""
        n = self.task.n_outputs
        return statistics[..., : n * n].reshape(*statistics.shape[:-1], n, n)

    def headline(self, statistics: Float) -> Float:
        """Return macro-F1."""
        return macro_f1(self.confusion(statistics))

    def details(self, statistics: Float) -> Scores:
        """Return macro-F1, accuracy, and F1 of each class."""
        confusion = self.confusion(statistics)
        per_class = f1_per_class(confusion)
        return {
            (self.name, "all"): per_class.mean(-1),
            ("accuracy", "all"): accuracy(confusion),
            **{("f1", name): per_class[..., k] for k, name in enumerate(self.task.targets)},
        }

    def constants(self, statistics: Float) -> Float:
        """Return statistics of each constant prediction, one row per class."""
        n = self.task.n_outputs
        out = np.zeros((n, len(statistics)))
        for k, row in enumerate(out):
            row[: n * n].reshape(n, n)[:, k] = self.label_part(statistics)
        return out

    def n_frames(self, statistics: Float) -> Float:
        """Return the number of frames with a label."""
        return np.asarray(self.label_part(statistics).sum(-1))

    def label_part(self, statistics: Float) -> Float:
        """Return the number of labels of each class, ``(..., C)``."""
        return np.asarray(self.confusion(statistics).sum(-1))


@dataclass(frozen=True)
class WeightedF1(MacroF1):
    """F1 of each class, weighted by the class's share of the labels. Statistics: those of :class:`MacroF1`.

    The metric favours the frequent class: on AH's validation frames "always absent" has 0.674. So macro-F1, F1 of each
    class and the score of every constant prediction stand beside the score.

    Source: table 9 of the ABAW-8 paper; ``sklearn.metrics.f1_score(average="weighted", zero_division=0)``.
    """

    name: ClassVar[str] = "weighted_f1"
    lists_constants: ClassVar[bool] = True

    def headline(self, statistics: Float) -> Float:
        """Return weighted F1."""
        return weighted_f1(self.confusion(statistics))

    def details(self, statistics: Float) -> Scores:
        """Return weighted F1, macro-F1, accuracy, and F1 of each class."""
        return {(self.name, "all"): self.headline(statistics), **MacroF1(self.task).details(statistics)}
