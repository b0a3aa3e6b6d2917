"""Scores for frames without a crop: linear between detections, held at the ends (abaw8 and abaw10's procedure)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def fill_gaps(
    frames: npt.NDArray[np.int64], scores: npt.NDArray[Any], n_frames: int, fallback: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """A score for every frame of a video.

    Args:
        frames: int64 ``(k,)``, increasing 1-based numbers of the frames that have scores.
        scores: ``(k, c)``.
        n_frames: official number of frames; scores of frames beyond it are left out.
        fallback: ``(c,)``, scores of a video in which no frame has any.

    Returns:
        float64 ``(n_frames, c)``. Rows between two detections are weighted by closeness, so that rows which sum to 1
        still do.
    """
    inside = frames <= n_frames
    frames, scores = frames[inside], np.asarray(scores[inside], np.float64)
    if not len(frames):
        return np.tile(np.asarray(fallback, np.float64), (n_frames, 1))
    wanted = np.arange(1, n_frames + 1)
    after = np.searchsorted(frames, wanted).clip(max=len(frames) - 1)
    before = np.searchsorted(frames, wanted, side="right").clip(min=1) - 1
    span = frames[after] - frames[before]
    share = np.divide(wanted - frames[before], span, out=np.zeros(n_frames), where=span > 0)[:, None]
    return np.asarray((1 - share) * scores[before] + share * scores[after])
