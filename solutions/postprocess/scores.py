"""Scores of a split, all videos laid end to end: the input of tuning and post-processing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from solutions.heads.settings import Select
from solutions.postprocess.crops import CropFrames


class Epochs(Sequence[npt.NDArray[Any]]):
    """Scores of a stream's epochs, computed at first access and cached, because an epoch may cost an inference.

    Args:
        n: number of epochs.
        make: function that computes the scores of an epoch, counted from 0.
    """

    def __init__(self, n: int, make: Callable[[int], npt.NDArray[Any]]) -> None:
        """Start with an empty cache."""
        self._n = n
        self._make = make
        self._cache: dict[int, npt.NDArray[Any]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of epochs."""
        return self._n

    def __getitem__(self, epoch: Any) -> Any:
        """Return the scores of an epoch; safe to call from several threads."""
        if not 0 <= epoch < self._n:
            raise IndexError(epoch)
        with self._lock:
            if epoch not in self._cache:
                self._cache[epoch] = self._make(epoch)
            return self._cache[epoch]


@dataclass(frozen=True)
class SplitScores:
    """Scores of every official row of every video, gaps filled, before they are adjusted, blended and smoothed.

    Attributes:
        lengths: int64 ``(n_videos,)``, rows of each video, 1 for tasks of level ``video``; ``n`` is their sum.
        streams: one entry per stream: its epochs to choose from on labels, each float32 or float64 ``(n, n_outputs)``.
        priors: one entry per stream, float64 ``(n_outputs,)``: frequencies in the training labels.
        classifier: float32 or float64 ``(n, 8)``, a pretrained classifier's probabilities in Aff-Wild2's order, with
            Contempt's in the last column; ``None`` without a confidence filter.
        passing: bool ``(n,)``, frames of videos that the filter of whole videos lets pass; ``None`` without one.
        selection: number by which the epoch of each stream is chosen; the task's score for all by default.
        patience: patience of each stream's choice, see :class:`~solutions.heads.settings.MlpSettings`; 0 by default.
        crops: 1-based rising frames with a crop, one entry per video, if smoothing uses these alone; else ``None``.
    """

    lengths: npt.NDArray[np.int64]
    streams: Sequence[Sequence[npt.NDArray[Any]]]
    priors: Sequence[npt.NDArray[np.float64]]
    classifier: npt.NDArray[Any] | None = None
    passing: npt.NDArray[np.bool_] | None = None
    selection: Sequence[Select] = ()
    patience: Sequence[int] = ()
    crops: Sequence[npt.NDArray[np.int64]] | None = None

    @cached_property
    def crop_frames(self) -> CropFrames | None:
        """Frames with a crop, prepared for smoothing; ``None`` if smoothing uses all frames."""
        return None if self.crops is None else CropFrames(self.lengths, self.crops)

    def video(self, index: int) -> slice:
        """Return the rows of one video."""
        stop = int(self.lengths[: index + 1].sum())
        return slice(stop - int(self.lengths[index]), stop)

    def rows(self, members: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the row numbers of some videos, video after video.

        Args:
            members: int64 ``(m,)``, indices of videos.
        """
        starts = np.cumsum(self.lengths) - self.lengths
        ranges = [np.arange(starts[k], starts[k] + self.lengths[k]) for k in members]
        return np.concatenate(ranges) if ranges else np.empty(0, np.int64)

    def subset(self, members: npt.NDArray[np.int64]) -> SplitScores:
        """Return the scores of some videos.

        Args:
            members: int64 ``(m,)``, indices of videos.
        """
        rows = self.rows(members)
        return SplitScores(
            self.lengths[members],
            [Epochs(len(stream), lambda epoch, stream=stream: stream[epoch][rows]) for stream in self.streams],  # type: ignore[misc]
            self.priors,
            None if self.classifier is None else self.classifier[rows],
            None if self.passing is None else self.passing[rows],
            self.selection,
            self.patience,
            None if self.crops is None else [self.crops[k] for k in members],
        )
