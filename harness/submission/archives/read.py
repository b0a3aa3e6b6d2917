"""Read a zip archive or a folder member by member. Nothing is unpacked to disk, and no header is believed.

What a zip's directory says about sizes is the sender's word; so limits count the bytes that come out. Whatever two
programs would unpack differently (two members of one name, names that differ in case, links, paths that lead out) is
refused: the organisers' program may be the other one.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.errors import SubmissionError, problem
from harness.submission.archives.names import bad_name, clashes, is_litter, litter_warnings, refuse

_CHUNK = 1 << 20
_LOCAL_HEADER = 30
_CENTRAL_ENTRY = b"PK\x01\x02"
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 20: "Zstandard", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES"}
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_ARCHIVE_NAME = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz|zst|7z|rar)$", re.I)
_ARCHIVE_STARTS = {
    b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"PK\x07\x08": "zip", b"\x1f\x8b": "gzip", b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst",
}  # fmt: skip
# everything that zipfile raises on bytes that somebody made up
_BROKEN = (
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


@dataclass(frozen=True)
class Member:
    """One file: its name with ``/`` between folders, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Members:
    """The members of an archive or a folder. Each iteration reads them anew, in the order of ``names``.

    Attributes:
        names: an archive's order; sorted for a folder.
        warnings: what was left out: files that macOS and Windows add by themselves.
    """

    path: Path
    names: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    limits: Limits = field(default=LIMITS, repr=False)

    def __iter__(self) -> Iterator[Member]:
        """Raises SubmissionError: a member is broken, too large, or an archive itself; or the file has changed."""
        meter = _Meter(self.path, self.limits)
        if self.path.is_dir():
            for name in self.names:
                with _reading(self.path, name), (self.path / name).open("rb") as stream:
                    data = meter.read(stream, name)
                yield Member(name, data)
            return
        with _zip(self.path, self.limits) as (archive, infos, _):
            if tuple(info.filename for info in infos) != self.names:
                raise SubmissionError(problem("the archive changed while it was read", where=self.path))
            meter.packed = self.path.stat().st_size
            for info in infos:
                with _reading(self.path, info.filename), archive.open(info) as stream:
                    data = meter.read(stream, info.filename)
                if len(data) != info.file_size:
                    found = f"{len(data):,} bytes, the archive's directory says {info.file_size:,}"
                    raise _damaged(self.path, info.filename, found)
                yield Member(info.filename, data)


def is_archive(path: Path) -> bool:
    """Whether this is something to read member by member: a folder, or a file that is, or claims to be, a zip."""
    if path.is_dir() or path.suffix.lower() == ".zip":
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(4)[:2] == b"PK"
    except OSError:
        return False


def read_members(path: Path, limits: Limits = LIMITS) -> Members:
    """Open a zip archive or a folder: names are checked at once, contents as they are read.

    Raises:
        SubmissionError: it can't be read, is no zip, is broken, holds nothing, or holds members that can't be accepted;
            the message names them all, or the first few and their number.
    """
    if path.is_dir():
        names, warnings = _folder_names(path, limits)
        return Members(path, names, warnings, limits)
    with _zip(path, limits) as (_, infos, warnings):
        return Members(path, tuple(info.filename for info in infos), warnings, limits)


@dataclass
class _Meter:
    """Reads streams, and stops when too much has come out of them."""

    path: Path
    limits: Limits
    total: int = 0
    packed: int | None = None

    def read(self, stream: IO[bytes], name: str) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := stream.read(_CHUNK):
            parts.append(part)
            size += len(part)
            self.total += len(part)
            self._stop_if_too_much(name, size)
        data = b"".join(parts)
        kind = _archive_kind(name, data)
        if kind:
            do = "Pack the files themselves"
            raise SubmissionError(
                problem("an archive inside the archive", where=_at(self.path, name), found=kind, do=do)
            )
        return data

    def _stop_if_too_much(self, name: str, size: int) -> None:
        limits, where = self.limits, _at(self.path, name)
        if size > limits.member_bytes:
            raise SubmissionError(problem("too large", where=where, expected=f"at most {limits.member_bytes:,} bytes"))
        if self.total > limits.total_bytes:
            what = "the members are too large together"
            raise SubmissionError(problem(what, where=where, expected=f"at most {limits.total_bytes:,} bytes"))
        if self.packed is not None and self.total > max(limits.ratio_from, limits.ratio * self.packed):
            found = f"{self.total:,} bytes and more from an archive of {self.packed:,}"
            expected = f"at most {limits.ratio} to 1"
            raise SubmissionError(
                problem("packed too tightly, a zip bomb", where=where, found=found, expected=expected)
            )


@contextlib.contextmanager
def _zip(path: Path, limits: Limits) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo], tuple[str, ...]]]:
    """The archive, the members to read, and what is left out."""
    _check_start(path)
    _check_count(path, limits)
    try:
        archive = zipfile.ZipFile(path)
    except (*_BROKEN, OSError) as error:
        do = "Was it copied in full? Pack it again"
        raise SubmissionError(problem("not a whole zip archive", where=path, found=_words(error), do=do)) from None
    with archive:
        infos = archive.infolist()
        files = [info for info in infos if not info.filename.endswith("/")]
        kept = [info for info in files if not is_litter(info.filename)]
        refused = [(info.orig_filename, why) for info in infos if (why := _refused(info))]
        refused += clashes([info.filename for info in kept])
        refuse(path, refused)
        _check_places(path, archive)
        if not kept:
            raise SubmissionError(problem("the archive is empty", where=path))
        yield archive, kept, litter_warnings([info.filename for info in files if is_litter(info.filename)])


def _check_start(path: Path) -> None:
    """A zip begins with its first member: what else stands there, other programs may take for something else."""
    try:
        with path.open("rb") as stream:
            start = stream.read(512)
    except OSError as error:
        raise SubmissionError(problem("can't read the archive", where=path, found=error.strerror)) from None
    kind = _archive_kind("", start)
    if kind != "zip":
        found = f"a {kind} archive" if kind else f"a file that begins with {start[:16]!r}" if start else "an empty file"
        raise SubmissionError(problem("not a zip archive", where=path, found=found, expected="a .zip file or a folder"))


def _check_count(path: Path, limits: Limits) -> None:
    """Count entries by their signature before zipfile makes an object for each."""
    count, tail = 0, b""
    with path.open("rb") as stream:
        while part := stream.read(_CHUNK):
            count += (tail + part).count(_CENTRAL_ENTRY)
            tail = part[-3:] if len(part) >= 3 else (tail + part)[-3:]
    if count > limits.members:
        found, expected = f"{count:,}", f"at most {limits.members:,}"
        raise SubmissionError(problem("too many members", where=path, found=found, expected=expected))


def _check_places(path: Path, archive: zipfile.ZipFile) -> None:
    """No bytes before the first member, none that two members share."""
    end = previous = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if info.header_offset and not end:
            raise SubmissionError(problem("something stands before the first member", where=path, do="Pack it again"))
        encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
        name = len(info.orig_filename.encode(encoding, "replace"))
        previous, end = end, info.header_offset + _LOCAL_HEADER + name + info.compress_size
        if info.header_offset < previous or end > archive.start_dir:
            raise _damaged(path, info.filename, "bytes that belong to another member too")


def _refused(info: zipfile.ZipInfo) -> str:
    """Why a member can't be accepted, from what the archive's directory says of it."""
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a symbolic link; put the file itself there"
    if stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "a device or pipe"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted; pack it without a password"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"compressed with {method}; expected deflate, as every zip program can"
    if info.filename.endswith("/") and info.file_size:
        return "a folder that holds data"
    return bad_name(info.orig_filename)


def _folder_names(path: Path, limits: Limits) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names: list[str] = []
    refused: list[tuple[str, str]] = []
    with _reading(path, "."):
        for folder, below, files in os.walk(path, onerror=_raise):
            below.sort()
            for entry in [Path(folder, name) for name in [*below, *files]]:
                name = entry.relative_to(path).as_posix()
                if entry.is_symlink():
                    refused.append((name, "a symbolic link; put the file itself there"))
                elif entry.is_file():
                    names.append(name)
                elif not entry.is_dir():
                    refused.append((name, "a device or pipe"))
            if len(names) > limits.members:
                raise SubmissionError(problem("too many files", where=path, expected=f"at most {limits.members:,}"))
    kept = sorted(name for name in names if not is_litter(name))
    refused += [(name, why) for name in kept if (why := bad_name(name))]
    refuse(path, refused + clashes(kept))
    if not kept:
        raise SubmissionError(problem("the folder is empty", where=path))
    return tuple(kept), litter_warnings([name for name in names if is_litter(name)])


def _raise(error: OSError) -> None:
    raise error


@contextlib.contextmanager
def _reading(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise _damaged(path, name, _words(error)) from None
    except OSError as error:
        raise SubmissionError(problem("can't be read", where=_at(path, name), found=_words(error))) from None


def _damaged(path: Path, name: str, found: str) -> SubmissionError:
    return SubmissionError(problem("a damaged member", where=_at(path, name), found=found, do="Pack it again"))


def _at(path: Path, name: str) -> str:
    return f"{path}: {name!r}"


def _words(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return "".join(c if c.isprintable() else "?" for c in text)[:200] or type(error).__name__


def _archive_kind(name: str, data: bytes) -> str:
    """Which archive this is, by its first bytes or its name; empty if none."""
    kind = next((kind for start, kind in _ARCHIVE_STARTS.items() if data.startswith(start)), "")
    if not kind and (data[257:262] == b"ustar" or re.match(rb"BZh[1-9]1AY&SY", data)):
        kind = "tar" if data[257:262] == b"ustar" else "bzip2"
    match = _ARCHIVE_NAME.search(name)
    return kind or (match[1].lower() if match else "")
