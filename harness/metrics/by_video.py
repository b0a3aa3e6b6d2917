"""Each video by itself: its score, and what perfect predictions would get there."""

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
        frames: int64, frames with a label.
        score: the official metric on the video alone.
        possible: what perfect predictions get there: a class that the labels of the video don't have counts 0. NaN for
            metrics that are sums of others, and for coefficients of a single row.
        share: of the possible; NaN where nothing is possible.
    """

    frames: npt.NDArray[np.int64]
    score: Float
    possible: Float
    share: Float

    def worst_first(self, names: tuple[str, ...] | list[str]) -> list[int]:
        """Places of the videos, those with the lowest share first; those without a labelled frame last."""
        return sorted(
            range(len(names)), key=lambda k: (np.isnan(self.share[k]), self.share[k], self.score[k], names[k])
        )


def video_scores(metric: Metric, statistics: Float) -> VideoScores:
    """Score each video alone: to see where a run goes wrong, not to average.

    Args:
        statistics: ``(n_videos, k)`` of the metric.
    """
    score, possible = np.asarray(metric.headline(statistics), np.float64), _possible(metric, statistics)
    part = np.where(possible > 0, share(score, np.nan_to_num(possible)), np.nan)
    return VideoScores(metric.n_frames(statistics).astype(np.int64), score, possible, part)


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
