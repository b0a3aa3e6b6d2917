"""Placeholders that count as images: copies of one file, such as a black image for each frame without a face.

Files are compared by their bytes. Of millions of images only those are read whose size is that of many others.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Video
from harness.datasets.images.numbered import ImageFiles
from harness.errors import DataError, problem
from harness.system.counts import counted
from harness.system.images import read_rgb
from harness.system.regular import read_file
from harness.tasks import VD

_ENOUGH_ALIKE = 10  # byte-identical images of all videos
_SAMPLE = 40  # images of one size and video that are compared, at least
_COMMON_SIZES = 5  # of the whole data set
_MOST_READ = 10_000  # images that are read to count placeholders to the last one
_DARK = 8  # of 255
_SHOWN = 5

_Indices = npt.NDArray[np.integer[Any]]


def doubts_of_placeholders(videos: Sequence[Video], noun: str) -> Iterator[str]:
    """Yield one message on all images that are copies of the same file, in one video or over several."""
    files = _Files([video for video in videos if isinstance(video.images, ImageFiles)])
    copied = sorted(files.placeholders(), key=lambda file: -file.count)
    if not copied:
        return
    total = sum(file.count for file in copied)
    about = "about " if any(file.estimated for file in copied) else ""
    folders = {folder for file in copied for folder in file.folders}
    texts = [f"{file.words} the same as {file.first}{file.look}" for file in copied[:_SHOWN]]
    more = f"; and {counted(len(copied) - _SHOWN, 'more such file')}" if len(copied) > _SHOWN else ""
    unless = "unless the film stands still there, " if noun == VD.noun else ""
    yield problem(
        f"{about}{counted(total, noun)} of {counted(len(folders), 'video')} look like placeholders: "
        "the same file again and again",
        found="; ".join(texts) + more,
        do=f"They count as {noun}s now. `{copied[0].listing}` lists "
        f"{'those of the first file' if copied[1:] else 'them'}; {unless}remove them all, and their frames count as "
        f"without a {noun}",
    )


@dataclass(frozen=True)
class _Placeholder:
    """A file that many images are copies of.

    Attributes:
        first: path of the first copy.
        size: bytes of the file.
        count: number of copies.
        folders: folders of the videos that have copies.
        estimated: True where ``count`` is projected from a sample.
    """

    first: Path
    size: int
    count: int
    folders: tuple[Path, ...]
    estimated: bool

    @property
    def words(self) -> str:
        about = "about " if self.estimated else ""
        return f"{about}{self.count:,} in {len(self.folders)} video{'s' if self.folders[1:] else ''}"

    @property
    def look(self) -> str:
        """Remark on an empty file or a black image; empty for others."""
        if not self.size:
            return ", which is empty"
        try:
            return ", which is black" if int(read_rgb(self.first).max()) <= _DARK else ""
        except DataError:  # a run that reads the image reports it
            return ""

    @property
    def listing(self) -> str:
        """Command that prints the paths of all copies."""
        common, first = shlex.quote(os.path.commonpath(self.folders)), shlex.quote(str(self.first))
        return f"find -L {common} -size {self.size}c -exec cmp -s {first} {{}} \\; -print"


class _Files:
    """All images of a data set, end to end, video after video."""

    def __init__(self, videos: Sequence[Video]) -> None:
        self.files = [video.images for video in videos if isinstance(video.images, ImageFiles)]
        self.sizes = np.concatenate([np.empty(0, np.int64), *(crops.sizes for crops in self.files)])
        self.starts = np.cumsum([0, *(len(crops) for crops in self.files)])
        self.digests: dict[int, str] = {}
        self.left = _MOST_READ

    def placeholders(self) -> Iterator[_Placeholder]:
        """Yield the files that at least 10 images are copies of."""
        for places in self._sampled():
            for place in places.tolist():
                self._digest(place)
        alike = Counter((int(self.sizes[place]), digest) for place, digest in self.digests.items())
        for (size, digest), n in sorted(alike.items()):
            if n >= _ENOUGH_ALIKE:
                yield self._counted(size, digest)

    def _sampled(self) -> Iterator[_Indices]:
        """Yield images to compare: those of the most frequent size in each video, and of the most frequent sizes."""
        for start, crops in zip(self.starts.tolist(), self.files, strict=False):
            sizes, counts = np.unique(crops.sizes, return_counts=True)
            if len(sizes) and counts.max() > 1:
                yield _spread(start + np.flatnonzero(crops.sizes == sizes[counts.argmax()]))
        sizes, counts = np.unique(self.sizes, return_counts=True)
        for k in np.argsort(-counts, kind="stable")[:_COMMON_SIZES].tolist():
            yield _spread(np.flatnonzero(self.sizes == sizes[k]))

    def _counted(self, size: int, digest: str) -> _Placeholder:
        """Count the copies of a file in each video."""
        places = np.flatnonzero(self.sizes == size)
        first, total, estimated, folders = -1, 0, False, []
        for members in np.split(places, np.searchsorted(places, self.starts[1:-1])):
            whole = len(members) <= max(_SAMPLE, self.left)
            read = members if whole else _spread(members)
            self.left -= len(read)
            copies = [place for place in read.tolist() if self._digest(place) == digest]
            if not copies:
                continue
            first = first if first >= 0 else copies[0]
            total += len(copies) if whole else round(len(members) * len(copies) / len(read))
            estimated |= not whole
            folders.append(self._path(copies[0]).parent)
        return _Placeholder(self._path(first), size, total, tuple(folders), estimated)

    def _path(self, place: int) -> Path:
        video = int(np.searchsorted(self.starts, place, side="right")) - 1
        crops = self.files[video]
        return Path(crops.folder or "", crops.names[place - int(self.starts[video])])

    def _digest(self, place: int) -> str:
        if place not in self.digests:
            path = self._path(place)
            try:
                self.digests[place] = hashlib.sha256(read_file(path)).hexdigest()
            except OSError:
                self.digests[place] = str(path)
        return self.digests[place]


def _spread(places: _Indices) -> _Indices:
    """Return at most 40 of the indices, evenly spread."""
    chosen: _Indices = np.unique(places[np.linspace(0, len(places) - 1, min(len(places), _SAMPLE)).astype(int)])
    return chosen
