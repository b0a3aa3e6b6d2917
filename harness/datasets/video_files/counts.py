"""Lengths of video files: frames counted by decoding, once per file, remembered by the file's identity.

A header's count is no length. A fragmented mp4 lists its first fragment alone; one that was cut without re-encoding
counts frames that its edit list hides; for other formats OpenCV multiplies a rate by the duration, that of the audio
included. Packets don't tell either: hidden frames have theirs. What comes out of the decoder is what everyone sees.

Counts lie in ``<cache>/films/``, one JSON document per file, or in memory where no cache folder is known. They hold for
one version of the decoder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from harness.datasets.video_files.capture import count_packets, decoder, open_capture
from harness.datasets.video_files.mp4 import SUFFIXES as MP4_SUFFIXES
from harness.datasets.video_files.mp4 import read_mp4
from harness.errors import DataError, StorageError, problem
from harness.records.document import Count, json_text, load_json
from harness.system.atomic import write_text
from harness.system.images import opencv
from harness.system.progress import progress
from harness.system.regular import open_file, require_file

FORMAT = 1
"""Raised whenever the meaning of a number below changes: counts under another number are made again."""

FOLDER = "films"
_MOST_FRAMES = 10_000_000  # a header that says more has no count, but a bad estimate
_ENDS = 1 << 16  # bytes at each end of a file that its identity takes in
_TRIES = 64  # to go on reading after the decoder's first refusal

_remembered: dict[str, FilmCount] = {}


@dataclass(frozen=True)
class FilmCount:
    """The length of a video file, and what its header and packets say.

    Attributes:
        frames: that come out when the file is decoded from start to end.
        packets: compressed frames in the file.
        header: frames by OpenCV's reading of the header, an estimate for most formats; 0 where there is none.
        shown: frames that an mp4's edit list lets through; ``None`` for other formats, and for fragmented files.
        fragmented: an mp4 whose header lists its first fragment alone, or nothing.
        stopped: the decoder refused something, and frames follow whose numbers nobody can know.
    """

    frames: Count
    packets: Count
    header: Count
    shown: int | None = None
    fragmented: bool = False
    stopped: bool = False

    @property
    def whole(self) -> int:
        """Frames that would come out if nothing were damaged, as far as the file tells."""
        if self.shown is not None:
            return max(self.shown, self.frames)
        return max(self.packets, self.frames + 1) if self.stopped or not self.frames else self.frames


def count_film(path: Path, cache: Path | None = None, *, threads: int | None = None) -> FilmCount:
    """Return the length of a video file, decoding it only where its count is not known yet.

    Args:
        cache: folder of all caches, where the count is looked for and kept; ``None`` for this process alone.
        threads: that decode; one per core by default.

    Raises:
        DataError: the file is missing, or OpenCV can't open it.
    """
    key = _key(path)
    known = _recalled(path, key, cache)
    if known is None:
        known = _counted(path, threads)
        _keep(path, key, known, cache)
    return known


def count_films(paths: Iterable[Path], cache: Path | None = None) -> None:
    """Count the frames of video files, several at once, and show progress; those already counted cost nothing.

    A file that can't be opened is left out: whoever opens it next is told why.
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
        progress(f"counting the frames of {len(missing)} video files", len(missing), "files") as advance,
        ThreadPoolExecutor(min(cores, len(missing))) as pool,
    ):
        for _ in pool.map(count, largest_first):
            advance(1)


def learn_count(path: Path, frames: int, cache: Path | None = None) -> FilmCount:
    """Remember how many frames came out of a video file, for a caller that has just decoded all of it.

    Raises:
        DataError: the file is gone.
    """
    key = _key(path)
    known = _recalled(path, key, cache)
    if known is None or known.frames != frames:
        known = _described(path, frames, stopped=False)
        if known.packets != frames and known.shown != frames:  # damaged, perhaps: a closer look
            known = _counted(path, None)
        _keep(path, key, known, cache)
    return known


def lost_frames(path: Path, count: FilmCount) -> str:
    """Return the message on a damaged video file; empty where all frames that it shows can be decoded."""
    if count.frames >= count.whole:
        return ""
    return problem(
        "not all of this film can be decoded, or its header is wrong",
        where=path,
        found=f"{count.frames} of {count.whole} frames ({count.packets} packets; its header says {count.header})",
        do="Copy it again: frames from the damaged place on count as without a picture",
    )


def wrong_header(path: Path, count: FilmCount) -> str:
    """Return the note on a video file that can be decoded, but whose header or packets tell another length."""
    if count.header in (0, count.frames) and count.packets == count.frames:
        return ""
    if count.fragmented and count.header < count.frames:
        cause = "it is fragmented, and its header lists the first fragment alone"
    elif count.shown is not None and count.packets > count.shown:
        cause = "an edit list hides frames, as in a film that was cut without re-encoding"
    elif count.packets != count.frames:
        cause = "some packets give no frame of their own, or are damaged"
    elif count.header > count.frames:
        cause = "its sound lasts longer than its frames, some frames are shown for longer, or it was cut short"
    else:
        cause = "its header holds an estimate"
    return problem(
        f"This film's header gives another length than decoding, which counts; likely {cause}",
        where=path,
        found=f"{count.frames} decoded frames",
        expected=f"{count.header} by its header, {count.packets} packets",
    )


def _counted(path: Path, threads: int | None) -> FilmCount:
    capture = open_capture(path, threads=threads)
    try:
        frames = sum(1 for _ in iter(capture.grab, False))  # decodes, as read() does, but makes no image of it
        stopped = any(capture.grab() for _ in range(_TRIES))
    finally:
        capture.release()
    return _described(path, frames, stopped=stopped)


def _described(path: Path, frames: int, *, stopped: bool) -> FilmCount:
    capture = open_capture(path)
    try:
        header = capture.get(opencv().CAP_PROP_FRAME_COUNT)
    finally:
        capture.release()
    index = read_mp4(path) if path.suffix.lower() in MP4_SUFFIXES else None
    track = index.first("vide") if index else None
    fragmented = index is not None and index.fragmented
    return FilmCount(
        frames=frames,
        packets=count_packets(path),
        header=int(header) if 0 < header <= _MOST_FRAMES else 0,
        shown=track.shown if track and not fragmented else None,
        fragmented=fragmented,
        stopped=stopped,
    )


def _key(path: Path) -> str:
    """Return a hash of the file's name, size, time and both ends, and of the decoder.

    Raises:
        DataError: the file can't be read.
    """
    try:
        status = require_file(path)
        with open_file(path) as stream:
            ends = [stream.read(_ENDS)]
            stream.seek(max(0, status.st_size - _ENDS))
            ends.append(stream.read(_ENDS))
    except OSError as error:
        raise DataError("can't be opened as a film", where=path, found=error.strerror or error) from None
    digest = hashlib.sha256(f"{FORMAT}\0{decoder()}\0{path.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    for end in ends:
        digest.update(end)
    return digest.hexdigest()


def _is_known(path: Path, cache: Path | None) -> bool:
    """Tell whether a count is at hand; True, too, for a file that can't be read, which no count would help."""
    try:
        return _recalled(path, _key(path), cache) is not None
    except DataError:
        return True


def _recalled(path: Path, key: str, cache: Path | None) -> FilmCount | None:
    if key in _remembered:
        if cache is not None and not _document(path, key, cache).is_file():
            _keep(path, key, _remembered[key], cache)
        return _remembered[key]
    if cache is None:
        return None
    try:
        content = load_json(_document(path, key, cache))
        known = msgspec.convert(content, FilmCount)
    except (OSError, ValueError):
        return None
    if content.get("key") != key:
        return None
    _remembered[key] = known
    return known


def _keep(path: Path, key: str, count: FilmCount, cache: Path | None) -> None:
    _remembered[key] = count
    if cache is None:
        return
    content = {"key": key, "film": path.name, "decoder": decoder(), **asdict(count)}
    with contextlib.suppress(StorageError):  # a shared cache may be read-only
        write_text(_document(path, key, cache), json_text(content, indent=1) + "\n")


def _document(path: Path, key: str, cache: Path) -> Path:
    return cache / FOLDER / f"{path.stem[:50]}-{key[:16]}.json"
