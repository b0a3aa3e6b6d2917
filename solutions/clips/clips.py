"""Where clips are read from: pictures on disk, or rows of cached features."""

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
    """Videos that clips can be read of, by several threads at once.

    Attributes:
        labels: a video: int64 ``(n,)``, -1 for a frame that nobody annotated.
        pictures: names of the inputs that are pictures, which training may change.
    """

    labels: Sequence[Integers]
    pictures: tuple[str, ...]

    def read(self, video: int, frames: Integers) -> Inputs:
        """What a clip network takes, by input.

        Args:
            video: index into ``labels``.
            frames: int64 ``(t,)``, 0-based. One without a picture, or without a row of features, gets the nearest that
                there is, as in the authors' code.

        Returns:
            Pictures RGB uint8 ``(t, size, size, 3)``, features float32 ``(t, d)``.

        Raises:
            DataError: a picture can't be decoded.
        """


@dataclass(frozen=True)
class Rows:
    """Features of one video.

    Attributes:
        frames: int64 ``(k,)``, increasing 1-based numbers of the frames that have them; k at least 1.
        values: float16 or float32 ``(k, d)``, memory-mapped.
    """

    frames: Integers
    values: npt.NDArray[Any]


class FeatureClips:
    """Clips of cached features; implements :class:`Clips`.

    Rows stay on disk, and a whole batch of clips is gathered at once: :meth:`read` takes several videos, too.

    Args:
        names: of the videos, for messages.
        labels: a video.
        rows: by input, a video.

    Raises:
        DataError: a video has no row of an input.
    """

    pictures: tuple[str, ...] = ()

    def __init__(self, names: Sequence[str], labels: Sequence[Integers], rows: Mapping[str, Sequence[Rows]]) -> None:
        self.labels = labels
        self._rows = rows
        for key, of_videos in rows.items():
            empty = [name for name, own in zip(names, of_videos, strict=True) if not len(own.frames)]
            if empty:
                raise DataError(f"no features of {key}", where=_listed(empty), do="Leave these videos out of training")
        # which row each frame takes: 8 bytes a frame, so that a clip costs no search
        self._row = {
            key: [nearest(own.frames, len(truth)) for own, truth in zip(of_videos, labels, strict=True)]
            for key, of_videos in rows.items()
        }

    def read(self, video: int | Integers, frames: Integers) -> Inputs:
        """See :meth:`Clips.read`; of several clips, ``video`` is int64 ``(b,)`` and ``frames`` ``(b, t)``."""
        if isinstance(video, int | np.integer):
            return {key: self._values(key, int(video), frames) for key in self._rows}
        return {
            key: np.stack([self._values(key, one, own) for one, own in zip(video.tolist(), frames, strict=True)])
            for key in self._rows
        }

    def moments(self) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
        """Mean and standard deviation of each input's columns over all rows, float64 ``(d,)`` each."""
        found = {}
        for key, of_videos in self._rows.items():
            n, shift = 0, of_videos[0].values[0].astype(np.float64)
            total, squares = np.zeros_like(shift), np.zeros_like(shift)
            for own in of_videos:
                for at in range(0, len(own.values), _PIECE_ROWS):
                    x = own.values[at : at + _PIECE_ROWS].astype(np.float64) - shift
                    n, total, squares = n + len(x), total + x.sum(0), squares + np.square(x).sum(0)
            found[key] = shift + total / n, np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0))
        return found

    def _values(self, key: str, video: int, frames: Integers) -> npt.NDArray[np.float32]:
        return np.asarray(self._rows[key][video].values[self._row[key][video][frames]], np.float32)


class PictureClips:
    """Clips of pictures, and of features of the same frames; implements :class:`Clips`.

    Nothing is kept: a clip's pictures are decoded, and resized as Pillow does it, when it is read.

    Args:
        names: of the videos, for messages.
        labels: a video.
        pictures: by input, ``rgb`` or ``flow``, a video.
        size: pixels of a side that they are squashed to.
        features: inputs that are none.

    Raises:
        DataError: a video has no pictures.
        SolutionError: its pictures lie in a film.
    """

    def __init__(
        self,
        names: Sequence[str],
        labels: Sequence[Integers],
        pictures: Mapping[str, Sequence[Pictures]],
        size: int,
        features: FeatureClips | None = None,
    ) -> None:
        self.labels = labels
        self.pictures = tuple(pictures)
        self._names, self._sources, self._features = names, pictures, features
        self._preprocessing = Preprocessing((size, size))
        for key, of_videos in pictures.items():
            pairs = list(zip(names, of_videos, strict=True))
            if films := [name for name, own in pairs if not own.random_access]:
                raise SolutionError(
                    f"clips can't be trained on out of a film ({key})",
                    where=_listed(films),
                    found="a film, which is read from its start to its end",
                    expected="a folder with a picture a frame",
                    do="Unpack the films once with: abaw data frames ROOT",
                )
            if empty := [name for name, own in pairs if not len(own)]:
                raise DataError(f"no pictures ({key})", where=_listed(empty), do="Leave these videos out of training")

    def read(self, video: int, frames: Integers) -> Inputs:
        """See :meth:`Clips.read`. A picture that several of the frames take is decoded once."""
        found = {key: self._decoded(key, of_videos[video], frames) for key, of_videos in self._sources.items()}
        return found if self._features is None else found | self._features.read(video, frames)

    def _decoded(self, key: str, pictures: Pictures, frames: Integers) -> npt.NDArray[np.uint8]:
        wanted, place = np.unique(_nearest_to(pictures.frames, frames + 1), return_inverse=True)
        try:
            with pictures.reader() as reader:
                read = reader.read(wanted.tolist())
        except UnreadablePictures as error:
            messages = first_of(error.messages, _SHOWN, "\n  ")
            raise DataError(f"pictures ({key}) that training needs can't be read:\n  {messages}") from None
        resized = [self._preprocessing.prepare(picture.image) for picture in read]
        return np.stack([resized[k] for k in place.reshape(-1).tolist()])


def nearest(present: Integers, n: int) -> Integers:
    """For each of the frames 1 to n, the index of the nearest one that is present; of two, the earlier.

    Args:
        present: int64 ``(k,)``, increasing, k at least 1.
    """
    return _nearest_to(present, np.arange(1, n + 1))


def _nearest_to(present: Integers, frames: Integers) -> Integers:
    after = np.searchsorted(present, frames).clip(0, len(present) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(frames - present[before] <= present[after] - frames, before, after)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
