"""PyAV: all decoded samples laid end to end, as most scripts do."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from samples import measure_all


def pyav(path: str) -> tuple[Any, int]:
    """Return the decoded samples of the first channel and their rate."""
    with av.open(path) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), frames[0].sample_rate


measure_all({f"PyAV {av.__version__}": pyav}, ["av"])
