"""Lengths of video files: frames counted by decoding, once per file, remembered by the file's identity.

Headers can give wrong counts. A fragmented mp4 lists its first fragment alone; an mp4 that was cut without re-encoding
counts frames that its edit list hides; for other formats OpenCV multiplies a rate by the duration, that of the audio
included. Packets mislead, too, as hidden frames have packets. All parts of the program use the decoder's frames.

Counts are stored in a folder of the cache (:data:`FOLDER`), one JSON document per file, or in memory if the cache
folder is unknown. They hold for one version of the decoder. The times, size and rotation of the frames, which the same
pass gives, are stored with them: checks, alignment, export and encoders together decode a file once.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datasets.video_files.capture import count_packets, decoder, open_capture
from harness.datasets.video_files.mp4 import SUFFIXES as MP4_SUFFIXES
from harness.datasets.video_files.mp4 import read_mp4
from harness.datasets.video_files.readings import ReadingCache
from harness.datasets.video_files.times import FrameTimes, frame_times
from harness.errors import DataError, problem
from harness.records.document import Count, Number, Whole
from harness.system.counts import counted
from harness.system.images import opencv
from harness.system.progress import progress

FORMAT = 2
"""Version of the stored counts, raised whenever the meaning of a number below changes: older counts are made again."""

FOLDER = "films"
_MOST_FRAMES = 10_000_000  # a header that claims more holds a bad estimate instead of a count
_TRIES = 64  # to go on reading after the decoder's first refusal
_MOST_RATE, _MOST_TURN = 1e6, 1e4  # frames per second, and degrees, that a header may claim


@dataclass(frozen=True)
class FilmCount:
    """The length of a video file, by decoding, by its header and by its packets.

    Attributes:
        frames: frames that come out when the file is decoded from start to end.
        packets: compressed frames in the file.
        header: frames by OpenCV's reading of the header, an estimate for most formats; 0 where there is none.
        shown: frames that an mp4's edit list lets through; ``None`` for other formats, and for fragmented files.
        fragmented: True for an mp4 whose header lists its first fragment alone, or nothing.
        stopped: True where the decoder refused a part, and frames of unknown numbers follow.
    """

    frames: Count
    packets: Count
    header: Count
    shown: int | None = None
    fragmented: bool = False
    stopped: bool = False

    @property
    def whole(self) -> int:
        """Frames that would come out of an undamaged file, as far as the file tells."""
        if self.shown is not None:
            return max(self.shown, self.frames)
        return max(self.packets, self.frames + 1) if self.stopped or not self.frames else self.frames


@dataclass(frozen=True)
class FilmReading:
    """All results of decoding a video file once.

    Attributes:
        count: its length by decoding, by its header and by its packets.
        times: times at which its frames are shown; ``None`` for files without frames, or if only the count is known.
        width, height: of a frame as it is decoded, upright.
        rotation: degrees by which the file asks to turn its frames clockwise.
        rate: frames per second by OpenCV's reading of the header; 0 where there is none.
    """

    count: FilmCount
    times: FrameTimes | None = None
    width: Count = 0
    height: Count = 0
    rotation: Whole = 0
    rate: Number = 0.0

    @property
    def frames(self) -> int:
        """Frames that come out when the file is decoded from start to end."""
        return self.count.frames

    @property
    def has_times(self) -> bool:
        """True where the time of each frame is known, or where there are no frames."""
        return self.times is not None or not self.frames


def _has_all_times(reading: FilmReading) -> bool:
    return reading.times is None or reading.times.frames == reading.frames


_READINGS = ReadingCache(FOLDER, FilmReading, FORMAT, "can't be opened as a film", _has_all_times)


def count_film(path: Path, cache: Path | None = None, *, threads: int | None = None) -> FilmCount:
    """Return the length of a video file; decode it only if no count is stored.

    Args:
        path: the video file.
        cache: folder of all caches, where the count is stored; ``None`` for this process alone.
        threads: number of threads that decode; one per core by default.

    Raises:
        DataError: the file is missing, or OpenCV can't open it.
    """
    return _reading(path, cache, threads, lambda reading: True).count


def read_film(path: Path, cache: Path | None = None, *, threads: int | None = None) -> FilmReading:
    """Return all results of decoding a video file; decode it only if they are not stored.

    Args:
        path: the video file.
        cache: folder of all caches, where the reading is stored; ``None`` for this process alone.
        threads: number of threads that decode; one per core by default.

    Raises:
        DataError: the file is missing, or OpenCV can't open it.
    """
    return _reading(path, cache, threads, lambda reading: reading.has_times)


def _reading(
    path: Path, cache: Path | None, threads: int | None, suffices: Callable[[FilmReading], bool]
) -> FilmReading:
    """Return the stored results of decoding a file where they suffice, or else those of decoding it now."""
    key = _READINGS.key(path, decoder())
    known = _READINGS.recall(path, key, cache, decoder())
    if known is None or not suffices(known):
        known = _counted(path, threads)
        _READINGS.keep(path, key, cache, decoder(), known)
    return known


def count_films(paths: Iterable[Path], cache: Path | None = None) -> None:
    """Count the frames of video files, several at once, and show progress; stored counts cost no time.

    A file that can't be opened is skipped: the next attempt to open it raises the error.
    """
    missing = [path for path in dict.fromkeys(paths) if not _is_known(path, cache)]
    if not missing:
        return
    cores = os.cpu_count() or 1

    def count(path: Path) -> None:
        with contextlib.suppress(DataError):
            count_film(path, cache, threads=max(1, cores // len(missing)))

    largest_first = sorted(missing, key=lambda path: -path.stat().st_size)
    with (
        progress(f"counting the frames of {counted(len(missing), 'video file')}", len(missing), "files") as advance,
        ThreadPoolExecutor(min(cores, len(missing))) as pool,
    ):
        for _ in pool.map(count, largest_first):
            advance(1)


def learn_count(path: Path, frames: int, cache: Path | None = None, *, milliseconds: Sequence[float] = ()) -> FilmCount:
    """Store the number of frames in a video file, for a caller that has just decoded all of it.

    Args:
        path: the video file.
        frames: number of frames that came out.
        cache: folder of all caches; ``None`` for this process alone.
        milliseconds: OpenCV's position after each frame; without them only the count is stored.

    Raises:
        DataError: the file is gone.
    """
    key = _READINGS.key(path, decoder())
    known = _READINGS.recall(path, key, cache, decoder())
    if known is None or known.frames != frames:
        known = _described(path, frames, milliseconds, _header_of(path), stopped=False)
        count = known.count
        if count.packets != frames and count.shown != frames:  # may be damaged, which only decoding again can tell
            known = _counted(path, None)
        _READINGS.keep(path, key, cache, decoder(), known)
    return known.count


def lost_frames(path: Path, count: FilmCount) -> str:
    """Return the message on a damaged video file; empty where all frames that it shows can be decoded."""
    if count.frames >= count.whole:
        return ""
    return problem(
        "not all of this film can be decoded, or its header is wrong",
        where=path,
        found=f"{count.frames} of {counted(count.whole, 'frame')} ({counted(count.packets, 'packet')}; "
        f"its header says {count.header})",
        do="Copy it again: frames from the damaged place on count as without a picture",
    )


def wrong_header(path: Path, count: FilmCount) -> str:
    """Return a note if the header or packets of a whole video file give another length than decoding; else empty."""
    if count.header in (0, count.frames) and count.packets == count.frames:
        return ""
    if count.fragmented and count.header < count.frames:
        cause = "it is fragmented, and its header lists the first fragment alone"
    elif count.shown is not None and count.packets > count.shown:
        cause = "an edit list hides frames, as in a film that was cut without re-encoding"
    elif count.packets != count.frames:
        cause = "some packets give no frame of their own, or are damaged"
    elif count.header > count.frames:
        cause = "its audio lasts longer than its frames, some frames are shown for longer, or it was cut short"
    else:
        cause = "its header holds an estimate"
    return problem(
        f"This film's header gives another length than decoding, which counts; likely {cause}",
        where=path,
        found=counted(count.frames, "decoded frame"),
        expected=f"{count.header} by its header, {counted(count.packets, 'packet')}",
    )


def _counted(path: Path, threads: int | None) -> FilmReading:
    position = opencv().CAP_PROP_POS_MSEC
    capture = open_capture(path, threads=threads)
    try:
        header = _read_header(capture)
        # decodes, as read() does, but makes no image of it
        milliseconds = [capture.get(position) for _ in iter(capture.grab, False)]
        stopped = any(capture.grab() for _ in range(_TRIES))
    finally:
        capture.release()
    return _described(path, len(milliseconds), milliseconds, header, stopped=stopped)


@dataclass(frozen=True)
class _Header:
    """OpenCV's reading of a header; see :class:`FilmReading`."""

    frames: int
    rate: float
    width: int
    height: int
    rotation: int


def _read_header(capture: Any) -> _Header:
    cv2 = opencv()
    frames, rate, degrees = (
        capture.get(key) for key in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_ORIENTATION_META)
    )
    return _Header(
        int(frames) if 0 < frames <= _MOST_FRAMES else 0,
        rate if 0 < rate < _MOST_RATE else 0.0,
        int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        round(degrees) % 360 if -_MOST_TURN < degrees < _MOST_TURN else 0,
    )


def _header_of(path: Path) -> _Header:
    capture = open_capture(path)
    try:
        return _read_header(capture)
    finally:
        capture.release()


def _described(
    path: Path, frames: int, milliseconds: Sequence[float], header: _Header, *, stopped: bool
) -> FilmReading:
    index = read_mp4(path) if path.suffix.lower() in MP4_SUFFIXES else None
    track = index.first("vide") if index else None
    fragmented = index is not None and index.fragmented
    # an index that lists just the frames that came out lists the packets, too
    listed = track is not None and not fragmented and track.samples == track.shown == frames == header.frames
    count = FilmCount(
        frames=frames,
        packets=frames if listed else count_packets(path),
        header=header.frames,
        shown=track.shown if track and not fragmented else None,
        fragmented=fragmented,
        stopped=stopped,
    )
    times = frame_times(milliseconds) if frames and len(milliseconds) == frames else None
    return FilmReading(count, times, header.width, header.height, header.rotation, header.rate)


def _is_known(path: Path, cache: Path | None) -> bool:
    """Return True where a count is stored, and for an unreadable file, which can't be counted."""
    try:
        return _READINGS.recall(path, _READINGS.key(path, decoder()), cache, decoder()) is not None
    except DataError:
        return True
