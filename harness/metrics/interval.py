"""Intervals by video: frames of one video are not independent, so videos are drawn, not frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

REPLICATES = 10_000
LEVEL = 0.95
SEED = 0


def bootstrap_weights(n_videos: int, *, replicates: int = REPLICATES, seed: int = SEED) -> Float:
    """How often each video is drawn in each replicate.

    Returns:
        float64 ``(replicates, n_videos)``; each row sums to ``n_videos``. The same arguments give the same draws, so
        that two runs on the same videos are compared pairwise.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(n_videos, np.full(n_videos, 1 / n_videos), size=replicates).astype(np.float64)


def percentile_interval(replicates: Float, *, level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval, ``(low, high)``."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
