"""What a head is: features in, scores out; and what every head needs of the labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.system.atomic import atomic_file, write_text
from harness.tasks import Task
from solutions.heads.settings import HeadSettings, describe_head

ABOUT = "head.json"
"""Says what kind of head a folder holds, its settings and its prior."""

Array = npt.NDArray[Any]
Prior = npt.NDArray[np.float64]


class Head(Protocol):
    """A trained head.

    Attributes:
        n_epochs: epochs whose scores it can give; 1 if only the last one's weights were kept.
        prior: float64 ``(n_outputs,)``, what a video without any feature gets; see :func:`prior_of`.
    """

    n_epochs: int
    prior: Prior

    def scores(self, features: Array, epoch: int = -1) -> npt.NDArray[np.float32]:
        """Scores of each row.

        Args:
            features: ``(k, dim)``, float16 or float32; may be memory-mapped.
            epoch: whose weights, 0 the first one's, -1 the last one's.

        Returns:
            float32 ``(k, n_outputs)``: probabilities (classes sum to 1, binaries don't), or values in [-1, 1].
        """

    def save(self, folder: Path) -> None:
        """Write it; :func:`solutions.heads.train.load_head` reads it back."""


def prior_of(labels: Array, task: Task) -> Prior:
    """What is known of a frame without features: class frequencies, positive rates, or mean values.

    Args:
        labels: int64 ``(n,)`` for classes, int64 or float64 ``(n, n_outputs)`` for the others; ``n > 0``.
    """
    if task.kind == "classes":
        return np.bincount(labels, minlength=task.n_outputs) / len(labels)
    return labels.mean(0, dtype=np.float64)  # type: ignore[no-any-return]


def all_labels(labels: Sequence[Array]) -> Array:
    """Labels of all videos, one after the other.

    Raises:
        DataError: there is none.
    """
    truth = np.concatenate(labels) if len(labels) else np.empty(0)
    if not len(truth):
        raise DataError("no training frame has both a label and features: is a face visible in the crops?")
    return truth


def gather(
    features: Iterable[Array], labels: Sequence[Array], rows: Sequence[npt.NDArray[np.int64]] | None
) -> tuple[Array, Array]:
    """The training rows of all videos, one after the other, in memory.

    Args:
        features: ``(k, dim)`` a video, memory-mapped or made when asked for: each is looked at once, in order.
        labels: of the rows that count, a video.
        rows: which rows of each video these are; all by default.

    Returns:
        float16 ``(n, dim)`` if the features are, else float32, and labels ``(n, …)``.

    Raises:
        DataError: there is no row.
    """
    truth = all_labels(labels)
    values, at = None, 0
    for k, part in enumerate(features):
        if values is None:
            kept = np.float16 if part.dtype == np.float16 else np.float32
            values = np.empty((len(truth), part.shape[1]), kept)
        chosen = part if rows is None else part[rows[k]]
        if len(chosen) != len(labels[k]):
            raise ValueError(f"video {k}: {len(chosen)} rows of features, {len(labels[k])} labels")
        values[at : at + len(chosen)] = chosen
        at += len(chosen)
    if values is None or at != len(truth):
        raise ValueError(f"{at} rows of features, {len(truth)} labels")
    return values, truth


def write_about(folder: Path, settings: HeadSettings, task_kind: str, prior: Prior, **more: Any) -> None:
    """Write what a head's arrays mean (JSON)."""
    about = {"settings": describe_head(settings), "task_kind": task_kind, **more, "prior": prior.tolist()}
    write_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")


def write_arrays(path: Path, arrays: Any) -> None:
    """Write the fields of a data class, all of them arrays, as safetensors."""
    from safetensors.numpy import save

    named = {field.name: np.asarray(getattr(arrays, field.name), order="C") for field in fields(arrays)}
    with atomic_file(path) as stream:
        stream.write(save(named))
