"""A stream of frames, or of sound: features from the cache, and a head trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.system.provenance import digest_of
from solutions.cache.features import FeatureSource, SplitFeatures
from solutions.heads.head import Head
from solutions.heads.settings import Pretrained
from solutions.heads.train import load_head
from solutions.postprocess.gaps import fill_gaps
from solutions.postprocess.scores import Epochs
from solutions.recipe import Stream
from solutions.streams.training import trained_head


class FittedFrames:
    """A head that knows where its features come from; implements :class:`solutions.streams.interface.TrainedStream`."""

    def __init__(self, stream: Stream, head: Head) -> None:
        self.stream = stream
        self.head = head
        self.n_epochs = head.n_epochs
        self.prior = head.prior

    @classmethod
    def fit(cls, stream: Stream, source: FeatureSource, data: Dataset, seed: int) -> FittedFrames:
        """Train the head on features of the training videos, or take it from the cache."""
        features = None if isinstance(stream.head, Pretrained) else source.features(stream.encoder, data, "train")
        return cls(stream, trained_head(stream, features, data, seed, source.settings))

    @classmethod
    def load(cls, stream: Stream, folder: Path) -> FittedFrames:
        """What :meth:`save` wrote.

        Raises:
            SolutionError: files are missing or don't fit together.
        """
        return cls(stream, load_head(folder))

    @classmethod
    def prepare(cls, stream: Stream, source: FeatureSource, data: Dataset, splits: Sequence[str]) -> None:
        """See :meth:`solutions.streams.interface.TrainedStream.prepare`."""
        untrained = isinstance(stream.head, Pretrained)
        for split in dict.fromkeys(splits if untrained else ["train", *splits]):
            source.features(stream.encoder, data, split)

    @classmethod
    def identities(cls, stream: Stream, source: FeatureSource) -> dict[str, Any]:
        """See :meth:`solutions.streams.interface.TrainedStream.identities`."""
        return {stream.encoder: dict(source.identity(stream.encoder))}

    @classmethod
    def trainings(cls, stream: Stream) -> frozenset[str]:
        """See :meth:`solutions.streams.interface.TrainedStream.trainings`."""
        return frozenset() if isinstance(stream.head, Pretrained) else frozenset({digest_of(stream.describe())})

    def scores(self, source: FeatureSource, data: Dataset, split: str, notes: list[str]) -> Epochs:
        """See :meth:`solutions.streams.interface.TrainedStream.scores`."""
        encoder, videos = self.stream.encoder, data.videos(split)
        features = source.features(encoder, data, split)
        bare = [video.name for video in videos if not len(features.of(video).frames)]
        notes += [note for note in features.notes if note not in notes]
        notes += [f"{name}: {encoder} knows nothing of it; all get the training set's means" for name in bare]
        return Epochs(self.n_epochs, lambda epoch: self._epoch(epoch, features, videos))

    def save(self, folder: Path) -> None:
        """Write the head."""
        self.head.save(folder)

    def _epoch(self, epoch: int, features: SplitFeatures, videos: Sequence[Video]) -> npt.NDArray[np.float32]:
        parts: list[npt.NDArray[Any]] = []
        for video in videos:
            own = features.of(video)
            scores = self.head.scores(own.parts[self.stream.part], epoch)
            parts.append(fill_gaps(own.frames, scores, video.n_frames, self.prior).astype(np.float32))
        return np.concatenate(parts)
