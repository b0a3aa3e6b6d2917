"""Stream of frames, of audio, or of columns side by side: features from the cache, and a head trained on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.errors import SolutionError
from harness.system.provenance import digest_of
from solutions.cache.features import FeatureSource, SplitFeatures
from solutions.heads.head import Head
from solutions.heads.settings import Pretrained
from solutions.heads.train import load_head
from solutions.postprocess.gaps import fill_gaps
from solutions.postprocess.scores import Epochs
from solutions.recipe import ColumnStream, Stream
from solutions.streams.columns import joined_features, source_name
from solutions.streams.training import HeadStream, part_of, trained_head


class FittedFrames:
    """A trained head and its stream of features; implements :class:`solutions.streams.interface.TrainedStream`."""

    def __init__(self, stream: HeadStream, head: Head) -> None:
        """Combine the settings of a stream with its trained head."""
        self.stream = stream
        self.head = head
        self.n_epochs = head.n_epochs
        self.prior = head.prior

    @classmethod
    def fit(cls, stream: HeadStream, source: FeatureSource, data: Dataset, seed: int) -> FittedFrames:
        """Train the head on features of the training videos, or take it from the cache."""
        features = None if isinstance(stream.head, Pretrained) else features_of(stream, source, data, "train")
        return cls(stream, trained_head(stream, features, data, seed, source.settings))

    @classmethod
    def load(cls, stream: HeadStream, folder: Path) -> FittedFrames:
        """Return the stream that :meth:`save` wrote.

        Raises:
            SolutionError: files are missing or don't fit together.
        """
        return cls(stream, load_head(folder))

    @classmethod
    def prepare(cls, stream: HeadStream, source: FeatureSource, data: Dataset, splits: Sequence[str]) -> None:
        """See :meth:`solutions.streams.interface.TrainedStream.prepare`."""
        untrained = isinstance(stream.head, Pretrained)
        for split in dict.fromkeys(splits if untrained else ["train", *splits]):
            features_of(stream, source, data, split)

    @classmethod
    def identities(cls, stream: HeadStream, source: FeatureSource) -> dict[str, Any]:
        """See :meth:`solutions.streams.interface.TrainedStream.identities`."""
        if isinstance(stream, Stream):
            return {stream.encoder: dict(source.identity(stream.encoder))}
        names = dict.fromkeys(map(source_name, stream.columns))
        return {name: dict(source.identity(name, how="own")) for name in names}

    @classmethod
    def trainings(cls, stream: HeadStream) -> frozenset[str]:
        """See :meth:`solutions.streams.interface.TrainedStream.trainings`."""
        return frozenset() if isinstance(stream.head, Pretrained) else frozenset({digest_of(stream.describe())})

    def scores(self, source: FeatureSource, data: Dataset, split: str, notes: list[str]) -> Epochs:
        """See :meth:`solutions.streams.interface.TrainedStream.scores`."""
        encoder, videos = " + ".join(self.stream.encoders), data.videos(split)
        features = features_of(self.stream, source, data, split)
        bare = [video.name for video in videos if not len(features.of(video).frames)]
        notes += [note for note in features.notes if note not in notes]
        notes += [f"{name}: {encoder} knows nothing of it; all get the training set's means" for name in bare]
        if data.task.level == "video":
            return Epochs(self.n_epochs, self._by_video(features, videos))
        return Epochs(self.n_epochs, lambda epoch: self._epoch(epoch, features, videos))

    def save(self, folder: Path) -> None:
        """Write the head."""
        self.head.save(folder)

    def _epoch(self, epoch: int, features: SplitFeatures, videos: Sequence[Video]) -> npt.NDArray[np.float32]:
        parts: list[npt.NDArray[Any]] = []
        for video in videos:
            entry = features.of(video)
            scores = self.head.scores(entry.parts[part_of(self.stream)], epoch)
            parts.append(fill_gaps(entry.frames, scores, video.n_frames, self.prior).astype(np.float32))
        return np.concatenate(parts)

    def _by_video(self, features: SplitFeatures, videos: Sequence[Video]) -> Callable[[int], npt.NDArray[np.float32]]:
        """Return a function that scores all videos with an epoch's weights; a video without features gets the prior."""
        vectors = [features.of(video).parts[part_of(self.stream)] for video in videos]
        has_row = np.array([len(vector) > 0 for vector in vectors])
        rows = np.concatenate(vectors)

        def score(epoch: int) -> npt.NDArray[np.float32]:
            scores = np.tile(self.prior.astype(np.float32), (len(videos), 1))
            if len(rows):
                scores[has_row] = self.head.scores(rows, epoch)
            return scores

        return score


def features_of(stream: HeadStream, source: FeatureSource, data: Dataset, split: str) -> SplitFeatures:
    """Return the features that are the input of a stream's head.

    Raises:
        SolutionError: a stream of frames for a task whose rows are videos.
    """
    if isinstance(stream, ColumnStream):
        return joined_features(source, stream.columns, data, split)
    if data.task.level == "video":
        what, do = f"{data.task.name} has one row per video", "Give the recipe columns that are reduced over time"
        raise SolutionError(what, found=f"{stream.encoder}, a row per frame", do=do)
    return source.features(stream.encoder, data, split)
