"""Sources of clips: images on disk, or rows of cached features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.datasets.images.sources import Pictures, UnreadablePictures
from harness.errors import DataError, SolutionError
from harness.system.counts import first_of
from solutions.networks.preprocessing import Preprocessing

Integers = npt.NDArray[np.int64]
Inputs = dict[str, npt.NDArray[Any]]

_PIECE_ROWS = 8192
_SHOWN = 3


class Clips(Protocol):
    """Videos from which several threads can read clips at once.

    Attributes:
        labels: one int64 array ``(n,)`` per video, -1 for frames without annotation.
        images: names of the inputs that are images, which training may augment.
    """

    labels: Sequence[Integers]
    images: tuple[str, ...]

    def read(self, video: int, frames: Integers) -> Inputs:
        """Return the inputs of a clip network by name.

        Args:
            video: index into ``labels``.
            frames: int64 ``(t,)``, 0-based. A frame that lacks an image or a row of features gets the nearest present
                one, as in the authors' code.

        Returns:
            Images RGB uint8 ``(t, size, size, 3)``, features float32 ``(t, d)``.

        Raises:
            DataError: an image is damaged.
        """


@dataclass(frozen=True)
class Rows:
    """Features of one video.

    Attributes:
        frames: int64 ``(k,)``, increasing 1-based numbers of the frames with features; k at least 1.
        values: float16 or float32 ``(k, d)``, memory-mapped.
    """

    frames: Integers
    values: npt.NDArray[Any]


class FeatureClips:
    """Clips of cached features; implements :class:`Clips`.

    Rows stay on disk, and a whole batch of clips is read at once: :meth:`read` takes several videos, too.

    Args:
        names: names of the videos, for messages.
        labels: one int64 array ``(n,)`` per video, -1 for frames without annotation.
        rows: features by name of the input, one entry per video.

    Raises:
        DataError: a video has no row of an input.
    """

    images: tuple[str, ...] = ()

    def __init__(self, names: Sequence[str], labels: Sequence[Integers], rows: Mapping[str, Sequence[Rows]]) -> None:
        """Look up the row of each frame."""
        self.labels = labels
        self._rows = rows
        for key, by_video in rows.items():
            empty = [name for name, entry in zip(names, by_video, strict=True) if not len(entry.frames)]
            if empty:
                raise DataError(f"no features of {key}", where=_listed(empty), do="Leave these videos out of training")
        # row number of each frame: 8 bytes per frame save a search per clip
        self._row = {
            key: [nearest(entry.frames, len(truth)) for entry, truth in zip(by_video, labels, strict=True)]
            for key, by_video in rows.items()
        }

    def read(self, video: int | Integers, frames: Integers) -> Inputs:
        """See :meth:`Clips.read`; for several clips, ``video`` is int64 ``(b,)`` and ``frames`` ``(b, t)``."""
        if isinstance(video, int | np.integer):
            return {key: self._values(key, int(video), frames) for key in self._rows}
        return {
            key: np.stack([self._values(key, k, clip) for k, clip in zip(video.tolist(), frames, strict=True)])
            for key in self._rows
        }

    def moments(self) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
        """Return mean and standard deviation of each input's columns over all rows, float64 ``(d,)`` each."""
        moments = {}
        for key, by_video in self._rows.items():
            n, shift = 0, by_video[0].values[0].astype(np.float64)
            total, squares = np.zeros_like(shift), np.zeros_like(shift)
            for entry in by_video:
                for at in range(0, len(entry.values), _PIECE_ROWS):
                    x = entry.values[at : at + _PIECE_ROWS].astype(np.float64) - shift
                    n, total, squares = n + len(x), total + x.sum(0), squares + np.square(x).sum(0)
            moments[key] = shift + total / n, np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0))
        return moments

    def _values(self, key: str, video: int, frames: Integers) -> npt.NDArray[np.float32]:
        return np.asarray(self._rows[key][video].values[self._row[key][video][frames]], np.float32)


class PictureClips:
    """Clips of images, and of features of the same frames; implements :class:`Clips`.

    Each read decodes a clip's images and resizes them as Pillow does it; there is no cache.

    Args:
        names: names of the videos, for messages.
        labels: one int64 array ``(n,)`` per video, -1 for frames without annotation.
        images: images by name of the input, ``rgb`` or ``flow``, one source per video.
        size: side length in pixels to which images are resized, ignoring their aspect ratio.
        features: inputs that are features.

    Raises:
        DataError: a video has no images.
        SolutionError: the images are in a video file, which allows no random access.
    """

    def __init__(
        self,
        names: Sequence[str],
        labels: Sequence[Integers],
        images: Mapping[str, Sequence[Pictures]],
        size: int,
        features: FeatureClips | None = None,
    ) -> None:
        """Check that each video has images with random access."""
        self.labels = labels
        self.images = tuple(images)
        self._names, self._sources, self._features = names, images, features
        self._preprocessing = Preprocessing((size, size))
        for key, by_video in images.items():
            pairs = list(zip(names, by_video, strict=True))
            if sequential := [name for name, source in pairs if not source.random_access]:
                raise SolutionError(
                    f"training on clips needs images with random access ({key})",
                    where=_listed(sequential),
                    found="a video file, which is read from its start to its end",
                    expected="a folder with one image per frame",
                    do="Unpack the video files once with: abaw data frames ROOT",
                )
            if empty := [name for name, source in pairs if not len(source)]:
                raise DataError(f"no images ({key})", where=_listed(empty), do="Leave these videos out of training")

    def read(self, video: int, frames: Integers) -> Inputs:
        """See :meth:`Clips.read`. An image that several frames share is decoded once."""
        images = {key: self._decoded(key, by_video[video], frames) for key, by_video in self._sources.items()}
        return images if self._features is None else images | self._features.read(video, frames)

    def _decoded(self, key: str, source: Pictures, frames: Integers) -> npt.NDArray[np.uint8]:
        indices, place = np.unique(_nearest_to(source.frames, frames + 1), return_inverse=True)
        try:
            with source.reader() as reader:
                read = reader.read(indices.tolist())
        except UnreadablePictures as error:
            messages = first_of(error.messages, _SHOWN, "\n  ")
            raise DataError(f"images ({key}) that training needs can't be read:\n  {messages}") from None
        resized = [self._preprocessing.prepare(picture.image) for picture in read]
        return np.stack([resized[k] for k in place.reshape(-1).tolist()])


def nearest(present: Integers, n: int) -> Integers:
    """Return, for each of the frames 1 to n, the index of the nearest present frame; the earlier one in a tie.

    Args:
        present: int64 ``(k,)``, increasing numbers of the present frames, k at least 1.
        n: number of frames.

    Returns:
        int64 ``(n,)``, indices into ``present``.
    """
    return _nearest_to(present, np.arange(1, n + 1))


def _nearest_to(present: Integers, frames: Integers) -> Integers:
    after = np.searchsorted(present, frames).clip(0, len(present) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(frames - present[before] <= present[after] - frames, before, after)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
