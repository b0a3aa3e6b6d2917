"""Pictures out of a film: an mp4 or the like, decoded from its start to its end by OpenCV, never by seeking."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from harness.datasets.images.sources import Picture, PictureReader, UnreadablePictures
from harness.datasets.video_files.capture import SUFFIXES as SUFFIXES
from harness.datasets.video_files.capture import count_packets as count_packets
from harness.datasets.video_files.capture import decoder, open_capture, undecodable
from harness.datasets.video_files.counts import FilmCount, count_film
from harness.errors import DataError, problem
from harness.system.images import opencv
from harness.system.provenance import sha256_of

_LOOK_BACK = 32  # pictures behind the first one not asked for yet, for whoever compares a frame with earlier ones
_MOST_KEPT = 2048


@dataclass(frozen=True)
class Film:
    """The frames of one film.

    Attributes:
        path: the video file.
        frames: int64 ``(n,)``, 1 to the number of frames that come out of it.
        sizes, modified: int64 ``(1,)``, bytes of the file, and nanoseconds since the epoch.
        noun: see :class:`~harness.datasets.images.sources.Pictures`.
        count: its length, beside what its header and packets say.
        decoder: what counted it; another one may give other frames.
    """

    path: Path
    frames: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    modified: npt.NDArray[np.int64]
    noun: str
    count: FilmCount
    decoder: str
    random_access: ClassVar[bool] = False

    def __len__(self) -> int:
        return len(self.frames)

    def listing_signature(self) -> str:
        """Changes when the film is rewritten; nothing is read."""
        return hashlib.sha256(b"".join(p.tobytes() for p in (self.frames, self.sizes, self.modified))).hexdigest()

    def source_hash(self) -> str:
        """Hash of the file.

        Raises:
            OSError: it can't be read.
        """
        return sha256_of(self.path)

    @contextlib.contextmanager
    def reader(self) -> Iterator[PictureReader]:
        """Open for reading. Threads may take turns in any order, as long as together they go forward.

        Raises:
            DataError: the film can't be opened, or another decoder is at work here than where it was counted.
        """
        reader = _FilmReader(self)
        try:
            yield reader
        finally:
            reader.close()


class _FilmReader:
    """Decodes forward. Keeps what was passed over until somebody asks for it, and a little of what was handed out."""

    def __init__(self, film: Film) -> None:
        if film.decoder != decoder():
            raise DataError(
                "This film was counted by another decoder, which may give other frames",
                where=film.path,
                found=decoder(),
                expected=film.decoder,
                do="Install the same version of OpenCV wherever work is done",
            )
        self._film = film
        self._lock = threading.Lock()
        self._capture = open_capture(film.path)
        self._next = 0  # index of the frame that is decoded next
        self._ended = False
        self._kept: dict[int, npt.NDArray[np.uint8]] = {}
        self._asked: set[int] = set()  # handed out, though an earlier one was not
        self._low = 0  # all before were handed out

    def read(self, indices: Sequence[int]) -> list[Picture]:
        with self._lock:
            images = {index: self._image(index) for index in sorted(set(indices))}
            self._forget(images)
        frames = self._film.frames
        return [Picture(int(frames[k]), image) for k in indices if (image := images[k]) is not None]

    def close(self) -> None:
        self._capture.release()

    def _image(self, index: int) -> npt.NDArray[np.uint8] | None:
        """The picture, or ``None`` beyond the film's end."""
        if index not in self._kept and index < self._next:
            self._capture.release()
            self._capture, self._next, self._ended = open_capture(self._film.path), 0, False
        while self._next <= index and not self._ended:
            self._decode()
        if self._ended and index < self._film.count.frames:
            raise UnreadablePictures([_fewer(self._film, self._next)])
        return self._kept.get(index)

    def _decode(self) -> None:
        cv2 = opencv()
        there, image = self._capture.read()
        if there:
            self._kept[self._next] = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            self._next += 1
        elif self._next == 0:
            raise UnreadablePictures([undecodable(self._film.path)])
        else:
            self._ended = True

    def _forget(self, handed_out: dict[int, Any]) -> None:
        self._asked.update(handed_out)
        while self._low in self._asked:
            self._asked.discard(self._low)
            self._low += 1
        if self._next - self._low > _MOST_KEPT:  # somebody leaves frames out
            self._low = self._next - _MOST_KEPT
            self._asked = {index for index in self._asked if index >= self._low}
        for index in [index for index in self._kept if index < self._low - _LOOK_BACK]:
            del self._kept[index]


def open_film(path: Path, noun: str = "picture", cache: Path | None = None) -> Film:
    """Open a film whose frames have been counted; one that has not been counted yet is decoded once.

    A film of which nothing can be decoded counts as one frame, so that whoever reads it is told.

    Args:
        cache: folder of all caches, where counts are kept.

    Raises:
        DataError: not there, or no film that OpenCV can open.
    """
    count = count_film(path, cache)
    status = path.stat()
    sizes, modified = np.array([status.st_size], np.int64), np.array([status.st_mtime_ns], np.int64)
    return Film(path, np.arange(1, max(count.frames, 1) + 1), sizes, modified, noun, count, decoder())


def film_pictures(path: Path, milliseconds: list[float] | None = None) -> Iterator[npt.NDArray[np.uint8]]:
    """Every frame of a film, from its start, by one thread: BGR uint8 ``(h, w, 3)``, as OpenCV writes files.

    Args:
        path: the video file.
        milliseconds: gets OpenCV's position after each frame.

    Raises:
        DataError: it can't be opened, or not decoded at all.
    """
    capture, position = open_capture(path, threads=1), opencv().CAP_PROP_POS_MSEC
    try:
        there, image = capture.read()
        if not there:
            raise DataError(undecodable(path))
        while there:
            if milliseconds is not None:
                milliseconds.append(capture.get(position))
            yield image
            there, image = capture.read()
    finally:
        capture.release()


def _fewer(film: Film, frames: int) -> str:
    return problem(
        "Fewer frames come out of this film than were counted before",
        where=film.path,
        found=f"{frames} frames",
        expected=film.count.frames,
        do="See whether the file was changed while it was read, then run the same command again",
    )
