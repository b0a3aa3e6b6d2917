"""Arrays over the frames of many videos, one video after the other: selection, video of a frame, and shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]


def counted(valid: npt.NDArray[np.bool_], lengths: npt.ArrayLike, *arrays: npt.NDArray[Any]) -> tuple[Any, ...]:
    """Drop the frames without a valid label.

    Args:
        valid: bool ``(n,)``, frames to keep.
        lengths: frames of each video, ``(n_videos,)``.
        arrays: arrays over the frames, ``(n, ...)`` each.

    Returns:
        int64 ``(n_videos,)``, number of valid frames of each video, then the arrays with the valid frames only.

    Raises:
        ValueError: the lengths don't add up to ``n``, or an array has another length.
    """
    lengths = np.asarray(lengths, np.int64)
    if valid.ndim != 1:
        raise ValueError(f"labels must be one-dimensional, got {valid.shape}")
    if lengths.sum() != len(valid) or any(len(array) != len(valid) for array in arrays):
        longs = ", ".join(str(len(array)) for array in arrays)
        raise ValueError(f"labels and decisions must be equally long and fill the videos: {longs} of {lengths.sum()}")
    if valid.all():
        return lengths, *arrays
    ends = np.cumsum(lengths).tolist()
    of_videos = zip([0, *ends], ends, strict=False)
    counts = np.array([np.count_nonzero(valid[start:end]) for start, end in of_videos], np.int64)
    return counts, *(np.compress(valid, array, axis=0) for array in arrays)


def video_of_frame(lengths: Int) -> Int:
    """Return the index of each frame's video, int64 ``(n,)``."""
    return np.repeat(np.arange(len(lengths)), lengths)


def whole_numbers(values: npt.NDArray[Any]) -> Int:
    """Return the values as int64.

    Raises:
        ValueError: a value is no whole number.
    """
    whole = values.astype(np.int64, copy=False)
    if values.dtype.kind == "f" and not np.array_equal(whole, values):
        raise ValueError("expected whole numbers, got fractions")
    return whole


def share(part: npt.ArrayLike, whole: npt.ArrayLike) -> Float:
    """Return ``part / whole``, and 0 for a whole of 0; float64 of their common shape."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole != 0)
