"""Smoothing as abaw10's authors do it on validation: over frames with a crop, up to the last of these.

Their arrays hold scores of frames with a crop, for images and audio alike, interpolate between them, and end at the
last one. Their score leaves out later frames; here these get the smoothed scores of the last frame with a crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from solutions.postprocess.gaps import neighbours

Float = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class CropFrames:
    """Frames with a crop of all videos laid end to end.

    Args:
        lengths: int64 ``(n_videos,)``, official frames of each video.
        crops: 1-based rising numbers of the frames with a crop, one array per video. In a video without crops all
            frames count.
    """

    def __init__(self, lengths: Integers, crops: Sequence[Integers]) -> None:
        """Work out which crops each frame lies between."""
        starts = np.cumsum(lengths) - lengths
        befores, afters, shares, places, ends, at = [], [], [], [], [], 0
        for start, n, frames in zip(starts, lengths, crops, strict=True):
            inside = frames[frames <= n] if (frames <= n).any() else np.arange(1, n + 1)
            end = int(inside.max(initial=0))
            before, after, share = neighbours(inside, end)
            befores.append(start + inside[before] - 1)
            afters.append(start + inside[after] - 1)
            shares.append(share)
            places.append(at + np.minimum(np.arange(n), end - 1))
            ends.append(end)
            at += end
        self.lengths = np.array(ends, np.int64)
        """Frames of each video up to its last crop, int64 ``(n_videos,)``."""
        self._before, self._after = _joined(befores), _joined(afters)
        self._share = np.concatenate([*shares, np.empty(0)])
        self._place = _joined(places)

    def filled(self, scores: npt.NDArray[Any]) -> Float:
        """Return scores of each frame up to the last crop, interpolated between crops.

        Args:
            scores: ``(n, c)``, of all frames.

        Returns:
            float64 ``(m, c)``, ``m`` the sum of :attr:`lengths`.
        """
        columns = np.asarray(scores, np.float64).T
        before, after, share = self._before, self._after, self._share
        return np.asarray([(1 - share) * column[before] + share * column[after] for column in columns]).T

    def spread(self, rows: Float) -> Float:
        """Return one row per official frame; frames after a video's last crop repeat the row of that crop.

        Args:
            rows: ``(m, c)``, as :meth:`filled` returns.

        Returns:
            float64 ``(n, c)``.
        """
        return np.asarray([column[self._place] for column in rows.T]).T


def _joined(parts: Sequence[Integers]) -> Integers:
    return np.asarray(np.concatenate([*parts, np.empty(0, np.int64)]), np.int64)
