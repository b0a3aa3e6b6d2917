"""Resampling of rows with their own rate, such as audio features, to the frames of a video."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError

How = Literal["point", "mean", "linear"]


def stretch(rows: npt.NDArray[Any], n_frames: int, how: How = "point") -> npt.NDArray[Any]:
    """Return one row per frame: frame ``k`` of ``F``, counted from 0, spans rows ``k t / F`` to ``(k + 1) t / F``.

    The papers' authors take the first row of the span, ``audio[int(k * len(audio) / F)]``. Their ``F`` is OpenCV's
    count of frames plus one, which differs from the official count in about half of the videos; here ``F`` is the
    official count. Positions are exact integer divisions, because a rounded ``len(audio) / F`` may land one row early.

    Args:
        rows: ``(t, d)``, evenly spaced from the video's start to its end; ``t`` at least 1.
        n_frames: official number of frames.
        how: ``point``: the first row of the span. ``mean``: the average of the rows that begin in the span, or the
            span's first row if it is shorter than a row; summed in float64. ``linear``: see :func:`stretch_linearly`.

    Returns:
        ``(n_frames, d)``, of the rows' dtype.

    Raises:
        SolutionError: there are no rows.
    """
    if not len(rows):
        raise SolutionError("no rows to stretch over the video's frames")
    if how == "linear":
        return stretch_linearly(rows, n_frames)
    first = np.arange(n_frames, dtype=np.int64) * len(rows) // max(n_frames, 1)
    if how == "point" or not n_frames:
        return np.asarray(rows[first])
    counts = np.diff(first, append=len(rows)).clip(min=1)
    # where a row serves several frames, reduceat gives the row itself
    sums = np.add.reduceat(rows, first, axis=0, dtype=np.float64)
    return np.asarray(sums / counts[:, None], rows.dtype)


def stretch_linearly(rows: npt.NDArray[Any], n_frames: int) -> npt.NDArray[Any]:
    """Return one row per frame, interpolated linearly so that first and last rows coincide (abaw8's authors, for AH).

    The source position of frame ``k`` of ``N``, counted from 0, is ``k (T - 1) / (N - 1)``. A single frame gets the
    first row, and a single row is repeated.

    Args:
        rows: ``(T, d)``; ``T`` at least 1.
        n_frames: official number of frames, ``N``.

    Returns:
        ``(n_frames, d)``, of the rows' dtype; interpolated in float64.
    """
    last, steps = len(rows) - 1, max(n_frames - 1, 1)
    numerators = np.arange(n_frames, dtype=np.int64) * last
    before = numerators // steps
    share = ((numerators - before * steps) / steps)[:, None]
    after = np.minimum(before + 1, last)
    rows = np.asarray(rows)
    return np.asarray((1 - share) * rows[before] + share * rows[after], rows.dtype)
