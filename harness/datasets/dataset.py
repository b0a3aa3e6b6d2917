"""A data set as every part of the project sees it: videos with official frame counts, labels, crops and audio."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError, problem
from harness.submission.template import Template
from harness.tasks import Task

SIDES = ("_left", "_right")
_CROP = re.compile(r"([0-9]{1,9})\.(?:jpg|jpeg|png)", re.IGNORECASE)


def base_name(video: str) -> str:
    """The raw recording that ``video`` was cut from: ``x_left`` and ``x_right`` show two people of ``x``."""
    for side in SIDES:
        if video.endswith(side):
            return video[: -len(side)]
    return video


@dataclass(frozen=True)
class Crops:
    """The face images of one video that are on disk.

    Attributes:
        folder: where they lie.
        frames: int64 ``(k,)``, increasing 1-based frame numbers.
        names: file names, in the same order.
        sizes, modified: int64 ``(k,)``, bytes and nanoseconds since the epoch.
    """

    folder: Path | None
    frames: npt.NDArray[np.int64]
    names: tuple[str, ...]
    sizes: npt.NDArray[np.int64]
    modified: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def paths(self, start: int = 0, stop: int | None = None) -> Iterator[Path]:
        """Full paths in frame order, of all crops or of those from ``start`` up to ``stop``."""
        for name in self.names[start:stop]:
            yield Path(self.folder or "", name)

    def listing_signature(self) -> str:
        """Changes when a crop is added, removed or rewritten; cheap, no file is read."""
        digest = hashlib.sha256()
        for part in (self.frames, self.sizes, self.modified):
            digest.update(part.tobytes())
        return digest.hexdigest()


def list_crops(folder: Path | None) -> Crops:
    """List ``NNNNN.jpg`` (or ``.png``) in a video's folder; anything else in it is ignored.

    Raises:
        DataError: two files for one frame, a frame number below 1, or something that can't be read.
    """
    try:
        found = sorted(_scan(folder)) if folder is not None else []
    except OSError as error:
        raise DataError(problem("can't list the crops", where=folder, found=error)) from None
    frames = np.array([row[0] for row in found], np.int64)
    if len(frames) and (frames[0] < 1 or (np.diff(frames) == 0).any()):
        at = 0 if frames[0] < 1 else int(np.flatnonzero(np.diff(frames) == 0)[0])
        raise DataError(
            problem(
                "crops must be numbered from 1, one file a frame",
                where=folder,
                found=f"{found[at][1]}" + (f" and {found[at + 1][1]}" if frames[0] >= 1 else ""),
                do="Remove or rename the wrong one",
            )
        )
    return Crops(
        folder,
        frames,
        tuple(row[1] for row in found),
        np.array([row[2] for row in found], np.int64),
        np.array([row[3] for row in found], np.int64),
    )


def _scan(folder: Path) -> Iterator[tuple[int, str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if match := _CROP.fullmatch(entry.name):
                status = entry.stat()
                yield int(match[1]), entry.name, status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class Video:
    """One annotated sequence of one split.

    Attributes:
        name: official name, ``_left`` or ``_right`` included.
        n_frames: official number of frames; labels and predictions have exactly so many rows.
        labels: official values with the task's invalid marker in place, frames 1 to n: int64 ``(n,)`` for classes,
            int64 or float64 ``(n, n_outputs)`` otherwise. ``None`` where the split has no labels.
        crop_folder: folder of its crops, ``None`` if there is none.
        audio: its sound (that of the base recording), ``None`` if there is none.
    """

    name: str
    n_frames: int
    labels: npt.NDArray[Any] | None = None
    crop_folder: Path | None = None
    audio: Path | None = None

    @property
    def base(self) -> str:
        """Name of the raw recording; videos that share it stay in the same fold."""
        return base_name(self.name)

    @cached_property
    def crops(self) -> Crops:
        """Its face images, listed on first use."""
        return list_crops(self.crop_folder)


@dataclass(frozen=True)
class Dataset:
    """A data set on disk, opened for one task.

    Attributes:
        name: ``Aff-Wild2``, or the folder's name for any other data in the same layout.
        splits: videos of ``train``, ``val`` and ``test``, in official (test) or alphabetical order.
        template: rows that a test submission must have, in order; ``None`` without a template file.
        notes: what was assumed while it was opened.
    """

    name: str
    root: Path
    task: Task
    splits: Mapping[str, Sequence[Video]]
    template: Template | None = None
    notes: Sequence[str] = field(default=())

    def videos(self, split: str) -> Sequence[Video]:
        """Videos of a split.

        Raises:
            DataError: the data set has no such split.
        """
        videos = self.splits.get(split, ())
        if not videos:
            has = ", ".join(name for name, members in self.splits.items() if members) or "none"
            raise DataError(
                problem(
                    f"no {split} videos for {self.task.name}",
                    where=self.root,
                    found=f"splits: {has}",
                    do=f"See what was found with: abaw data check {self.root}",
                )
            )
        return videos

    def labels(self, split: str) -> npt.NDArray[Any]:
        """Labels of a split's videos, end to end, invalid ones in place.

        Raises:
            DataError: a video has none.
        """
        videos = self.videos(split)
        without = [video.name for video in videos if video.labels is None]
        if without:
            raise DataError(
                problem(
                    f"labels of {split} are needed",
                    where=self.root,
                    found=f"none for {without[0]}" + (f" and {len(without) - 1} more" if without[1:] else ""),
                )
            )
        return np.concatenate([video.labels for video in videos if video.labels is not None])

    def fingerprint(self, *splits: str) -> str:
        """Hash of names, frame counts and labels of the given splits: the same data, the same fingerprint."""
        digest = hashlib.sha256(self.task.name.encode())
        for split in splits:
            digest.update(split.encode())
            for video in self.splits.get(split, ()):
                digest.update(f"\n{video.name}\n{video.n_frames}\n".encode())
                if video.labels is not None:
                    digest.update(np.ascontiguousarray(video.labels).tobytes())
        return digest.hexdigest()

    def crops_fingerprint(self, *splits: str) -> str:
        """Hash of which crops there are, and of their sizes: stays the same when the data set is copied or moved."""
        digest = hashlib.sha256()
        for split in splits:
            for video in self.splits.get(split, ()):
                digest.update(f"\n{video.name}\n".encode())
                digest.update(video.crops.frames.tobytes())
                digest.update(video.crops.sizes.tobytes())
        return digest.hexdigest()
