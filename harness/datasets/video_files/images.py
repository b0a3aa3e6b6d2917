"""Images from a video file, such as mp4, which OpenCV decodes from its start to its end, never by seeking."""

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
from harness.system.counts import counted
from harness.system.images import opencv
from harness.system.provenance import sha256_of

_LOOK_BACK = 32  # images kept before the first one not asked for yet, for callers that compare neighbouring frames
_MOST_KEPT = 2048


@dataclass(frozen=True)
class Film:
    """The frames of one video file.

    Attributes:
        path: the video file.
        frames: int64 ``(n,)``, 1 to the number of frames that come out of it.
        sizes, modified: int64 ``(1,)``, bytes of the file, and nanoseconds since the epoch.
        noun: word for an image in messages; see :class:`~harness.datasets.dataset.Video`.
        count: its length by decoding, by its header and by its packets.
        decoder: name of the decoder that counted the frames; another one may give other frames.
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
        """Return the number of frames."""
        return len(self.frames)

    def listing_signature(self) -> str:
        """Return a hash that changes when the video file is rewritten; the file is not read."""
        return hashlib.sha256(b"".join(p.tobytes() for p in (self.frames, self.sizes, self.modified))).hexdigest()

    def source_hash(self) -> str:
        """Return the hash of the video file.

        Raises:
            OSError: the file can't be read.
        """
        return sha256_of(self.path)

    @contextlib.contextmanager
    def reader(self) -> Iterator[PictureReader]:
        """Open the images for reading. Threads may take turns in any order, as long as together they go forward.

        Raises:
            DataError: the video file can't be opened, or its frames were counted by another decoder than the one here.
        """
        reader = _FilmReader(self)
        try:
            yield reader
        finally:
            reader.close()


class _FilmReader:
    """A reader that decodes forward; it keeps skipped images until they are asked for, and a few that were returned."""

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
        """Return the image at an index; ``None`` beyond the end of the video file."""
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
    """Open a video file whose frames have been counted; a file without a stored count is decoded once.

    An undecodable file counts as one frame, so that reading it raises an error.

    Args:
        path: the video file.
        noun: word for an image in messages.
        cache: folder of all caches, where counts are stored; ``None`` to store them in memory.

    Raises:
        DataError: the file is missing, or OpenCV can't open it.
    """
    count = count_film(path, cache)
    status = path.stat()
    sizes, modified = np.array([status.st_size], np.int64), np.array([status.st_mtime_ns], np.int64)
    return Film(path, np.arange(1, max(count.frames, 1) + 1), sizes, modified, noun, count, decoder())


def film_pictures(path: Path, milliseconds: list[float] | None = None) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield every frame of a video file from its start, decoded by one thread: BGR uint8 ``(h, w, 3)``, OpenCV's order.

    Args:
        path: the video file.
        milliseconds: gets OpenCV's position after each frame.

    Raises:
        DataError: the file can't be opened, or all decoding fails.
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
        found=counted(frames, "frame"),
        expected=film.count.frames,
        do="See whether the file was changed while it was read, then run the same command again",
    )
