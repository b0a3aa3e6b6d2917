"""What training a stream of a recipe gives: something that scores every frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset
from solutions.encoders.features import FeatureSource


class Fitted(Protocol):
    """A trained stream.

    Attributes:
        n_epochs: epochs whose scores it can give; 1 if only the last one's weights were kept.
        prior: float64 ``(n_outputs,)``, what a video gets of which nothing is known.
    """

    n_epochs: int
    prior: npt.NDArray[np.float64]

    def scores(
        self, source: FeatureSource, data: Dataset, split: str, notes: list[str]
    ) -> Sequence[npt.NDArray[np.float32]]:
        """Scores of every official frame of a split, gaps filled, one entry an epoch, made when it is asked for.

        Args:
            notes: gets a line for whatever a reader of the result must know.

        Returns:
            float32 ``(n, n_outputs)`` each, all videos end to end.
        """

    def save(self, folder: Path) -> None:
        """Write it, without any pickle."""

    def identity(self, source: FeatureSource) -> dict[str, Any]:
        """What besides the stream's settings decides its numbers: encoders, weights. Plain data."""
