"""Curves of the score against one constant, with the other constants as they were chosen: abaw8's figures 2 to 5."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy.typing as npt

from harness.metrics.interval import Units, bootstrap, percentile_interval
from harness.metrics.metric import metric_for
from harness.records.curves import SweepPoint
from harness.tasks import Task
from solutions.postprocess.plan import (
    HALF_WIDTHS,
    PAIR_THRESHOLDS,
    WEIGHTS,
    Choose,
    Constants,
    PostProcess,
    Smoothing,
    Thresholds,
)
from solutions.postprocess.scores import SplitScores
from solutions.tuning.grid import grid_statistics

# values that the authors' notebooks print, and our candidates
SWEPT_HALF_WIDTHS = tuple(sorted({0, 5, 15, 25, 50, 100, 200, 500, *HALF_WIDTHS}))
SWEPT_THRESHOLDS = tuple(k / 10 for k in range(11))
SWEPT_PAIR_THRESHOLDS = tuple(sorted(PAIR_THRESHOLDS))


def curves(
    task: Task,
    plan: PostProcess,
    scores: SplitScores,
    constants: Constants,
    labels: npt.NDArray[Any],
    units: Units | None = None,
) -> list[SweepPoint]:
    """Return the points of every curve that a plan has: by half width for frames, by thresholds, by weight.

    All other steps are as in the plan. Blended logarithms exclude smoothing, so that they have no curve by half width.

    Args:
        task: the scored task.
        plan: the post-processing.
        scores: scores of the validation videos.
        constants: values of the other constants: chosen on all of validation, or fixed by the plan.
        labels: official values of all frames of these videos.
        units: units of these videos that the bootstrap samples for intervals; by default each video alone.
    """
    units = units or Units(len(scores.lengths))
    held = _held(task, plan, constants)
    axes = {}
    if task.level == "frame" and not (plan.blend and plan.blend.logs):  # logarithms are never smoothed
        swept = Choose(SWEPT_HALF_WIDTHS)
        smoothing = replace(plan.smoothing, half_width=swept) if plan.smoothing else Smoothing(swept)
        axes["half_width"] = replace(held, smoothing=smoothing)
    if held.filter:
        axes["filter_threshold"] = replace(held, filter=replace(held.filter, threshold=Choose(SWEPT_THRESHOLDS)))
    if task.is_pair and held.thresholds:
        axes["threshold"] = replace(held, thresholds=Thresholds(Choose(SWEPT_PAIR_THRESHOLDS)))
    if len(scores.streams) == 2 and held.blend:
        axes["weight"] = replace(held, blend=replace(held.blend, weights=Choose(WEIGHTS)))
    points = []
    for axis, opened in axes.items():
        points += _curve(axis, task, opened, scores, constants, labels, units)
    return points


def _curve(
    axis: str,
    task: Task,
    opened: PostProcess,
    scores: SplitScores,
    constants: Constants,
    labels: npt.NDArray[Any],
    units: Units,
) -> list[SweepPoint]:
    metric, grid = metric_for(task), grid_statistics(task, opened, scores, constants, labels)
    values = {
        "half_width": grid.axes.half_widths,
        "filter_threshold": grid.axes.thresholds,
        "threshold": grid.axes.thresholds,
        "weight": [weights[0] for weights in grid.axes.weights],
    }[axis]
    points = []
    for value, table in zip(values, grid.statistics.reshape(-1, *grid.statistics.shape[-2:]), strict=True):
        low, high = None, None
        if units.number > 1:
            replicates = bootstrap(lambda weights, table=table: {"": metric.headline(weights @ table)}, units)  # type: ignore[misc]
            low, high = percentile_interval(replicates[""])
        points.append(SweepPoint(axis, float(value), metric.name, float(metric.headline(table.sum(0))), low, high))  # type: ignore[arg-type]
    return sorted(points, key=lambda point: point.value)


def _held(task: Task, plan: PostProcess, constants: Constants) -> PostProcess:
    """Return the plan with every constant fixed."""
    return replace(
        plan,
        blend=plan.blend and replace(plan.blend, weights=constants.weights),
        smoothing=plan.smoothing and replace(plan.smoothing, half_width=constants.half_width),
        filter=plan.filter and replace(plan.filter, threshold=float(constants.filter_threshold or 1.0)),
        thresholds=_thresholds(task, constants),
    )


def _thresholds(task: Task, constants: Constants) -> Thresholds | None:
    if not constants.thresholds:
        return None
    # thresholds may differ by unit; for "exact", grid_statistics takes them from the constants
    return Thresholds(constants.thresholds[0]) if task.is_pair else Thresholds("exact")
