"""Pictures as numbered files in a folder: a video's crops, or its whole frames."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from harness.datasets.image_folders import IMAGE
from harness.datasets.pictures import Picture, PictureReader, UnreadablePictures
from harness.errors import DataError, problem
from harness.images import decode_rgb
from harness.regular import broken_link, kind_of, read_file
from harness.submission.format import MOST_FRAMES

_NAME = re.compile(r"([0-9]{1,9})\.(?:jpg|jpeg|png|bmp|webp)", re.IGNORECASE)
_OTHER_NAME = re.compile(r"(?P<before>.*?)(?P<number>[0-9]{1,9})(?P<after>[^0-9]*)", re.DOTALL)
_SHOWN = 3
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Crops:
    """The pictures of one video that lie on disk as files.

    Attributes:
        folder: where they lie.
        frames: int64 ``(k,)``, increasing 1-based frame numbers.
        names: file names, in the same order.
        sizes, modified: int64 ``(k,)``, bytes and nanoseconds since the epoch.
        noun: see :class:`~harness.datasets.pictures.Pictures`.
        notes: names that were read in another spelling, files that were left out.
        no_files: names of images that are pipes, folders or links to nothing, each with what it is: to read one is an
            error.
    """

    folder: Path | None
    frames: npt.NDArray[np.int64]
    names: tuple[str, ...]
    sizes: npt.NDArray[np.int64]
    modified: npt.NDArray[np.int64]
    noun: str = "crop"
    notes: tuple[str, ...] = ()
    no_files: tuple[str, ...] = ()
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
            digest.update(read_file(path))
        return digest.hexdigest()

    def no_files_problem(self) -> str:
        """Return the message on images that are no files; empty where all are."""
        n = len(self.no_files)
        if not n:
            return ""
        more = f"; and {n - _SHOWN} more" if n > _SHOWN else ""
        return problem(
            f"{n} of these {self.noun}s {'is no file' if n == 1 else 'are no files'}",
            where=self.folder,
            found="; ".join(self.no_files[:_SHOWN]) + more,
            expected="image files, or links to these",
            do=f"Put the images there, or remove what is there: these frames then count as without a {self.noun}",
        )

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
                raw = read_file(path)
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
    """List the images of a video's folder: ``NNNNN.jpg``, or any one name with the frame's number in it.

    ``frame_00001.jpg`` or ``frame_det_00_000001.bmp`` are read where all images of the folder have the same text before
    and behind the number. Files that are no images are left out.

    Raises:
        DataError: names don't tell frames, two files for one frame, a frame number below 1, or something that can't be
            read.
    """
    notes, no_files = list[str](), list[str]()
    try:
        found = sorted(_numbered(folder, noun, notes, no_files)) if folder is not None else []
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
    if len(frames) and frames[-1] > MOST_FRAMES:
        raise DataError(
            problem(
                f"a {noun}'s number that no video has",
                where=folder,
                found=found[-1][1],
                expected=f"at most {MOST_FRAMES:,}",
                do="Rename the files after their frames, counted from 1",
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
        tuple(notes),
        tuple(sorted(no_files)),
    )


_Row = tuple[int, str, int, int]
_Other = tuple[str, int, int]


def _numbered(folder: Path, noun: str, notes: list[str], no_files: list[str]) -> list[_Row]:
    """Number, name, size and time of each image; of what is no file, size and time 0."""
    rows: list[_Row] = []
    others: list[_Other] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match is None and (entry.name.startswith(".") or entry.name.lower() in _LITTER):
                continue
            size, modified, what = _described(entry)
            if what and match is None and not IMAGE.search(entry.name):
                continue
            if what:
                no_files.append(f"{entry.name}, {what}")
            if match:
                rows.append((int(match[1]), entry.name, size, modified))
            else:
                others.append((entry.name, size, modified))
    images = [other for other in others if IMAGE.search(other[0])]
    if images and not rows:
        rows = _named_otherwise(folder, noun, images, notes)
        others = [other for other in others if not IMAGE.search(other[0])]
    if others and rows:
        notes.append(f"{folder}: {len(others)} files are no {noun}s and were left out, such as {others[0][0]}")
    return rows


def _described(entry: os.DirEntry[str]) -> tuple[int, int, str]:
    """Return size and time of a file or a link's target; 0 and what is there instead, in words, where that is none."""
    try:
        status = entry.stat()
    except OSError:
        if link := broken_link(Path(entry.path)):
            return 0, 0, link
        raise
    if stat.S_ISREG(status.st_mode):
        return status.st_size, status.st_mtime_ns, ""
    return 0, 0, kind_of(status.st_mode) or "a folder"


def _named_otherwise(folder: Path, noun: str, images: Sequence[_Other], notes: list[str]) -> list[_Row]:
    """Images that all have the same text before and behind their number.

    Raises:
        DataError: they have not.
    """
    matches = [(image, _OTHER_NAME.fullmatch(IMAGE.sub("", image[0]))) for image in images]
    texts = {(match["before"], match["after"]) if match else None for _, match in matches}
    if None in texts or len(texts) != 1:
        names = sorted(name for name, _, _ in images)
        raise DataError(
            problem(
                f"the names of these images don't tell their frames, so that none can be read as a {noun}",
                where=folder,
                found=f"{len(images)} files such as {names[0]} and {names[-1]}",
                expected="00001.jpg, 00002.jpg and so on, or one text before and behind each number",
                do="Rename them after their frames, counted from 1",
            )
        )
    first = min((match["number"], name) for (name, _, _), match in matches if match)
    notes.append(f"{folder}: files are named otherwise; {first[1]} was taken for frame {int(first[0])}")
    return [(int(match["number"]) if match else 0, *image) for image, match in matches]
