"""Standardisation of streams of values over the training split, so that a weight means the same for every stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError
from harness.system.atomic import atomic_file
from harness.system.regular import require_file
from harness.tasks import Task
from solutions.postprocess.scores import Epochs

Moments = npt.NDArray[np.float64]
"""Mean and deviation of each output in each epoch, ``(n_epochs, 2, n_outputs)``."""

DEVIATIONS = 16
"""Number of standard deviations that span the task's range, so large that blends of real streams stay inside it."""


def moments_of(epochs: Sequence[npt.NDArray[Any]]) -> Moments:
    """Return mean and deviation of a stream's scores in each epoch; a deviation of 0 becomes 1.

    Args:
        epochs: scores of each epoch, ``(n, n_outputs)``.

    Returns:
        float64 ``(n_epochs, 2, n_outputs)``.
    """
    moments = np.array([[scores.mean(0, dtype=np.float64), scores.std(0, dtype=np.float64)] for scores in epochs])
    moments[:, 1][moments[:, 1] == 0] = 1
    return moments


def standardised(epochs: Sequence[npt.NDArray[Any]], moments: Moments, task: Task) -> Epochs:
    """Return a stream's scores as ``middle + z / 16`` of the task's range, ``z`` in deviations from their mean.

    Args:
        epochs: scores of each epoch, ``(n, n_outputs)``.
        moments: result of :func:`moments_of` for the training split.
        task: task of the kind ``values``.
    """
    middle, span = (task.low + task.high) / 2, task.high - task.low

    def epoch_of(epoch: int) -> npt.NDArray[np.float64]:
        mean, deviation = moments[epoch]
        return np.asarray(middle + (epochs[epoch] - mean) / deviation * (span / DEVIATIONS), np.float64)

    return Epochs(len(epochs), epoch_of)


def save_moments(moments: Sequence[Moments], path: Path) -> None:
    """Write the moments of several streams to a safetensors file."""
    from safetensors.numpy import save

    with atomic_file(path) as stream:
        stream.write(save({str(k): np.ascontiguousarray(entry) for k, entry in enumerate(moments)}))


def load_moments(path: Path) -> list[Moments]:
    """Read the file that :func:`save_moments` wrote.

    Raises:
        SolutionError: the file is missing or of another kind.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        require_file(path)
        arrays = load_file(path)
        return [arrays[str(k)] for k in range(len(arrays))]
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise SolutionError(f"{path}: not the moments of streams ({error})") from None
