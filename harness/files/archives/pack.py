"""Packing of official files into a zip: the same files give the same bytes at any time and on any machine.

Dates, order and permissions are fixed. The zip's bytes also depend on the zlib that Python was built with, which all
common builds share. The hashes of the members depend on their contents alone.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StorageError, SubmissionError
from harness.files.archives.names import clashes, refuse
from harness.files.archives.read import Member, read_members
from harness.system.atomic import atomic_file
from harness.system.names import bad_name
from harness.system.regular import read_or_refuse

_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16
_UNIX = 3
_LEVEL = 6


@dataclass(frozen=True)
class PackedMember:
    """File inside an archive: its name there, the hash and the number of its bytes."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Packed:
    """Archive on disk, as :func:`pack` left it.

    Attributes:
        path: the zip.
        sha256: hash of the zip itself.
        bytes: size of the zip.
        members: the files inside.
        unchanged: True if the same zip was there before, byte for byte.
        warnings: names of files that were left out of a folder.
    """

    path: Path
    sha256: str
    bytes: int
    members: tuple[PackedMember, ...]
    unchanged: bool
    warnings: tuple[str, ...] = ()


def pack(paths: Sequence[Path], out: Path, *, folder: str = "", force: bool = False) -> Packed:
    """Pack files, or all files of folders, into one zip, atomically. The caller validates them first.

    Args:
        paths: files, which lie at the top of the archive under their own names, and folders, whose files keep their
            names inside the folder.
        out: the zip to write.
        folder: name of a folder inside the archive that takes all files; by default they lie at the top.
        force: replace another file at ``out``.

    Raises:
        SubmissionError: a file is unreadable, a name is refused, or two files have the same name.
        StorageError: another file lies at ``out`` and ``force`` is off, or ``out`` can't be written.
    """
    for path in paths:
        # not resolve(), which raises RuntimeError where a link leads in a circle
        if path.is_dir() and Path(os.path.realpath(out)).is_relative_to(os.path.realpath(path)):
            do = "Name a file outside of it"
            raise StorageError("the archive would lie in the folder that it is made of", where=out, do=do)
    members, warnings = _members(paths)
    members = [Member(f"{folder}/{m.name}" if folder else m.name, m.data) for m in members]
    refuse(out, [*((m.name, why) for m in members if (why := bad_name(m.name))), *clashes(m.name for m in members)])
    if not members:
        raise SubmissionError("nothing to pack", where=out)
    members.sort(key=lambda member: member.name)
    content = zip_bytes(members)
    unchanged = out.is_file() and out.read_bytes() == content
    if not unchanged:
        if out.exists() and not (force and out.is_file()):
            do = "Give --force to replace it, or name another file" if out.is_file() else "Name a file"
            raise StorageError("something else is there already", where=out, do=do)
        with atomic_file(out) as stream:
            stream.write(content)
    described = tuple(PackedMember(m.name, hashlib.sha256(m.data).hexdigest(), len(m.data)) for m in members)
    return Packed(out, hashlib.sha256(content).hexdigest(), len(content), described, unchanged, warnings)


def _members(paths: Iterable[Path]) -> tuple[list[Member], tuple[str, ...]]:
    members: list[Member] = []
    warnings: list[str] = []
    for path in paths:
        if path.is_dir():
            inside = read_members(path)
            members += inside
            warnings += inside.warnings
        else:
            members.append(Member(path.name, read_or_refuse(path, "can't read the file", SubmissionError)))
    return members, tuple(warnings)


def zip_bytes(members: Iterable[Member]) -> bytes:
    """Return a zip of the members; the same members always give the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name, _DATE)
            info.create_system, info.external_attr, info.compress_type = _UNIX, _MODE, zipfile.ZIP_DEFLATED
            archive.writestr(info, member.data, compresslevel=_LEVEL)
    return stream.getvalue()
