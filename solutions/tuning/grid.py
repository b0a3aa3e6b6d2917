"""Every combination of weights, half widths and thresholds: what choosing needs, and the curves of abaw8, fig. 2 to 5.

Smoothing is linear: each stream is smoothed once for each width, whatever the weights, and all thresholds come from one
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
    """Candidates in the order in which they are tried; a value that is given is the only one.

    Attributes:
        weights: of all streams each.
        half_widths: in frames.
        thresholds: of the filter or of two classes, of all units (binaries); ``None`` where there are none.
    """

    weights: tuple[tuple[float | tuple[float, ...], ...], ...]
    half_widths: tuple[int, ...]
    thresholds: tuple[Threshold, ...]


@dataclass(frozen=True)
class Grid:
    """Statistics of every cell.

    Attributes:
        axes: what the first three dimensions are.
        statistics: float64 ``(n_weights, n_half_widths, n_thresholds, n_videos, k)`` of the task's metric.
    """

    axes: Axes
    statistics: Float


def axes_of(task: Task, plan: PostProcess, n_streams: int) -> Axes:
    """What a plan leaves open. Thresholds of the units that may be any value are none of a grid's: ``None``.

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
    """Statistics of each video in every cell of what a plan leaves open.

    Args:
        task: what is scored.
        plan: which values are open: those with :class:`~solutions.postprocess.plan.Choose`.
        scores: of the split.
        constants: epochs and biases, which are on no axis; and the units' thresholds where any value may be one.
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
    found = over_widths(plan, scores, constants.epochs, variants, axes.half_widths, axes.weights, cells.statistics)
    return Grid(axes, np.stack([np.stack(row) for row in found], axis=1))


def over_widths(
    plan: PostProcess,
    scores: SplitScores,
    epochs: Sequence[int],
    variants: Sequence[Sequence[Sequence[float] | None]],
    half_widths: Sequence[int],
    weights: Sequence[Sequence[float | tuple[float, ...]]],
    work: Work[Result],
) -> list[list[Result]]:
    """Adjust, smooth, and work on the blends.

    Smoothed streams serve all log-biases, which are factors of them; but for scaled scores, which are others for each.

    Args:
        plan: says how scores are adjusted, and how they are smoothed.
        scores: of a split.
        epochs: of each stream.
        variants: log-biases of each stream, one or several times.
        half_widths: in frames.
        weights: of all streams for each blend.
        work: takes smoothed parts, the factors of some blends of them, and the smoothed classifier; has a result for
            each blend.

    Returns:
        A list for each half width, with a result for each blend, variant after variant.
    """
    streams = [by_column(stream[epoch]) for stream, epoch in zip(scores.streams, epochs, strict=True)]
    scaled = plan.gla is not None and plan.gla.scaled
    out: list[list[Result]] = [[] for _ in half_widths]
    for group in [[variant] for variant in variants] if scaled else [variants]:
        adjusted, left = adjusted_streams(plan, streams, group[0])
        factors = [stream_factors(each, own) for own in ([left] if scaled else group) for each in weights]
        for results, found in zip(out, _smoothed(plan, scores, adjusted, half_widths, factors, work), strict=True):
            results += found
    return out


def _smoothed(
    plan: PostProcess,
    scores: SplitScores,
    streams: Sequence[Float],
    half_widths: Sequence[int],
    factors: Sequence[Factors],
    work: Work[Result],
) -> list[list[Result]]:
    """Return results for each half width and blend of streams that are adjusted; see :func:`over_widths`."""
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
    """Return the same for medians, which are not linear: every blend is smoothed by itself."""
    out = []
    for half_width in half_widths:
        classifier = smooth("median", heard[0], half_width, lengths, crops) if heard else None
        each = (smoothed_parts("median", half_width, streams, own, lengths, crops) for own in factors)
        out.append([result for parts, own in each for result in work(parts, [own], classifier)])
    return out
