"""Rows that an encoder of audio gives: their number, and the time at which each begins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.waveform import SAMPLE_RATE


@dataclass(frozen=True)
class AudioRows:
    """The geometry of an encoder's rows.

    Attributes:
        encoder: name of the encoder.
        step: samples at 16 kHz from one row to the next.
        window: samples that a row needs in full; 0 where the last row is padded.
        chunk_seconds: seconds of audio that are encoded at a time; rows never span two chunks.
    """

    encoder: str
    step: int
    window: int
    chunk_seconds: int

    @property
    def seconds(self) -> float:
        """Seconds from one row to the next."""
        return self.step / SAMPLE_RATE

    def count(self, seconds: float) -> int:
        """Return the number of rows for audio of some seconds."""
        samples, chunk = math.ceil(round(seconds * SAMPLE_RATE, 6)), self.chunk_seconds * SAMPLE_RATE
        return samples // chunk * self._in_chunk(chunk) + self._in_chunk(samples % chunk)

    def start(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the seconds at which rows begin.

        Args:
            rows: float64 ``(n,)``, positions among the rows, fractions included.
        """
        each = self._in_chunk(self.chunk_seconds * SAMPLE_RATE)
        chunks = np.floor(rows / each)
        return np.asarray(chunks * self.chunk_seconds + (rows - chunks * each) * self.step / SAMPLE_RATE, np.float64)

    def _in_chunk(self, samples: int) -> int:
        if not self.window:
            return -(-samples // self.step)
        return max(0, (samples - self.window) // self.step + 1)
