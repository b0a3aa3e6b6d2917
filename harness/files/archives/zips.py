"""Opening of a zip from an unknown sender: its directory is checked before any member is read.

A zip that two programs would unpack differently is refused, as the organisers' program may be the other one. Such are
two members of one name, names that differ only in case, links, and paths that lead out of the folder.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.errors import SubmissionError
from harness.files.archives.limits import BROKEN, Limits, archive_kind, damaged, words
from harness.files.archives.names import clashes, is_litter, litter_warnings, refuse
from harness.system.names import bad_name
from harness.system.regular import open_file

_CHUNK = 1 << 20
_LOCAL_HEADER = 30
_END_RECORD = 22
_ZIP64, _LONG, _MANY = 1, 0xFFFFFFFF, 0xFFFF
_SIZES_BEHIND = 0x8
_CENTRAL_ENTRY = b"PK\x01\x02"
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 20: "Zstandard", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES"}
_ENCRYPTED = 0x1 | 0x40 | 0x2000


@contextlib.contextmanager
def open_zip(path: Path, limits: Limits) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo], tuple[str, ...]]]:
    """Yield the open zip, the members to read, and warnings of files left out, after checks of the zip's directory.

    The checks cover the members' number, their names, and the places of their bytes.

    Raises:
        SubmissionError: the zip is unreadable, of another kind, broken or empty, or has members that must be refused.
    """
    _check_start(path)
    _check_count(path, limits)
    with contextlib.ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(open_file(path))))
        except (*BROKEN, OSError) as error:
            do = "Was it copied in full? Pack it again"
            raise SubmissionError("not a whole zip archive", where=path, found=words(error), do=do) from None
        infos = archive.infolist()
        refused = [(info.orig_filename, _refused(info)) for info in infos]
        # members with a bad name skip the other checks: a name with many folders would take long
        files = [i for i in infos if not i.filename.endswith("/") and not bad_name(i.orig_filename)]
        members = [info for info in files if not is_litter(info.filename)]
        refuse(path, [(name, why) for name, why in refused if why] + clashes([info.filename for info in members]))
        _check_places(path, archive)
        if not members:
            raise SubmissionError("the archive is empty", where=path)
        yield archive, members, litter_warnings([info.filename for info in files if is_litter(info.filename)])


def _check_start(path: Path) -> None:
    """Raise an error if the file does not begin as a zip, with its first member.

    Other programs may read other first bytes as another kind of file.
    """
    try:
        with open_file(path) as stream:
            start = stream.read(512)
    except OSError as error:
        raise SubmissionError("can't read the archive", where=path, found=error.strerror) from None
    kind = archive_kind("", start)
    if kind != "zip":
        start_in_words = (
            f"a {kind} archive" if kind else f"a file that begins with {start[:16]!r}" if start else "an empty file"
        )
        raise SubmissionError("not a zip archive", where=path, found=start_in_words, expected="a .zip file or a folder")


def _check_count(path: Path, limits: Limits) -> None:
    """Count entries before zipfile makes an object for each."""
    with open_file(path) as stream:
        count = count_entries(stream)
    if count > limits.members:
        count_in_words, expected = f"{count:,}", f"at most {limits.members:,}"
        raise SubmissionError("too many members", where=path, found=count_in_words, expected=expected)


def count_entries(stream: IO[bytes]) -> int:
    """Return the highest possible number of a zip's entries, by their signature; the stream is read to its end."""
    count, tail = 0, b""
    while part := stream.read(_CHUNK):
        count += (tail + part).count(_CENTRAL_ENTRY)
        tail = part[-3:] if len(part) >= 3 else (tail + part)[-3:]
    return count


def _check_places(path: Path, archive: zipfile.ZipFile) -> None:
    """Check that each byte belongs to one member, to the directory or to the end record, and that these agree.

    Then a program that reads the members in turn and a program that reads the directory get the same files.
    """
    end = 0
    with open_file(path) as stream:
        size = stream.seek(0, os.SEEK_END)
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            if info.header_offset and not end:
                what = "something stands before the first member"
                raise SubmissionError(what, where=path, do="Pack it again")
            if info.header_offset < end:
                raise damaged(path, info.filename, "bytes that belong to another member too")
            if info.header_offset > end:
                raise damaged(path, info.filename, f"{info.header_offset - end} bytes before it that no member has")
            end = _check_local(path, stream, info, archive.start_dir)
        if end != archive.start_dir:
            what = f"{archive.start_dir - end:,} bytes before the directory that no member has"
            raise SubmissionError(what, where=path, do="Pack it again")
        _check_end(path, stream, archive, size)


def _check_local(path: Path, stream: IO[bytes], info: zipfile.ZipInfo, directory: int) -> int:
    """Compare a member's header, and the sizes behind its data, with the directory. Return the place of its end."""
    stream.seek(info.header_offset)
    head = stream.read(_LOCAL_HEADER)
    if len(head) < _LOCAL_HEADER or head[:4] != b"PK\3\4":
        raise damaged(path, info.filename, "no header where the directory says that it begins")
    _, _, flags, method, _, _, crc, packed, size, n_name, n_extra = struct.unpack("<4sHHHHHIIIHH", head)
    end = info.header_offset + _LOCAL_HEADER + n_name + n_extra + info.compress_size
    if end > directory:
        raise damaged(path, info.filename, "bytes that belong to another member too")
    name, extra = stream.read(n_name), stream.read(n_extra)
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    if name != info.orig_filename.encode(encoding, "replace"):
        raise damaged(path, info.filename, f"another name before its data, {name[:60]!r}")
    if (flags, method) != (info.flag_bits, info.compress_type):
        raise damaged(path, info.filename, "other flags, or another method, before its data than in the directory")
    listed = (info.CRC, info.compress_size, info.file_size)
    size, packed = _long_sizes(extra, size, packed)
    behind = bool(flags & _SIZES_BEHIND)
    if (crc, packed, size) != listed and not (behind and (crc, packed, size) == (0, 0, 0)):
        raise damaged(path, info.filename, "another size or checksum before its data than in the directory")
    return _after_data(path, stream, info, end, listed) if behind else end


def _long_sizes(extra: bytes, size: int, packed: int) -> tuple[int, int]:
    """Return unpacked and packed size, taken from the zip64 field if the member has one."""
    while len(extra) >= 4:
        kind, n = struct.unpack("<HH", extra[:4])
        if kind == _ZIP64 and n >= 16:
            long_size, long_packed = struct.unpack("<QQ", extra[4:20])
            return (long_size if size == _LONG else size), (long_packed if packed == _LONG else packed)
        extra = extra[4 + n :]
    return size, packed


def _after_data(path: Path, stream: IO[bytes], info: zipfile.ZipInfo, end: int, listed: tuple[int, int, int]) -> int:
    """Return the end of a member whose sizes stand behind its data."""
    stream.seek(end)
    behind = stream.read(24)
    for mark in (b"PK\7\x08", b""):
        for form in ("<III", "<IQQ"):
            n = len(mark) + struct.calcsize(form)
            if behind.startswith(mark) and len(behind) >= n and struct.unpack(form, behind[len(mark) : n]) == listed:
                return end + n
    raise damaged(path, info.filename, "another size or checksum behind its data than in the directory")


def _check_end(path: Path, stream: IO[bytes], archive: zipfile.ZipFile, size: int) -> None:
    """Check that only the archive's comment follows the directory and its end record."""
    at = size - _END_RECORD - len(archive.comment)
    stream.seek(max(at, 0))
    record = stream.read(_END_RECORD)
    if len(record) < _END_RECORD or record[:4] != b"PK\5\6":
        do = "Was it copied in full? Pack it again"
        raise SubmissionError("something stands behind the archive's end", where=path, do=do)
    _, disk, first, here, total, length, offset, comment = struct.unpack("<4sHHHHIIH", record)
    members = len(archive.infolist())
    long = offset == _LONG or length == _LONG or total == _MANY
    if disk or first or comment != len(archive.comment) or (not long and {here, total} != {members}):
        raise SubmissionError("the archive's end does not fit its directory", where=path, do="Pack it again")
    if not long and (offset != archive.start_dir or offset + length != at):
        raise SubmissionError("the archive's directory is not where its end says", where=path, do="Pack it again")


def _refused(info: zipfile.ZipInfo) -> str:
    """Return the reason, by the archive's directory, to refuse a member; ``""`` if it can be accepted."""
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
