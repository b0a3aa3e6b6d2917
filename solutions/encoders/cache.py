"""Features on disk: a ``.npy`` for each part of an encoder's columns and one manifest a video. Whole or absent.

The manifest is written last and names the arrays' sizes, so a kill between them leaves a video that counts as not
done. Source images are recognised first by their listing (numbers, sizes, times), which costs no reading; where
only times differ, as after a copy, by their bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.atomic import atomic_file, write_text
from harness.datasets.dataset import Crops, Dataset, Video
from harness.errors import StorageError
from harness.provenance import digest_of
from solutions.encoders.encoder import Encoder, Part, spans


@dataclass(frozen=True)
class Features:
    """Features of one video.

    Attributes:
        frames: int64 ``(k,)``, increasing 1-based numbers of the frames that have features.
        parts: ``(k, dim)`` each, float16 or float32, memory-mapped, by the part's name.
        undetected: frames with a crop in which the encoder found nothing.
    """

    frames: npt.NDArray[np.int64]
    parts: Mapping[str, npt.NDArray[Any]]
    undetected: int

    @property
    def values(self) -> npt.NDArray[Any]:
        """The embeddings."""
        return self.parts["embeddings"]


class FeatureCache:
    """The features of one encoder on one data set.

    Args:
        root: folder of all caches (``ABAW_CACHE``).
    """

    def __init__(self, root: Path, encoder: Encoder, data: Dataset) -> None:
        self.identity: Mapping[str, Any] = encoder.identity()
        self.parts = encoder.parts
        self.key = digest_of(self.identity)
        place = hashlib.sha256(str(data.root.resolve()).encode()).hexdigest()[:8]
        self.folder = root / "features" / f"{_plain(encoder.name)}-{self.key[:8]}" / f"{_plain(data.name)}-{place}"

    def get(self, video: Video) -> Features | None:
        """Features of a video if they are whole and its crops are those they were made from."""
        manifest = self._manifest(video)
        if manifest is None:
            return None
        crops = video.crops
        try:
            if manifest["listing"] != crops.listing_signature():
                if manifest["source"] != source_hash(crops):
                    return None
                with contextlib.suppress(StorageError):  # a shared cache may be read-only
                    self._write_manifest(video, {**manifest, "listing": crops.listing_signature()})
            parts = {
                part.name: np.load(self._array(video, part), mmap_mode="r", allow_pickle=False) for part in self.parts
            }
            return Features(np.array(manifest["frames"], np.int64), parts, manifest["undetected"])
        except (OSError, ValueError, KeyError):
            return None  # crops that can't be read, no array, another manifest: extraction tries again and says so

    def put(self, video: Video, frames: npt.NDArray[np.int64], values: npt.NDArray[Any], source: str) -> None:
        """Store features; the manifest goes last.

        Args:
            frames: int64 ``(n,)``, frames that have a crop.
            values: float32 ``(n, dim)``, the parts side by side; rows of NaN mark crops in which nothing was found.
            source: :func:`source_hash` of the crops.
        """
        found = ~np.isnan(values).any(1)
        columns = spans(self.parts)
        self._manifest_path(video).unlink(missing_ok=True)
        stored = {}
        for part in self.parts:
            kept = np.ascontiguousarray(values[found, columns[part.name]], part.dtype)
            with atomic_file(self._array(video, part)) as stream:
                np.save(stream, kept, allow_pickle=False)
            size = self._array(video, part).stat().st_size
            stored[part.name] = {"shape": list(kept.shape), "dtype": str(kept.dtype), "bytes": size}
        self._write_manifest(
            video,
            {
                "identity": dict(self.identity),
                "key": self.key,
                "video": video.name,
                "parts": stored,
                "undetected": int((~found).sum()),
                "listing": video.crops.listing_signature(),
                "source": source,
                "frames": frames[found].tolist(),
            },
        )

    def _array(self, video: Video, part: Part) -> Path:
        return self.folder / f"{video.name}.{part.name}.npy"

    def _manifest_path(self, video: Video) -> Path:
        return self.folder / f"{video.name}.json"

    def _write_manifest(self, video: Video, manifest: Mapping[str, Any]) -> None:
        write_text(self._manifest_path(video), json.dumps(manifest, separators=(",", ":")) + "\n")

    def _manifest(self, video: Video) -> dict[str, Any] | None:
        """The manifest if it is readable, of this encoder, and fits the arrays beside it."""
        try:
            manifest: dict[str, Any] = json.loads(self._manifest_path(video).read_text(encoding="utf-8"))
            whole = manifest["key"] == self.key and all(
                manifest["parts"][part.name]["bytes"] == self._array(video, part).stat().st_size for part in self.parts
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return manifest if whole else None


def _plain(name: str) -> str:
    """A name as a folder's: a data set's comes from its own files, and may hold anything."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def source_hash(crops: Crops) -> str:
    """Hash of numbers and bytes of a video's crops; reads them all."""
    digest = hashlib.sha256()
    for frame, path in zip(crops.frames.tolist(), crops.paths(), strict=True):
        digest.update(b"%d\0" % frame)
        digest.update(path.read_bytes())
    return digest.hexdigest()
