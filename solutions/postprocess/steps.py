"""Trace of the decisions after each step of a plan, in the order in which the steps act."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.metrics.steps import StepTrace
from harness.tasks import Task
from solutions.postprocess.apply import Applied, apply, blended, check, decide, heard
from solutions.postprocess.plan import Constants, PostProcess
from solutions.postprocess.scores import SplitScores
from solutions.postprocess.thresholds import DEFAULT

FILTER = "filter"
CHANGING_THE_BLEND = ("gla", "smoothing")
"""Steps after which the streams are blended again; later steps act on the blend."""


def step_names(task: Task, plan: PostProcess) -> tuple[str, ...]:
    """Return the steps of a plan whose effect on decisions is counted, in order; an empty tuple for values."""
    if task.kind not in ("classes", "binaries"):
        return ()
    steps = {
        "gla": plan.gla,
        "smoothing": plan.smoothing,
        FILTER: plan.filter,
        "video_filter": plan.video_filter,
        "thresholds": plan.thresholds and plan.thresholds.values != DEFAULT,
    }
    return tuple(name for name, step in steps.items() if step)


def traced(
    task: Task, plan: PostProcess, scores: SplitScores, constants: Constants
) -> tuple[Applied, StepTrace | None]:
    """Return the result of a plan as :func:`apply` does, and the decisions before its first and after each step.

    Streams are blended from the start, so that the first column of the trace holds the decisions of the blend alone.
    Later steps are switched off by constants under which they have no effect.

    Args:
        task: as for :func:`apply`.
        plan: as for :func:`apply`.
        scores: as for :func:`apply`.
        constants: as for :func:`apply`.

    Returns:
        The result, and the trace of all rows; ``None`` for tasks with values.

    Raises:
        SolutionError: the plan does not fit the task or the scores.
    """
    if task.kind not in ("classes", "binaries"):
        return apply(task, plan, scores, constants), None
    check(task, plan, scores, constants.epochs)
    names, sure = step_names(task, plan), heard(plan, scores, constants)
    stages: list[Applied] = []
    for k in range(len(names) + 1):
        inputs = _without(names[k:], plan, scores, constants)
        if k == 0 or names[k - 1] in CHANGING_THE_BLEND:
            blend = blended(*inputs)
        stages.append(decide(task, *inputs, blend, sure if FILTER in names[:k] else None))
    final = stages[-1]
    decisions = np.stack([stage.decisions.astype(np.uint8) for stage in stages], axis=1)
    if task.kind == "binaries":
        return final, StepTrace(decisions)
    rows = np.arange(len(decisions))
    probabilities = np.stack([stage.scores[rows, stage.decisions] for stage in stages], axis=1).astype(np.float16)
    if sure is None:
        return final, StepTrace(decisions, probabilities)
    first = names.index(FILTER) + 1
    overrides = sure.overrides
    probabilities[overrides, first:] = sure.confidence[overrides, None]
    return final, StepTrace(decisions, probabilities, overrides)


def _without(
    without: tuple[str, ...], plan: PostProcess, scores: SplitScores, constants: Constants
) -> tuple[PostProcess, SplitScores, Constants]:
    """Return plan, scores and constants with some steps switched off."""
    if "gla" in without:
        plan = replace(plan, gla=None)
        constants = replace(constants, log_biases=(None,) * len(constants.log_biases))
    if "smoothing" in without:
        plan, constants = replace(plan, smoothing=None), replace(constants, half_width=0)
    if FILTER in without:
        plan, constants = replace(plan, filter=None), replace(constants, filter_threshold=None)
    if "video_filter" in without:
        plan, scores = replace(plan, video_filter=None), replace(scores, passing=None)
    if "thresholds" in without and constants.thresholds is not None:
        constants = replace(constants, thresholds=(DEFAULT,) * len(constants.thresholds))
    return plan, scores, constants
