"""Images derived from a video's frames, on disk: one file per video with the encoded images end to end.

Opening one small file per image would take longer than decoding it. The manifest beside the file holds the end of each
image, so that images can be read in any order.
"""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Video
from harness.datasets.images.sources import Picture, UnreadablePictures
from harness.errors import DataError, SolutionError, problem
from harness.system.atomic import atomic_file
from harness.system.images import decode_rgb
from harness.system.regular import require_file
from solutions.cache.recording import Item
from solutions.cache.video_store import CHECKSUM, VideoStore

_BYTES_EACH = 100_000
"""Approximate size of the largest lossless flow image in bytes; for the check of free space."""


@dataclass(frozen=True)
class DerivedPictures:
    """Derived images of one video in the cache; see :mod:`harness.datasets.images.sources` for the interface.

    Attributes:
        path: the file that holds all images.
        frames: int64 ``(k,)``, frames that the images are derived from.
        ends: int64 ``(k,)``, end of each image in the file, in bytes.
        source: hash of the frames that the images are derived from.
        undetected: always 0.
        noun: word for one image in messages.
        random_access: always True.
    """

    path: Path
    frames: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    source: str
    undetected: int = 0
    noun: ClassVar[str] = "image"
    random_access: ClassVar[bool] = True

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Size of each image in bytes, int64 ``(k,)``."""
        return np.diff(self.ends, prepend=0)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.frames)

    def listing_signature(self) -> str:
        """Return a hash that changes when the images are written again."""
        status = self.path.stat()
        return hashlib.sha256(b"%d\0%d" % (status.st_size, status.st_mtime_ns)).hexdigest()

    def source_hash(self) -> str:
        """Return the hash of the frames, computed when these were read."""
        return self.source

    @contextlib.contextmanager
    def reader(self) -> Iterator[_Reader]:
        """Open the images for reading by any number of threads.

        Raises:
            DataError: the file is unreadable.
        """
        try:
            require_file(self.path)
            # an empty file can't be mapped
            content = np.memmap(self.path, np.uint8, mode="r") if len(self) else np.empty(0, np.uint8)
        except (OSError, ValueError) as error:
            raise DataError("can't read the images", where=self.path, found=error) from None
        yield _Reader(self, np.asarray(content))


class _Reader:
    def __init__(self, pictures: DerivedPictures, content: npt.NDArray[np.uint8]) -> None:
        self._pictures = pictures
        self._content = content

    def read(self, indices: Sequence[int]) -> list[Picture]:
        """See :class:`harness.datasets.images.sources.PictureReader`."""
        source, read, bad = self._pictures, [], []
        for index in indices:
            start = int(source.ends[index - 1]) if index else 0
            try:
                image = decode_rgb(self._content[start : int(source.ends[index])], source.path, noun=source.noun)
                read.append(Picture(int(source.frames[index]), image))
            except DataError:
                where = f"{source.path} (frame {source.frames[index]})"
                bad.append(problem("not a readable image", where=where, do="Remove the file: it is made again"))
        if bad:
            raise UnreadablePictures(bad)
        return read


class PictureCache(VideoStore):
    """Cache of one kind of images derived from one data set."""

    kind = "pictures"

    def files(self, item: Item) -> dict[str, Path]:
        """See :class:`~solutions.cache.video_store.VideoStore`."""
        return {"images": self.path(item, ".images")}

    def bytes_of(self, rows: int) -> int:
        """See :class:`~solutions.cache.video_store.VideoStore`."""
        return rows * _BYTES_EACH

    def get(self, item: Item) -> DerivedPictures | None:
        """Return the images of a video; ``None`` if they are missing, damaged, or derived from other frames."""
        manifest = self.current(item)
        if manifest is None:
            return None
        frames, ends = (np.array(manifest.get(key, ()), np.int64) for key in ("frames", "ends"))
        size = int(ends[-1]) if len(ends) else 0
        fits = len(frames) == len(ends) and bool((np.diff(ends, prepend=0) >= 0).all())
        if not fits or size != manifest["parts"]["images"]["bytes"]:
            self.damaged(item, self.path(item, ".json"), "frames that don't fit the images")
            return None
        return DerivedPictures(self.files(item)["images"], frames, ends, manifest["source"])

    def open(self, video: Video) -> DerivedPictures:
        """Return the images of a video that was filled before.

        Raises:
            SolutionError: the video's frames changed since.
        """
        pictures = self.get(video)
        if pictures is None:
            raise SolutionError(f"frames of {video.name} changed while they were read; run this command again")
        return pictures

    @contextlib.contextmanager
    def writing(self, video: Video) -> Iterator[PictureWriter]:
        """Write images that arrive in batches to the disk at once; the block's end removes an unfinished video."""
        self.forget(video)
        with contextlib.suppress(_Unfinished):
            with atomic_file(self.files(video)["images"]) as stream:
                writer = PictureWriter(stream)
                yield writer
                if writer.result is None:
                    raise _Unfinished
            frames, source = writer.result
            size = self.files(video)["images"].stat().st_size
            rest = {"undetected": 0, "frames": frames.tolist(), "ends": np.cumsum(writer.sizes, dtype=int).tolist()}
            self.complete(video, {"images": {"bytes": size, CHECKSUM: writer.checksum}}, source, rest)


class _Unfinished(Exception):
    """Exception that leaves the block in which a file is written, so that the file is removed."""


class PictureWriter:
    """Writer of one video's images, one batch at a time."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Start without images, at the beginning of a stream."""
        self._stream = stream
        self.sizes: list[int] = []
        self.checksum = 0
        self.result: tuple[npt.NDArray[np.int64], str] | None = None

    def add(self, encoded: Sequence[bytes]) -> None:
        """Append the encoded files of the next images."""
        for image in encoded:
            self._stream.write(image)
            self.checksum = zlib.crc32(image, self.checksum)
            self.sizes.append(len(image))

    def finish(self, frames: npt.NDArray[np.int64], source: str) -> int:
        """Mark the video as finished.

        Args:
            frames: int64 ``(k,)``, frames that the images are derived from.
            source: hash of these frames.

        Returns:
            0, the number of frames without an image.
        """
        self.result = (frames, source)
        return 0
