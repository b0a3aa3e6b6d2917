"""PyAV's ``decode(video=0)``."""

from __future__ import annotations

import av
from frames import Read, measure_all


def pyav(path: str) -> Read:
    """Return ``stream.frames`` and the decoded frames."""
    container = av.open(path)
    frames = container.decode(video=0)
    return container.streams.video[0].frames, (frame.to_ndarray(format="rgb24") for frame in frames), None


measure_all({f"PyAV {av.__version__}": pyav}, ["av"])
