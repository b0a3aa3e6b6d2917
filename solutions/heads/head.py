"""Interface of a head, from features to scores; and the preparation of labels that all heads share."""

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
from harness.system.counts import counted
from harness.tasks import Task
from solutions.heads.settings import HeadSettings, describe_head

ABOUT = "head.json"
"""Name of the file that describes a saved head: its kind, settings and prior."""

Array = npt.NDArray[Any]
Prior = npt.NDArray[np.float64]


class Head(Protocol):
    """A trained head.

    Attributes:
        n_epochs: number of epochs with weights; 1 if only those of the last epoch were saved.
        prior: float64 ``(n_outputs,)``, scores of a video without features; see :func:`prior_of`.
    """

    n_epochs: int
    prior: Prior

    def scores(self, features: Array, epoch: int = -1) -> npt.NDArray[np.float32]:
        """Return the scores of each row.

        Args:
            features: ``(k, dim)``, float16 or float32; may be memory-mapped.
            epoch: epoch whose weights are used: 0 for the first, -1 for the last.

        Returns:
            float32 ``(k, n_outputs)``: probabilities (classes sum to 1, binaries don't), or values in [-1, 1].
        """

    def save(self, folder: Path) -> None:
        """Write the head to a folder; :func:`solutions.heads.train.load_head` reads it back."""


def prior_of(labels: Array, task: Task) -> Prior:
    """Return the scores of a frame without features: class frequencies, positive rates, or mean values.

    Args:
        labels: int64 ``(n,)`` for classes, int64 or float64 ``(n, n_outputs)`` for other kinds; ``n > 0``.
        task: the predicted task.

    Returns:
        float64 ``(n_outputs,)``.
    """
    if task.kind == "classes":
        return np.bincount(labels, minlength=task.n_outputs) / len(labels)
    return labels.mean(0, dtype=np.float64)  # type: ignore[no-any-return]


def all_labels(labels: Sequence[Array]) -> Array:
    """Return the labels of all videos, one after the other.

    Raises:
        DataError: there are no labels.
    """
    truth = np.concatenate(labels) if len(labels) else np.empty(0)
    if not len(truth):
        raise DataError("no training frame has both a label and features: is a face visible in the crops?")
    return truth


def gather(
    features: Iterable[Array], labels: Sequence[Array], rows: Sequence[npt.NDArray[np.int64]] | None
) -> tuple[Array, Array]:
    """Copy the training rows of all videos into memory, one after the other.

    Args:
        features: one array ``(k, dim)`` per video, memory-mapped or generated on demand; each is read once, in order.
        labels: one array per video: the labels of its training rows.
        rows: one array per video: numbers of its training rows; all rows by default.

    Returns:
        Features ``(n, dim)``, float16 if the first video's are float16, else float32; and labels ``(n, …)``.

    Raises:
        DataError: there are no training rows.
    """
    truth = all_labels(labels)
    values, at = None, 0
    for k, part in enumerate(features):
        if values is None:
            dtype = np.float16 if part.dtype == np.float16 else np.float32
            values = np.empty((len(truth), part.shape[1]), dtype)
        chosen = part if rows is None else part[rows[k]]
        if len(chosen) != len(labels[k]):
            raise ValueError(
                f"video {k}: {counted(len(chosen), 'row')} of features, {counted(len(labels[k]), 'label')}"
            )
        values[at : at + len(chosen)] = chosen
        at += len(chosen)
    if values is None or at != len(truth):
        raise ValueError(f"{counted(at, 'row')} of features, {counted(len(truth), 'label')}")
    return values, truth


def write_about(folder: Path, settings: HeadSettings, task_kind: str, prior: Prior, **more: Any) -> None:
    """Write the description of a head (JSON): settings, kind of task, prior, and ``more`` entries."""
    about = {"settings": describe_head(settings), "task_kind": task_kind, **more, "prior": prior.tolist()}
    write_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")


def write_arrays(path: Path, arrays: Any) -> None:
    """Write the fields of a data class whose fields are arrays, as safetensors."""
    from safetensors.numpy import save

    named = {field.name: np.asarray(getattr(arrays, field.name), order="C") for field in fields(arrays)}
    with atomic_file(path) as stream:
        stream.write(save(named))
