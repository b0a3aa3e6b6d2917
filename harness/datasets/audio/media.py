"""Audio of any common file: wav, FLAC, mp3 and Ogg by libsndfile, the audio of video files by FFmpeg (extra: av).

Positions were measured with impulses at known samples. libsndfile removes the delay that LAME writes into an mp3 file,
and the padding behind its end: positions and lengths are those of the audio that was encoded. FFmpeg reads an mp3 file
without LAME's header: 1,105 samples of delay and up to two frames of padding stay, as no header lists them. FFmpeg
removes the delay that mp4, mov and mkv files note; mpg and ts files note none, so that 481 samples (MPEG layer 2) or
1,024 (AAC) stay before the first one. An mp4 file may end with up to a packet of silence. FFmpeg's own programs agree.

In a video file, audio counts from the first image that can be decoded: silence fills a late start, an early start is
left out. A transport stream that begins between two key frames has its first image later than its first packet. A later
gap of more than .1 s is filled with silence; smaller steps are the rounding of the container's clock.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.limits import MOST_SECONDS, audio_command, impossible_sound
from harness.datasets.audio.pieces import StreamedAudio
from harness.datasets.audio.waveform import open_audio
from harness.errors import DataError, MissingDependencyError, NoAudioError, install_command
from harness.system.counts import counted
from harness.system.regular import open_file, require_file

if TYPE_CHECKING:
    from fractions import Fraction

COMPRESSED_FILES = (".mp3", ".ogg", ".opus")
"""Suffixes of the compressed audio files that libsndfile reads."""

VIDEO_FILES = (
    ".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".m4a", ".aac",
    ".wmv", ".flv",
)  # fmt: skip
"""Suffixes of the files whose audio FFmpeg reads."""

_BLOCK = 1 << 16  # samples of each channel that are read at a time
_GAP = 0.1  # s: FFmpeg's own limit between a jump of the clock and its rounding
_MOST_JUMPS = 10_000
_MICRO = 1_000_000  # FFmpeg's units of a container's duration
_MOST_LEADING = 5_000  # packets of video that are tried for the first image


class Media(Protocol):
    """Audio on disk whose header was read."""

    @property
    def path(self) -> Path:
        """Path of the file."""

    @property
    def seconds(self) -> float:
        """Duration in seconds; an estimate where the file does not store it."""

    def chunks(self, seconds: int) -> Iterator[npt.NDArray[np.float32]]:
        """Yield float32 ``(n,)``, mono, 16 kHz, full scale 1, in pieces of ``seconds`` each."""

    def decoded_seconds(self) -> float:
        """Decode the whole file and return its duration in seconds.

        Raises:
            DataError: see :meth:`chunks`.
        """


def open_media(path: Path) -> Media:
    """Read the header of an audio file, or of the audio in a video file.

    Raises:
        NoAudioError: the file is a video file without an audio stream.
        DataError: the file is unreadable or damaged, or holds no audio.
        MissingDependencyError: a video file, or an mp3 file that lacks its length, needs PyAV, which is not installed.
    """
    suffix = path.suffix.lower()
    if suffix in COMPRESSED_FILES:
        return _open_compressed(path)
    if suffix in VIDEO_FILES:
        return _open_video(path)
    return open_audio(path)


@dataclass(frozen=True)
class CompressedAudio(StreamedAudio):
    """An audio file that libsndfile reads.

    Attributes:
        rate: samples per second.
        length: samples of each channel by its header.
    """

    path: Path
    rate: int
    channels: int
    length: int

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.length / self.rate

    def _blocks(self) -> Iterator[npt.NDArray[np.float32]]:

        total = 0
        each = max(1, _BLOCK // self.channels)
        try:
            with open_file(self.path) as stream, open_in_sequence(stream) as sound:
                if (sound.samplerate, sound.channels) != (self.rate, self.channels):
                    raise DataError("the audio was changed while it was read", where=self.path, do="Try again")
                while len(block := sound.read(each, dtype="float32", always_2d=True)):
                    total += len(block)
                    yield _mono(block, self.path)
        except (OSError, RuntimeError) as error:  # soundfile's own are RuntimeErrors
            raise _damaged(self.path, f"{_said(error)} after {total / self.rate:.2f} s") from None
        if total != self.length:
            finding, expected = counted(total, "sample"), f"{self.length:,}, as its header says"
            raise DataError(
                "the audio file is damaged or was cut short",
                where=self.path,
                found=finding,
                expected=expected,
                do=_again(self.path),
            )


def open_in_sequence(stream: IO[bytes]) -> Any:
    """Open a file for one pass from its start to its end.

    soundfile seeks after every read, to the end of the read. In an mp3 file libmpg123 then decodes the frames before
    that place again, without the bits that these share with earlier frames, and prints errors about them on stderr.
    """
    from soundfile import SoundFile

    class Sequence(SoundFile):  # type: ignore[misc]
        """A file that is read once."""

        def seekable(self) -> bool:
            """Return False: nothing is sought."""
            return False

    return Sequence(stream)


def _open_compressed(path: Path) -> CompressedAudio | VideoAudio:
    import soundfile

    try:
        with open_file(path) as stream:
            head = stream.read(1 << 16)
            if path.suffix.lower() == ".mp3" and head and not _has_length(head):
                # libsndfile would guess the number of samples from the size, and read no more than that: it gave half
                # of a file of variable bit rate
                return _open_video(path)
            stream.seek(0)
            with soundfile.SoundFile(stream) as sound:
                rate, channels, length = int(sound.samplerate), int(sound.channels), int(sound.frames)
    except OSError as error:
        raise DataError("can't read the audio", where=path, found=error.strerror) from None
    except RuntimeError as error:
        raise _damaged(path, _said(error) if head else "an empty file") from None
    impossible = impossible_sound(rate, channels, length)
    if impossible is not None:
        what, (finding, expected) = "an audio file whose header makes no sense", impossible
        raise DataError(what, where=path, found=finding, expected=expected, do=_again(path))
    if not length:
        raise DataError("the audio file holds no audio", where=path, found="0 samples", do=_again(path))
    return CompressedAudio(path, rate, channels, length)


def _has_length(head: bytes) -> bool:
    """Return True if the first frame of an mp3 file is a Xing header, which holds the number of frames."""
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    first = head[start : start + 64]
    return b"Xing" in first or b"Info" in first


@dataclass
class AudioTimes:
    """Times of the audio in a video file, in seconds from the first image.

    Attributes:
        start: time of the first decoded sample; negative where the audio begins before the images.
        end: time of the last decoded sample.
        decoded: duration of all decoded samples.
        read: duration of the audio as runs read it: late starts and gaps filled, early starts left out.
        gaps: later jumps of the clock that were filled or cut: time and length of each.
    """

    start: float = 0.0
    end: float = 0.0
    decoded: float = 0.0
    read: float = 0.0
    gaps: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class VideoAudio(StreamedAudio):
    """The first audio stream of a video file, or of another file that FFmpeg reads.

    Attributes:
        rate: samples per second.
        seconds: duration of the stream, or else of the file; 0 where the file says neither.
        declared: samples that the container's index holds; 0 where it has none.
        origin: time on the container's clock from which audio counts; see :func:`first_image`.
    """

    path: Path
    rate: int
    channels: int
    seconds: float
    declared: int
    origin: Fraction

    def read_times(self) -> AudioTimes:
        """Decode the whole file and return its times.

        Raises:
            DataError: see :meth:`chunks`.
        """
        times = AudioTimes()
        times.read = sum(map(len, self._decoded(times))) / self.rate
        return times

    def _blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        return self._decoded(AudioTimes())

    def _decoded(self, times: AudioTimes) -> Iterator[npt.NDArray[np.float32]]:
        import av

        decoded = at = jumps = 0
        try:
            with open_file(self.path) as file, av.open(file, metadata_errors="ignore") as container:
                stream = container.streams.audio[0]
                for frame in container.decode(stream):
                    if (frame.sample_rate, frame.layout.nb_channels) != (self.rate, self.channels):
                        finding = f"{frame.sample_rate:,} Hz, {counted(frame.layout.nb_channels, 'channel')}"
                        expected = f"{self.rate:,} Hz, {counted(self.channels, 'channel')}, as at its beginning"
                        what = "audio that changes its form on the way"
                        raise DataError(what, where=self.path, found=finding, expected=expected, do=_again(self.path))
                    block = _mono(_columns(frame), self.path)
                    decoded += len(block)
                    if decoded > MOST_SECONDS * self.rate:
                        raise DataError(
                            "audio beyond what is read", where=self.path, expected=f"at most {MOST_SECONDS:,} s"
                        )
                    step = 0 if frame.pts is None else self._sample(frame.pts, frame.time_base) - at
                    start = (at + step) / self.rate
                    times.start = start if decoded == len(block) else times.start
                    times.end, times.decoded = start + len(block) / self.rate, decoded / self.rate
                    if frame.pts is not None and (not at or abs(step) > _GAP * self.rate):
                        jumps += bool(at)
                        times.gaps += [(at / self.rate, step / self.rate)] if at else []
                        block = _shifted(block, step, at, jumps, self.path, self.rate)
                    at += len(block)
                    yield block
        except (OSError, av.error.FFmpegError, ValueError) as error:
            raise _damaged(self.path, f"{_said(error)} after {decoded / self.rate:.2f} s") from None
        if self.declared and decoded < self.declared - _PACKET:
            finding, expected = counted(decoded, "sample"), f"{self.declared:,}, as its index says"
            what, do = "the video file was cut short", "Copy it again"
            raise DataError(what, where=self.path, found=finding, expected=expected, do=do)
        if not at:
            raise DataError("the audio of the video file is empty", where=self.path, do=_silent(self.path))

    def _sample(self, time: int, base: Fraction) -> int:
        """Return the sample at a time, from the first image: a whole number, rounded as :func:`round` does."""
        origin = self.origin  # integers: fractions take as long as decoding
        above = (time * base.numerator * origin.denominator - origin.numerator * base.denominator) * self.rate
        below = base.denominator * origin.denominator
        whole, rest = divmod(above, below)
        return whole + (2 * rest > below or (2 * rest == below and whole % 2 == 1))


_PACKET = 4096  # samples: more than a packet of any codec that a mp4 file holds, twice AAC's with its delay


def _open_video(path: Path) -> VideoAudio:
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError(
            "audio of video files, and of mp3 files that lack their length, needs PyAV",
            where=path,
            found=error,
            do=f"Run: {install_command('av')}; or make an audio file: {audio_command('VIDEO', 'AUDIO.wav')}",
        ) from None
    try:
        require_file(path)
        with open_file(path) as file, av.open(file, metadata_errors="ignore") as container:
            return audio_in(container, path)
    except OSError as error:  # FFmpeg's errors of the system too
        raise _damaged(path, _said(error)) from None
    except (av.error.FFmpegError, ValueError) as error:
        raise _damaged(path, _said(error)) from None


def audio_in(container: Any, path: Path, origin: Fraction | None = None) -> VideoAudio:
    """Return the audio of a file that FFmpeg has open, without decoding it.

    Args:
        container: PyAV's container, at its beginning.
        path: path of the file.
        origin: time of the first image, where that is known.

    Raises:
        NoAudioError: the file lacks audio.
        DataError: its audio is in a form that is refused.
    """
    if not container.streams.audio:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no streams"
        raise NoAudioError("the video file has no audio", where=path, found=kinds, do=_silent(path))
    stream = container.streams.audio[0]
    rate, channels = int(stream.rate or 0), int(stream.layout.nb_channels if stream.layout else 0)
    duration = float(stream.duration * stream.time_base) if stream.duration else 0.0
    seconds = max(0.0, duration or (container.duration or 0) / _MICRO)
    declared = round(duration * rate) if "mov" in container.format.name.split(",") else 0
    impossible = impossible_sound(rate, channels, round(seconds * rate))
    if impossible is not None:
        what, (finding, expected) = "a file whose audio makes no sense", impossible
        raise DataError(what, where=path, found=finding, expected=expected, do=_again(path))
    return VideoAudio(path, rate, channels, seconds, declared, first_image(container) if origin is None else origin)


def first_image(container: Any) -> Fraction:
    """Return the time of the first image that can be decoded, on the clock of the container.

    Without images, the time is that of the first sample; where all images are undecodable, that of the stream's start.

    Args:
        container: PyAV's container, at its beginning; afterwards it stands behind the image.
    """
    from fractions import Fraction

    import av

    cover = av.stream.Disposition.attached_pic
    streams = (stream for stream in container.streams.video if not stream.disposition & cover)
    images = [stream for stream in streams if stream.codec_context is not None]  # None: nothing decodes it
    if images:
        images[0].codec_context.thread_count = 1  # for one image, more take longer to start
    for packet in itertools.islice(container.demux(images[0]), _MOST_LEADING) if images else ():
        with contextlib.suppress(av.error.FFmpegError):  # it needs an earlier one, or is damaged
            for frame in packet.decode():
                if frame.pts is not None:
                    return Fraction(frame.pts * frame.time_base)
    for stream in (*images, *container.streams.audio):
        if stream.start_time is not None:
            return Fraction(stream.start_time * stream.time_base)
    return Fraction(0)


def _columns(frame: Any) -> npt.NDArray[np.float32]:
    """Return a decoded frame as float32 ``(n, channels)``, full scale 1."""
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)
    if values.dtype.kind == "f":
        return np.asarray(values, np.float32)
    if values.dtype == np.uint8:
        return np.asarray((values.astype(np.float32) - 128) / 128, np.float32)
    return np.asarray(values / np.float64(2 ** (8 * values.dtype.itemsize - 1)), np.float32)


def _shifted(
    block: npt.NDArray[np.float32], step: int, at: int, jumps: int, path: Path, rate: int
) -> npt.NDArray[np.float32]:
    """Return a block with silence added before it, or with its beginning cut off, so that it starts at its time."""
    if step < 0:
        return block[min(-step, len(block)) :]
    if jumps > _MOST_JUMPS or at + step > MOST_SECONDS * rate:
        finding = f"a jump of {step / rate:,.1f} s at {at / rate:,.1f} s"
        raise DataError("the times in the audio make no sense", where=path, found=finding, do=_again(path))
    return np.concatenate([np.zeros(step, np.float32), block])


def _mono(block: npt.NDArray[np.float32], path: Path) -> npt.NDArray[np.float32]:
    """Return the mean of the channels."""
    mono: npt.NDArray[np.float32] = block.mean(1, dtype=np.float32) if block.shape[1] > 1 else block[:, 0]
    if not np.isfinite(mono).all():
        raise DataError("the audio holds NaN or infinity", where=path, do=_again(path))
    return mono


def _said(error: BaseException) -> str:
    with contextlib.suppress(AttributeError):
        if error.strerror:  # type: ignore[attr-defined]
            return str(error.strerror)  # type: ignore[attr-defined]
    return str(error)[:200] or type(error).__name__


def _damaged(path: Path, finding: str) -> DataError:
    return DataError("audio that can't be decoded", where=path, found=finding, do=_again(path))


def _again(path: Path) -> str:
    return f"Copy it again, or make it again: {audio_command('VIDEO', path.with_suffix('.wav').name)}"


def _silent(path: Path) -> str:
    return f"Bring audio of its own, such as {path.with_suffix('.wav').name}; or leave the video out of audio streams"
