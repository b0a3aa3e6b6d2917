"""Audio of a data set, decoded to its end by the reader that runs use: unusable files, and lengths of the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from harness.datasets.audio.media import VIDEO_FILES, open_media
from harness.datasets.audio.streams import decoded_seconds
from harness.datasets.dataset import Video
from harness.datasets.video_files.mp4 import SUFFIXES, read_mp4
from harness.errors import DataError, MissingDependencyError, NoAudioError, problem
from harness.system.counts import counted
from harness.system.progress import progress

_SHORT, _SHARE = 1.0, 0.02  # seconds, or of the expected length, within which lengths fit
_MANY = 200  # files, from which on progress is shown
Lengths = dict[Path, tuple[float, str]]


def audio_lengths(videos: Iterable[Video], cache: Path | None = None) -> Lengths:
    """Return the seconds of each audio file, or of the audio in a video file, and the reason why it is unusable.

    Every file is decoded to its end, several at once, by the decoder that runs use: a file that a run refuses has the
    same reason here, in the same words. Of seconds and reason, one is 0 or empty.

    Where PyAV is missing, the audio of video files is not decoded: the index of mp4 and mov files gives its length; for
    others it is unknown; see :func:`note_undecoded`.

    Args:
        videos: the videos of all splits.
        cache: folder of all caches, where lengths of the audio of video files are stored; ``None`` to store them in
            memory.
    """
    paths = sorted({video.audio for video in videos if video.audio is not None})
    with ThreadPoolExecutor() as pool, _shown(len(paths)) as advance:
        lengths = {}
        for path, length in zip(paths, pool.map(partial(_length, cache=cache), paths), strict=True):
            lengths[path] = length
            advance(1)
    return lengths


@contextlib.contextmanager
def _shown(n: int) -> Iterator[Callable[[int], None]]:
    if n < _MANY:
        yield lambda done: None
        return
    with progress(f"decoding {counted(n, 'audio file')}", n, "audio files") as advance:
        yield advance


def _length(path: Path, cache: Path | None) -> tuple[float, str]:
    try:
        return decoded_seconds(path, cache), ""
    except MissingDependencyError:
        return _by_index(path)
    except NoAudioError:
        return 0.0, _silent(path)
    except DataError as error:
        reason = str(error).removeprefix(f"{path}: ")
        return 0.0, f"{path}: this audio file can't be read, or holds no audio, and does not count: {reason}"


def sound_fits(seconds: float, expected: float) -> bool:
    """Return True if audio lasts as long as expected: within a second, or two per cent of a longer video."""
    return abs(seconds - expected) <= max(_SHORT, _SHARE * expected)


def _by_index(path: Path) -> tuple[float, str]:
    """Return the duration of the audio in a video file by its index, for files that can't be decoded here."""
    if path.suffix.lower() not in SUFFIXES:
        return 0.0, ""
    index = read_mp4(path)
    if index is None:
        return 0.0, problem("this video file has no index that can be read", where=path, do="Copy the file again")
    if index.fragmented:
        return 0.0, ""
    track = index.first_shown("soun")
    if track is None:
        return 0.0, _silent(path)
    return track.end - track.start, ""


def _silent(path: Path) -> str:
    return problem(
        "this video file has no audio",
        where=path,
        do="Nothing of the voice is known for its video; put an audio file into audio/ if you have one",
    )


def note_undecoded(videos: Iterable[Video]) -> list[str]:
    """Return a note on files whose audio was not decoded, as PyAV is missing; empty with PyAV."""
    paths = {video.audio for video in videos if video.audio is not None}
    undecoded = sorted(path for path in paths if path.suffix.lower() in VIDEO_FILES)
    if not undecoded:
        return []
    try:
        open_media(undecoded[0])
    except MissingDependencyError as error:
        return [f"the audio of {counted(len(undecoded), 'video file')} was not decoded: {error}"]
    except DataError:
        return []
    return []
