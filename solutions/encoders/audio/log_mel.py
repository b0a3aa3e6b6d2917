"""Encoders ``log-mel`` and ``log-mel-statistics``: energies of audio in 40 frequency bands, without weights.

One row per 10 ms holds the natural logarithm of the energy in 40 bands from 0 to 8 kHz (HTK's mel scale) of a Hann
window of 25 ms. The statistics are one row per recording, 121 columns: the mean of each band, its standard deviation,
the standard deviation of its differences from row to row, and the length in seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.waveform import RESAMPLING, SAMPLE_RATE
from solutions.encoders.encoder import Part
from solutions.encoders.pooling import Statistics

FORMAT = 1
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""

BANDS = 40
WINDOW, STEP = 400, 160
"""Samples of a window, and from one window to the next: 25 and 10 ms."""

FLOOR = 1e-6
"""Added to the energies: the level of a quiet room, so that digital silence stays close to it."""

_CHUNK_SECONDS = 360


class LogMelEncoder:
    """Log-mel bands as an :class:`~solutions.encoders.encoder.AudioEncoder`: 40 columns, 100 rows per second."""

    name = "log-mel"
    chunk_seconds = _CHUNK_SECONDS
    rows_per_second = SAMPLE_RATE // STEP
    parallel = "batches"

    def __init__(self) -> None:
        """Create the filters."""
        import torch
        from torchaudio.transforms import MelSpectrogram

        self.parts: tuple[Part, ...] = (Part("embeddings", BANDS, np.dtype(np.float32)),)
        self._torch = torch
        self._energies: Any = MelSpectrogram(
            SAMPLE_RATE, n_fft=WINDOW, hop_length=STEP, n_mels=BANDS, center=False, mel_scale="htk"
        )

    def identity(self) -> dict[str, Any]:
        """Return bands, window, floor and chunks."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            "output": f"log of {BANDS} mel bands, HTK, plus {FLOOR}",
            "window": f"Hann, {WINDOW} samples every {STEP}",
            "sample_rate": SAMPLE_RATE,
            "resampling": RESAMPLING,
            "chunk_seconds": self.chunk_seconds,
            "dtype": "float32",
        }

    def encode(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return float32 ``((n - 400) // 160 + 1, 40)``; see :class:`~solutions.encoders.encoder.AudioEncoder`.

        Chunks are encoded separately: a recording of more than 360 s has two rows fewer per border of chunks.
        """
        if len(samples) < WINDOW:
            return np.empty((0, BANDS), np.float32)
        with self._torch.inference_mode():
            energies = self._energies(self._torch.from_numpy(np.ascontiguousarray(samples)))
            return np.asarray((energies + FLOOR).log().T.contiguous().numpy(), np.float32)


class LogMelStatisticsEncoder(LogMelEncoder):
    """Encoder with one row of 121 columns per recording."""

    name = "log-mel-statistics"
    rows_per_second = 0

    def __init__(self) -> None:
        """Create the filters."""
        super().__init__()
        self.row_parts = self.parts
        self.parts = (Part("embeddings", 3 * BANDS + 1, np.dtype(np.float32)),)

    def identity(self) -> dict[str, Any]:
        """Return the identity of the rows, and the statistics that they are reduced to."""
        reduced = "mean, standard deviation, standard deviation of differences, seconds"
        return {**super().identity(), "reduced to": reduced}

    def collector(self) -> LogMelStatistics:
        """Return a collector for the rows of one recording."""
        return LogMelStatistics()


class LogMelStatistics:
    """Collector of statistics of log-mel rows: mean and deviation per band, deviation of differences, duration."""

    def __init__(self) -> None:
        """Start without rows."""
        bands = (Part("embeddings", BANDS, np.dtype(np.float32)),)
        self._bands, self._differences = Statistics(bands), Statistics(bands)
        self._last = np.empty((0, BANDS), np.float32)
        self._n = 0

    def add(self, rows: npt.NDArray[np.float32]) -> None:
        """See :class:`~solutions.encoders.pooling.Collector`."""
        if not len(rows):
            return
        self._bands.add(rows)
        self._differences.add(np.diff(np.concatenate([self._last, rows]), axis=0))
        self._last = rows[-1:]
        self._n += len(rows)

    def result(self) -> npt.NDArray[np.float32]:
        """Return float32 ``(1, 121)``; the deviation of the differences of a single row is 0."""
        if not self._n:
            return np.empty((0, 3 * BANDS + 1), np.float32)
        bands, differences = self._bands.result()[0], self._differences.result()
        spread = differences[0, BANDS : 2 * BANDS] if len(differences) else np.zeros(BANDS, np.float32)
        seconds = np.float32(((self._n - 1) * STEP + WINDOW) / SAMPLE_RATE)
        return np.asarray(np.concatenate([bands[: 2 * BANDS], spread, [seconds]])[None], np.float32)
