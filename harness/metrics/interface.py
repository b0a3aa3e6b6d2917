"""What every metric of the competition does: count per video, add up, score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from harness.tasks import Task

Float = npt.NDArray[np.float64]
Scores = Mapping[tuple[str, str], Float]


class Metric(ABC):
    """An official metric, computed from per-video sufficient statistics in float64.

    Statistics add up: those of several videos, or of a video's parts, are the sum of theirs. So a score on any set of
    videos, and on any bootstrap replicate, needs the statistics only.

    Attributes:
        task: what is scored.
        name: of the official score, ``macro_f1``.
        version: raised whenever a definition changes; stored with each score.
        lists_constants: the score of every constant prediction stands beside the score, next to the best one.
    """

    task: Task
    name: ClassVar[str]
    version: ClassVar[int] = 1
    lists_constants: ClassVar[bool] = False

    @property
    @abstractmethod
    def constant_names(self) -> tuple[str, ...]:
        """What each row of :meth:`constants` predicts, to be read after "always"."""

    @abstractmethod
    def by_video(self, labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: npt.ArrayLike) -> Float:
        """Statistics of many videos at once.

        Args:
            labels, decisions: official values of all frames, video after video, ``(n,)`` or ``(n, targets)``. Frames
                whose label is the task's invalid marker don't count; what was decided on them is not looked at.
            lengths: frames of each video, ``(n_videos,)``; their sum is ``n``.

        Returns:
            float64 ``(n_videos, k)``.

        Raises:
            ValueError: shapes don't fit, or a value is none of the task's.
        """

    @abstractmethod
    def headline(self, statistics: Float) -> Float:
        """The official score, ``(..., k)`` to ``(...)``."""

    @abstractmethod
    def details(self, statistics: Float) -> Scores:
        """Every score worth keeping, by ``(metric, target)``, the headline first; ``(..., k)`` to ``(...)`` each."""

    @abstractmethod
    def constants(self, statistics: Float) -> Float:
        """Statistics of each constant prediction on the same frames, ``(k,)`` to ``(n_constants, k)``."""

    @abstractmethod
    def n_frames(self, statistics: Float) -> Float:
        """Frames that counted, ``(..., k)`` to ``(...)``."""

    @abstractmethod
    def label_part(self, statistics: Float) -> Float:
        """What the statistics say of the labels alone, ``(..., k)`` to ``(..., m)``: equal for equal labels."""

    def statistics(self, labels: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> Float:
        """Statistics of one video, or of any frames, ``(k,)``; see :meth:`by_video`."""
        return np.asarray(self.by_video(labels, decisions, [len(labels)])[0])

    def evaluate(self, table: Float, weights: Float | None = None) -> Scores:
        """Every score of a set of videos.

        Args:
            table: statistics of each video, ``(n_videos, k)``.
            weights: how often each video counts, ``(..., n_videos)``; once each by default.

        Returns:
            As :meth:`details`, and, for metrics that have them, scores that are no function of added statistics.
        """
        return self.details(table.sum(0) if weights is None else weights @ table)


def mean_and_each(mean: str, each: str, targets: tuple[str, ...], values: Float) -> Scores:
    """Scores of ``values`` ``(..., targets)``: their mean under one name, each of them under the other."""
    return {(mean, "all"): values.mean(-1), **{(each, name): values[..., k] for k, name in enumerate(targets)}}
