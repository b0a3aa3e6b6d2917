"""Audio from ``.wav`` and ``.flac`` files of any rate and number of channels, a piece at a time: mono, 16 kHz.

libsndfile decodes. It reads a ``.wav`` file that was cut short as a shorter one, so this module compares the length in
the header with the file. A ``.flac`` file that was cut short, or is damaged, can't be decoded to its end.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.limits import audio_command, impossible_sound
from harness.errors import DataError
from harness.system.counts import counted
from harness.system.regular import open_file

if TYPE_CHECKING:
    from soundfile import SoundFile

SAMPLE_RATE = 16_000
"""Hz: the rate that wav2vec 2.0 and HuBERT were trained on, and that the authors convert all audio to."""

RESAMPLING = "scipy.signal.resample_poly, Kaiser window 5.0"

_NO_SENSE = "the header of the audio file makes no sense"
_FORMS = ("PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_UNKNOWN_SIZE = 0xFFFFFFFF  # a writer to a pipe leaves this, as it can't go back to fill in the size
_MOST_CHUNKS = 10_000
_BLOCK = 6_000_000  # samples of all channels that are averaged at a time: 24 MB, and 360 s of mono at 16 kHz


@dataclass(frozen=True)
class AudioFile:
    """An audio file whose header was read.

    Attributes:
        rate: sampling rate in Hz.
        length: samples of each channel.
    """

    path: Path
    rate: int
    channels: int
    length: int

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.length / self.rate

    def chunks(self, seconds: int) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the audio in consecutive pieces, each read when it is asked for.

        Args:
            seconds: length of a piece; the last may be shorter.

        Yields:
            float32 ``(n,)``, 16 kHz, channels averaged, full scale 1. The pieces laid end to end are the audio
            resampled as a whole: each is resampled together with a second of its neighbours.

        Raises:
            DataError: samples are unreadable, NaN or infinite.
        """
        step = seconds * self.rate
        for start in range(0, self.length, step):
            stop = min(start + step, self.length)
            if self.rate == SAMPLE_RATE:
                yield self._mono(start, stop)
            else:
                yield self._resampled(start, stop)

    def decoded_seconds(self) -> float:
        """Decode the whole file, without resampling, and return its duration in seconds.

        Raises:
            DataError: samples are unreadable, NaN or infinite.
        """
        step = _BLOCK
        return sum(len(self._mono(at, min(at + step, self.length))) for at in range(0, self.length, step)) / self.rate

    def _resampled(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        before = min(start, self.rate)
        with_neighbours = self._mono(start - before, min(stop + self.rate, self.length))
        return resampled(with_neighbours, before, stop - start, self.rate)

    def _mono(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        most = max(1, _BLOCK // self.channels)  # many channels of a high rate would fill the memory
        with _decoder(self.path) as sound:
            sound.seek(start)
            parts = [self._averaged(sound, min(most, stop - at)) for at in range(start, stop, most)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _averaged(self, sound: SoundFile, samples: int) -> npt.NDArray[np.float32]:
        """Read the next samples of all channels, and return their average over the channels."""
        values = sound.read(samples, "float32", always_2d=True)
        if values.shape != (samples, self.channels):
            raise DataError("the audio file changed while it was read", where=self.path, do="Try again")
        mono: npt.NDArray[np.float32] = values[:, 0] if self.channels == 1 else values.mean(1)
        if not np.isfinite(mono).all():
            raise _refused(self.path, "the audio holds NaN or infinity")
        return mono


def resampled(with_neighbours: npt.NDArray[np.float32], before: int, length: int, rate: int) -> npt.NDArray[np.float32]:
    """Return a piece of audio at 16 kHz, resampled together with its neighbours.

    Args:
        with_neighbours: float32 ``(n,)``, the piece with up to a second on either side.
        before: samples in front of the piece: 0 or a whole second, which is a whole number of samples at either rate.
        length: samples of the piece.
        rate: sampling rate in Hz.

    Returns:
        float32 ``(m,)``, equal to that part of the whole audio resampled.
    """
    from scipy.signal import resample_poly

    common = math.gcd(rate, SAMPLE_RATE)
    values = resample_poly(with_neighbours, SAMPLE_RATE // common, rate // common)
    first, n = before * SAMPLE_RATE // rate, -(-length * SAMPLE_RATE // rate)
    return np.ascontiguousarray(values[first : first + n], np.float32)


def open_audio(path: Path) -> AudioFile:
    """Read the header of an audio file.

    Raises:
        DataError: the file is unreadable, has another format than ``.wav`` and ``.flac``, is compressed with a loss or
            cut short, or holds no audio.
    """
    with _readable(path), open_file(path) as stream:
        claimed = _claimed_samples(path, stream)
    with _decoder(path) as sound:
        if sound.subtype not in _FORMS:
            expected = "PCM of 8 to 32 bits, or floating point of 32 or 64"
            raise _refused(path, "the audio has a form that can't be read", sound.subtype_info, expected)
        audio = AudioFile(path, sound.samplerate, sound.channels, sound.frames)
        if claimed is None:
            _check_possible(path, audio.channels, audio.rate, sound.subtype_info, audio.length)
            claimed = audio.length
    if claimed != audio.length:
        what = "the .wav file was cut short" if claimed > audio.length else _NO_SENSE
        raise _refused(path, what, counted(audio.length, "sample"), f"{claimed:,}, as its header says")
    if not audio.length:
        raise _refused(path, "the audio file holds no audio", "0 samples")
    return audio


@contextlib.contextmanager
def _decoder(path: Path) -> Iterator[SoundFile]:
    """Open a file for decoding; raise DataError, also in the block, for content that libsndfile can't decode."""
    from soundfile import LibsndfileError, SoundFile

    try:
        with _readable(path), open_file(path) as stream, SoundFile(stream.fileno(), closefd=False) as sound:
            yield sound
    except LibsndfileError as error:
        what = "the audio file is damaged or was cut short"
        raise _refused(path, what, error.error_string) from None


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError("can't read the audio", where=path, found=error.strerror) from None


def _claimed_samples(path: Path, stream: IO[bytes]) -> int | None:
    """Return the number of samples that the header of a ``.wav`` file claims; ``None`` for a ``.flac`` file.

    Raises:
        DataError: the file has another format or samples out of reach, or its header claims impossible values.
    """
    size, start, form = os.fstat(stream.fileno()).st_size, stream.read(12), b""
    if start[:4] == b"fLaC":
        return None
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        content = f"a file that begins with {start[:4]!r}" if start else "an empty file"
        raise _refused(path, "the file is neither .wav nor .flac", content)
    for _ in range(_MOST_CHUNKS):
        if len(head := stream.read(8)) < 8:
            break
        name, length, at = head[:4], int.from_bytes(head[4:], "little"), stream.tell()
        if name == b"fmt ":
            form = stream.read(min(length, 16))
        elif name == b"data":
            if len(form) < 16:
                raise _refused(path, "the .wav file does not say its format")
            _, channels, rate, _, width, bits = struct.unpack("<HHIIHH", form)
            there, each = size - at, max(1, int(width))
            _check_possible(path, channels, rate, f"{bits} bits", min(length, there) // each)
            return (there if length == _UNKNOWN_SIZE else length) // each
        stream.seek(at + length + length % 2)
    raise _refused(path, "the .wav file holds no audio", "no data chunk")


def _check_possible(path: Path, channels: int, rate: int, form: str, samples: int) -> None:
    impossible = impossible_sound(rate, channels, samples)
    if impossible is not None:
        header = f"{counted(channels, 'channel')}, {rate} Hz, {form}, {counted(samples, 'sample')}"
        raise _refused(path, _NO_SENSE, header, impossible[1])


def _refused(path: Path, what: str, content: str | None = None, expected: str | None = None) -> DataError:
    """Return the error for an unusable file, with the command that makes a usable one."""
    make = audio_command("VIDEO", path.with_suffix(".wav").name)
    do = f"Make it from the video: {make}; or remove it: its videos then count as videos without audio"
    return DataError(what, where=path, found=content, expected=expected, do=do)
