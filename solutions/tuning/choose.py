"""Choice of a plan's constants on validation labels: stage by stage, for each fold on the others, and once on all.

1. epoch of each stream: the one whose decisions without post-processing are best;
2. biases of each stream, on its unsmoothed scores (abaw10, section 3.1);
3. weights, half width and thresholds together, by the task's score.

Each stage uses only the videos that the choice is made on: a fold's labels never reach the constants applied to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from harness.errors import SolutionError
from harness.metrics.binary import binary_f1
from harness.metrics.coefficients import MeanConcordance, MeanPearson
from harness.metrics.folds import assign_folds, chosen_on
from harness.metrics.metric import metric_for
from harness.system.counts import counted
from harness.tasks import Task, valid_rows
from solutions.heads.settings import Select
from solutions.postprocess.apply import check, check_plan, stream_factors
from solutions.postprocess.blending import blend
from solutions.postprocess.calibration import search_biases
from solutions.postprocess.columns import by_column
from solutions.postprocess.filtering import Contempt
from solutions.postprocess.plan import Constants, PostProcess
from solutions.postprocess.scores import SplitScores
from solutions.postprocess.thresholds import DEFAULT, best_threshold
from solutions.tuning.cells import Cells, Factors, cells_of
from solutions.tuning.grid import THREADS, Axes, axes_of, over_widths
from solutions.tuning.selection import accuracy, best_epoch, lowest_loss, mean_of_pieces, positive_f1

Float = npt.NDArray[np.float64]
Biases = tuple[tuple[float, ...] | None, ...]


@dataclass(frozen=True)
class Chosen:
    """Constants of a plan, chosen on labels or fixed by the plan.

    Attributes:
        fold: int64 ``(n_videos,)``, the fold of each video; all zeros if nothing is chosen.
        per_fold: constants for each fold, chosen on the other folds.
        on_all: constants chosen on all videos: for the test set, and as the papers do.
    """

    fold: npt.NDArray[np.int64]
    per_fold: tuple[Constants, ...]
    on_all: Constants


def fixed_constants(task: Task, plan: PostProcess, n_epochs: Sequence[int]) -> Constants | None:
    """Return the constants of a plan that leaves nothing to choose, else ``None``.

    Args:
        task: the predicted task.
        plan: the post-processing.
        n_epochs: number of epochs of each stream.

    Raises:
        SolutionError: the plan does not fit the task or the number of streams.
    """
    check_plan(task, plan, len(n_epochs))
    if plan.chooses or max(n_epochs) > 1:
        return None
    axes = axes_of(task, plan, len(n_epochs))
    (weights,), (half_width,), (threshold,) = axes.weights, axes.half_widths, axes.thresholds
    epochs, biases = (0,) * len(n_epochs), (None,) * len(n_epochs)
    if isinstance(threshold, tuple):
        return Constants(epochs, biases, weights, half_width, thresholds=threshold)
    if task.kind == "binaries" and threshold is not None:
        return Constants(epochs, biases, weights, half_width, thresholds=(threshold,) * task.n_outputs)
    if plan.thresholds and threshold is not None:
        return Constants(epochs, biases, weights, half_width, thresholds=(threshold,))
    return Constants(epochs, biases, weights, half_width, filter_threshold=threshold)


def choose(
    task: Task, plan: PostProcess, scores: SplitScores, labels: npt.NDArray[Any], groups: Sequence[str]
) -> Chosen:
    """Choose the constants of a plan on validation labels, by cross-fitting over groups of videos.

    The first of equally good candidates wins. With a single group each fold has no other videos to choose on, so that
    the first candidate wins, too.

    Args:
        task: the scored task.
        plan: the post-processing.
        scores: scores of the validation set.
        labels: official values of all frames of all videos, end to end, ``(n,)`` or ``(n, outputs)``. Frames with
            the task's invalid marker don't count, but their scores take part in smoothing.
        groups: group of each video; videos of one group fall into one fold.

    Raises:
        SolutionError: plan, task, scores and labels don't fit together.
        UsageError: too many streams to choose weights for.
    """
    check(task, plan, scores)
    n, n_videos = int(scores.lengths.sum()), len(scores.lengths)
    if len(labels) != n or len(groups) != n_videos:
        raise SolutionError(
            "labels and groups are not those of these videos",
            found=f"{counted(len(labels), 'label')}, {counted(len(groups), 'group')}",
            expected=f"{n} and {n_videos}",
        )
    constants = fixed_constants(task, plan, [len(stream) for stream in scores.streams])
    if constants:
        return Chosen(np.zeros(n_videos, np.int64), (constants,), constants)
    # balanced by all frames, labelled or not, so that folds are independent of the labels
    fold = assign_folds(groups, scores.lengths.tolist())
    sets = chosen_on(fold)
    epochs = _choose_epochs(task, plan, scores, labels, sets)
    biases = _choose_biases(plan, scores, labels, sets, epochs, task)
    *per_fold, on_all = _choose_cells(task, plan, scores, labels, sets, epochs, biases)
    return Chosen(fold, tuple(per_fold), on_all)


def _choose_epochs(
    task: Task, plan: PostProcess, scores: SplitScores, labels: npt.NDArray[Any], sets: npt.NDArray[np.bool_]
) -> list[tuple[int, ...]]:
    """Return, for each set of videos, the best epoch of each stream: by its decisions without post-processing."""
    if all(len(stream) == 1 for stream in scores.streams):
        return [(0,) * len(scores.streams)] * len(sets)
    plain = (
        (0.0 if plan.raw else DEFAULT) if task.kind == "binaries" else None
    )  # a raw output of 0 is a probability of .5
    cells = cells_of(task, labels, scores.lengths, (plain,))
    best = []
    rules: Sequence[Select] = scores.selection or ["score"] * len(scores.streams)
    patiences = scores.patience or [0] * len(scores.streams)
    for k, (stream, rule, patience) in enumerate(zip(scores.streams, rules, patiences, strict=True)):
        if len(stream) == 1:
            best.append(np.zeros(len(sets), int))
            continue
        if rule != "score":
            numbers = [_selection(rule, task, epoch, scores, labels, sets, scores.priors[k]) for epoch in stream]
            best.append(best_epoch(np.stack(numbers), patience))
            continue
        statistics = [next(cells.statistics([by_column(epoch)], [[1.0]], None))[0] for epoch in stream]
        best.append(best_epoch(metric_for(task).headline(sets @ np.stack(statistics)), patience))
    return [tuple(int(k) for k in row) for row in zip(*best, strict=True)]


def _selection(
    rule: Select,
    task: Task,
    epoch: npt.NDArray[Any],
    scores: SplitScores,
    labels: npt.NDArray[Any],
    sets: npt.NDArray[np.bool_],
    prior: Float,
) -> Float:
    """Return the number by which the authors chose epochs, float64 ``(n_sets,)``.

    Raises:
        SolutionError: the rule is for another kind of task.
    """
    if rule == "pieces" and task.kind == "values":
        return mean_of_pieces(task, epoch, labels, scores.lengths, sets)
    if rule == "positive-f1" and task.is_pair:
        return positive_f1(epoch, labels, scores.lengths, sets)
    if rule == "accuracy" and task.kind == "classes":
        return accuracy(epoch, labels, scores.lengths, sets)
    if rule == "loss" and task.kind == "binaries":
        return lowest_loss(epoch, labels, scores.lengths, sets, prior)
    raise SolutionError(f"epochs of {task.name} can't be chosen by this number", found=rule, expected="score")


def _choose_biases(
    plan: PostProcess,
    scores: SplitScores,
    labels: npt.NDArray[Any],
    sets: npt.NDArray[np.bool_],
    epochs: Sequence[tuple[int, ...]],
    task: Task,
) -> list[Biases]:
    """Return, for each set of videos, the log-biases of each stream."""
    gla = plan.gla
    if gla is None:
        return [(None,) * len(scores.streams)] * len(sets)
    valid = valid_rows(labels, task)

    def search(which: tuple[int, int]) -> tuple[float, ...]:
        row, stream = which
        keep = valid & np.repeat(sets[row], scores.lengths)
        probabilities = scores.streams[stream][epochs[row][stream]][keep]
        return tuple(search_biases(probabilities, labels[keep], scores.priors[stream], gla).tolist())

    n = len(scores.streams)
    with ThreadPoolExecutor(THREADS) as pool:
        biases = list(pool.map(search, ((row, stream) for row in range(len(sets)) for stream in range(n))))
    return [tuple(biases[row * n : (row + 1) * n]) for row in range(len(sets))]


def _choose_cells(
    task: Task,
    plan: PostProcess,
    scores: SplitScores,
    labels: npt.NDArray[Any],
    sets: npt.NDArray[np.bool_],
    epochs: Sequence[tuple[int, ...]],
    biases: Sequence[Biases],
) -> list[Constants]:
    """Return, for each set of videos, the constants of the best cell at the epochs and biases chosen on that set."""
    axes = axes_of(task, plan, len(scores.streams))
    judge = _judge(task, plan, scores, labels, sets, axes)
    out: list[Constants | None] = [None] * len(sets)
    for set_epochs in dict.fromkeys(epochs):
        rows = [row for row, its in enumerate(epochs) if its == set_epochs]
        variants = list(dict.fromkeys(biases[row] for row in rows))
        judged = _judged_cells(plan, scores, set_epochs, variants, axes, judge)
        for row in rows:
            start = variants.index(biases[row]) * len(axes.weights)
            cells = [at_width[start : start + len(axes.weights)] for at_width in judged]
            if plan.blend and plan.blend.by_target:
                out[row] = _by_target(set_epochs, biases[row], axes, cells, row)
            else:
                out[row] = _best_cell(plan, set_epochs, biases[row], axes, cells, row)
    return [constants for constants in out if constants is not None]


def _best_cell(
    plan: PostProcess,
    epochs: tuple[int, ...],
    biases: Biases,
    axes: Axes,
    judged: Sequence[Sequence[_Judged]],
    row: int,
) -> Constants:
    """Return the constants of the cell with the best score on a set of videos, the simplest of equals."""
    values = np.array([[at_width[k].score[row] for at_width in judged] for k in range(len(axes.weights))])
    weight, width, threshold = (int(k) for k in np.unravel_index(int(values.argmax()), values.shape))
    units, level = judged[width][weight].units, axes.thresholds[threshold]
    filter_threshold = level if plan.filter and not isinstance(level, tuple) else None
    single = (level,) if plan.thresholds and isinstance(level, float) else None
    return Constants(
        epochs, biases, axes.weights[weight], axes.half_widths[width], filter_threshold, units[row] if units else single
    )


def _judged_cells(
    plan: PostProcess, scores: SplitScores, epochs: Sequence[int], variants: Sequence[Biases], axes: Axes, judge: _Judge
) -> list[list[_Judged]]:
    """Return the judged blends at each half width, one variant of log-biases after the other.

    Raw thresholds are chosen elsewhere and carried over: they are the best for probabilities of single frames, blended
    with the same weights.
    """
    if not (plan.raw and isinstance(judge, _UnitJudge)):
        return over_widths(plan, scores, epochs, variants, axes.half_widths, axes.weights, judge)
    streams = [expit(by_column(stream[epoch])) for stream, epoch in zip(scores.streams, epochs, strict=True)]
    blends = [stream_factors(weights, (None,) * len(streams)) for weights in axes.weights]
    levels = [f1.argmax(1) for f1 in judge.unit_f1(streams, blends, None)]
    by_width = over_widths(plan, scores, epochs, variants, axes.half_widths, axes.weights, judge.unit_f1)
    return [[judge.at_levels(f1, best) for f1, best in zip(at_width, levels, strict=True)] for at_width in by_width]


def _unit_f1(sums: Float) -> Float:
    """Return F1 of each unit, ``(n_sets, n_thresholds, units)``, from statistics ``(n_sets, n_thresholds, k)``."""
    return binary_f1(sums.reshape(*sums.shape[:2], -1, 2, 2))


def _by_target(
    epochs: tuple[int, ...], biases: Biases, axes: Axes, judged: Sequence[Sequence[_Judged]], row: int
) -> Constants:
    """Return constants with the best weights of each target, at the half width whose mean over the targets is best."""
    # (half widths, weights, targets)
    values = np.array([[blend.targets[row] for blend in at_width if blend.targets is not None] for at_width in judged])
    width = int(values.max(1).mean(-1).argmax())
    best = values[width].argmax(0)
    chosen = np.array([axes.weights[weight] for weight in best], np.float64)
    weights = tuple(tuple(float(share) for share in stream) for stream in chosen.T)
    return Constants(epochs, biases, weights, axes.half_widths[width])


@dataclass(frozen=True)
class _Judged:
    """Scores of a blend at a half width.

    Attributes:
        score: float64 ``(n_sets, n_thresholds)``.
        units: thresholds of the units for each set, if they are chosen by unit.
        targets: score of each target, float64 ``(n_sets, n_targets)``, if weights are chosen by target.
    """

    score: Float
    units: list[tuple[float, ...]] | None = None
    targets: Float | None = None


class _Judge:
    """Scorer of blends on each set of videos."""

    def __init__(self, task: Task, cells: Cells, sets: npt.NDArray[np.bool_]) -> None:
        """Prepare to score with the task's metric.

        Args:
            task: the scored task.
            cells: counter of the statistics.
            sets: bool ``(n_sets, n_videos)``, videos of each set.
        """
        self.metric = metric_for(task)
        self.cells = cells
        self.sets = sets.astype(np.float64)

    def __call__(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[_Judged]:
        """Yield the scores of each blend; see :meth:`~solutions.tuning.cells.Cells.statistics` for the arguments."""
        for statistics in self.cells.statistics(parts, factors, classifier):
            yield self.judged(np.moveaxis(self.sets @ statistics, 0, 1))

    def judged(self, sums: Float) -> _Judged:
        """Return scores from statistics ``(n_sets, n_thresholds, k)``."""
        return _Judged(self.metric.headline(sums))


class _TargetJudge(_Judge):
    """Scorer of blends of values, target by target, so that each target may have weights of its own."""

    def judged(self, sums: Float) -> _Judged:
        """Return scores by target from statistics ``(n_sets, 1, k)``."""
        if not isinstance(self.metric, MeanConcordance | MeanPearson):
            raise TypeError(f"{self.metric.name} has no score per target")
        by_target = self.metric.coefficients(sums[:, 0])
        return _Judged(by_target.mean(-1)[:, None], targets=by_target)


class _UnitJudge(_Judge):
    """Scorer at the best threshold of each unit, which makes the mean of the units' F1 the best, too."""

    def judged(self, sums: Float) -> _Judged:
        """Return scores and the units' thresholds from statistics ``(n_sets, n_thresholds, k)``."""
        f1 = _unit_f1(sums)
        return self.at_levels(f1, f1.argmax(1))

    def unit_f1(self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None) -> Iterator[Float]:
        """Yield F1 of each unit of each blend, float64 ``(n_sets, n_thresholds, units)``."""
        for statistics in self.cells.statistics(parts, factors, classifier):
            yield _unit_f1(np.moveaxis(self.sets @ statistics, 0, 1))

    def at_levels(self, f1: Float, levels: npt.NDArray[np.int64]) -> _Judged:
        """Return the score of each set at one candidate per unit.

        Args:
            f1: F1 of a blend, as :meth:`unit_f1` yields it.
            levels: int64 ``(n_sets, units)``, index of the threshold that each set uses for each unit.
        """
        table = np.array(self.cells.thresholds, np.float64).reshape(len(self.cells.thresholds), -1)
        table = np.broadcast_to(table, (len(table), f1.shape[2]))
        units = [tuple(np.take_along_axis(table, row[None], 0)[0].tolist()) for row in levels]
        chosen = np.take_along_axis(f1, levels[:, None], 1)[:, 0]
        return _Judged(chosen.mean(-1)[:, None], units)


class _ExactUnitJudge(_Judge):
    """Scorer at the best threshold of each unit, where each score that occurs is a candidate."""

    def __call__(
        self, parts: Sequence[Float], factors: Sequence[Factors], classifier: Float | None
    ) -> Iterator[_Judged]:
        """Yield the scores of each blend, and the units' thresholds."""
        cells = self.cells
        present = cells.labels == 1
        rows = [row.astype(bool)[cells.video] for row in self.sets]
        parts = [cells.counted(part) for part in parts]
        for weights in factors:
            scores = blend(parts, weights)
            best = [[best_threshold(scores[row, k], present[row, k]) for k in range(scores.shape[1])] for row in rows]
            units = [tuple(threshold for threshold, _ in row) for row in best]
            yield _Judged(np.array([[np.mean([f1 for _, f1 in row])] for row in best]), units)


def _judge(
    task: Task,
    plan: PostProcess,
    scores: SplitScores,
    labels: npt.NDArray[Any],
    sets: npt.NDArray[np.bool_],
    axes: Axes,
) -> _Judge:
    contempt: Contempt = plan.filter.contempt if plan.filter else "wins"
    cells = cells_of(task, labels, scores.lengths, axes.thresholds, contempt, scores.passing)
    if plan.blend and plan.blend.by_target:
        return _TargetJudge(task, cells, sets)
    if task.kind != "binaries":
        return _Judge(task, cells, sets)
    exact = plan.thresholds and plan.thresholds.values == "exact"
    return (_ExactUnitJudge if exact else _UnitJudge)(task, cells, sets)
