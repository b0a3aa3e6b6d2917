"""Choice of the official metric of a task."""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import UsageError
from harness.metrics.average_precision import Ambivalence
from harness.metrics.binary import MeanBinaryF1
from harness.metrics.classification import MacroF1, WeightedF1
from harness.metrics.coefficients import MeanConcordance, MeanPearson
from harness.metrics.interface import Metric
from harness.metrics.multitask import MultiTask
from harness.tasks import AHV, Task

_METRICS: dict[str, Callable[[Task], Metric]] = {
    MacroF1.name: MacroF1,
    WeightedF1.name: WeightedF1,
    MeanBinaryF1.name: MeanBinaryF1,
    MeanConcordance.name: MeanConcordance,
    MeanPearson.name: MeanPearson,
    MultiTask.name: MultiTask,
}


def metric_for(task: Task) -> Metric:
    """Return the official metric of a task.

    Raises:
        UsageError: the task's metric is unknown to this version.
    """
    if task.name == AHV.name:
        return Ambivalence(task)
    if task.metric not in _METRICS:
        raise UsageError(f"{task.name} can't be scored by this version", found=f"metric {task.metric!r}")
    return _METRICS[task.metric](task)
