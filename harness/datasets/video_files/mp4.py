"""Times in an mp4 or mov file, read from its boxes without decoding.

OpenCV lacks edit lists and the times of audio. From ISO 14496-12 this module reads the boxes that tell which frames of
a track are shown, and when it starts: ``moov`` / ``trak`` with ``mdhd``, ``hdlr``, ``elst``, ``stts`` and ``ctts``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from harness.system.regular import open_file

SUFFIXES = (".mp4", ".m4v", ".mov", ".3gp")
_MOST_BYTES = 1 << 28  # of the index; that of a day of frames takes a tenth
_MOST_FRAMES = 10_000_000
_MOST_BOXES = 10_000  # beside each other; the index of a fragmented file stands before its thousands of fragments
_MOST_LOOKS = 1_000_000_000  # frames times edits
_EMPTY = -1  # media time of an edit that shows nothing


@dataclass(frozen=True)
class Track:
    """One track.

    Attributes:
        kind: ``vide``, ``soun`` or another handler's code.
        samples: frames of a video track, packets of an audio track.
        shown: samples that the edit list lets through.
        start, end: seconds from the start of the file's timeline to the first of these, and to the end of the last.
    """

    kind: str
    samples: int
    shown: int
    start: float
    end: float


@dataclass(frozen=True)
class Mp4:
    """The index of a file.

    Attributes:
        tracks: in the file's order; those of a fragmented file hold the first fragment alone, or nothing.
        fragmented: frames lie in fragments (``moof``) that the index does not list.
    """

    tracks: tuple[Track, ...]
    fragmented: bool

    def first(self, kind: str) -> Track | None:
        """Return the first track of a kind."""
        return next((track for track in self.tracks if track.kind == kind), None)

    def first_shown(self, kind: str) -> Track | None:
        """Return the first track of a kind; ``None`` where its edit list lets no sample through, too."""
        track = self.first(kind)
        return track if track is not None and track.shown else None


def read_mp4(path: Path) -> Mp4 | None:
    """Read the index of an mp4 or mov file; return ``None`` if the index is missing or damaged."""
    try:
        with open_file(path) as stream:
            index = _index(stream)
        if index is None:
            return None
        boxes = list(_boxes(index))
        movie_scale = next(_times(box)[0] for name, box in boxes if name == b"mvhd")
        tracks = tuple(_track(box, movie_scale) for name, box in boxes if name == b"trak")
    except (OSError, ValueError, LookupError, StopIteration, struct.error, MemoryError):
        return None
    return Mp4(tracks, any(name == b"mvex" for name, _ in boxes))


def _index(stream: IO[bytes]) -> bytes | None:
    """Return the content of ``moov``."""
    for _ in range(_MOST_BOXES):
        if len(head := stream.read(8)) < 8:
            return None
        size, name = struct.unpack(">I4s", head)
        head_size = 8
        if size == 1:
            size, head_size = struct.unpack(">Q", stream.read(8))[0], 16
        if name == b"moov":
            return stream.read(size - head_size) if head_size <= size <= _MOST_BYTES else None
        if size < head_size:
            return None
        stream.seek(size - head_size, 1)
    return None


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > len(content):
            return
        size, name = struct.unpack_from(">I4s", content, at)
        if size < 8:
            return
        yield name, content[at + 8 : at + size]
        at += size


def _inside(content: bytes, *names: bytes) -> bytes:
    """Return the content of the first box by each name in turn; empty where one is missing."""
    for name in names:
        content = next((box for box_name, box in _boxes(content) if box_name == name), b"")
    return content


def _times(box: bytes) -> tuple[int, int]:
    """Return units per second, and duration, of ``mvhd`` or ``mdhd``."""
    scale, duration = struct.unpack_from(">IQ" if box[0] == 1 else ">II", box, 20 if box[0] == 1 else 12)
    if not scale:
        raise ValueError("no time scale")
    return scale, duration


def _track(box: bytes, movie_scale: int) -> Track:
    media = _inside(box, b"mdia")
    scale, length = _times(_inside(media, b"mdhd"))
    kind = _inside(media, b"hdlr")[8:12].decode("latin-1")
    table = _inside(media, b"minf", b"stbl")
    samples = int(_pairs(_inside(table, b"stts"))[:, 0].sum())
    edits = _edits(_inside(box, b"edts", b"elst")) or [(0, 0)]
    if samples * len(edits) > _MOST_LOOKS:
        raise ValueError("more edits than a video file can have")
    # an edit of audio may begin within a packet, and a list of all samples may be long: only frames are looked at
    shown_at = _shown_at(table) if kind == "vide" else None
    shown, start, clock = 0 if kind == "vide" else samples, None, 0.0
    for duration, media_time in edits:
        seconds = duration / movie_scale if duration else max(0, length - media_time) / scale
        if media_time != _EMPTY and shown_at is not None:
            end = media_time + round(seconds * scale) if duration else np.iinfo(np.int64).max
            inside = shown_at[(shown_at >= media_time) & (shown_at < end)]
            shown += len(inside)
            if start is None and len(inside):
                start = clock + (int(inside.min()) - media_time) / scale
        elif media_time != _EMPTY and start is None:
            start = clock
        clock += seconds
    return Track(kind, samples, shown, start or 0.0, clock)


def _shown_at(table: bytes) -> npt.NDArray[np.int64]:
    """Return when each sample is shown, in the track's units, int64 ``(n,)`` in the order of decoding."""
    steps = _pairs(_inside(table, b"stts"))
    if steps[:, 0].sum() > _MOST_FRAMES:
        raise ValueError("more frames than a video file can hold")
    each = np.repeat(steps[:, 1], steps[:, 0])
    times = np.cumsum(each) - each
    offsets = _pairs(_inside(table, b"ctts"))
    if offsets[:, 0].sum() > _MOST_FRAMES:
        raise ValueError("more frames than a video file can hold")
    later = np.repeat(offsets[:, 1], offsets[:, 0])[: len(times)]
    times[: len(later)] += later
    return np.asarray(times, np.int64)


def _pairs(box: bytes) -> npt.NDArray[np.int64]:
    """Return the rows of ``stts`` or ``ctts``, int64 ``(n, 2)``: a count and a value."""
    if not box:
        return np.empty((0, 2), np.int64)
    (rows,) = struct.unpack_from(">I", box, 4)
    pairs = np.frombuffer(box, ">i4", 2 * rows, 8).reshape(-1, 2).astype(np.int64)
    if (pairs[:, 0] < 0).any():
        raise ValueError("a count below 0")
    return pairs


def _edits(box: bytes) -> list[tuple[int, int]]:
    """Return the duration in the movie's units (0: to the end) and the start in the track's, of each edit."""
    if not box:
        return []
    (rows,) = struct.unpack_from(">I", box, 4)
    form = ">Qqi" if box[0] == 1 else ">Iii"
    size = struct.calcsize(form)
    return [struct.unpack_from(form, box, 8 + size * row)[:2] for row in range(rows)]
