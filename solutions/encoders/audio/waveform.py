"""Sound from ``.wav`` files, a piece at a time: mono, 16 kHz, whatever the file has.

The standard library reads no floating point, SciPy maps no 24 bits and torchaudio 2.11 leaves files to another
package, so the header is read here: a format tag, a few numbers, and where the samples lie.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from harness.datasets.checking.audio_start import audio_command, impossible_sound
from harness.errors import DataError, problem
from harness.system.regular import open_file

SAMPLE_RATE = 16_000
"""Hz: what wav2vec 2.0 and HuBERT were trained on, and what the authors convert all sound to."""

RESAMPLING = "scipy.signal.resample_poly, Kaiser window 5.0"

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CODECS = {2: "Microsoft ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 80: "MPEG", 85: "MP3", 255: "AAC"}
_DTYPES = {  # 24 bits are widened first
    (_PCM, 8): "u1",
    (_PCM, 16): "<i2",
    (_PCM, 24): "<i4",
    (_PCM, 32): "<i4",
    (_FLOAT, 32): "<f4",
    (_FLOAT, 64): "<f8",
}
_UNKNOWN_SIZE = 0xFFFFFFFF  # what a writer leaves that could not go back to fill it in, as when piped
_MOST_CHUNKS = 10_000
_FORM_SIZE = 64  # bytes of the chunk that tells the format; the longest form has 40
_BLOCK = 1 << 24  # bytes of all channels that are averaged at a time


@dataclass(frozen=True)
class WavFile:
    """An uncompressed sound file whose header was read.

    Attributes:
        rate: sampling rate in Hz.
        length: samples of each channel.
    """

    path: Path
    rate: int
    channels: int
    length: int
    _tag: int
    _bits: int
    _offset: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.length / self.rate

    def chunks(self, seconds: int) -> Iterator[npt.NDArray[np.float32]]:
        """The sound in consecutive pieces, each read when it is asked for.

        Args:
            seconds: length of a piece; the last may be shorter.

        Yields:
            float32 ``(n,)``, 16 kHz, channels averaged, full scale 1. The pieces laid end to end are the sound
            resampled as a whole: each is resampled together with a second of its neighbours.

        Raises:
            DataError: samples can't be read, or are not finite.
        """
        step = seconds * self.rate
        for start in range(0, self.length, step):
            stop = min(start + step, self.length)
            if self.rate == SAMPLE_RATE:
                yield self._mono(start, stop)
            else:
                yield self._resampled(start, stop)

    def _resampled(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        from scipy.signal import resample_poly

        before = min(start, self.rate)  # nothing or a whole second, which is a whole number of samples at either rate
        common = math.gcd(self.rate, SAMPLE_RATE)
        with_neighbours = self._mono(start - before, min(stop + self.rate, self.length))
        resampled = resample_poly(with_neighbours, SAMPLE_RATE // common, self.rate // common)
        first = before * SAMPLE_RATE // self.rate
        n = -(-(stop - start) * SAMPLE_RATE // self.rate)
        return np.ascontiguousarray(resampled[first : first + n], np.float32)

    def _mono(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        width = self.channels * self._bits // 8
        each = max(1, _BLOCK // width)  # many channels of a high rate would fill the memory
        try:
            with open_file(self.path) as stream:
                stream.seek(self._offset + start * width)
                parts = [self._averaged(stream, min(each, stop - at)) for at in range(start, stop, each)]
        except OSError as error:
            raise DataError(problem("can't read the sound", where=self.path, found=error.strerror)) from None
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _averaged(self, stream: IO[bytes], samples: int) -> npt.NDArray[np.float32]:
        """Read the next samples of all channels, and average these."""
        size = samples * self.channels * self._bits // 8
        raw = stream.read(size)
        if len(raw) < size:
            raise DataError(problem("the sound was changed while it was read", where=self.path, do="Try again"))
        if self._bits == 24:
            padded = np.zeros((len(raw) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
            raw = padded.tobytes()
        values = np.frombuffer(raw, _DTYPES[self._tag, self._bits])
        mono: npt.NDArray[np.float32] = values.reshape(-1, self.channels).mean(1, dtype=np.float32)
        if self._tag == _FLOAT:
            if not np.isfinite(mono).all():
                raise DataError(problem("the sound holds NaN or infinity", where=self.path, do=_convert(self.path)))
            return mono
        if self._bits == 8:
            mono -= np.float32(128)
        mono /= np.float32(2 ** (values.dtype.itemsize * 8 - 1))
        return mono


def open_wav(path: Path) -> WavFile:
    """Read the header of a sound file.

    Raises:
        DataError: it can't be read, is no ``.wav`` file, is compressed or cut short, or holds no sound.
    """
    try:
        with open_file(path) as stream:
            return _header(path, stream)
    except OSError as error:
        raise DataError(problem("can't read the sound", where=path, found=error.strerror)) from None


def _header(path: Path, stream: IO[bytes]) -> WavFile:
    size = os.fstat(stream.fileno()).st_size
    start = stream.read(12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        found = f"a file that begins with {start[:4]!r}" if start else "an empty file"
        raise DataError(problem("no .wav file", where=path, found=found, do=_convert(path)))
    form: bytes | None = None
    for _ in range(_MOST_CHUNKS):
        if len(head := stream.read(8)) < 8:
            break
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            return _wav(path, form, length, stream.tell(), size)
        read = 0
        if name == b"fmt ":
            form = stream.read(min(length, _FORM_SIZE))
            read = len(form)
        stream.seek(length + (length & 1) - read, os.SEEK_CUR)
    raise DataError(problem("a .wav file without sound", where=path, found="no data chunk", do=_convert(path)))


def _wav(path: Path, form: bytes | None, length: int, offset: int, size: int) -> WavFile:
    """Return what the chunk that tells the format says, if it is possible.

    Args:
        form: that chunk, or its beginning.
        length: bytes of sound, as the header says.
        offset: where these begin.
        size: bytes of the file.
    """
    if form is None or len(form) < 16:
        raise DataError(problem("a .wav file that does not say its format", where=path, do=_convert(path)))
    tag, channels, rate, _, block, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")
    if (tag, bits) not in _DTYPES:
        codec = _CODECS.get(tag, "PCM" if tag == _PCM else "floating point" if tag == _FLOAT else f"codec {tag:#x}")
        expected = "PCM of 8, 16, 24 or 32 bits, or floating point of 32 or 64"
        raise DataError(
            problem("sound in a form that can't be read", where=path, found=f"{codec}, {bits} bits", expected=expected,
                    do=_convert(path))
        )  # fmt: skip
    there = size - offset
    samples = min(length, there) // block if block else 0
    impossible = impossible_sound(rate, channels, samples)
    if impossible is None and block != channels * bits // 8:
        impossible = "", f"{channels * bits // 8} bytes a sample"
    if impossible is not None:
        what, found = "a .wav file whose header makes no sense", f"{channels} channels, {rate} Hz, {bits} bits"
        found += f", {block} bytes a sample, {samples:,} samples"
        raise DataError(problem(what, where=path, found=found, expected=impossible[1], do=_convert(path)))
    if length != _UNKNOWN_SIZE and length > there:
        found, expected = f"{there:,} bytes of sound", f"{length:,}, as its header says"
        do = f"Copy it again, or make it again: {_convert(path)}"
        raise DataError(problem("a .wav file that was cut short", where=path, found=found, expected=expected, do=do))
    if not samples:
        raise DataError(problem("a .wav file without sound", where=path, found="0 samples", do=_convert(path)))
    return WavFile(path, rate, channels, samples, tag, bits, offset)


def _convert(path: Path) -> str:
    return (
        f"Make it from the video: {audio_command('VIDEO', path.name)}; or remove it: "
        "its videos then count as videos without sound"
    )
