"""Pictures made from a video's frames, on disk: one file a video, in it the encoded images end to end.

So many small files would cost more time to open than their contents to decode. The manifest beside the file holds where
each image ends, so that any can be read at any time.
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
"""At most about what a picture of flow takes, lossless; for the check of free space."""


@dataclass(frozen=True)
class DerivedPictures:
    """Pictures of one video out of the cache; implements :class:`harness.datasets.images.sources.Pictures`.

    Attributes:
        path: the file that holds them all.
        frames: int64 ``(k,)``, the frames that they were made of.
        ends: int64 ``(k,)``, where each ends, in bytes.
        source: hash of the frames that they were made from.
    """

    path: Path
    frames: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    source: str
    undetected: int = 0
    noun: ClassVar[str] = "picture"
    random_access: ClassVar[bool] = True

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of each."""
        return np.diff(self.ends, prepend=0)

    def __len__(self) -> int:
        return len(self.frames)

    def listing_signature(self) -> str:
        """Changes when the pictures are made anew."""
        status = self.path.stat()
        return hashlib.sha256(b"%d\0%d" % (status.st_size, status.st_mtime_ns)).hexdigest()

    def source_hash(self) -> str:
        """Hash of the frames; it was taken when they were read."""
        return self.source

    @contextlib.contextmanager
    def reader(self) -> Iterator[_Reader]:
        """Open for reading, by any number of threads."""
        try:
            require_file(self.path)
            # an empty file can't be mapped
            content = np.memmap(self.path, np.uint8, mode="r") if len(self) else np.empty(0, np.uint8)
        except (OSError, ValueError) as error:
            raise DataError("can't read the pictures", where=self.path, found=error) from None
        yield _Reader(self, np.asarray(content))


class _Reader:
    def __init__(self, pictures: DerivedPictures, content: npt.NDArray[np.uint8]) -> None:
        self._pictures = pictures
        self._content = content

    def read(self, indices: Sequence[int]) -> list[Picture]:
        """See :class:`harness.datasets.images.sources.PictureReader`."""
        own, read, bad = self._pictures, [], []
        for index in indices:
            start = int(own.ends[index - 1]) if index else 0
            try:
                image = decode_rgb(self._content[start : int(own.ends[index])], own.path, noun=own.noun)
                read.append(Picture(int(own.frames[index]), image))
            except DataError:
                where = f"{own.path} (frame {own.frames[index]})"
                bad.append(problem("not a readable picture", where=where, do="Remove the file: it is made anew"))
        if bad:
            raise UnreadablePictures(bad)
        return read


class PictureCache(VideoStore):
    """One kind of pictures made from one data set."""

    kind = "pictures"

    def files(self, item: Item) -> dict[str, Path]:
        """See :class:`~solutions.cache.video_store.VideoStore`."""
        return {"images": self.path(item, ".images")}

    def bytes_of(self, rows: int) -> int:
        """See :class:`~solutions.cache.video_store.VideoStore`."""
        return rows * _BYTES_EACH

    def get(self, item: Item) -> DerivedPictures | None:
        """Pictures of a video if they are whole and its frames are those they were made from."""
        manifest = self.current(item)
        if manifest is None:
            return None
        frames, ends = (np.array(manifest.get(key, ()), np.int64) for key in ("frames", "ends"))
        size = int(ends[-1]) if len(ends) else 0
        fits = len(frames) == len(ends) and bool((np.diff(ends, prepend=0) >= 0).all())
        if not fits or size != manifest["parts"]["images"]["bytes"]:
            self.damaged(item, self.path(item, ".json"), "frames that don't fit the pictures")
            return None
        return DerivedPictures(self.files(item)["images"], frames, ends, manifest["source"])

    def open(self, video: Video) -> DerivedPictures:
        """Pictures of a video that has been done.

        Raises:
            SolutionError: its frames changed since.
        """
        pictures = self.get(video)
        if pictures is None:
            raise SolutionError(f"frames of {video.name} changed while they were read; run this command again")
        return pictures

    @contextlib.contextmanager
    def writing(self, video: Video) -> Iterator[PictureWriter]:
        """Store pictures that come in batches, on disk at once; nothing is kept of a video that is not finished."""
        self.forget(video)
        with contextlib.suppress(_Unfinished):
            with atomic_file(self.files(video)["images"]) as stream:
                writer = PictureWriter(stream)
                yield writer
                if writer.done is None:
                    raise _Unfinished
            frames, source = writer.done
            size = self.files(video)["images"].stat().st_size
            rest = {"undetected": 0, "frames": frames.tolist(), "ends": np.cumsum(writer.sizes, dtype=int).tolist()}
            self.complete(video, {"images": {"bytes": size, CHECKSUM: writer.checksum}}, source, rest)


class _Unfinished(Exception):
    """Leaves the block that writes a file."""


class PictureWriter:
    """Takes one video's pictures, a batch at a time."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sizes: list[int] = []
        self.checksum = 0
        self.done: tuple[npt.NDArray[np.int64], str] | None = None

    def add(self, encoded: Sequence[bytes]) -> None:
        """The files of the next pictures."""
        for image in encoded:
            self._stream.write(image)
            self.checksum = zlib.crc32(image, self.checksum)
            self.sizes.append(len(image))

    def finish(self, frames: npt.NDArray[np.int64], source: str) -> int:
        """All are there. Returns 0: something is made of every picture."""
        self.done = (frames, source)
        return 0
