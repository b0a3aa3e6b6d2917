"""Pictures as numbered files in a folder: a video's crops, or its whole frames."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from harness.datasets.pictures import Picture, PictureReader, UnreadablePictures
from harness.errors import DataError, problem
from harness.images import decode_rgb

_NAME = re.compile(r"([0-9]{1,9})\.(?:jpg|jpeg|png)", re.IGNORECASE)


@dataclass(frozen=True)
class Crops:
    """The pictures of one video that lie on disk as files.

    Attributes:
        folder: where they lie.
        frames: int64 ``(k,)``, increasing 1-based frame numbers.
        names: file names, in the same order.
        sizes, modified: int64 ``(k,)``, bytes and nanoseconds since the epoch.
        noun: see :class:`~harness.datasets.pictures.Pictures`.
    """

    folder: Path | None
    frames: npt.NDArray[np.int64]
    names: tuple[str, ...]
    sizes: npt.NDArray[np.int64]
    modified: npt.NDArray[np.int64]
    noun: str = "crop"
    random_access: ClassVar[bool] = True

    def __len__(self) -> int:
        return len(self.names)

    def paths(self, start: int = 0, stop: int | None = None) -> Iterator[Path]:
        """Full paths in frame order, of all pictures or of those from ``start`` up to ``stop``."""
        for name in self.names[start:stop]:
            yield Path(self.folder or "", name)

    def listing_signature(self) -> str:
        """Changes when a picture is added, removed or rewritten; cheap, no file is read."""
        digest = hashlib.sha256()
        for part in (self.frames, self.sizes, self.modified):
            digest.update(part.tobytes())
        return digest.hexdigest()

    def source_hash(self) -> str:
        """Hash of numbers and bytes of all pictures.

        Raises:
            OSError: one can't be read.
        """
        digest = hashlib.sha256()
        for frame, path in zip(self.frames.tolist(), self.paths(), strict=True):
            digest.update(b"%d\0" % frame)
            digest.update(path.read_bytes())
        return digest.hexdigest()

    @contextlib.contextmanager
    def reader(self) -> Iterator[PictureReader]:
        """Open for reading, by as many threads as like."""
        yield _FolderReader(self)


@dataclass(frozen=True)
class _FolderReader:
    crops: Crops

    def read(self, indices: Sequence[int]) -> list[Picture]:
        found, bad = [], []
        for index in indices:
            path = Path(self.crops.folder or "", self.crops.names[index])
            try:
                raw = path.read_bytes()
                image = decode_rgb(np.frombuffer(raw, np.uint8), path, noun=self.crops.noun)
                found.append(Picture(int(self.crops.frames[index]), image, raw))
            except DataError as error:
                bad.append(str(error))
            except OSError as error:
                bad.append(problem(f"can't read the {self.crops.noun}", where=path, found=error.strerror))
        if bad:
            raise UnreadablePictures(bad)
        return found


def list_crops(folder: Path | None, noun: str = "crop") -> Crops:
    """List ``NNNNN.jpg`` (or ``.png``) in a video's folder; anything else in it is ignored.

    Raises:
        DataError: two files for one frame, a frame number below 1, or something that can't be read.
    """
    try:
        found = sorted(_scan(folder)) if folder is not None else []
    except OSError as error:
        raise DataError(problem(f"can't list the {noun}s", where=folder, found=error)) from None
    frames = np.array([row[0] for row in found], np.int64)
    if len(frames) and frames[0] < 1:
        raise DataError(
            problem(
                f"{noun}s must be numbered from 1, one file a frame",
                where=folder,
                found=f"{found[0][1]} to {found[-1][1]}, {len(found)} files",
                do="As labels and templates count from 1, rename each file to the next number, the last one first, or "
                "extract them anew, from 1",
            )
        )
    if (np.diff(frames) == 0).any():
        at = int(np.flatnonzero(np.diff(frames) == 0)[0])
        raise DataError(
            problem(
                f"{noun}s must be numbered from 1, one file a frame",
                where=folder,
                found=f"{found[at][1]} and {found[at + 1][1]}",
                do="Remove or rename the wrong one",
            )
        )
    return Crops(
        folder,
        frames,
        tuple(row[1] for row in found),
        np.array([row[2] for row in found], np.int64),
        np.array([row[3] for row in found], np.int64),
        noun,
    )


def _scan(folder: Path) -> Iterator[tuple[int, str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if match := _NAME.fullmatch(entry.name):
                status = entry.stat()
                yield int(match[1]), entry.name, status.st_size, status.st_mtime_ns
