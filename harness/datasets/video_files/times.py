"""Times at which the frames of a video file are shown, as decoding tells them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.records.document import Count, Number, Whole

_MICRO = 1_000_000
_MOST = 1e8  # s: a damaged file may claim any time


@dataclass(frozen=True)
class FrameTimes:
    """The time at which each frame is shown; a constant rate takes a few numbers, however long the file is.

    Attributes:
        first: seconds from the start of the video stream, by its container, to the first decoded frame.
        span: seconds from the first frame to the last.
        deviations: microseconds by which frames are later than at a constant rate between these two, in runs of equal
            values: a value and the number of frames that have it.
    """

    first: Number
    span: Number
    deviations: tuple[tuple[Whole, Count], ...]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return sum(count for _, count in self.deviations)

    def seconds(self) -> npt.NDArray[np.float64]:
        """Return seconds from the first frame to each frame, float64 ``(n,)``, to the microsecond."""
        n = self.frames
        late = np.repeat([value for value, _ in self.deviations], [count for _, count in self.deviations])
        return np.asarray(_even(n, self.span) + late / _MICRO, np.float64)

    @functools.cached_property
    def usual_step(self) -> float:
        """Seconds from a frame to the next for most frames; 0 for fewer than two frames."""
        steps = np.diff(self.seconds())
        return float(np.median(steps)) if len(steps) else 0.0

    @property
    def duration(self) -> float:
        """Seconds for which all frames are shown; the last one counts as long as most others."""
        return self.span + self.usual_step


def frame_times(milliseconds: Sequence[float] | npt.NDArray[np.float64]) -> FrameTimes:
    """Return the times of frames from OpenCV's positions.

    Args:
        milliseconds: position of each frame in turn, at least one.
    """
    at = np.nan_to_num(np.asarray(milliseconds, np.float64) / 1000, nan=0.0).clip(-_MOST, _MOST)
    late = np.rint((at - at[0] - _even(len(at), at[-1] - at[0])) * _MICRO).astype(np.int64)
    runs = tuple((int(value), len(list(group))) for value, group in itertools.groupby(late.tolist()))
    return FrameTimes(float(at[0]), float(at[-1] - at[0]), runs)


def _even(n: int, span: float) -> npt.NDArray[np.float64]:
    """Return n times at a constant rate from 0 to ``span``."""
    return np.arange(n) * (span / max(n - 1, 1))
