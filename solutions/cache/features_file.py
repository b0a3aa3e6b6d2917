"""Features on disk: a ``.npy`` for each part of an encoder's columns and one manifest a video. Whole or absent."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError
from harness.system.arrays import array_bytes, map_array
from harness.system.atomic import atomic_file
from solutions.cache.recording import Item
from solutions.cache.video_store import CHECKSUM, Identified, VideoStore
from solutions.encoders.encoder import Part, spans, total_dim


@dataclass(frozen=True)
class Features:
    """Features of one video, or of one recording's sound.

    Attributes:
        frames: int64 ``(k,)``, increasing 1-based numbers of the frames that have features; of sound in the cache, of
            the encoder's own steps.
        parts: ``(k, dim)`` each by the part's name, float16 or float32, or whatever a team's own files hold;
            memory-mapped where they lie on disk as they are.
        undetected: frames with a picture in which the encoder found nothing.
    """

    frames: npt.NDArray[np.int64]
    parts: Mapping[str, npt.NDArray[Any]]
    undetected: int

    @property
    def values(self) -> npt.NDArray[Any]:
        """The embeddings."""
        return self.parts["embeddings"]


class Describable(Identified, Protocol):
    """As much of an encoder, of pictures or of sound, as the cache asks for."""

    parts: tuple[Part, ...]


class FeatureCache(VideoStore):
    """The features of one encoder on one data set.

    Args:
        root: folder of all caches (``ABAW_CACHE``).
    """

    def __init__(self, root: Path, encoder: Describable, data: Dataset) -> None:
        super().__init__(root, encoder, data)
        self.parts = encoder.parts

    def files(self, item: Item) -> dict[str, Path]:
        """See :class:`~solutions.cache.video_store.VideoStore`."""
        return {part.name: self._array(item, part) for part in self.parts}

    def bytes_of(self, rows: int) -> int:
        """See :class:`~solutions.cache.video_store.VideoStore`."""
        return rows * sum(part.dim * part.dtype.itemsize for part in self.parts)

    def get(self, item: Item) -> Features | None:
        """Features of a video if they are whole and its pictures are those they were made from; so for sound."""
        manifest = self.current(item)
        if manifest is None:
            return None
        parts: dict[str, npt.NDArray[Any]] = {}
        for name, path in self.files(item).items():
            try:
                parts[name] = map_array(path)
            except DataError as error:
                self.damaged(item, path, str(error))
                return None
        frames = np.array(manifest["frames"], np.int64)
        if any(
            (parts[part.name].shape, parts[part.name].dtype) != ((len(frames), part.dim), part.dtype)
            for part in self.parts
        ):
            self.damaged(item, self.path(item, ".json"), "frames that don't fit the rows")
            return None
        return Features(frames, parts, manifest["undetected"])

    def put(self, item: Item, frames: npt.NDArray[np.int64], values: npt.NDArray[Any], source: str) -> None:
        """Store features; the manifest goes last.

        Args:
            frames: int64 ``(n,)``, frames that have a picture; of sound, 1 to n.
            values: float32 ``(n, dim)``, the parts side by side; rows of NaN mark pictures in which nothing was found.
            source: hash of the pictures or the sound.
        """
        found = ~np.isnan(values).any(1)
        columns = spans(self.parts)
        self.forget(item)
        stored: dict[str, Any] = {}
        for part in self.parts:
            kept = np.ascontiguousarray(values[found, columns[part.name]], part.dtype)
            header, content = array_bytes(kept)
            with atomic_file(self._array(item, part)) as stream:
                stream.write(header)
                stream.write(content)
            stored[part.name] = {
                "shape": list(kept.shape),
                "dtype": str(kept.dtype),
                "bytes": len(header) + len(content),
                CHECKSUM: zlib.crc32(content, zlib.crc32(header)),
            }
        self.complete(item, stored, source, {"undetected": int((~found).sum()), "frames": frames[found].tolist()})

    @contextmanager
    def writing(self, video: Video) -> Iterator[FeatureWriter]:
        """Store features that come in batches; nothing is stored of a video that is not finished."""
        yield FeatureWriter(self, video)

    def _array(self, item: Item, part: Part) -> Path:
        return self.path(item, f".{part.name}.npy")


class FeatureWriter:
    """Takes one video's rows, a batch at a time."""

    def __init__(self, cache: FeatureCache, video: Video) -> None:
        self._cache = cache
        self._video = video
        self._rows = [np.empty((0, total_dim(cache.parts)), np.float32)]

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """The rows of the next pictures: float32 ``(n, dim)``."""
        self._rows.append(values)

    def finish(self, frames: npt.NDArray[np.int64], source: str) -> int:
        """Store all rows; see :meth:`FeatureCache.put`. The number of pictures in which nothing was found."""
        values = np.concatenate(self._rows)
        self._cache.put(self._video, frames, values, source)
        return int(np.isnan(values).any(1).sum())
