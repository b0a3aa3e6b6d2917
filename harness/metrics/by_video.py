"""Scores of single videos, beside the scores of perfect predictions.

A coefficient over videos, such as EMI's, is undefined for a single video. Such a video has the mean absolute error of
its predictions instead, in the units of the official file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.metrics.binary import MeanBinaryF1
from harness.metrics.classification import MacroF1, WeightedF1
from harness.metrics.coefficients import MeanConcordance, MeanPearson
from harness.metrics.frames import share
from harness.metrics.interface import Metric
from harness.metrics.moments import central

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VideoScores:
    """Scores of videos, float64 ``(n_videos,)`` each.

    Attributes:
        frames: int64, number of frames with a label.
        score: the official metric on the video alone; NaN for coefficients of a single row, which are undefined.
        possible: score of perfect predictions: a class without labels in the video counts 0. NaN for metrics that are
            sums of others, and for coefficients of a single row.
        share: score as a share of ``possible``; NaN if ``possible`` is 0 or NaN.
        error: mean absolute error over the targets, for coefficients of a single row; NaN for all other metrics.
    """

    frames: npt.NDArray[np.int64]
    score: Float
    possible: Float
    share: Float
    error: Float

    def worst_first(self, names: tuple[str, ...] | list[str]) -> list[int]:
        """Return places of the videos: lowest share, or largest error, first; videos without labels last."""
        errors = np.where(np.isnan(self.error), -1.0, self.error)
        unknown, shares, scores = np.isnan(self.share), np.nan_to_num(self.share), np.nan_to_num(self.score)
        return sorted(range(len(names)), key=lambda k: (unknown[k], shares[k], -errors[k], scores[k], names[k]))


def video_scores(metric: Metric, statistics: Float) -> VideoScores:
    """Return the scores of each video alone. They show a run's faults; their mean is no official score.

    Args:
        metric: the official metric.
        statistics: statistics of the metric, ``(n_videos, k)``.
    """
    score, possible = np.asarray(metric.headline(statistics), np.float64), _possible(metric, statistics)
    error = np.full(len(statistics), np.nan)
    if _is_undefined_alone(metric):
        counts = metric.n_frames(statistics) > 0
        score, error = np.full(len(statistics), np.nan), np.where(counts, _absolute_error(metric, statistics), np.nan)
    part = np.where(possible > 0, share(np.nan_to_num(score), np.nan_to_num(possible)), np.nan)
    return VideoScores(metric.n_frames(statistics).astype(np.int64), score, possible, part, error)


def measure_alone(metric: Metric) -> str:
    """Return the name of the metric that :func:`values_alone` gives: the official one or its substitute."""
    if metric.task.level == "frame":
        return metric.name
    return "mean_absolute_error" if _is_undefined_alone(metric) else "accuracy"


def values_alone(metric: Metric, statistics: Float) -> Float:
    """Return one number per video, ``(n_videos,)``, for comparison with another run.

    The number is the official metric. For tasks with one row per video, where it is undefined or says little, the
    number is the mean absolute error of values, or 1 for a right and 0 for a wrong class.
    """
    if _is_undefined_alone(metric):
        return _absolute_error(metric, statistics)
    if metric.task.level == "video":
        return np.asarray(metric.details(statistics)["accuracy", "all"], np.float64)
    return np.asarray(metric.headline(statistics), np.float64)


def values_of_rows(metric: MeanPearson, statistics: Float) -> tuple[Float, Float]:
    """Return labels and predictions of videos with one row each, float64 ``(n_videos, targets)`` both."""
    moments = central(metric.moments(statistics))
    return moments.mean_x, moments.mean_y


def _is_undefined_alone(metric: Metric) -> bool:
    return isinstance(metric, MeanPearson) and metric.task.level == "video"


def _absolute_error(metric: Metric, statistics: Float) -> Float:
    labels, values = values_of_rows(metric, statistics) if isinstance(metric, MeanPearson) else (statistics, statistics)
    return np.asarray(np.abs(values - labels).mean(-1), np.float64)


def _possible(metric: Metric, statistics: Float) -> Float:
    if isinstance(metric, MeanConcordance | MeanPearson):
        if metric.task.level == "video":  # a single row has no coefficient
            return np.full(len(statistics), np.nan)
        return np.asarray((central(metric.moments(statistics)).xx > 0).mean(-1), np.float64)
    if isinstance(metric, WeightedF1):  # a class without labels has no weight
        return np.asarray(metric.n_frames(statistics) > 0, np.float64)
    if not isinstance(metric, MacroF1 | MeanBinaryF1):
        return np.full(len(statistics), np.nan)
    present = metric.label_part(statistics)
    if isinstance(metric, MeanBinaryF1):
        present = present.reshape(len(statistics), -1, 2)[..., 1]
    return np.asarray((present > 0).mean(-1), np.float64)
