"""Open a zip whose sender nobody knows: what its directory says is checked before any member is read.

Whatever two programs would unpack differently (two members of one name, names that differ in case, links, paths that
lead out) is refused: the organisers' program may be the other one.
"""

from __future__ import annotations

import contextlib
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from harness.errors import SubmissionError, problem
from harness.submission.archives.limits import BROKEN, Limits, archive_kind, damaged, words
from harness.submission.archives.names import bad_name, clashes, is_litter, litter_warnings, refuse

_CHUNK = 1 << 20
_LOCAL_HEADER = 30
_CENTRAL_ENTRY = b"PK\x01\x02"
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 20: "Zstandard", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES"}
_ENCRYPTED = 0x1 | 0x40 | 0x2000


@contextlib.contextmanager
def open_zip(path: Path, limits: Limits) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo], tuple[str, ...]]]:
    """The archive, the members to read, and a warning of what is left out; names, places and number are checked.

    Raises:
        SubmissionError: it can't be read, is no zip, is broken, holds nothing, or holds members that can't be accepted.
    """
    _check_start(path)
    _check_count(path, limits)
    try:
        archive = zipfile.ZipFile(path)
    except (*BROKEN, OSError) as error:
        do = "Was it copied in full? Pack it again"
        raise SubmissionError(problem("not a whole zip archive", where=path, found=words(error), do=do)) from None
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
    kind = archive_kind("", start)
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
            raise damaged(path, info.filename, "bytes that belong to another member too")


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
