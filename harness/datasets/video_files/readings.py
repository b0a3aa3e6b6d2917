"""Results of decoding a file, kept in the cache by the file's identity.

An entry is a JSON document. It holds for the file whose name, size, time and both ends it was made from, for one
version of the reader, and for one meaning of its numbers. An entry that is damaged, was edited, or is of another
version is passed over, and the file is read again.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar

import msgspec

from harness.errors import DataError, StorageError
from harness.records.document import Document, json_text
from harness.system.regular import open_file, require_file

T = TypeVar("T")

_ENDS = 1 << 16  # bytes at each end of a file that its identity takes in


class _Entry(TypedDict):
    """The members of a document that are checked before its reading is looked at."""

    format: int
    key: str
    digest: str
    reading: dict[str, Any]


@dataclass(frozen=True)
class ReadingCache(Generic[T]):
    """One kind of results in a folder of the cache.

    Attributes:
        folder: name of the folder, below the folder of all caches.
        kind: dataclass of one result.
        format: version, raised whenever the meaning of a number changes, so that older entries are made again.
        what: words for a file that can't be read.
        is_whole: returns False for a stored result that contradicts itself, so that the file is read again.
        memory: results by key that this process has read or stored.
    """

    folder: str
    kind: type[T]
    format: int
    what: str
    is_whole: Callable[[T], bool] = lambda reading: True
    memory: dict[str, T] = field(default_factory=dict, repr=False, compare=False)

    def key(self, path: Path, reader: str) -> str:
        """Return a hash of the file's name, size, time and both ends, and of its reader.

        Args:
            path: the file.
            reader: name and version of the reader.

        Raises:
            DataError: the file can't be read.
        """
        try:
            status = require_file(path)
            with open_file(path) as stream:
                ends = [stream.read(_ENDS)]
                stream.seek(max(0, status.st_size - _ENDS))
                ends.append(stream.read(_ENDS))
        except OSError as error:
            raise DataError(self.what, where=path, found=error.strerror or error) from None
        about = f"{self.format}\0{reader}\0{path.name}\0{status.st_size}\0{status.st_mtime_ns}\0"
        digest = hashlib.sha256(about.encode("utf-8", "surrogateescape"))
        for end in ends:
            digest.update(end)
        return digest.hexdigest()

    def place(self, path: Path, key: str, cache: Path) -> Path:
        """Return the path of an entry."""
        return cache / self.folder / f"{path.stem[:50]}-{key[:16]}.json"

    def recall(self, path: Path, key: str, cache: Path | None, reader: str) -> T | None:
        """Return the result for a file from memory or the cache, ``None`` where it is missing or damaged.

        A result in memory that the cache lacks is stored there.

        Args:
            path: the file.
            key: of :meth:`key`.
            cache: folder of all caches; ``None`` for this process alone.
            reader: name and version of the reader.
        """
        known = self.memory.get(key)
        if known is not None:
            if cache is not None and not self.place(path, key, cache).is_file():
                self._store(path, key, cache, reader, known)
            return known
        stored = self._find(path, key, cache) if cache is not None else None
        if stored is None or not self.is_whole(stored):
            return None
        self.memory[key] = stored
        return stored

    def keep(self, path: Path, key: str, cache: Path | None, reader: str, reading: T) -> None:
        """Keep a result in memory, and in the cache where its folder is known; see :meth:`recall`."""
        self.memory[key] = reading
        if cache is not None:
            self._store(path, key, cache, reader, reading)

    def _find(self, path: Path, key: str, cache: Path) -> T | None:
        try:
            entry = self._document.read(self.place(path, key, cache))
            if entry["key"] != key or entry["digest"] != _digest(entry["reading"]):
                return None
            return msgspec.convert(entry["reading"], self.kind)
        except (DataError, ValueError):
            return None

    def _store(self, path: Path, key: str, cache: Path, reader: str, reading: T) -> None:
        """Store a result; a read-only cache, such as a shared one, is left as it is."""
        content: dict[str, Any] = asdict(reading)  # type: ignore[call-overload]
        plain = msgspec.to_builtins(content)
        entry = {"format": self.format, "key": key, "file": path.name, "reader": reader, "digest": _digest(plain)}
        with contextlib.suppress(StorageError):
            # a power cut may leave half of it, which the digest tells
            self._document.write(self.place(path, key, cache), {**entry, "reading": plain}, durable=False)

    @property
    def _document(self) -> Document[_Entry]:
        return Document(_Entry, "no result of reading a file", format=self.format, indent=None)


def _digest(reading: dict[str, Any]) -> str:
    return hashlib.sha256(json_text(reading).encode()).hexdigest()
