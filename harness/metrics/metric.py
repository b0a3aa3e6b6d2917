"""What a task's metric needs of a video, and what it makes of the sum over videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import UsageError, problem
from harness.metrics.classification import accuracy, confusion_matrix, f1_per_class, macro_f1
from harness.tasks import Task

Float = npt.NDArray[np.float64]
Scores = Mapping[tuple[str, str], Float]


@dataclass(frozen=True)
class Metric:
    """An official metric as three functions of per-video sufficient statistics.

    Attributes:
        name: of the official score, ``macro_f1``.
        version: raised whenever a definition changes; stored with each score.
        statistics: ``(labels, decisions)`` of the frames that count to float64 ``(k,)``; adds up over videos.
        headline: statistics ``(..., k)`` to the official score ``(...)``.
        details: statistics ``(..., k)`` to every score worth keeping, by ``(metric, target)``, the headline included.
        constants: statistics ``(k,)`` to the statistics of each constant prediction, ``(n, k)``.
        constant_names: what each of these predicts.
    """

    name: str
    version: int
    statistics: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Float]
    headline: Callable[[Float], Float]
    details: Callable[[Float], Scores]
    constants: Callable[[Float], Float]
    constant_names: tuple[str, ...]


def metric_for(task: Task) -> Metric:
    """The official metric of a task.

    Raises:
        UsageError: this version can't score the task.
    """
    if task.kind != "classes":
        raise UsageError(problem(f"{task.name} can't be scored by this version", expected="EXPR"))
    return _macro_f1_metric(task)


def _macro_f1_metric(task: Task) -> Metric:
    n = task.n_outputs

    def matrix(statistics: Float) -> Float:
        return statistics.reshape(*statistics.shape[:-1], n, n)

    def details(statistics: Float) -> Scores:
        confusion = matrix(statistics)
        per_class = f1_per_class(confusion)
        return {
            ("macro_f1", "all"): per_class.mean(-1),
            ("accuracy", "all"): accuracy(confusion),
            **{("f1", name): per_class[..., k] for k, name in enumerate(task.targets)},
        }

    def constants(statistics: Float) -> Float:
        labels = matrix(statistics).sum(-1)
        out = np.zeros((n, n, n))
        for k in range(n):
            out[k, :, k] = labels
        return out.reshape(n, n * n)

    return Metric(
        name="macro_f1",
        version=1,
        statistics=lambda labels, decisions: confusion_matrix(labels, decisions, n).ravel().astype(np.float64),
        headline=lambda statistics: macro_f1(matrix(statistics)),
        details=details,
        constants=constants,
        constant_names=task.targets,
    )
