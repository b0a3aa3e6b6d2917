"""Generalised logit adjustment (GLA): a bias for each class, searched on labels (abaw10, section 3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.metrics.classification import confusion_matrix, macro_f1
from solutions.postprocess.columns import blocks, by_column
from solutions.postprocess.decisions import most_probable, shares
from solutions.postprocess.plan import Gla

Float = npt.NDArray[np.float64]

FLOOR = 1e-12
"""Added to probabilities before their logarithm in abaw10's authors' code."""
_BETTER = 1e-12  # that code requires an improvement of more than this
_SMALLEST_PRIOR = 1e-6  # prior of a class that is absent from the training labels


def adjust(scores: npt.NDArray[Any], log_biases: npt.ArrayLike) -> Float:
    """Return ``p * b`` (abaw10, eq. 3), without scaling the sum to 1: linear, so it may precede or follow smoothing.

    Args:
        scores: probabilities ``(n, classes)``.
        log_biases: ``log b``, ``(classes,)``.
    """
    return np.asarray(np.asarray(scores, np.float64) * np.exp(log_biases))


def scaled_shares(scores: Float, log_biases: npt.ArrayLike) -> Float:
    """Return ``(p_c + 1e-12) b_c`` divided by their sum in each frame (abaw10's authors' code).

    Args:
        scores: probabilities, float64 ``(n, classes)``.
        log_biases: ``log b``, ``(classes,)``.
    """
    return shares((scores + FLOOR) * np.exp(log_biases))


def start_biases(gla: Gla, priors: npt.NDArray[np.float64]) -> Float:
    """Return the log-biases at which the search starts: log of the priors ``N_y / N``, 0, or ``log(max_j N_j / N_y)``.

    Args:
        gla: its ``start`` selects among the three.
        priors: float64 ``(classes,)``, class frequencies in training.
    """
    if gla.start == "none":
        return np.zeros(len(priors))
    logs = np.log(np.maximum(priors, _SMALLEST_PRIOR))
    return np.asarray(logs.max() - logs if gla.start == "inverse" else logs)


def to_scale(log_biases: Float, priors: npt.NDArray[np.float64]) -> Float:
    """Scale biases by one factor, so that adjusted probabilities sum to 1 on frames that follow the priors.

    A stream alone decides the same with any factor. In a blend (eq. 4) the factor is part of the stream's share, which
    would otherwise depend on where its search came to rest.

    Args:
        log_biases: float64 ``(classes,)``.
        priors: float64 ``(classes,)``, class frequencies in training.
    """
    return np.asarray(log_biases - np.log(priors @ np.exp(log_biases)))


def search_biases(
    scores: npt.NDArray[Any], labels: npt.NDArray[np.int64], priors: npt.NDArray[np.float64], gla: Gla
) -> Float:
    """Search log-biases that raise the macro-F1 of the most probable class, by coordinate search (abaw10, section 3.1).

    One class after the other takes the value of the grid with the best F1, if that is better than its present one,
    until a round over all classes changes nothing. A class needs one pass over the frames, however fine the grid: each
    frame is assigned to the class from some value of the grid on, and the confusion matrices of all values are sums of
    one histogram of these values.

    Args:
        scores: probabilities ``(n, classes)``.
        labels: int64 ``(n,)``, all valid.
        priors: float64 ``(classes,)``, class frequencies in training; the search starts from them.
        gla: grid, start and number of passes.

    Returns:
        float64 ``(classes,)``, scaled by :func:`to_scale` unless adjusted scores are scaled frame by frame. Without
        frames these are the log-biases of the start.
    """
    columns = by_column(scores).T
    if gla.scaled:
        columns += FLOOR
    n_classes, grid = len(columns), gla.grid
    log_biases = start_biases(gla, priors)
    decided = most_probable(adjust(columns.T, log_biases))
    best = float(macro_f1(confusion_matrix(labels, decided, n_classes)))
    for _ in range(gla.passes):
        improved = False
        before, after = _Leader(len(labels)), _leaders_after(columns, log_biases)
        for k in range(n_classes):
            tried = log_biases[k] + grid if gla.relative else grid
            f1 = macro_f1(_confusions(columns[k], np.exp(tried), before, after[k], labels, k, n_classes))
            better = _first_better(f1, best, _BETTER if gla.relative else 0.0)
            if better is not None:
                best, log_biases[k], improved = float(f1[better]), tried[better], True
            before = before.challenged(columns[k] * np.exp(log_biases[k]), k)
        if not improved:
            break
    return log_biases if gla.scaled else to_scale(log_biases, priors)


def _first_better(values: Float, best: float, margin: float) -> int | None:
    """Return the index of the last value that beats ``best`` and each leader before it by a margin, else ``None``.

    With a margin of 0 this is the first of the largest values.
    """
    chosen = None
    for k, value in enumerate(values.tolist()):
        if value > best + margin:
            chosen, best = k, value
    return chosen


class _Leader:
    """Largest adjusted score of some classes in each frame, and the class that has it: the first one in a tie."""

    def __init__(self, n: int) -> None:
        """Start with ``n`` frames in which no class leads."""
        self.score = np.full(n, -1.0)  # below all scores
        self.of = np.zeros(n, np.uint8)

    def challenged(self, score: Float, k: int, *, earlier: bool = False) -> _Leader:
        """Return the leader after one more class joins.

        Args:
            score: float64 ``(n,)``, adjusted scores of the class.
            k: number of the class.
            earlier: True if the class precedes all present ones, so that it wins ties; else it follows all of them.
        """
        leader = _Leader(0)
        ahead = score >= self.score if earlier else score > self.score
        leader.of = _either(ahead, np.uint8(k), self.of)
        leader.score = np.maximum(score, self.score)
        return leader


def _either(
    first: npt.NDArray[np.bool_], a: npt.NDArray[np.uint8] | np.uint8, b: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Return ``np.where(first, a, b)`` of bytes, ten times as fast because the processor has no branch to predict."""
    mask = np.negative(first.view(np.uint8))  # all bits set, or all clear
    return np.asarray((a & mask) | (b & ~mask), np.uint8)


def _leaders_after(columns: Float, log_biases: Float) -> list[_Leader]:
    """Return, for each class, the leader among the classes after it."""
    out = [_Leader(columns.shape[1])]
    for k in reversed(range(1, len(columns))):
        out.append(out[-1].challenged(columns[k] * np.exp(log_biases[k]), k, earlier=True))
    return out[::-1]


def _confusions(
    column: Float,
    factors: Float,
    before: _Leader,
    after: _Leader,
    labels: npt.NDArray[np.int64],
    k: int,
    n_classes: int,
) -> npt.NDArray[np.int64]:
    """Return the confusion matrices with class ``k`` at each factor and the other classes unchanged.

    Args:
        column: float64 ``(n,)``, unadjusted scores of class ``k``.
        factors: float64 ``(n_factors,)``, rising biases of class ``k``.
        before: leader among the classes before ``k``.
        after: leader among the classes after ``k``.
        labels: int64 ``(n,)``.
        k: number of the class.
        n_classes: number of classes.

    Returns:
        int64 ``(n_factors, classes, classes)``.
    """
    n = len(factors)
    shape = n_classes, n_classes, n + 1
    counts = np.zeros(int(np.prod(shape)), np.int64)
    for block in blocks(len(labels)):
        ahead, behind = before.score[block], after.score[block]
        # the class that wins without k, and the score that k must reach: above those before it, equal to those after it
        other = _either(behind > ahead, after.of[block], before.of[block])
        needed = np.maximum(_just_above(ahead), behind)
        codes = (labels[block] * n_classes + other) * (n + 1) + _first_reaching(column[block], factors, needed)
        counts += np.bincount(codes, minlength=len(counts))
    by_factor = counts.reshape(shape)
    taken = by_factor.cumsum(-1)[..., :n]  # frames that class k takes from its rivals
    out = by_factor.sum(-1)[..., None] - taken
    out[:, k] += taken.sum(1)
    # contiguous, so that F1 is summed in the same order for every factor: ties must be equal to the last bit
    return np.ascontiguousarray(np.moveaxis(out, -1, 0))


def _just_above(scores: Float) -> Float:
    """Return the next larger float64 of each score from 0 up, thirty times as fast as ``nextafter``.

    The mark -1 of a frame without a leader stays below all scores.
    """
    return (scores.view(np.int64) + 1).view(np.float64)


def _first_reaching(column: Float, factors: Float, needed: Float) -> npt.NDArray[np.int64]:
    """Return the index of the smallest factor that lifts each score to the needed one.

    Args:
        column: float64 ``(n,)``, scores from 0 up.
        factors: float64 ``(n_factors,)``, rising.
        needed: float64 ``(n,)``, scores to reach.

    Returns:
        int64 ``(n,)``; ``n_factors`` where every factor is too small.
    """
    indices = np.full(len(column), len(factors))
    # most frames are out of reach
    able = np.flatnonzero(column * factors[-1] >= needed)
    column, needed = column[able], needed[able]
    # binary search, for all frames at once
    first = np.zeros(len(able), np.int64)
    step = 1 << (len(factors).bit_length() - 1)
    table = np.full(2 * step - 1, factors[-1])
    table[: len(factors)] = factors
    while step:
        first += step * (column * table[first + (step - 1)] < needed)
        step >>= 1
    indices[able] = first
    return indices
