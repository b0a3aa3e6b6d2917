"""Cache of results per video on disk: files, and one manifest that is written last. An entry is complete or absent.

Results from video files are kept apart, in a folder per decoder, whose name and version are part of the key: versions
differ in colours and in the orientation of a video. Image files have no such folder, because JPEG and PNG give the same
pixels in every version of OpenCV that the project supports.

The manifest names the files' sizes, so that a video counts as missing if a process is killed between the files. It
holds checksums of the files and of itself, which are verified when a process first reads them: a flipped bit on the
disk is detected, and the video is encoded again. Manifests of earlier versions without checksums are valid, too.
Sources are recognised first by their listing (numbers, sizes, times), which costs no reading; if only times differ, as
after a copy, by their bytes. Results from audio are stored in the same way, once per recording.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, Protocol, TypedDict

from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.sources import Pictures
from harness.errors import DataError, SolutionError, StorageError, problem
from harness.records.document import Count, Document, Whole, json_text
from harness.system.atomic import sweep_partials
from harness.system.checksums import checksum_of
from harness.system.names import inside
from harness.system.provenance import digest_of
from solutions.cache.recording import Item, Recording, TextItem

CHECKSUM = "crc32"
"""Key of a file's checksum, and of the manifest's. It detects any flipped bit, but protects from accidents alone."""

_LONGEST_PART = 80
_log = logging.getLogger("abaw")
_verified: set[tuple[str, int, int, int]] = set()
"""Files whose checksum this process has verified, by path, inode, size and time."""
_logged: set[str] = set()


class _StoredFile(TypedDict):
    bytes: Count
    crc32: NotRequired[Count]


class _Manifest(TypedDict):
    """Entries of a manifest that are read again."""

    key: str
    parts: dict[str, _StoredFile]
    listing: str
    source: str
    undetected: Count
    frames: list[Whole]
    ends: NotRequired[list[Count]]


MANIFEST: Document[dict[str, Any]] = Document(_Manifest, "not a readable manifest", indent=None, as_written=True)


class Identified(Protocol):
    """Part of the interface of encoders and makers of images that a video store uses."""

    name: str

    def identity(self) -> dict[str, Any]:
        """Return plain data that determines the results: weights, preprocessing, execution."""


class VideoStore:
    """Store of one maker's results on one data set.

    Args:
        root: folder of all caches (``ABAW_CACHE``).
        maker: encoder, or maker of derived images.
        data: the data set.
    """

    kind = "features"

    def __init__(self, root: Path, maker: Identified, data: Dataset) -> None:
        """Work out key and folder of the store."""
        self.identity: Mapping[str, Any] = maker.identity()
        self.key = digest_of(self.identity)
        place = hashlib.sha256(str(data.root.resolve()).encode()).hexdigest()[:8]
        self.folder = root / self.kind / f"{_plain(maker.name)}-{self.key[:8]}" / f"{_plain(data.name)}-{place}"

    def files(self, item: Item) -> dict[str, Path]:
        """Return the files of a video, without its manifest, by name of the part."""
        raise NotImplementedError

    def get(self, item: Item) -> Any | None:
        """Return the content of a video; ``None`` if it is missing, damaged, or computed from another source."""
        raise NotImplementedError

    def bytes_of(self, rows: int) -> int:
        """Return the approximate size of a number of rows in bytes."""
        raise NotImplementedError

    def place(self, item: Item) -> Path:
        """Return the folder of a video's files."""
        return self.folder / _plain(item.decoder) if item.decoder else self.folder

    def path(self, item: Item, ending: str) -> Path:
        """Return the path of one of a video's files.

        Raises:
            DataError: the video's name points outside the cache.
        """
        return inside(self.place(item), item.name, ending)

    def claim_path(self, item: Item) -> Path:
        """Return the file that stands for the work on a video, see :func:`harness.system.locks.claim`."""
        return self.path(item, ".lock")

    def key_of(self, item: Item) -> str:
        """Return the hash of all that determines the results of a video, except for its source."""
        return digest_of({"made by": self.key, "decoder": item.decoder}) if item.decoder else self.key

    def check(self, maker: Identified) -> None:
        """Raise an error unless a maker is the one of this store.

        Raises:
            SolutionError: the maker differs, because another process has other packages or weights.
        """
        if digest_of(maker.identity()) != self.key:
            what = f"{maker.name} is another one here than where the command was typed"
            raise SolutionError(what, do="Packages and weights must be the same wherever work is done")

    def make_room(self, rows: int) -> None:
        """Create the folder, remove partial files of killed processes, and check the free space for more rows.

        Raises:
            StorageError: creating the folder fails, or the disk is too full.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"can't make the {self.kind.removesuffix('s')} cache"
            raise StorageError(what, where=self.folder, found=error.strerror, do="Set ABAW_CACHE") from None
        for folder in (self.folder, *(child for child in self.folder.iterdir() if child.is_dir())):
            sweep_partials(folder)
        need = self.bytes_of(rows)
        free = shutil.disk_usage(self.folder).free
        if need > free:
            raise StorageError(
                f"not enough space for the {self.kind}",
                where=self.folder,
                found=f"{free / 2**20:,.0f} MiB free",
                expected=f"{need / 2**20:,.0f} MiB",
                do="Free some space, or point ABAW_CACHE at a larger disk",
            )

    def current(self, item: Item) -> dict[str, Any] | None:
        """Return the manifest of a video; ``None`` if its files are missing, damaged, or made from another source."""
        manifest = self._manifest(item)
        if manifest is None:
            return None
        material = _material(item)
        try:
            if manifest["listing"] != material.listing_signature():
                if manifest["source"] != material.source_hash():
                    return None
                with contextlib.suppress(StorageError):  # a shared cache may be read-only
                    self._write_manifest(item, {**manifest, "listing": material.listing_signature()})
        except (OSError, DataError):
            return None  # an unreadable source: encoding starts again and reports the error
        return manifest if self._undamaged(item, manifest) else None

    def damaged(self, item: Item, path: Path, why: str) -> None:
        """Warn the user, once, about a file that differs from what was written; the video then counts as missing."""
        what = f"damaged on the disk, so that {self.kind} of {item.name} are made again"
        message = problem(what, where=path, found=why)
        if message not in _logged:
            _logged.add(message)
            _log.warning("%s", message)

    def forget(self, item: Item) -> None:
        """Remove the manifest of a video, before its files are replaced."""
        self._manifest_path(item).unlink(missing_ok=True)

    def complete(self, item: Item, parts: Mapping[str, Any], source: str, rest: Mapping[str, Any]) -> None:
        """Write the manifest, after all files are in their place.

        Args:
            item: the video, recording or text.
            parts: plain data on each of :meth:`files`, with ``bytes`` and the checksum.
            source: hash of the bytes that were read.
            rest: further entries, plain data.
        """
        self._write_manifest(
            item,
            {
                "identity": dict(self.identity) | ({"decoder": item.decoder} if item.decoder else {}),
                "key": self.key_of(item),
                "video": item.name,
                "parts": dict(parts),
                "listing": _material(item).listing_signature(),
                "source": source,
                **rest,
            },
        )

    def _manifest_path(self, item: Item) -> Path:
        return self.path(item, ".json")

    def _write_manifest(self, item: Item, manifest: Mapping[str, Any]) -> None:
        bare = {key: value for key, value in manifest.items() if key != CHECKSUM}
        MANIFEST.write(self._manifest_path(item), bare | {CHECKSUM: zlib.crc32(json_text(bare).encode())})

    def _manifest(self, item: Item) -> dict[str, Any] | None:
        """Return the manifest if it is readable, belongs to this maker, and fits the files beside it."""
        try:
            manifest = MANIFEST.find(self._manifest_path(item))
            if manifest is None or manifest["key"] != self.key_of(item):
                return None
            other = [
                path for part, path in self.files(item).items()
                if manifest["parts"][part]["bytes"] != path.stat().st_size
            ]  # fmt: skip
            checksum = manifest.pop(CHECKSUM, None)
            checked = any(CHECKSUM in manifest["parts"][part] for part in self.files(item))
        except FileNotFoundError:
            return None
        except (OSError, DataError, KeyError) as error:
            self.damaged(item, self._manifest_path(item), str(error.__cause__ or error)[:100])
            return None
        if (checked or checksum is not None) and checksum != zlib.crc32(json_text(manifest).encode()):
            self.damaged(item, self._manifest_path(item), "another checksum than was written")
            return None
        if other:
            self.damaged(item, other[0], "another size than was written")
            return None
        return manifest

    def _undamaged(self, item: Item, manifest: Mapping[str, Any]) -> bool:
        """Return True if the checksums of a video's files are right; each file is verified once per process."""
        for part, path in self.files(item).items():
            expected = manifest["parts"][part].get(CHECKSUM)
            if expected is None:  # written by an earlier version
                continue
            try:
                status = path.stat()
                state = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
                if state in _verified:
                    continue
                checksum = checksum_of(path)
            except OSError as error:
                self.damaged(item, path, error.strerror or str(error))
                return False
            if checksum != expected:
                self.damaged(item, path, "another checksum than was written")
                return False
            _verified.add(state)
        return True


def _plain(name: str) -> str:
    """Return a name as a safe folder name, because the name of a data set comes from outside and may hold anything."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:_LONGEST_PART]


def _material(item: Item) -> Pictures | Recording | TextItem:
    """Return the source of an item's results: the images of a video, a recording, or a text."""
    return item.images if isinstance(item, Video) else item
