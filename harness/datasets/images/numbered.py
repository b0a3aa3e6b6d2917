"""Images as numbered files in a folder: a video's crops, or its whole frames."""

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

from harness.datasets.images.folders import IMAGE
from harness.datasets.images.sources import Picture, PictureReader, UnreadablePictures
from harness.errors import DataError, problem
from harness.files.format import MOST_FRAMES
from harness.system.counts import counted, verb_for
from harness.system.groups import grouped
from harness.system.images import decode_rgb
from harness.system.regular import broken_link, kind_of, read_file

_NAME = re.compile(r"([0-9]{1,9})\.(?:jpg|jpeg|png|bmp|webp)", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")
_MOST_DIGITS = 9
_SHOWN = 3
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Numbering:
    """The rule by which the names of a data set's images give frame numbers, where Aff-Wild2's rule does not hold.

    Attributes:
        pattern: pattern of an image's name; its only group is the number.
        first: number of the image of the first frame; ``None`` where the order alone counts, so that the image with the
            lowest number is that of frame 1, the next that of frame 2, whatever numbers are missing between them.
        example: examples of names, for messages.
    """

    pattern: re.Pattern[str]
    first: int | None
    example: str


@dataclass(frozen=True)
class ImageFiles:
    """The images of one video that lie on disk as files.

    Attributes:
        folder: the folder of the files; ``None`` for an empty list.
        frames: int64 ``(k,)``, increasing 1-based frame numbers.
        names: file names, in the same order.
        sizes, modified: int64 ``(k,)``, bytes and nanoseconds since the epoch.
        noun: word for an image in messages; see :class:`~harness.datasets.dataset.Video`.
        notes: messages on names in another spelling, and on files that were left out.
        no_files: names of images that are pipes, folders or links to nothing, each with its kind; reading one is an
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
        """Return the number of images."""
        return len(self.names)

    def paths(self, start: int = 0, stop: int | None = None) -> Iterator[Path]:
        """Yield full paths in frame order, of all images or of those from index ``start`` up to ``stop``."""
        for name in self.names[start:stop]:
            yield Path(self.folder or "", name)

    def listing_signature(self) -> str:
        """Return a hash that changes when an image is added, removed or rewritten; no file is read."""
        digest = hashlib.sha256()
        for part in (self.frames, self.sizes, self.modified):
            digest.update(part.tobytes())
        return digest.hexdigest()

    def source_hash(self) -> str:
        """Return the hash of frame numbers and bytes of all images.

        Raises:
            OSError: an image can't be read.
        """
        digest = hashlib.sha256()
        for frame, path in zip(self.frames.tolist(), self.paths(), strict=True):
            digest.update(b"%d\0" % frame)
            digest.update(read_file(path))
        return digest.hexdigest()

    def no_files_problem(self) -> str:
        """Return a message on images that are pipes, folders or broken links; empty where all are files."""
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
        """Open the images for reading by any number of threads."""
        yield _FolderReader(self)


@dataclass(frozen=True)
class _FolderReader:
    files: ImageFiles

    def read(self, indices: Sequence[int]) -> list[Picture]:
        pictures, bad = [], []
        for index in indices:
            path = Path(self.files.folder or "", self.files.names[index])
            try:
                raw = read_file(path)
                image = decode_rgb(np.frombuffer(raw, np.uint8), path, noun=self.files.noun)
                pictures.append(Picture(int(self.files.frames[index]), image, raw))
            except DataError as error:
                bad.append(str(error))
            except OSError as error:
                bad.append(problem(f"can't read the {self.files.noun}", where=path, found=error.strerror))
        if bad:
            raise UnreadablePictures(bad)
        return pictures


def list_images(folder: Path | None, noun: str = "crop", numbering: Numbering | None = None) -> ImageFiles:
    """List the images of a video's folder: ``NNNNN.jpg``, or any one name with the frame's number in it.

    ``frame_00001.jpg``, ``frame_det_00_000001.bmp`` or ``00001_0.jpg`` are read where the names of all images of the
    folder are alike except for one number, which differs in each. Files that are not images are left out.

    Args:
        folder: the folder of the images; ``None`` for an empty list.
        noun: word for an image in messages.
        numbering: the data set's own rule in place of this one.

    Raises:
        DataError: names don't give frame numbers, two files show one frame, a frame number is below 1, or something is
            unreadable.
    """
    notes, no_files = list[str](), list[str]()
    try:
        rows = sorted(_numbered(folder, noun, notes, no_files, numbering)) if folder is not None else []
    except OSError as error:
        raise DataError(f"can't list the {noun}s", where=folder, found=error) from None
    frames = np.array([row[0] for row in rows], np.int64)
    if numbering is not None and len(frames):
        frames = _frames_by(numbering, frames, [row[1] for row in rows], folder, noun, notes)
    if len(frames) and frames[0] < 1:
        raise DataError(
            f"{noun}s must be numbered from 1, one file per frame",
            where=folder,
            found=f"{rows[0][1]} to {rows[-1][1]}, {counted(len(rows), 'file')}",
            do="As labels and templates count from 1, rename each file to the next number, the last one first, or "
            "extract them again, from 1",
        )
    if len(frames) and frames[-1] > MOST_FRAMES:
        raise DataError(
            f"a {noun}'s number is too large for a video",
            where=folder,
            found=rows[-1][1],
            expected=f"at most {MOST_FRAMES:,}",
            do="Rename the files after their frames, counted from 1",
        )
    if (np.diff(frames) == 0).any():
        at = int(np.flatnonzero(np.diff(frames) == 0)[0])
        raise DataError(
            f"{noun}s must be numbered from 1, one file per frame",
            where=folder,
            found=f"{rows[at][1]} and {rows[at + 1][1]}",
            do="Remove or rename the wrong one",
        )
    return ImageFiles(
        folder,
        frames,
        tuple(row[1] for row in rows),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.int64),
        noun,
        tuple(notes),
        tuple(sorted(no_files)),
    )


_Row = tuple[int, str, int, int]
_Other = tuple[str, int, int]


def _frames_by(
    numbering: Numbering,
    numbers: npt.NDArray[np.int64],
    names: Sequence[str],
    folder: Path | None,
    noun: str,
    notes: list[str],
) -> npt.NDArray[np.int64]:
    """Return the frames of images by a data set's own rule; ``numbers`` increase.

    Raises:
        DataError: two images have one number, or a number lies below the first.
    """
    steps = np.diff(numbers)
    if (steps == 0).any():
        at = int(np.flatnonzero(steps == 0)[0])
        pair = f"{names[at]} and {names[at + 1]}"
        raise DataError(f"two {noun}s with one number", where=folder, found=pair, do="Remove or rename the wrong one")
    if numbering.first is None:
        gaps = int((steps - 1).sum())
        if gaps or numbers[0] > 1:
            notes.append(
                f"{folder}: numbers go from {numbers[0]} to {numbers[-1]}, of which {gaps} are left out; these "
                f"{counted(len(numbers), noun, 'are')} frames 1 to {len(numbers)} in their order"
            )
        return np.arange(1, len(numbers) + 1, dtype=np.int64)
    return numbers - numbering.first + 1


def _numbered(
    folder: Path, noun: str, notes: list[str], no_files: list[str], numbering: Numbering | None = None
) -> list[_Row]:
    """Return number, name, size and time of each image; size and time are 0 for entries that are not files."""
    pattern = _NAME if numbering is None else numbering.pattern
    rows: list[_Row] = []
    others: list[_Other] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            match = pattern.fullmatch(entry.name)
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
    if images and not rows and numbering is not None:
        raise DataError(
            f"the names of these images don't tell their frames, so that none can be read as a {noun}",
            where=folder,
            found=f"{counted(len(images), 'file')} such as {min(images)[0]}",
            expected=numbering.example,
        )
    if images and not rows:
        rows = _named_otherwise(folder, noun, images, notes)
        others = [other for other in others if not IMAGE.search(other[0])]
    if others and rows:
        notes.append(
            f"{folder}: {counted(len(others), 'file', 'are')} no {noun if len(others) == 1 else f'{noun}s'} and "
            f"{verb_for(len(others), 'were')} left out, such as {others[0][0]}"
        )
    return rows


def _described(entry: os.DirEntry[str]) -> tuple[int, int, str]:
    """Return size and time of a file or a link's target, and an empty text; for other entries 0, 0 and their kind."""
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
    """Return the rows of images whose names are alike except for their frame's number.

    Raises:
        DataError: the names differ in more than that, or several images show one frame.
    """
    stems = [IMAGE.sub("", name) for name, _, _ in images]
    numbers = [_DIGITS.findall(stem) for stem in stems]
    frames = _frame_numbers(numbers) if len({_DIGITS.sub("#", stem) for stem in stems}) == 1 else None
    if frames is None:
        raise DataError(_untold(folder, noun, sorted(name for name, _, _ in images)))
    rows = [(frame, *image) for frame, image in zip(frames, images, strict=True)]
    first, name, _, _ = min(rows)
    notes.append(f"{folder}: files are named otherwise; {name} was taken for frame {first}")
    return rows


def _frame_numbers(numbers: Sequence[Sequence[str]]) -> list[int] | None:
    """Return the frame number in each name; ``None`` if it is ambiguous.

    The frame number differs in each name; of several such numbers, or in the name of a single image, it is the longest.

    Args:
        numbers: the numbers in each name, the same count for each name.
    """
    columns = [column for column in zip(*numbers, strict=True) if max(map(len, column)) <= _MOST_DIGITS]
    telling = [column for column in columns if len(set(map(int, column))) == len(column)]
    if not telling:
        return None
    widths = [min(map(len, column)) for column in telling]
    if len(numbers) > 1 and widths.count(max(widths)) > 1:
        return None
    widest = max(range(len(telling)), key=lambda k: (widths[k], k))
    return [int(text) for text in telling[widest]]


def _untold(folder: Path, noun: str, names: Sequence[str]) -> str:
    """Return the message on names that don't give their frames."""
    if same := _of_one_frame(names):
        return problem(
            f"several images for one frame, so that none can be read as a {noun}",
            where=folder,
            found=f"{counted(len(names), 'file')}, of them {' and '.join(same[:3])}",
            expected="one image per frame",
            do="Keep the image of the person whom the labels are about, and take the others out of the folder",
        )
    return problem(
        f"the names of these images don't tell their frames, so that none can be read as a {noun}",
        where=folder,
        found=f"{counted(len(names), 'file')} such as {names[0]} and {names[-1]}",
        expected="00001.jpg, 00002.jpg and so on, or names that are alike but for the frame's number",
        do="Rename them after their frames, counted from 1",
    )


def _of_one_frame(names: Sequence[str]) -> list[str]:
    """Return the first names of one frame that differ in another number; the frame's number has the most values."""
    stems = [IMAGE.sub("", name) for name in names]
    columns = list(zip(*map(_DIGITS.findall, stems), strict=False))
    if len({_DIGITS.sub("#", stem) for stem in stems}) > 1 or len(columns) < 2:
        return []
    frames = max(columns, key=lambda column: (len(set(column)), len(column[0])))
    by_frame = grouped(zip(frames, names, strict=True))
    return next((alike for alike in by_frame.values() if len(alike) > 1), []) if len(by_frame) > 1 else []
