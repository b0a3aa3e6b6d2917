"""Box smoothing of scores over time, window truncated at a video's ends (abaw8 and abaw10's procedure)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def box_smooth(scores: npt.NDArray[Any], half_width: int) -> npt.NDArray[np.float64]:
    """Mean over frames ``i - half_width`` to ``i + half_width`` that exist; no padding.

    Cost does not depend on the width: differences of running sums.

    Args:
        scores: ``(n, c)``, one video.
        half_width: frames on each side, 0 for none.

    Returns:
        float64 ``(n, c)``.
    """
    scores = np.asarray(scores, np.float64)
    if half_width == 0 or not len(scores):
        return scores
    n, reach = len(scores), min(half_width, len(scores))
    sums = np.zeros((n + 1, scores.shape[1]))
    np.cumsum(scores, 0, out=sums[1:])
    # slices, not index arrays: nothing is copied twice
    means = np.empty_like(scores)
    means[: n - reach] = sums[reach + 1 :]
    means[n - reach :] = sums[n]
    means[reach:] -= sums[: n - reach]
    frames = np.arange(n)
    means /= (np.minimum(frames + reach + 1, n) - np.maximum(frames - reach, 0))[:, None]
    return means
