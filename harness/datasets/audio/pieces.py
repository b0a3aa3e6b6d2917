"""Audio of any length and rate, a piece at a time: the pieces laid end to end are the audio resampled as a whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.waveform import SAMPLE_RATE, resampled


def pieces(blocks: Iterable[npt.NDArray[np.float32]], rate: int, seconds: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield audio in pieces of ``seconds`` at 16 kHz, equal to ``scipy.signal.resample_poly`` of the whole audio.

    Memory holds a piece, a second before it and a second after it. A second is a whole number of samples at both rates
    and longer than the filter, so that each piece equals that part of the whole.

    Args:
        blocks: float32 ``(n,)`` each, consecutive, mono, of any lengths.
        rate: samples per second of the blocks, a whole number.
        seconds: length of a piece; the last piece may be shorter.

    Yields:
        float32 ``(m,)``, mono, 16 kHz.
    """
    step = seconds * rate
    held = np.empty(0, np.float32)
    waiting: list[npt.NDArray[np.float32]] = []
    start = total = 0  # of `held` in the audio; samples that came so far
    at = 0  # first sample that is still to be given
    for block in blocks:
        waiting.append(block)
        total += len(block)
        while total >= at + step + rate:
            held, waiting = np.concatenate([held, *waiting]), []
            yield _piece(held, at - start, at - start + step, rate)
            at += step
            cut = max(0, at - rate) - start
            held, start = held[cut:].copy(), start + cut
    held = np.concatenate([held, *waiting])
    while at < total:
        stop = min(at + step, total)
        yield _piece(held, at - start, stop - start, rate)
        at = stop


def _piece(held: npt.NDArray[np.float32], first: int, stop: int, rate: int) -> npt.NDArray[np.float32]:
    if rate == SAMPLE_RATE:
        return held[first:stop].copy()
    before = min(first, rate)
    return resampled(held[first - before : stop + rate], before, stop - first, rate)


class StreamedAudio(ABC):
    """Audio that is decoded from its start to its end, block after block.

    Attributes:
        rate: samples per second.
    """

    rate: int

    def chunks(self, seconds: int) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the audio in pieces; see :func:`pieces`.

        Raises:
            DataError: samples are unreadable or infinite, or end before the header or the container's index says.
        """
        return pieces(self._blocks(), self.rate, seconds)

    def decoded_seconds(self) -> float:
        """Decode the whole file, without resampling, and return its duration in seconds.

        Raises:
            DataError: see :meth:`chunks`.
        """
        return sum(map(len, self._blocks())) / self.rate

    @abstractmethod
    def _blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield float32 ``(n,)``, consecutive, mono, full scale 1, at the file's own rate."""
