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
    n = len(scores)
    sums = np.concatenate([np.zeros((1, scores.shape[1])), np.cumsum(scores, 0)])
    low = np.maximum(np.arange(n) - half_width, 0)
    high = np.minimum(np.arange(n) + half_width + 1, n)
    return (sums[high] - sums[low]) / (high - low)[:, None]
