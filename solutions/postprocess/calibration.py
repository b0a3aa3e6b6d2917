"""Generalised logit adjustment: a bias for each class, searched on labels (abaw10, section 3.1)."""

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
_BETTER = 1e-12  # by more than which a score must be better in that code
_SMALLEST_PRIOR = 1e-6  # of a class that training has not seen


def adjust(scores: npt.NDArray[Any], log_biases: npt.ArrayLike) -> Float:
    """``p * b`` (abaw10, eq. 3), not scaled to sum to 1: linear, so that it may come before or after smoothing.

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
    """Return log-biases before the search: log of the class priors ``N_y / N``, 0, or ``log(max_j N_j / N_y)``."""
    if gla.start == "none":
        return np.zeros(len(priors))
    logs = np.log(np.maximum(priors, _SMALLEST_PRIOR))
    return np.asarray(logs.max() - logs if gla.start == "inverse" else logs)


def to_scale(log_biases: Float, priors: npt.NDArray[np.float64]) -> Float:
    """The same biases times a factor, so that adjusted probabilities of frames like the training set's sum to 1.

    The factor changes no decision of a stream alone, but without it a stream's share in a blend (eq. 4) would
    depend on where its search came to rest.
    """
    return np.asarray(log_biases - np.log(priors @ np.exp(log_biases)))


def search_biases(
    scores: npt.NDArray[Any], labels: npt.NDArray[np.int64], priors: npt.NDArray[np.float64], gla: Gla
) -> Float:
    """Log-biases with a good macro-F1 of the plain decisions: coordinate search (abaw10, section 3.1).

    One class after the other takes the value of the grid with the best F1, if that is better than its present one,
    until a round over all classes changes nothing. A class needs one pass over the frames, whatever the grid: a frame
    goes to it from some value of the grid on, and all values' confusion matrices are sums of one histogram of those.

    Args:
        scores: probabilities ``(n, classes)``.
        labels: int64 ``(n,)``, all valid.
        priors: ``(classes,)``, where to start.
        gla: the grid.

    Returns:
        float64 ``(classes,)``, scaled by :func:`to_scale` unless adjusted scores are scaled frame by frame; the start
        where there is no frame.
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
    """Return the index of the last value that is better than all before it and ``best`` by a margin; ``None`` if none.

    Without a margin that is the first of the largest.
    """
    chosen = None
    for k, value in enumerate(values.tolist()):
        if value > best + margin:
            chosen, best = k, value
    return chosen


class _Leader:
    """The largest of some classes' adjusted scores in each frame, and whose it is: the first one's in a tie."""

    def __init__(self, n: int) -> None:
        self.score = np.full(n, -1.0)  # of nobody
        self.of = np.zeros(n, np.uint8)

    def challenged(self, score: Float, k: int, *, earlier: bool = False) -> _Leader:
        """With one more class, which comes after all others, or before them."""
        leader = _Leader(0)
        ahead = score >= self.score if earlier else score > self.score
        leader.of = _either(ahead, np.uint8(k), self.of)
        leader.score = np.maximum(score, self.score)
        return leader


def _either(
    first: npt.NDArray[np.bool_], a: npt.NDArray[np.uint8] | np.uint8, b: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """``np.where(first, a, b)`` of bytes, ten times as fast: the processor need not guess."""
    mask = np.negative(first.view(np.uint8))  # all bits, or none
    return np.asarray((a & mask) | (b & ~mask), np.uint8)


def _leaders_after(columns: Float, log_biases: Float) -> list[_Leader]:
    """For each class, the leader among those that come after it."""
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
    """Confusion matrices with class ``k`` at each factor, the others as they are; ``(n_factors, classes, classes)``."""
    n = len(factors)
    shape = n_classes, n_classes, n + 1
    counts = np.zeros(int(np.prod(shape)), np.int64)
    for block in blocks(len(labels)):
        ahead, behind = before.score[block], after.score[block]
        # who decides otherwise, and what class k must reach: more than those before it, as much as those after
        other = _either(behind > ahead, after.of[block], before.of[block])
        needed = np.maximum(_just_above(ahead), behind)
        codes = (labels[block] * n_classes + other) * (n + 1) + _first_reaching(column[block], factors, needed)
        counts += np.bincount(codes, minlength=len(counts))
    by_factor = counts.reshape(shape)
    taken = by_factor.cumsum(-1)[..., :n]  # by class k, from its rivals
    out = by_factor.sum(-1)[..., None] - taken
    out[:, k] += taken.sum(1)
    # in one piece, so that F1 is added up in the same order for every factor: equals must be equal to the last bit
    return np.ascontiguousarray(np.moveaxis(out, -1, 0))


def _just_above(scores: Float) -> Float:
    """The next larger number of scores from 0 up: as ``nextafter``, thirty times as fast. -1 stays below all scores."""
    return (scores.view(np.int64) + 1).view(np.float64)


def _first_reaching(column: Float, factors: Float, needed: Float) -> npt.NDArray[np.int64]:
    """Index of the smallest factor with which each score reaches what it needs; their number where none does."""
    found = np.full(len(column), len(factors))
    # most frames are out of reach
    able = np.flatnonzero(column * factors[-1] >= needed)
    column, needed = column[able], needed[able]
    # halving the interval, for all frames at once
    first = np.zeros(len(able), np.int64)
    step = 1 << (len(factors).bit_length() - 1)
    table = np.full(2 * step - 1, factors[-1])
    table[: len(factors)] = factors
    while step:
        first += step * (column * table[first + (step - 1)] < needed)
        step >>= 1
    found[able] = first
    return found
