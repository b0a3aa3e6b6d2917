"""The interface of both kinds of streams: of frames with a head, and of clips with a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset
from solutions.cache.features import FeatureSource
from solutions.recipe import AnyStream, ColumnStream, Stream

S_contra = TypeVar("S_contra", contravariant=True)


class TrainedStream(Protocol[S_contra]):
    """A trained stream. Its class trains, loads and prepares streams of one kind.

    Attributes:
        n_epochs: epochs with scores; 1 if only the weights of the last epoch were kept.
        prior: float64 ``(n_outputs,)``, the scores of a video without any features.
    """

    n_epochs: int
    prior: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, stream: S_contra, source: FeatureSource, data: Dataset, seed: int) -> Self:
        """Train a stream on the training videos, or take the trained stream from the cache.

        Raises:
            DataError: no training frame has both a label and features.
            MissingDependencyError: weights or a package are missing.
        """

    @classmethod
    def load(cls, stream: S_contra, folder: Path) -> Self:
        """Load a stream that ``save`` wrote.

        Raises:
            SolutionError: files are missing or don't fit together.
        """

    @classmethod
    def prepare(cls, stream: S_contra, source: FeatureSource, data: Dataset, splits: Sequence[str]) -> None:
        """Fill the cache with the features that training and prediction read and no seed changes.

        Args:
            splits: splits to be predicted.
        """

    @classmethod
    def identities(cls, stream: S_contra, source: FeatureSource) -> dict[str, Any]:
        """Return weights and preprocessing of the stream's encoders by name; with the settings they decide scores."""

    @classmethod
    def trainings(cls, stream: S_contra) -> frozenset[str]:
        """Return names of what ``fit`` trains and caches; two streams with one name share the training."""

    def scores(
        self, source: FeatureSource, data: Dataset, split: str, notes: list[str]
    ) -> Sequence[npt.NDArray[np.float32]]:
        """Return the scores of every official frame of a split, gaps filled; computed per epoch on access.

        Args:
            notes: receives a line for each fact that a reader of the result must know.

        Returns:
            One float32 array ``(n, n_outputs)`` per epoch, all videos end to end.
        """

    def save(self, folder: Path) -> None:
        """Write the stream without any pickle."""


def kind_of_stream(stream: AnyStream) -> type[TrainedStream[Any]]:
    """Return the class that trains, loads and prepares a stream; torch is imported only where it is needed."""
    if isinstance(stream, Stream | ColumnStream):
        from solutions.streams.frames import FittedFrames

        return FittedFrames
    from solutions.streams.clips import FittedClips

    return FittedClips
