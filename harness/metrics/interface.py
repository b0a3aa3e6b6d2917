"""Interface of the competition's metrics: statistics per video, their sum, and scores from the sum."""

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

    Statistics add up: the statistics of a set of videos are the sum of the videos' statistics. Therefore a score on any
    set of videos, or on any bootstrap replicate, needs the statistics only.

    Attributes:
        task: the scored task.
        name: name of the official score, such as ``macro_f1``.
        version: version of the definition, stored with each score and raised by each change.
        lists_constants: True to show the score of every constant prediction beside the score, not only the best one.
    """

    task: Task
    name: ClassVar[str]
    version: ClassVar[int] = 1
    lists_constants: ClassVar[bool] = False

    @property
    @abstractmethod
    def constant_names(self) -> tuple[str, ...]:
        """Name of the prediction in each row of :meth:`constants`, as it reads after "always"."""

    @abstractmethod
    def by_video(self, labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: npt.ArrayLike) -> Float:
        """Return the statistics of many videos at once.

        Args:
            labels: official values of all frames, video after video, ``(n,)`` or ``(n, targets)``. Frames with the
                task's invalid marker are left out.
            decisions: official values of the same frames; those on frames left out are ignored.
            lengths: frames of each video, ``(n_videos,)``; their sum is ``n``.

        Returns:
            float64 ``(n_videos, k)``.

        Raises:
            ValueError: shapes don't fit, or a value is outside the task's range.
        """

    @abstractmethod
    def headline(self, statistics: Float) -> Float:
        """Return the official score, statistics ``(..., k)`` to ``(...)``."""

    @abstractmethod
    def details(self, statistics: Float) -> Scores:
        """Return all scores by ``(metric, target)``, the official one first; ``(..., k)`` to ``(...)`` each."""

    @abstractmethod
    def constants(self, statistics: Float) -> Float:
        """Return the statistics of each constant prediction on the same frames, ``(k,)`` to ``(n_constants, k)``."""

    @abstractmethod
    def n_frames(self, statistics: Float) -> Float:
        """Return the number of frames with a valid label, ``(..., k)`` to ``(...)``."""

    @abstractmethod
    def label_part(self, statistics: Float) -> Float:
        """Return the part of the statistics that depends on the labels alone, ``(..., k)`` to ``(..., m)``."""

    def statistics(self, labels: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> Float:
        """Return the statistics of one video, or of any frames, ``(k,)``; see :meth:`by_video`."""
        return np.asarray(self.by_video(labels, decisions, [len(labels)])[0])

    def evaluate(self, table: Float, weights: Float | None = None) -> Scores:
        """Return all scores of a set of videos.

        Args:
            table: statistics of each video, ``(n_videos, k)``.
            weights: number of times that each video counts, ``(..., n_videos)``; by default once.

        Returns:
            The scores of :meth:`details`, and, for some metrics, scores that are no function of summed statistics.
        """
        return self.details(table.sum(0) if weights is None else weights @ table)


def mean_and_each(mean: str, each: str, targets: tuple[str, ...], values: Float) -> Scores:
    """Return scores of ``values`` ``(..., targets)``: their mean, named ``mean``, and each of them, named ``each``."""
    return {(mean, "all"): values.mean(-1), **{(each, name): values[..., k] for k, name in enumerate(targets)}}
