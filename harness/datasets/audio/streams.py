"""Streams of a video file as their container places them: when images begin, and when audio begins and ends.

OpenCV gives no information on audio. PyAV (extra: av) reads the container and decodes the audio by the reader of runs.
The cache stores the result, so that all parts of the program together decode a file once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.datasets.audio.media import VIDEO_FILES, VideoAudio, audio_in, first_image, open_media
from harness.datasets.video_files.readings import ReadingCache
from harness.errors import DataError, MissingDependencyError, install_command
from harness.records.document import Count, Number
from harness.system.regular import open_file

FORMAT = 1
"""Version of the stored results, raised whenever the meaning of a number below changes: older ones are read again."""


@dataclass(frozen=True)
class FileAudio:
    """The audio in a video file, in seconds from the first image.

    Attributes:
        codec: FFmpeg's name of the codec.
        rate: samples per second.
        start: time of the first decoded sample; negative where the audio begins before the images.
        end: time of the last decoded sample.
        decoded: duration of all decoded samples.
        read: duration as runs read the audio: a late start and gaps filled with silence, an early start left out.
        gaps: later jumps of the clock: time and length of each.
    """

    codec: str
    rate: Count
    start: Number
    end: Number
    decoded: Number
    read: Number
    gaps: tuple[tuple[Number, Number], ...] = ()


@dataclass(frozen=True)
class FileStreams:
    """The streams of a video file.

    Attributes:
        container: FFmpeg's name of the format.
        first_image: seconds on the container's clock to the first image that can be decoded.
        first_packet: seconds on the container's clock to the beginning of the image stream, as the stream states it.
        usual_rate: frames per second that FFmpeg takes for the real rate, at which it writes files of a constant rate.
        audio: its audio; ``None`` where audio is missing or damaged.
        problem: reason why existing audio can't be decoded; empty otherwise.
    """

    container: str
    first_image: Number
    first_packet: Number
    usual_rate: Number
    audio: FileAudio | None = None
    problem: str = ""


_READINGS = ReadingCache("streams", FileStreams, FORMAT, "can't be opened as a video file")


def stream_reader() -> str:
    """Return the name of the reader of streams with the versions that matter: ``PyAV 18.1.0, FFmpeg 62.28.102``.

    Raises:
        MissingDependencyError: PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        what, do = "the streams of a video file need PyAV", f"Run: {install_command('av')}"
        raise MissingDependencyError(what, found=error, do=do) from None
    return f"PyAV {av.__version__}, FFmpeg {'.'.join(map(str, av.library_versions['libavcodec']))}"


def read_streams(path: Path, cache: Path | None = None) -> FileStreams:
    """Return the streams of a video file; decode its audio only if no result is stored.

    Args:
        path: the file.
        cache: folder of all caches, where the result is stored; ``None`` for this process alone.

    Raises:
        MissingDependencyError: PyAV is not installed.
        DataError: the file is missing, or FFmpeg can't open it.
    """
    reader = stream_reader()
    key = _READINGS.key(path, reader)
    streams = _READINGS.recall(path, key, cache, reader)
    if streams is None:
        streams = _read(path)
        _READINGS.keep(path, key, cache, reader, streams)
    return streams


def decoded_seconds(path: Path, cache: Path | None = None) -> float:
    """Return the duration of an audio file, or of the audio in a video file, decoded to its end.

    Args:
        path: the file.
        cache: folder of all caches, where the lengths of the audio of video files are stored; ``None`` to store them in
            memory.

    Raises:
        NoAudioError: the file is a video file without an audio stream.
        DataError: the file is unreadable or damaged, or holds no audio.
        MissingDependencyError: the file needs PyAV, which is not installed.
    """
    if path.suffix.lower() in VIDEO_FILES:
        try:
            audio = read_streams(path, cache).audio
        except DataError:
            audio = None
        if audio is not None:
            return audio.read
    return open_media(path).decoded_seconds()  # with its own words on what is wrong


def audio_seconds(path: Path, cache: Path | None = None) -> float:
    """Return the duration of an audio file, from its header if that holds the number of samples, else by decoding.

    Args:
        path: the file.
        cache: see :func:`decoded_seconds`.

    Raises:
        NoAudioError, DataError, MissingDependencyError: as :func:`decoded_seconds`.
    """
    if path.suffix.lower() in VIDEO_FILES:
        return decoded_seconds(path, cache)
    media = open_media(path)
    return media.decoded_seconds() if isinstance(media, VideoAudio) else media.seconds


def _read(path: Path) -> FileStreams:
    import av

    try:
        with open_file(path) as file, av.open(file, metadata_errors="ignore") as container:
            name, images, sounds = container.format.name, container.streams.video, container.streams.audio
            starts = [_seconds(stream.start_time, stream.time_base) for stream in (*images, *sounds)]
            rate = next((float(s.guessed_rate or s.average_rate or 0) for s in images), 0.0)
            codec = sounds[0].codec_context.name if sounds and sounds[0].codec_context else ""
            first = first_image(container)
            try:
                media = audio_in(container, path, first) if codec else None
            except DataError as error:
                return FileStreams(name, float(first), starts[0], rate, None, _reason(error, path))
    except (OSError, ValueError, av.error.FFmpegError) as error:
        finding = getattr(error, "strerror", None) or str(error)[:200] or type(error).__name__
        raise DataError("can't be opened as a video file", where=path, found=finding, do="Copy it again") from None
    streams = FileStreams(name, float(first), starts[0] if starts else float(first), rate)
    if media is None:
        return streams
    try:
        times = media.read_times()
    except DataError as error:
        return replace(streams, problem=_reason(error, path))
    audio = FileAudio(codec, media.rate, times.start, times.end, times.decoded, times.read, tuple(times.gaps))
    return replace(streams, audio=audio)


def _reason(error: DataError, path: Path) -> str:
    """Return the words of an error without the path, as the file may be moved while the reading stays stored."""
    return str(error).removeprefix(f"{path}: ")


def _seconds(time: int | None, base: Any) -> float:
    return 0.0 if time is None else float(time * base)
