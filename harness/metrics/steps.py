"""Effects of the steps of post-processing: numbers of decisions changed, corrected and worsened by each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.tasks import Task, valid_rows


@dataclass(frozen=True)
class StepTrace:
    """Decisions about one video, before post-processing and after each of its steps, in the order of the steps.

    Attributes:
        decisions: uint8 ``(n_rows, 1 + n_steps)`` classes, or ``(n_rows, 1 + n_steps, n_outputs)`` binaries; the first
            column is the head's decision, the last one the final decision.
        probabilities: float16 ``(n_rows, 1 + n_steps)``, probabilities of the decided classes; ``None`` for binaries.
        overrides: bool ``(n_rows,)``, rows in which the confidence filter took its classifier's class, which may equal
            the head's; ``None`` without such a filter.
    """

    decisions: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float16] | None = None
    overrides: npt.NDArray[np.bool_] | None = None

    def rows(self, rows: slice) -> StepTrace:
        """Return the trace of some rows."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return StepTrace(self.decisions[rows], probabilities, None if self.overrides is None else self.overrides[rows])


@dataclass(frozen=True)
class StepCount:
    """Effect of one step on the labelled rows of a split; of action units, every unit of a row counts.

    Attributes:
        step: name of the step.
        decisions: number of decisions counted: those with a label, or all in a split without labels.
        changed: number of decisions that the step changed.
        corrected: number of decisions wrong before the step and right after; ``None`` without labels.
        worsened: number of decisions right before the step and wrong after; ``None`` without labels.
        overridden: number of rows in which the confidence filter took its classifier's class; ``None`` for other steps.
        overridden_right: number of these rows in which the classifier is right; ``None`` without labels.
    """

    step: str
    decisions: int
    changed: int
    corrected: int | None = None
    worsened: int | None = None
    overridden: int | None = None
    overridden_right: int | None = None

    def plain(self) -> dict[str, Any]:
        """Return plain data, without unknown values."""
        return {name: value for name, value in self.__dict__.items() if value is not None}


def count_steps(
    task: Task,
    steps: Sequence[str],
    traces: Mapping[str, StepTrace],
    labels: Mapping[str, npt.NDArray[Any]],
    filter_step: str = "filter",
) -> list[StepCount]:
    """Return the effect of each step, summed over videos.

    Args:
        task: a task of the kind ``classes`` or ``binaries``.
        steps: names of the steps, in order; the traces have one column more.
        traces: decisions of each video after each step.
        labels: official values by video; empty for a split without labels.
        filter_step: name of the step that ``StepTrace.overrides`` belongs to.
    """
    names = [name for name in traces if not labels or name in labels]
    totals = np.zeros((len(steps), 6), np.int64)
    for name in names:
        trace, truth = traces[name], labels.get(name)
        valid = slice(None) if truth is None else valid_rows(truth, task)
        decided = trace.decisions[valid]
        right = None if truth is None else decided == np.expand_dims(truth[valid], 1)
        overrides = None if trace.overrides is None else trace.overrides[valid]
        for k, step in enumerate(steps):
            before, after = decided[:, k], decided[:, k + 1]
            totals[k, :2] += before.size, np.count_nonzero(before != after)
            if right is not None:
                totals[k, 2] += np.count_nonzero(right[:, k + 1] & ~right[:, k])
                totals[k, 3] += np.count_nonzero(right[:, k] & ~right[:, k + 1])
            if step == filter_step and overrides is not None:
                totals[k, 4] += np.count_nonzero(overrides)
                totals[k, 5] += 0 if right is None else np.count_nonzero(right[overrides, k + 1])
    known = [bool(labels)] * 2
    filtering = any(trace.overrides is not None for trace in traces.values())
    counts = []
    for step, row in zip(steps, totals.tolist(), strict=True):
        is_filter = filtering and step == filter_step
        present = [*known, is_filter, is_filter and bool(labels)]
        optional = [value if there else None for value, there in zip(row[2:], present, strict=True)]
        counts.append(StepCount(step, row[0], row[1], *optional))
    return counts
