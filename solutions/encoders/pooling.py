"""Reduction of rows to one row per video during encoding: mean, standard deviation, minimum and maximum.

The HuBERT rows of EMI's 12,660 clips would take 18 GB; their statistics, ``stat:hubert``, take 200 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from solutions.encoders.encoder import AudioEncoder, Part, TextEncoder, encode_clips, spans, total_dim
from solutions.encoders.names import STAT

STATISTICS = ("mean", "standard deviation", "minimum", "maximum")
"""Blocks of columns of a reduced part, in order; each is as wide as the part before reduction."""

FORMAT = 1
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""


class Collector(Protocol):
    """Collector of the rows of one video or recording, in order, one chunk at a time."""

    def add(self, rows: npt.NDArray[np.float32]) -> None:
        """Add the next rows, float32 ``(t, dim)``; t may be 0."""

    def result(self) -> npt.NDArray[np.float32]:
        """Return the collected rows, float32 ``(k, columns)``; k is 0 if no rows were added."""


class Rows:
    """Collector of all rows as they are.

    Args:
        dim: number of columns.
    """

    def __init__(self, dim: int) -> None:
        """Start without rows."""
        self._rows = [np.empty((0, dim), np.float32)]

    def add(self, rows: npt.NDArray[np.float32]) -> None:
        """See :class:`Collector`."""
        self._rows.append(rows)

    def result(self) -> npt.NDArray[np.float32]:
        """Return float32 ``(t, dim)``."""
        return np.concatenate(self._rows)


class Statistics:
    """Mean, standard deviation (divided by n), minimum and maximum of each column, in float64.

    Moments of chunks are combined by Chan's formula, which preserves the precision of a column with a large mean and a
    small deviation. The result does not depend on the sizes of the chunks.

    Args:
        parts: blocks of columns; each is reduced to the four statistics side by side.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        """Start without rows."""
        self._parts = tuple(parts)
        self._n = 0
        width = total_dim(parts)
        self._mean = np.zeros(width)
        self._squares = np.zeros(width)
        self._low, self._high = np.full(width, np.inf), np.full(width, -np.inf)

    def add(self, rows: npt.NDArray[np.float32]) -> None:
        """See :class:`Collector`."""
        n = len(rows)
        if not n:
            return
        mean = rows.mean(0, dtype=np.float64)
        squares = np.square(rows - mean).sum(0)
        total = self._n + n
        step = mean - self._mean
        self._squares += squares + step**2 * (self._n * n / total)
        self._mean += step * (n / total)
        self._n = total
        np.minimum(self._low, rows.min(0), out=self._low)
        np.maximum(self._high, rows.max(0), out=self._high)

    def result(self) -> npt.NDArray[np.float32]:
        """Return float32 ``(1, 4 * dim)``, part by part, each with :data:`STATISTICS` in order."""
        if not self._n:
            return np.empty((0, 4 * total_dim(self._parts)), np.float32)
        four = (self._mean, np.sqrt(self._squares / self._n), self._low, self._high)
        blocks = [values[span] for span in spans(self._parts).values() for values in four]
        return np.asarray(np.concatenate(blocks)[None], np.float32)


def reduced_parts(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts of reduced features: four times as wide, float32."""
    return tuple(Part(part.name, 4 * part.dim, np.dtype(np.float32)) for part in parts)


def statistics_of(parts: Sequence[Part], rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the statistics of rows that are in memory.

    Args:
        parts: blocks of columns of the rows.
        rows: ``(t, total_dim(parts))``.

    Returns:
        float32 ``(1, 4 * total_dim(parts))``, or an array with 0 rows if t is 0.
    """
    collector = Statistics(parts)
    collector.add(np.asarray(rows, np.float32))
    return collector.result()


class ReducedAudioEncoder:
    """Audio encoder for which the cache stores one row of statistics per recording."""

    def __init__(self, encoder: AudioEncoder) -> None:
        """Wrap an encoder whose rows are reduced to statistics."""
        self.name = STAT + encoder.name
        self.parts = reduced_parts(encoder.parts)
        self.row_parts = encoder.parts
        self.chunk_seconds = encoder.chunk_seconds
        self.rows_per_second = 0
        self.parallel = getattr(encoder, "parallel", "threads")
        self.seconds_together = getattr(encoder, "seconds_together", 0)
        self.device = getattr(encoder, "device", "cpu")
        self._encoder = encoder

    def identity(self) -> dict[str, Any]:
        """Return the identity of the rows, and the statistics that they are reduced to."""
        return _reduced_identity(self._encoder.identity(), self.name)

    def encode(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the rows of a chunk; :meth:`collector` reduces them."""
        return self._encoder.encode(samples)

    def encode_together(self, clips: Sequence[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
        """Return the rows of several clips."""
        return encode_clips(self._encoder, clips)

    def collector(self) -> Collector:
        """Return a collector for the rows of one recording."""
        return Statistics(self.row_parts)


class ReducedTextEncoder:
    """Text encoder for which the cache stores one row of statistics per text."""

    def __init__(self, encoder: TextEncoder) -> None:
        """Wrap an encoder whose rows are reduced to statistics."""
        self.name = STAT + encoder.name
        self.parts = reduced_parts(encoder.parts)
        self.batch_size = encoder.batch_size
        self.parallel = getattr(encoder, "parallel", "threads")
        self.row_parts = encoder.parts
        self._encoder = encoder

    def identity(self) -> dict[str, Any]:
        """Return the identity of the rows, and the statistics that they are reduced to."""
        return _reduced_identity(self._encoder.identity(), self.name)

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """Return the statistics of each text's rows."""
        return [statistics_of(self.row_parts, rows) for rows in self._encoder.encode(texts)]


def _reduced_identity(identity: dict[str, Any], name: str) -> dict[str, Any]:
    rest = {key: value for key, value in identity.items() if key != "dtype"}
    return {**rest, "encoder": name, "reduced to": ", ".join(STATISTICS), "pooling format": FORMAT, "dtype": "float32"}


def row_parts(encoder: AudioEncoder) -> tuple[Part, ...]:
    """Return the blocks of columns in the result of an audio encoder's ``encode``."""
    parts: tuple[Part, ...] = getattr(encoder, "row_parts", encoder.parts)
    return parts


def collector_of(encoder: AudioEncoder) -> Collector:
    """Return a collector for the rows of one recording: it holds all rows, unless the encoder reduces them."""
    make = getattr(encoder, "collector", None)
    collector: Collector = make() if make is not None else Rows(total_dim(row_parts(encoder)))
    return collector
