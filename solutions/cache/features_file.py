"""Features on disk: a ``.npy`` for each part of an encoder's columns and one manifest per video, complete or absent."""

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
    """Features of one video, or of one audio recording.

    Attributes:
        frames: int64 ``(k,)``, increasing 1-based numbers of the frames that have features; for audio in the cache,
            numbers of the encoder's steps.
        parts: ``(k, dim)`` by name of the part, float16 or float32, or any float type of a team's own files;
            memory-mapped if the file holds them in this form.
        undetected: number of images in which the encoder found no face or person.
    """

    frames: npt.NDArray[np.int64]
    parts: Mapping[str, npt.NDArray[Any]]
    undetected: int

    @property
    def values(self) -> npt.NDArray[Any]:
        """Rows of the part ``embeddings``, ``(k, dim)``."""
        return self.parts["embeddings"]


class Describable(Identified, Protocol):
    """Part of an encoder's interface that the cache uses, for images, audio and text alike."""

    parts: tuple[Part, ...]


class FeatureCache(VideoStore):
    """Cache of one encoder's features on one data set.

    Args:
        root: folder of all caches (``ABAW_CACHE``).
        encoder: the encoder.
        data: the data set.
    """

    def __init__(self, root: Path, encoder: Describable, data: Dataset) -> None:
        """Work out the folder of the cache from the encoder's identity and the data set."""
        super().__init__(root, encoder, data)
        self.parts = encoder.parts

    def files(self, item: Item) -> dict[str, Path]:
        """See :class:`~solutions.cache.video_store.VideoStore`."""
        return {part.name: self._array(item, part) for part in self.parts}

    def bytes_of(self, rows: int) -> int:
        """See :class:`~solutions.cache.video_store.VideoStore`."""
        return rows * sum(part.dim * part.dtype.itemsize for part in self.parts)

    def get(self, item: Item) -> Features | None:
        """Return the features of an item; ``None`` if they are missing, damaged, or computed from another source."""
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
        """Store features; the manifest is written last.

        Args:
            item: the video, recording or text.
            frames: int64 ``(n,)``, frames that have an image; for audio and text 1 to n.
            values: float32 ``(n, dim)``, the parts side by side; rows of NaN mark images without a face or person.
            source: hash of the images, the audio or the text.
        """
        detected = ~np.isnan(values).any(1)
        columns = spans(self.parts)
        self.forget(item)
        stored: dict[str, Any] = {}
        for part in self.parts:
            block = np.ascontiguousarray(values[detected, columns[part.name]], part.dtype)
            header, content = array_bytes(block)
            with atomic_file(self._array(item, part)) as stream:
                stream.write(header)
                stream.write(content)
            stored[part.name] = {
                "shape": list(block.shape),
                "dtype": str(block.dtype),
                "bytes": len(header) + len(content),
                CHECKSUM: zlib.crc32(content, zlib.crc32(header)),
            }
        rest = {"undetected": int((~detected).sum()), "frames": frames[detected].tolist()}
        self.complete(item, stored, source, rest)

    @contextmanager
    def writing(self, video: Video) -> Iterator[FeatureWriter]:
        """Collect features that arrive in batches; they are stored when the video is finished."""
        yield FeatureWriter(self, video)

    def _array(self, item: Item, part: Part) -> Path:
        return self.path(item, f".{part.name}.npy")


class FeatureWriter:
    """Writer of one video's rows, one batch at a time."""

    def __init__(self, cache: FeatureCache, video: Video) -> None:
        """Start without rows."""
        self._cache = cache
        self._video = video
        self._rows = [np.empty((0, total_dim(cache.parts)), np.float32)]

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Append the rows of the next images, float32 ``(n, dim)``."""
        self._rows.append(values)

    def finish(self, frames: npt.NDArray[np.int64], source: str) -> int:
        """Store all rows, see :meth:`FeatureCache.put`.

        Args:
            frames: int64 ``(n,)``, frames that have an image.
            source: hash of the images.

        Returns:
            The number of images without a face or person.
        """
        values = np.concatenate(self._rows)
        self._cache.put(self._video, frames, values, source)
        return int(np.isnan(values).any(1).sum())
