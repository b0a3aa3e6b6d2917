"""Filter of whole videos, fitted on labels of the training videos (abaw8, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError
from harness.system.counts import counted
from solutions.cache.features import FeatureSource
from solutions.heads.head import Head
from solutions.heads.train import load_head, train_head
from solutions.postprocess.plan import VideoFilter
from solutions.streams.columns import opened_columns


@dataclass(frozen=True)
class FittedFilter:
    """A fitted classifier of whole videos: if it decides for absent, all frames of the video become 0."""

    step: VideoFilter
    head: Head

    @classmethod
    def fit(cls, step: VideoFilter, source: FeatureSource, data: Dataset) -> FittedFilter:
        """Fit the classifier on the training videos.

        Raises:
            DataError: no training video has both a label and features.
        """
        videos = [video for video in data.videos("train") if label_of(video) is not None]
        _, read = opened_columns(source, step.columns, data, "train")
        vectors = [read(video).parts["embeddings"] for video in videos]
        classes = [np.full(len(vector), label_of(video)) for vector, video in zip(vectors, videos, strict=True)]
        if not sum(map(len, classes)):
            what, do = "the filter of whole videos has no training video with label and features", "See abaw data check"
            raise DataError(what, where=data.root, found=step.columns.encoder, do=do)
        labels = np.concatenate(classes).astype(np.int64)
        task = replace(data.task, level="video")
        return cls(step, train_head(step.head, [np.concatenate(vectors)], [labels], task, seed=0))

    @classmethod
    def load(cls, step: VideoFilter, folder: Path) -> FittedFilter:
        """Load a filter that :meth:`save` wrote.

        Raises:
            SolutionError: files are missing or don't fit together.
        """
        return cls(step, load_head(folder))

    def save(self, folder: Path) -> None:
        """Write the classifier."""
        self.head.save(folder)

    def passing(self, source: FeatureSource, data: Dataset, split: str, notes: list[str]) -> npt.NDArray[np.bool_]:
        """Return True for each row of a split whose video passes the filter, bool ``(n,)``.

        Args:
            source: source of features, with the cache.
            data: the data set.
            split: the split to filter.
            notes: list that receives a line for videos without features, which pass, and one for inferred labels.
        """
        videos = data.videos(split)
        _, read = opened_columns(source, self.step.columns, data, split)
        vectors = [read(video).parts["embeddings"] for video in videos]
        verdicts = np.ones(len(videos), bool)
        known = np.array([len(vector) > 0 for vector in vectors])
        if known.any():
            verdicts[known] = self.head.scores(np.concatenate(vectors))[:, 1] >= 0.5
        if not known.all():
            bare = [video.name for video, has in zip(videos, known, strict=True) if not has]
            more = f" and {len(bare) - 1} more" if bare[1:] else ""
            notes.append(f"{self.step.columns.encoder} knows nothing of {bare[0]}{more}: the filter lets them pass")
        if note := inferred_labels(data.videos("train")):
            notes.append(note)
        return np.repeat(verdicts, [video.n_rows for video in videos])


def label_of(video: Video) -> int | None:
    """Return the label of a whole video from the data set if it has one, else 1 if any frame is labelled 1.

    A video without any label has the label ``None``.
    """
    if video.video_label is not None:
        return video.video_label
    return None if video.labels is None else int((video.labels == 1).any())


def inferred_labels(videos: Sequence[Video]) -> str:
    """Return a note on videos whose labels were inferred from frames; empty if the data set labels all videos."""
    inferred = sum(video.video_label is None and video.labels is not None for video in videos)
    if not inferred:
        return ""
    inference = "present where any of their frames is"
    return f"labels of {inferred} of {counted(len(videos), 'training video')} were inferred for the filter: {inference}"
