"""Limits on the bytes that come out of an archive, counted while it is read, and errors for members beyond them."""

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
# all errors that zipfile raises on forged or damaged bytes
BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, IndexError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """Sizes beyond which an archive counts as hostile.

    Attributes:
        members: number of members, folders and left-out files included.
        member_bytes: bytes of one member, unpacked. The largest official file, AU's, has 40 MB.
        total_bytes: bytes of all members, unpacked.
        ratio: bytes unpacked per byte of the archive.
        ratio_from: unpacked bytes from which on ``ratio`` counts: a small file of constant predictions shrinks a
            thousandfold and is harmless.
    """

    members: int = 5000
    member_bytes: int = 256 << 20
    total_bytes: int = 1 << 30
    ratio: int = 200
    ratio_from: int = 16 << 20


LIMITS = Limits()


@dataclass
class Meter:
    """Counter of the bytes that come out of streams; reading stops at the limits.

    Attributes:
        path: archive or folder that the streams belong to, for messages.
        limits: most bytes of a member and of all members.
        packed: bytes of the archive that the members come from; ``None`` for a folder.
        total: bytes read so far, of all streams.
    """

    path: Path
    limits: Limits
    packed: int | None = None
    total: int = 0

    def chunks(self, stream: IO[bytes], name: str, *, nested: bool = False) -> Iterator[bytes]:
        """Yield a member's bytes, part by part.

        Args:
            stream: the member, opened for reading.
            name: the member's name, for messages.
            nested: True if the member may be an archive itself.

        Raises:
            SubmissionError: the member is too large, packed too tightly, or an archive although ``nested`` is False.
        """
        size, part = 0, stream.read(_CHUNK)
        kind = "" if nested else archive_kind(name, part)
        if kind:
            do = "Pack the files themselves"
            raise SubmissionError("the archive holds another archive", where=at(self.path, name), found=kind, do=do)
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
            excess = f"{self.total:,} bytes and more from an archive of {self.packed:,}"
            expected = f"at most {limits.ratio} to 1"
            raise SubmissionError("packed too tightly, a zip bomb", where=where, found=excess, expected=expected)


def archive_kind(name: str, data: bytes) -> str:
    """Return the kind of archive, such as ``zip``, by a file's first bytes or its name; ``""`` for any other file."""
    kind = next((kind for start, kind in _ARCHIVE_STARTS.items() if data.startswith(start)), "")
    if not kind and (data[257:262] == b"ustar" or re.match(rb"BZh[1-9]1AY&SY", data)):
        kind = "tar" if data[257:262] == b"ustar" else "bzip2"
    match = _ARCHIVE_NAME.search(name)
    return kind or (match[1].lower() if match else "")


def damaged(path: Path, name: str, fault: str) -> SubmissionError:
    """Return the error for a member with a fault in its bytes."""
    return SubmissionError("the member is damaged", where=at(path, name), found=fault, do="Pack it again")


def at(path: Path, name: str) -> str:
    """Return the place of a member, ``path: 'name'``, for a message."""
    return f"{path}: {name!r}"


def words(error: BaseException) -> str:
    """Return an error's text in one line; ``?`` replaces characters that can't be printed."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return "".join(c if c.isprintable() else "?" for c in text)[:200] or type(error).__name__
