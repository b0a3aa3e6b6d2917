"""Statistics of all combinations of weights, half widths and thresholds, for choosing and for abaw8's figures 2 to 5.

Smoothing is linear: each stream is smoothed once per half width, for all weights, and all thresholds come from one
histogram (:mod:`solutions.tuning.cells`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from harness.tasks import Task
from solutions.postprocess.apply import adjusted_streams, check, crop_frames, smoothed_parts, stream_factors
from solutions.postprocess.blending import shares
from solutions.postprocess.columns import by_column
from solutions.postprocess.crops import CropFrames
from solutions.postprocess.filtering import Contempt
from solutions.postprocess.plan import Choose, Constants, PostProcess
from solutions.postprocess.scores import SplitScores
from solutions.postprocess.smoothing import box_smoother, smooth
from solutions.postprocess.thresholds import DEFAULT
from solutions.tuning.cells import Factors, Threshold, cells_of

Float = npt.NDArray[np.float64]
Result = TypeVar("Result")
Work = Callable[[Sequence[Float], Sequence[Factors], Float | None], Iterable[Result]]

THREADS = 2


@dataclass(frozen=True)
class Axes:
    """Candidates in the order in which they are tried; a value that the plan fixes is the only candidate.

    Attributes:
        weights: each candidate has the weights of all streams.
        half_widths: half widths in frames.
        thresholds: thresholds of the filter, of two classes, or of all units (binaries); ``None`` for plans without.
    """

    weights: tuple[tuple[float | tuple[float, ...], ...], ...]
    half_widths: tuple[int, ...]
    thresholds: tuple[Threshold, ...]


@dataclass(frozen=True)
class Grid:
    """Statistics of every cell.

    Attributes:
        axes: candidates along the first three dimensions.
        statistics: float64 ``(n_weights, n_half_widths, n_thresholds, n_videos, k)`` of the task's metric.
    """

    axes: Axes
    statistics: Float


def axes_of(task: Task, plan: PostProcess, n_streams: int) -> Axes:
    """Return the candidates of a plan. Exact thresholds of units have no grid; their only candidate is ``None``.

    Raises:
        UsageError: too many streams to choose weights for.
    """
    weights = plan.blend.weights if plan.blend else (1.0,)
    steps = plan.blend.steps if plan.blend else 1
    half_width = plan.smoothing.half_width if plan.smoothing else 0
    threshold: Any = plan.filter.threshold if plan.filter else None
    if task.kind == "binaries":
        threshold = plan.thresholds.values if plan.thresholds else DEFAULT
    elif plan.thresholds:
        threshold = plan.thresholds.values
    return Axes(
        shares(weights.candidates, n_streams, steps) if isinstance(weights, Choose) else (weights,),
        tuple(int(width) for width in _candidates(half_width)),
        (None,) if threshold == "exact" else _candidates(threshold),
    )


def _candidates(value: Any) -> tuple[Any, ...]:
    return value.candidates if isinstance(value, Choose) else (value,)


def grid_statistics(
    task: Task, plan: PostProcess, scores: SplitScores, constants: Constants, labels: npt.NDArray[Any]
) -> Grid:
    """Return the statistics of each video in every cell of a plan's grid.

    Args:
        task: the scored task.
        plan: the post-processing; its values of :class:`~solutions.postprocess.plan.Choose` span the grid.
        scores: scores of the split.
        constants: epochs and biases, which are on no axis; and the units' thresholds if the plan's are ``exact``.
        labels: official values of all frames of all videos, markers of invalid frames included.

    Raises:
        SolutionError: the plan does not fit the task or the scores.
        UsageError: too many streams to choose weights for.
    """
    check(task, plan, scores, constants.epochs)
    axes = axes_of(task, plan, len(scores.streams))
    exact = plan.thresholds is not None and plan.thresholds.values == "exact"
    thresholds: Sequence[Threshold] = (constants.thresholds or DEFAULT,) if exact else axes.thresholds
    contempt: Contempt = plan.filter.contempt if plan.filter else "wins"
    cells = cells_of(task, labels, scores.lengths, thresholds, contempt, scores.passing)
    variants = [constants.log_biases]
    by_width = over_widths(plan, scores, constants.epochs, variants, axes.half_widths, axes.weights, cells.statistics)
    return Grid(axes, np.stack([np.stack(row) for row in by_width], axis=1))


def over_widths(
    plan: PostProcess,
    scores: SplitScores,
    epochs: Sequence[int],
    variants: Sequence[Sequence[Sequence[float] | None]],
    half_widths: Sequence[int],
    weights: Sequence[Sequence[float | tuple[float, ...]]],
    work: Work[Result],
) -> list[list[Result]]:
    """Adjust and smooth the streams, and call ``work`` on their blends at each half width.

    Log-biases are factors of smoothed streams, so that streams are smoothed once for all variants. Scaled adjustment is
    the exception: its scores differ by variant and are smoothed for each.

    Args:
        plan: the post-processing; its adjustment and kind of smoothing are used.
        scores: scores of a split.
        epochs: epoch of each stream.
        variants: one or several variants of the log-biases of all streams.
        half_widths: half widths in frames.
        weights: weights of all streams, for each blend.
        work: function of smoothed parts, of the factors of some blends, and of the classifier's smoothed
            probabilities; it returns one result per blend.

    Returns:
        A list for each half width, with a result for each blend, variant after variant.
    """
    streams = [by_column(stream[epoch]) for stream, epoch in zip(scores.streams, epochs, strict=True)]
    scaled = plan.gla is not None and plan.gla.scaled
    out: list[list[Result]] = [[] for _ in half_widths]
    for group in [[variant] for variant in variants] if scaled else [variants]:
        adjusted, left = adjusted_streams(plan, streams, group[0])
        biases = [left] if scaled else group
        factors = [stream_factors(each, variant) for variant in biases for each in weights]
        for results, added in zip(out, _smoothed(plan, scores, adjusted, half_widths, factors, work), strict=True):
            results += added
    return out


def _smoothed(
    plan: PostProcess,
    scores: SplitScores,
    streams: Sequence[Float],
    half_widths: Sequence[int],
    factors: Sequence[Factors],
    work: Work[Result],
) -> list[list[Result]]:
    """Return results for each half width and blend of adjusted streams; see :func:`over_widths`."""
    crops = crop_frames(plan, scores)
    heard = [by_column(scores.classifier)] if plan.filter and scores.classifier is not None else []
    if plan.smoothing and plan.smoothing.kind == "median":
        return _over_medians(streams, heard, scores.lengths, half_widths, factors, work, crops)
    smoothers = [box_smoother(values, scores.lengths, crops) for values in (*streams, *heard)]

    def at(half_width: int) -> list[Result]:
        smoothed = [smoother(half_width) for smoother in smoothers]
        return list(work(smoothed[: len(streams)], factors, smoothed[-1] if heard else None))

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(at, half_widths))


def _over_medians(
    streams: Sequence[Float],
    heard: Sequence[Float],
    lengths: npt.NDArray[np.int64],
    half_widths: Sequence[int],
    factors: Sequence[Factors],
    work: Work[Result],
    crops: CropFrames | None,
) -> list[list[Result]]:
    """Return results for each half width and blend. Medians are not linear, so each blend is smoothed by itself."""
    out = []
    for half_width in half_widths:
        classifier = smooth("median", heard[0], half_width, lengths, crops) if heard else None
        blends = (smoothed_parts("median", half_width, streams, weights, lengths, crops) for weights in factors)
        out.append([result for parts, weights in blends for result in work(parts, [weights], classifier)])
    return out
