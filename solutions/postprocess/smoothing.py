"""Smoothing of scores over a window of frames that is truncated at a video's ends (abaw8 and abaw10's procedure).

All functions take many videos laid end to end, and are fastest on contiguous columns (Fortran order).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.system.counts import counted
from solutions.postprocess.crops import CropFrames

Float = npt.NDArray[np.float64]
Lengths = npt.NDArray[np.int64]
Kind = Literal["box", "median"]


def smooth(
    kind: Kind,
    scores: npt.NDArray[Any],
    half_width: int,
    lengths: Lengths | None = None,
    crops: CropFrames | None = None,
) -> Float:
    """Return scores smoothed by :func:`box_smooth` or :func:`median_smooth`.

    Args:
        kind: ``box`` for the mean, or ``median``.
        scores: ``(n, c)``.
        half_width: frames on each side, 0 for no smoothing.
        lengths: frames of each video, summing to ``n``; one video by default.
        crops: frames with a crop, if the window covers these alone.

    Returns:
        float64 ``(n, c)``.
    """
    average = box_smooth if kind == "box" else median_smooth
    if crops is None or half_width == 0:
        return average(scores, half_width, lengths)
    return crops.spread(average(crops.filled(scores), half_width, crops.lengths))


def box_smoother(
    scores: npt.NDArray[Any], lengths: Lengths | None = None, crops: CropFrames | None = None
) -> Callable[[int], Float]:
    """Return a function from half width to smoothed scores, which sums the scores once for all widths.

    Args:
        scores: ``(n, c)``.
        lengths: frames of each video, summing to ``n``; one video by default.
        crops: frames with a crop, if the window covers these alone.
    """
    if crops is None:
        return RunningSums(scores, lengths).means
    values, sums = np.asarray(scores, np.float64), RunningSums(crops.filled(scores), crops.lengths)
    return lambda half_width: crops.spread(sums.means(half_width)) if half_width else values


def box_smooth(scores: npt.NDArray[Any], half_width: int, lengths: Lengths | None = None) -> Float:
    """Return the mean over frames ``i - half_width`` to ``i + half_width``, without padding (abaw10, section 3.1).

    Means are differences of running sums, so that the cost is the same for every width.

    Args:
        scores: ``(n, c)``.
        half_width: frames on each side, 0 for no smoothing.
        lengths: frames of each video, summing to ``n``; one video by default.

    Returns:
        float64 ``(n, c)``.
    """
    return RunningSums(scores, lengths).means(half_width) if half_width else np.asarray(scores, np.float64)


class RunningSums:
    """Sums of each video's scores from its first frame on, from which means of any width follow.

    Args:
        scores: ``(n, c)``.
        lengths: frames of each video, summing to ``n``; one video by default.
    """

    def __init__(self, scores: npt.NDArray[Any], lengths: Lengths | None = None) -> None:
        """Convert the scores to float64; sums follow at first use."""
        self.scores = np.asarray(scores, np.float64)
        self.videos = _videos(self.scores, lengths)

    @cached_property
    def sums(self) -> list[Float]:
        """Running sums of each video, float64 ``(frames + 1, c)``, starting with 0."""
        return [_running_sums(self.scores[video]) for video in self.videos]

    def means(self, half_width: int) -> Float:
        """Return the means at a half width, float64 ``(n, c)``, as :func:`box_smooth` does."""
        if half_width == 0:
            return self.scores
        means = np.empty_like(self.scores)
        for video, sums in zip(self.videos, self.sums, strict=True):
            _differences(sums, half_width, means[video])
        return means


def _running_sums(scores: Float) -> Float:
    sums = np.empty_like(scores, shape=(len(scores) + 1, scores.shape[1]))
    sums[0] = 0
    np.cumsum(scores, 0, out=sums[1:])
    return sums


def _differences(sums: Float, half_width: int, means: Float) -> None:
    """Write the means of one video to ``means``, from its running sums, by slices instead of single frames."""
    n = len(means)
    reach = min(half_width, n)
    # the window is complete from frame `reach` to frame `n - reach`, if the video is that long
    start, stop = min(reach, n - reach), max(reach, n - reach)
    if n > 2 * reach:
        np.subtract(sums[2 * reach + 1 :], sums[: n - 2 * reach], out=means[start:stop])
    else:
        means[start:stop] = sums[n]
    means[:start] = sums[reach + 1 : reach + 1 + start]
    np.subtract(sums[n], sums[n - start - reach : n - reach], out=means[stop:])
    frames = np.arange(n, dtype=np.float64)
    means /= (np.minimum(frames + (reach + 1), n) - np.maximum(frames - reach, 0))[:, None]


def median_smooth(scores: npt.NDArray[Any], half_width: int, lengths: Lengths | None = None) -> Float:
    """Return the median over the frames that :func:`box_smooth` averages.

    The median of an even number of frames is the mean of the two in the middle. Arguments and result are those of
    :func:`box_smooth`.
    """
    import pandas as pd

    scores = np.asarray(scores, np.float64)
    if half_width == 0:
        return scores
    medians = np.empty_like(scores)
    for video in _videos(scores, lengths):
        # limit the window to the video: pandas allocates memory for the whole window
        window = 2 * min(half_width, video.stop - video.start) + 1
        medians[video] = pd.DataFrame(scores[video]).rolling(window, center=True, min_periods=1).median()
    return medians


def _videos(scores: Float, lengths: Lengths | None) -> list[slice]:
    """Return the rows of each video with at least one frame.

    Raises:
        ValueError: ``lengths`` don't sum to the number of scores.
    """
    lengths = np.array([len(scores)]) if lengths is None else np.asarray(lengths, np.int64)
    if lengths.sum() != len(scores):
        raise ValueError(f"the videos have {counted(lengths.sum(), 'frame')} in all, the scores {len(scores)}")
    stops = np.cumsum(lengths)
    return [slice(int(stop - n), int(stop)) for n, stop in zip(lengths, stops, strict=True) if n]
