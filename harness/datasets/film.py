"""Pictures out of a film: an mp4 or the like, decoded from its start to its end by OpenCV."""

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

from harness.datasets.pictures import Picture, PictureReader, UnreadablePictures
from harness.errors import DataError, problem
from harness.images import opencv
from harness.provenance import sha256_of

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov")
_NEWER_OPENCV = "Without the extra mediapipe, which needs NumPy 1: pip install 'opencv-python-headless>=4.14,<5'"
_MOST_FRAMES = 10_000_000  # a header that says more has no count, but a bad estimate
_LOOK_BACK = 32  # pictures behind the first one not asked for yet, for whoever compares a frame with earlier ones
_MOST_KEPT = 2048


@dataclass(frozen=True)
class Film:
    """The frames of one film.

    Attributes:
        path: the film.
        frames: int64 ``(n,)``, 1 to the number of frames that its header gives. Fewer come out of a damaged one.
        sizes, modified: int64 ``(1,)``, bytes of the file, and nanoseconds since the epoch.
        noun: see :class:`~harness.datasets.pictures.Pictures`.
    """

    path: Path
    frames: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    modified: npt.NDArray[np.int64]
    noun: str = "picture"
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
            DataError: the film can't be opened.
        """
        reader = _FilmReader(self)
        try:
            yield reader
        finally:
            reader.close()


class _FilmReader:
    """Decodes forward. Keeps what was passed over until somebody asks for it, and a little of what was handed out."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._lock = threading.Lock()
        self._capture = _open(film.path)
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
        """The picture, or ``None`` where the film ends before it."""
        if index not in self._kept and index < self._next:
            self._capture.release()
            self._capture, self._next, self._ended = _open(self._film.path), 0, False
        while self._next <= index and not self._ended:
            self._decode()
        return self._kept.get(index)

    def _decode(self) -> None:
        cv2 = opencv()
        there, image = self._capture.read()
        if there:
            self._kept[self._next] = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            self._next += 1
        elif self._next == 0:
            raise UnreadablePictures([_undecodable(self._film.path, self._capture)])
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


def open_film(path: Path, noun: str = "picture") -> Film:
    """Read a film's header.

    Raises:
        DataError: not there, or no film that OpenCV can open.
    """
    capture = _open(path)
    try:
        n = capture.get(opencv().CAP_PROP_FRAME_COUNT)
    finally:
        capture.release()
    frames = int(n) if 0 < n <= _MOST_FRAMES else count_packets(path)
    status = path.stat()
    sizes, modified = np.array([status.st_size], np.int64), np.array([status.st_mtime_ns], np.int64)
    return Film(path, np.arange(1, frames + 1), sizes, modified, noun)


def film_pictures(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """Every frame of a film, from its start, by one thread: BGR uint8 ``(h, w, 3)``, as OpenCV writes files.

    Raises:
        DataError: it can't be opened, or not decoded at all.
    """
    cv2 = opencv()
    capture = _open(path, [cv2.CAP_PROP_N_THREADS, 1])
    try:
        there, image = capture.read()
        if not there:
            raise DataError(_undecodable(path, capture))
        while there:
            yield image
            there, image = capture.read()
    finally:
        capture.release()


def count_packets(path: Path) -> int:
    """Frames that are really in a film: what its header says may be wrong, or the film cut short. Decodes nothing.

    Raises:
        DataError: not there, or no film that OpenCV can open.
    """
    capture = _open(path, [opencv().CAP_PROP_FORMAT, -1])  # packets as they are
    try:
        n = 0
        while capture.grab():
            n += 1
        return n
    finally:
        capture.release()


def _open(path: Path, properties: Sequence[int] = ()) -> Any:
    cv2 = opencv()
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, list(properties))
    if capture.isOpened():
        return capture
    try:
        with path.open("rb") as stream:
            start = stream.read(12)
        found = f"{path.stat().st_size:,} bytes, beginning {start.hex(' ') or 'nothing'}"
    except OSError as error:
        found = error.strerror or str(error)
    raise DataError(
        problem(
            "can't be opened as a film",
            where=path,
            found=found,
            expected="an mp4, avi, mkv or mov file that is whole",
            do="Copy it again, or put its frames beside it as frames/<video>/00001.jpg and so on",
        )
    )


def _undecodable(path: Path, capture: Any) -> str:
    cv2 = opencv()
    code = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=False)
    codec = code.decode("ascii", errors="replace").strip("\0 ")
    frames = f"ffmpeg -i {path} -q:v 2 frames/{path.stem}/%05d.jpg"
    is_av1 = codec.casefold() == "av01"
    return problem(
        "this film's frames can't be decoded",
        where=path,
        found=f"codec {codec or 'unknown'}, OpenCV {cv2.__version__}",
        expected="OpenCV 4.14 or later for AV1 (4.11 can't)" if is_av1 else None,
        do=(f"{_NEWER_OPENCV}. Or extract" if is_av1 else "Extract")
        + f" the frames with another program, such as: {frames}",
    )
