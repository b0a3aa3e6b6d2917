"""Scores of a split, all videos laid end to end: what choosing and deciding work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SplitScores:
    """Scores of every official frame of every video, gaps filled; not adjusted, blended, smoothed or decided.

    Attributes:
        lengths: int64 ``(n_videos,)``, frames of each video; ``n`` is their sum.
        streams: one entry a stream, each float32 or float64 ``(n_epochs, n, n_outputs)``: one epoch, unless the epoch
            is chosen on labels too.
        priors: one entry a stream, float64 ``(n_outputs,)``: frequencies in the training labels.
        classifier: float32 or float64 ``(n, 8)``, a pretrained classifier's probabilities in Aff-Wild2's order, with
            Contempt's in the last column; ``None`` without a confidence filter.
    """

    lengths: npt.NDArray[np.int64]
    streams: Sequence[npt.NDArray[Any]]
    priors: Sequence[npt.NDArray[np.float64]]
    classifier: npt.NDArray[Any] | None = None

    def video(self, index: int) -> slice:
        """Frames of one video."""
        stop = int(self.lengths[: index + 1].sum())
        return slice(stop - int(self.lengths[index]), stop)

    def rows(self, members: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Frames of some videos, video after video.

        Args:
            members: int64 ``(m,)``, indices of videos.
        """
        starts = np.cumsum(self.lengths) - self.lengths
        spans = [np.arange(starts[k], starts[k] + self.lengths[k]) for k in members]
        return np.concatenate(spans) if spans else np.empty(0, np.int64)

    def subset(self, members: npt.NDArray[np.int64]) -> SplitScores:
        """The scores of some videos.

        Args:
            members: int64 ``(m,)``, indices of videos.
        """
        rows = self.rows(members)
        return SplitScores(
            self.lengths[members],
            [stream[:, rows] for stream in self.streams],
            self.priors,
            None if self.classifier is None else self.classifier[rows],
        )
