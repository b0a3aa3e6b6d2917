"""Mean CCC over targets (valence and arousal), and mean Pearson correlation (the six intensities of EMI)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from harness.metrics.frames import counted
from harness.metrics.interface import Float, Metric, Scores, mean_and_each
from harness.metrics.moments import LABELS_ONLY, MOMENTS, concordance_correlation, moments, pearson_correlation
from harness.tasks import Task, valid_rows


@dataclass(frozen=True)
class _Coefficients(Metric):
    """Mean of a coefficient over the task's targets. Statistics: the moments of each target, one after the other."""

    task: Task
    coefficient: ClassVar[str]

    def by_video(self, labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: npt.ArrayLike) -> Float:
        """Return the statistics of each video as :meth:`Metric.by_video`; labels, decisions: ``(n, targets)``."""
        expected = len(labels), self.task.n_outputs
        if not labels.shape == decisions.shape == expected:
            raise ValueError(f"labels {labels.shape} and decisions {decisions.shape} must be {expected}")
        frames, labels, decisions = counted(valid_rows(labels, self.task), lengths, labels, decisions)
        for name, values in (("labels", labels), ("decisions", decisions)):
            if not np.isfinite(values).all():
                raise ValueError(f"{name} hold NaN or infinity")
        return moments(labels, decisions, frames).reshape(-1, self.task.n_outputs * MOMENTS)

    def moments(self, statistics: Float) -> Float:
        """Return statistics ``(..., k)`` as moments ``(..., targets, 11)``."""
        return statistics.reshape(*statistics.shape[:-1], self.task.n_outputs, MOMENTS)

    @abstractmethod
    def coefficients(self, statistics: Float) -> Float:
        """Return the coefficient of each target, ``(..., k)`` to ``(..., targets)``."""

    def headline(self, statistics: Float) -> Float:
        """Return the mean over the targets."""
        return np.asarray(self.coefficients(statistics).mean(-1))

    def details(self, statistics: Float) -> Scores:
        """Return the mean, and the coefficient of each target."""
        return mean_and_each(self.name, self.coefficient, self.task.targets, self.coefficients(statistics))

    def constants(self, statistics: Float) -> Float:
        """Return one row of statistics, as every constant prediction scores 0."""
        out = np.zeros((1, self.task.n_outputs, MOMENTS))
        out[..., LABELS_ONLY] = self.moments(statistics)[..., LABELS_ONLY]
        return out.reshape(1, -1)

    def n_frames(self, statistics: Float) -> Float:
        """Return the number of frames with a label."""
        return np.asarray(statistics[..., 0])

    def label_part(self, statistics: Float) -> Float:
        """Return the moments of the labels, ``(..., 5 targets)``."""
        return self.moments(statistics)[..., LABELS_ONLY].reshape(*statistics.shape[:-1], -1)


@dataclass(frozen=True)
class MeanConcordance(_Coefficients):
    """Mean CCC over all frames of all videos at once, as in all participants' code; 0 for constant values."""

    name: ClassVar[str] = "mean_ccc"
    coefficient: ClassVar[str] = "ccc"
    constant_names: ClassVar[tuple[str, ...]] = ("the same value",)

    def coefficients(self, statistics: Float) -> Float:
        """Return CCC of each target."""
        return concordance_correlation(self.moments(statistics))


@dataclass(frozen=True)
class MeanPearson(_Coefficients):
    """Mean Pearson correlation over all rows of a split at once; 0 for constant values, for which SciPy gives NaN."""

    name: ClassVar[str] = "mean_pearson"
    coefficient: ClassVar[str] = "pearson"
    constant_names: ClassVar[tuple[str, ...]] = ("the same values",)

    def coefficients(self, statistics: Float) -> Float:
        """Return the correlation of each target."""
        return pearson_correlation(self.moments(statistics))
