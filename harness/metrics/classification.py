"""Macro-F1 and accuracy from confusion matrices, which add up over videos.

Conventions (the competition's: macro-F1 over the full label set, frames pooled over videos): a class that occurs in
neither labels nor predictions counts 0, as ``sklearn.metrics.f1_score(labels=range(n), average="macro",
zero_division=0)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]


def confusion_matrix(labels: npt.NDArray[Any], decisions: npt.NDArray[Any], n_classes: int) -> npt.NDArray[np.int64]:
    """Count frames by label (row) and decision (column).

    Args:
        labels, decisions: integers ``(n,)`` in ``[0, n_classes)``.

    Returns:
        int64 ``(n_classes, n_classes)``.

    Raises:
        ValueError: lengths differ or a value is out of range.
    """
    _check(labels, decisions, n_classes)
    cells = np.bincount(labels.astype(np.int64) * n_classes + decisions, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes).astype(np.int64)


def _check(labels: npt.NDArray[Any], decisions: npt.NDArray[Any], n_classes: int) -> None:
    if labels.shape != decisions.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and decisions {decisions.shape} must be one-dimensional, equally long")
    for name, values in (("labels", labels), ("decisions", decisions)):
        if len(values) and not (values.min() >= 0 and values.max() < n_classes):
            raise ValueError(f"{name} must lie in [0, {n_classes}), got [{values.min()}, {values.max()}]")


def f1_per_class(confusion: npt.NDArray[Any]) -> Float:
    """F1 of each class.

    Args:
        confusion: ``(..., C, C)``, rows are labels.

    Returns:
        float64 ``(..., C)``; 0 where a class is in neither labels nor decisions.
    """
    confusion = np.asarray(confusion, np.float64)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    both = confusion.sum(-1) + confusion.sum(-2)
    return np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0)


def macro_f1(confusion: npt.NDArray[Any]) -> Float:
    """Mean of F1 over all classes, ``(..., C, C)`` to ``(...)``."""
    return np.asarray(f1_per_class(confusion).mean(-1))


def accuracy(confusion: npt.NDArray[Any]) -> Float:
    """Share of frames decided right, ``(..., C, C)`` to ``(...)``; 0 without frames."""
    confusion = np.asarray(confusion, np.float64)
    total = confusion.sum((-2, -1))
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    return np.asarray(np.divide(hits, total, out=np.zeros_like(total), where=total > 0))
