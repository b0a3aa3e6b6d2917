"""Thresholds of action units, each the best for the unit's F1, so that the mean over units is the best, too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DEFAULT = 0.5


def best_threshold(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the threshold with the best F1 among all scores; ``>=`` means present (abaw10, sec. 3.2, without a grid).

    Only scores of present frames are tried: lowering the threshold between two of them adds nothing but false alarms.
    The highest of equally good thresholds wins.

    Args:
        scores: float64 ``(n,)``.
        labels: bool ``(n,)``.

    Returns:
        Threshold and F1; the default and 0 where the unit is never present.
    """
    there, absent = np.sort(scores[labels]), np.sort(scores[~labels])
    if not len(there):
        return DEFAULT, 0.0
    hits = len(there) - np.searchsorted(there, there)  # equal scores are all hits
    alarms = len(absent) - np.searchsorted(absent, there)
    f1 = 2 * hits / (hits + alarms + len(there))
    best = len(f1) - 1 - int(np.argmax(f1[::-1]))
    return float(there[best]), float(f1[best])
