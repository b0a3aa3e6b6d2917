"""Features on disk: a ``.npy`` for each part of an encoder's columns and one manifest a video. Whole or absent.

The manifest is written last and names the arrays' sizes, so a kill between them leaves a video that counts as not
done. Source images are recognised first by their listing (numbers, sizes, times), which costs no reading; where
only times differ, as after a copy, by their bytes. Features of sound lie here in the same way, once a recording.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.atomic import atomic_file, sweep_partials, write_text
from harness.datasets.dataset import Crops, Dataset, Video
from harness.errors import DataError, StorageError, problem
from harness.provenance import digest_of, sha256_of
from solutions.encoders.encoder import Part, spans
from solutions.encoders.recording import Recording


@dataclass(frozen=True)
class Features:
    """Features of one video, or of one recording's sound.

    Attributes:
        frames: int64 ``(k,)``, increasing 1-based numbers of the frames that have features; of sound in the cache, of
            the encoder's own steps.
        parts: ``(k, dim)`` each by the part's name, float16 or float32, or whatever a team's own files hold;
            memory-mapped where they lie on disk as they are.
        undetected: frames with a crop in which the encoder found nothing.
    """

    frames: npt.NDArray[np.int64]
    parts: Mapping[str, npt.NDArray[Any]]
    undetected: int

    @property
    def values(self) -> npt.NDArray[Any]:
        """The embeddings."""
        return self.parts["embeddings"]


class Describable(Protocol):
    """As much of an encoder, of pictures or of sound, as the cache asks for."""

    name: str
    parts: tuple[Part, ...]

    def identity(self) -> dict[str, Any]:
        """Everything that changes the numbers."""


class FeatureCache:
    """The features of one encoder on one data set.

    Args:
        root: folder of all caches (``ABAW_CACHE``).
    """

    def __init__(self, root: Path, encoder: Describable, data: Dataset) -> None:
        self.identity: Mapping[str, Any] = encoder.identity()
        self.parts = encoder.parts
        self.key = digest_of(self.identity)
        place = hashlib.sha256(str(data.root.resolve()).encode()).hexdigest()[:8]
        self.folder = root / "features" / f"{_plain(encoder.name)}-{self.key[:8]}" / f"{_plain(data.name)}-{place}"

    def make_room(self, rows: int) -> None:
        """Make the folder, sweep what an earlier kill left, and see that the disk can hold so many more rows.

        Raises:
            StorageError: the folder can't be made, or the disk is too full.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                problem("can't make the feature cache", where=self.folder, found=error.strerror, do="Set ABAW_CACHE")
            ) from None
        sweep_partials(self.folder)
        need = rows * sum(part.dim * part.dtype.itemsize for part in self.parts)
        free = shutil.disk_usage(self.folder).free
        if need > free:
            raise StorageError(
                problem(
                    "not enough space for the features",
                    where=self.folder,
                    found=f"{free / 2**20:,.0f} MiB free",
                    expected=f"{need / 2**20:,.0f} MiB",
                    do="Free some space, or point ABAW_CACHE at a larger disk",
                )
            )

    def get(self, item: Video | Recording) -> Features | None:
        """Features of a video if they are whole and its crops are those they were made from; so for sound."""
        manifest = self._manifest(item)
        if manifest is None:
            return None
        material = _material(item)
        try:
            if manifest["listing"] != material.listing_signature():
                if manifest["source"] != source_hash(material):
                    return None
                with contextlib.suppress(StorageError):  # a shared cache may be read-only
                    self._write_manifest(item, {**manifest, "listing": material.listing_signature()})
            parts: dict[str, npt.NDArray[Any]] = {
                part.name: np.load(self._array(item, part), mmap_mode="r", allow_pickle=False) for part in self.parts
            }
            return Features(np.array(manifest["frames"], np.int64), parts, manifest["undetected"])
        except (OSError, ValueError, KeyError, DataError):
            return None  # crops that can't be read, no array, another manifest: extraction tries again and says so

    def put(
        self, item: Video | Recording, frames: npt.NDArray[np.int64], values: npt.NDArray[Any], source: str
    ) -> None:
        """Store features; the manifest goes last.

        Args:
            frames: int64 ``(n,)``, frames that have a crop; of sound, 1 to n.
            values: float32 ``(n, dim)``, the parts side by side; rows of NaN mark crops in which nothing was found.
            source: :func:`source_hash` of the crops or the sound.
        """
        found = ~np.isnan(values).any(1)
        columns = spans(self.parts)
        self._manifest_path(item).unlink(missing_ok=True)
        stored = {}
        for part in self.parts:
            kept = np.ascontiguousarray(values[found, columns[part.name]], part.dtype)
            with atomic_file(self._array(item, part)) as stream:
                np.save(stream, kept, allow_pickle=False)
            size = self._array(item, part).stat().st_size
            stored[part.name] = {"shape": list(kept.shape), "dtype": str(kept.dtype), "bytes": size}
        self._write_manifest(
            item,
            {
                "identity": dict(self.identity),
                "key": self.key,
                "video": item.name,
                "parts": stored,
                "undetected": int((~found).sum()),
                "listing": _material(item).listing_signature(),
                "source": source,
                "frames": frames[found].tolist(),
            },
        )

    def _array(self, item: Video | Recording, part: Part) -> Path:
        return self.folder / f"{item.name}.{part.name}.npy"

    def _manifest_path(self, item: Video | Recording) -> Path:
        return self.folder / f"{item.name}.json"

    def _write_manifest(self, item: Video | Recording, manifest: Mapping[str, Any]) -> None:
        write_text(self._manifest_path(item), json.dumps(manifest, separators=(",", ":")) + "\n")

    def _manifest(self, item: Video | Recording) -> dict[str, Any] | None:
        """The manifest if it is readable, of this encoder, and fits the arrays beside it."""
        try:
            manifest: dict[str, Any] = json.loads(self._manifest_path(item).read_text(encoding="utf-8"))
            whole = manifest["key"] == self.key and all(
                manifest["parts"][part.name]["bytes"] == self._array(item, part).stat().st_size for part in self.parts
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return manifest if whole else None


def _plain(name: str) -> str:
    """A name as a folder's: a data set's comes from its own files, and may hold anything."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def _material(item: Video | Recording) -> Crops | Recording:
    """What the features are made from."""
    return item.crops if isinstance(item, Video) else item


def source_hash(material: Crops | Recording) -> str:
    """Hash of numbers and bytes of a video's crops, or of a sound file; reads all of it."""
    if isinstance(material, Recording):
        return sha256_of(material.path)
    digest = hashlib.sha256()
    for frame, path in zip(material.frames.tolist(), material.paths(), strict=True):
        digest.update(b"%d\0" % frame)
        digest.update(path.read_bytes())
    return digest.hexdigest()
