"""Interface of both kinds of streams: frames with a head, and clips with a network."""

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
        """Fill the cache with the features for training and prediction that are the same for every seed.

        Args:
            stream: settings of the stream.
            source: source of features, with the cache.
            data: the data set.
            splits: splits to be predicted.
        """

    @classmethod
    def identities(cls, stream: S_contra, source: FeatureSource) -> dict[str, Any]:
        """Return weights and preprocessing of the stream's encoders, by name of the encoder.

        Identities, settings and seed together determine the scores.
        """

    @classmethod
    def trainings(cls, stream: S_contra) -> frozenset[str]:
        """Return the names of the trainings that ``fit`` runs and caches; streams with a common name share it."""

    def scores(
        self, source: FeatureSource, data: Dataset, split: str, notes: list[str]
    ) -> Sequence[npt.NDArray[np.float32]]:
        """Return the scores of every official row of a split, gaps filled; computed per epoch on access.

        Args:
            source: source of features, with the cache.
            data: the data set.
            split: the split to score.
            notes: list that receives a line for each fact that a reader of the result must know.

        Returns:
            One float32 array ``(n, n_outputs)`` per epoch, all videos end to end.
        """

    def save(self, folder: Path) -> None:
        """Write the stream to a folder, without pickle."""


def kind_of_stream(stream: AnyStream) -> type[TrainedStream[Any]]:
    """Return the class that trains, loads and prepares a stream. Its module, and torch, are imported on demand."""
    if isinstance(stream, Stream | ColumnStream):
        from solutions.streams.frames import FittedFrames

        return FittedFrames
    from solutions.streams.clips import FittedClips

    return FittedClips
