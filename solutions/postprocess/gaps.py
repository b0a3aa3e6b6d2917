"""Scores for frames without a crop: linear between detections, constant at the ends (abaw8 and abaw10's procedure)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def fill_gaps(
    frames: npt.NDArray[np.int64], scores: npt.NDArray[Any], n_frames: int, fallback: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return scores for every frame of a video.

    Args:
        frames: int64 ``(k,)``, increasing 1-based numbers of the frames that have scores.
        scores: ``(k, c)``.
        n_frames: official number of frames; scores of frames beyond it are left out.
        fallback: ``(c,)``, scores of every frame if ``frames`` is empty.

    Returns:
        float64 ``(n_frames, c)``. Rows between two detections are weighted by closeness, so that rows which sum to 1
        still do.
    """
    inside = frames <= n_frames
    frames, scores = frames[inside], np.asarray(scores[inside], np.float64)
    if not len(frames):
        return np.tile(np.asarray(fallback, np.float64), (n_frames, 1))
    before, after, share = neighbours(frames, n_frames)
    return np.asarray((1 - share[:, None]) * scores[before] + share[:, None] * scores[after])


def neighbours(
    frames: npt.NDArray[np.int64], n_frames: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the detections that each frame lies between, and its relative position between them.

    Args:
        frames: int64 ``(k,)``, rising 1-based numbers of the frames that have scores; empty only if ``n_frames`` is 0.
        n_frames: number of frames, from 1 on.

    Returns:
        Indices into ``frames`` of the detection before and of the one after, int64 ``(n_frames,)`` each; they are equal
        at a detection and beyond the ends. And the share of the way from the former to the latter, float64.
    """
    asked = np.arange(1, n_frames + 1)
    after = np.searchsorted(frames, asked).clip(max=len(frames) - 1)
    before = np.searchsorted(frames, asked, side="right").clip(min=1) - 1
    span = frames[after] - frames[before]
    share = np.divide(asked - frames[before], span, out=np.zeros(n_frames), where=span > 0)
    return before, after, share
