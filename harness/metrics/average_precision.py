"""Average precision of one score per video, in two definitions: scikit-learn's, and the AH challenge organisers'.

Both rank all videos, so they are no function of summed statistics. Each video has one score and one label, from which
any set of videos is scored, with the weights of a bootstrap if needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from harness.metrics.classification import MacroF1, weighted_f1
from harness.metrics.frames import share
from harness.metrics.interface import Float, Scores

_THRESHOLDS = np.arange(0, 1, 0.001)


def average_precision(scores: Float, positive: npt.NDArray[np.bool_], weights: Float) -> Float:
    """Return average precision: precision at each distinct score, weighted by the recall that the score adds.

    Args:
        scores: ``(n_videos,)``, higher for videos more likely positive.
        positive: bool ``(n_videos,)``, the labels.
        weights: number of times that each video counts, ``(..., n_videos)``.

    Returns:
        float64 ``(...)``, equal to ``sklearn.metrics.average_precision_score``; 0 without positive videos.
    """
    area, before = np.zeros(weights.shape[:-1]), np.zeros(weights.shape[:-1])
    for _, hits, chosen in _from_the_top(scores, positive, weights):
        if hits is not before:
            area += (hits - before) * _precision(hits, chosen)
        before = hits
    return share(area, before)


def official_average_precision(scores: Float, positive: npt.NDArray[np.bool_], weights: Float) -> Float:
    """Return the organisers' number: trapezoids below precision over recall at thresholds 0, 0.001, …, 0.999.

    A video is chosen if its score reaches the threshold; precision is 0 if no video is chosen.

    Args:
        scores: ``(n_videos,)``, probabilities.
        positive: bool ``(n_videos,)``, the labels.
        weights: number of times that each video counts, ``(..., n_videos)``.

    Returns:
        float64 ``(...)``; 0 without positive videos. The number differs from :func:`average_precision` by a percent or
        two.

    Source: sbelharbi/bah-dataset ``bah_metrics.py``, ``average_precision``. The source applies softmax to its argument,
    so it takes logits; this function takes probabilities.
    """
    reached = np.searchsorted(_THRESHOLDS, scores, side="right")
    area, before, before_chosen = (np.zeros(weights.shape[:-1]) for _ in range(3))
    for level, hits, chosen in _from_the_top(reached, positive, weights):
        if 0 < level < len(_THRESHOLDS) and hits is not before:  # no trapezoid before the highest threshold
            area += (hits - before) * (_precision(hits, chosen) + _precision(before, before_chosen)) / 2
        before, before_chosen = hits, chosen
    return share(area, (weights * positive).sum(-1))


def _from_the_top(
    keys: npt.NDArray[np.generic], positive: npt.NDArray[np.bool_], weights: Float
) -> Iterator[tuple[float, Float, Float]]:
    """Yield the distinct keys from the highest down: key, positives so far and videos so far, ``(...)`` each.

    If a key adds no positive, the array of positives is the same object as before.
    """
    order = np.argsort(-keys, kind="stable")
    keys, positive = keys[order], positive[order]
    by_video = np.ascontiguousarray(np.moveaxis(weights, -1, 0)[order])
    hits, chosen = np.zeros(weights.shape[:-1]), np.zeros(weights.shape[:-1])
    for k, key in enumerate(keys):
        chosen = chosen + by_video[k]
        hits = hits + by_video[k] if positive[k] else hits
        if k + 1 == len(keys) or keys[k + 1] != key:
            yield float(key), hits, chosen


def _precision(hits: Float, chosen: Float) -> Float:
    """Return the share of positives among whole numbers of videos; 0 without videos."""
    return np.asarray(hits / np.maximum(chosen, 1))


@dataclass(frozen=True)
class Ambivalence(MacroF1):
    """Macro-F1 of AHV, with the average precision of its probabilities.

    Statistics: the confusion matrix, and the probability of the positive class. The probability does not add up over
    videos. It is used if each video is one row, as in the 10th and 11th edition, and is -1 if missing. Therefore a
    bootstrap over persons weighs videos (:class:`harness.metrics.interval.Units`) and adds no statistics beforehand.
    """

    lists_constants: ClassVar[bool] = True

    def by_video(self, labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: npt.ArrayLike) -> Float:
        """Return the statistics of each video, as :meth:`Metric.by_video`.

        Args:
            labels: class indices ``(n,)``.
            decisions: class indices ``(n,)``, or the values of the official row, ``(n, 3)``: two probabilities, class.
            lengths: frames of each video, ``(n_videos,)``.

        Raises:
            ValueError: see :meth:`Metric.by_video`; or a probability of a labelled video is NaN or infinite.
        """
        frames = np.asarray(lengths, np.int64)
        probability = np.full((len(frames), 1), -1.0)
        if decisions.ndim == 2:
            if not np.isfinite(decisions[labels != self.task.invalid]).all():
                raise ValueError("decisions hold NaN or infinity")
            if frames.max(initial=0) <= 1:
                probability[frames == 1, 0] = decisions[:, -2]
            decisions = decisions[:, -1]
        return np.concatenate([super().by_video(labels, decisions, frames), probability], axis=1)

    def details(self, statistics: Float) -> Scores:
        """Return macro-F1, accuracy, weighted F1, and F1 of each class."""
        return {**super().details(statistics), ("weighted_f1", "all"): weighted_f1(self.confusion(statistics))}

    def evaluate(self, table: Float, weights: Float | None = None) -> Scores:
        """Return all scores; both average precisions are among them if every labelled video has a probability."""
        scores = super().evaluate(table, weights)
        counting = table[self.n_frames(table) > 0]
        probability, positive = counting[:, -1], self.label_part(counting)[:, 1] > 0
        if not len(counting) or probability.min() < 0:
            return scores
        weights = np.ones(len(table)) if weights is None else weights
        arguments = probability, positive, weights[..., self.n_frames(table) > 0]
        return {
            **scores,
            ("average_precision", "all"): average_precision(*arguments),
            ("official_average_precision", "all"): official_average_precision(*arguments),
        }
