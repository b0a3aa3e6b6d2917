"""What training a stream of a recipe gives: something that scores every frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset
from harness.system.provenance import digest_of
from solutions.cache.features import FeatureSource
from solutions.clips.settings import ClipStream
from solutions.heads.settings import Pretrained
from solutions.recipe import Stream


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


def fit_stream(stream: Stream | ClipStream, source: FeatureSource, data: Dataset, seed: int) -> Fitted:
    """Train a stream on the training videos, but for what is in the cache.

    Raises:
        DataError: no training frame has both a label and something to learn from.
        MissingDependencyError: weights, or a package, are not here.
    """
    if isinstance(stream, Stream):
        from solutions.streams.frames import FittedFrames

        return FittedFrames.fit(stream, source, data, seed)
    from solutions.streams.clips import FittedClips

    return FittedClips.fit(stream, source, data, seed)


def load_stream(stream: Stream | ClipStream, folder: Path) -> Fitted:
    """What ``save`` wrote.

    Raises:
        SolutionError: files are missing or don't fit together.
    """
    if isinstance(stream, Stream):
        from solutions.streams.frames import FittedFrames

        return FittedFrames.load(stream, folder)
    from solutions.streams.clips import FittedClips

    return FittedClips.load(stream, folder)


def identities(stream: Stream | ClipStream, source: FeatureSource) -> dict[str, Any]:
    """What besides a stream's settings decides its numbers: its encoders' weights and preprocessing, by name."""
    if isinstance(stream, Stream):
        return {stream.encoder: dict(source.identity(stream.encoder))}
    from solutions.clips.fitting import clip_identities

    return clip_identities(stream, source)


def prepare_stream(stream: Stream | ClipStream, source: FeatureSource, data: Dataset, splits: Sequence[str]) -> None:
    """Fill the cache with what no training changes, of the training videos and of those to be predicted.

    Args:
        splits: those to be predicted.
    """
    if isinstance(stream, Stream):
        taught = not isinstance(stream.head, Pretrained)
        for split in dict.fromkeys([*(["train"] if taught else []), *splits]):
            source.features(stream.encoder, data, split)
        return
    from solutions.clips.fitting import prepare_clips

    prepare_clips(stream, source, data, list(dict.fromkeys(["train", *splits])))


def trainings(stream: Stream | ClipStream) -> frozenset[str]:
    """Names of what :func:`fit_stream` trains and keeps in the cache, for every stream that trains the very same."""
    if isinstance(stream, Stream):
        return frozenset() if isinstance(stream.head, Pretrained) else frozenset({digest_of(stream.describe())})
    from solutions.clips.fitting import clip_trainings

    return clip_trainings(stream)
