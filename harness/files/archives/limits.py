"""How much is read before an archive counts as hostile, counted while it is read; and the words for what is wrong."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.errors import SubmissionError

_CHUNK = 1 << 20
_ARCHIVE_NAME = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz|zst|7z|rar)$", re.I)
_ARCHIVE_STARTS = {
    b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"PK\x07\x08": "zip", b"\x1f\x8b": "gzip", b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst",
}  # fmt: skip
# everything that zipfile raises on bytes that somebody made up
BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, IndexError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """How much is read before an archive counts as hostile.

    Attributes:
        members: how many, folders and left-out files included.
        member_bytes: bytes of one member, unpacked. The largest official file, AU's, has 40 MB.
        total_bytes: bytes of all members, unpacked.
        ratio: bytes unpacked for each byte of the archive, counted from ``ratio_from`` bytes on: a small file of
            constant predictions is packed a thousandfold and harmless.
    """

    members: int = 5000
    member_bytes: int = 256 << 20
    total_bytes: int = 1 << 30
    ratio: int = 200
    ratio_from: int = 16 << 20


LIMITS = Limits()


@dataclass
class Meter:
    """Reads streams, and stops when too much has come out of them.

    Attributes:
        packed: bytes of the archive that the members come from; ``None`` for a folder.
    """

    path: Path
    limits: Limits
    packed: int | None = None
    total: int = 0

    def chunks(self, stream: IO[bytes], name: str, *, nested: bool = False) -> Iterator[bytes]:
        """A member's bytes, part by part.

        Args:
            nested: whether the member may be an archive itself.

        Raises:
            SubmissionError: it is too large, packed too tightly, or an archive that may not be.
        """
        size, part = 0, stream.read(_CHUNK)
        kind = "" if nested else archive_kind(name, part)
        if kind:
            do = "Pack the files themselves"
            raise SubmissionError("an archive inside the archive", where=at(self.path, name), found=kind, do=do)
        while part:
            size += len(part)
            self.total += len(part)
            self._stop_if_too_much(name, size)
            yield part
            part = stream.read(_CHUNK)

    def _stop_if_too_much(self, name: str, size: int) -> None:
        limits, where = self.limits, at(self.path, name)
        if size > limits.member_bytes:
            raise SubmissionError("too large", where=where, expected=f"at most {limits.member_bytes:,} bytes")
        if self.total > limits.total_bytes:
            what = "the members are too large together"
            raise SubmissionError(what, where=where, expected=f"at most {limits.total_bytes:,} bytes")
        if self.packed is not None and self.total > max(limits.ratio_from, limits.ratio * self.packed):
            found = f"{self.total:,} bytes and more from an archive of {self.packed:,}"
            expected = f"at most {limits.ratio} to 1"
            raise SubmissionError("packed too tightly, a zip bomb", where=where, found=found, expected=expected)


def archive_kind(name: str, data: bytes) -> str:
    """Which archive this is, by its first bytes or its name; empty if none."""
    kind = next((kind for start, kind in _ARCHIVE_STARTS.items() if data.startswith(start)), "")
    if not kind and (data[257:262] == b"ustar" or re.match(rb"BZh[1-9]1AY&SY", data)):
        kind = "tar" if data[257:262] == b"ustar" else "bzip2"
    match = _ARCHIVE_NAME.search(name)
    return kind or (match[1].lower() if match else "")


def damaged(path: Path, name: str, found: str) -> SubmissionError:
    """The error for a member whose bytes are not what they should be."""
    return SubmissionError("a damaged member", where=at(path, name), found=found, do="Pack it again")


def at(path: Path, name: str) -> str:
    """Where a member is, for a message."""
    return f"{path}: {name!r}"


def words(error: BaseException) -> str:
    """What an error says, on one line, without anything that moves a cursor."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return "".join(c if c.isprintable() else "?" for c in text)[:200] or type(error).__name__
