"""Rows at a rate of their own, such as features of sound, brought to a video's frames."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError

How = Literal["point", "mean", "linear"]


def stretch(rows: npt.NDArray[Any], n_frames: int, how: How = "point") -> npt.NDArray[Any]:
    """One row a frame: frame ``k`` of ``F``, from 0, spans rows ``k t / F`` to ``(k + 1) t / F``.

    The papers' authors take the row at the span's beginning, ``audio[int(k * len(audio) / F)]``. Their ``F`` is
    OpenCV's count of frames and one more, which misses the official count in about half of the videos; here it is the
    official one. The positions are exact whole-number divisions, where a rounded ``len(audio) / F`` may land one row
    early.

    Args:
        rows: ``(t, d)``, evenly spaced from the video's start to its end; ``t`` at least 1.
        n_frames: official number of frames.
        how: ``point``: the first row of the span. ``mean``: the average of the rows that begin in it, or the first
            row where none does; summed in float64.

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
    """Return one row per frame, interpolated between rows, both ends hit exactly (abaw8's authors, for AH).

    The source position of frame ``k`` of ``N``, from 0, is ``k (T - 1) / (N - 1)``. A single frame gets the first row,
    and a single row is repeated.

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
