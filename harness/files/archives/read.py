"""Reader of a zip archive or a folder, member by member, in memory alone.

A zip's directory may give wrong sizes; therefore the limits count the bytes that come out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO

from harness.errors import SubmissionError
from harness.files.archives.limits import BROKEN, LIMITS, Limits, Meter, at, damaged, words
from harness.files.archives.names import clashes, is_litter, litter_warnings, refuse
from harness.files.archives.zips import open_zip
from harness.system.names import DEEPEST, TOO_DEEP, bad_name
from harness.system.regular import open_file


@dataclass(frozen=True)
class Member:
    """One file of an archive or folder: its name with ``/`` between folders, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Members:
    """Members of an archive or a folder. Each iteration reads them again, in the order of ``names``.

    Attributes:
        path: the archive or folder.
        names: names of the members in the archive's order; sorted for a folder.
        warnings: names of the files left out, which macOS and Windows add by themselves.
        limits: sizes beyond which reading stops.
    """

    path: Path
    names: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    limits: Limits = field(default=LIMITS, repr=False)

    def __iter__(self) -> Iterator[Member]:
        """Yield each member with its bytes.

        Raises:
            SubmissionError: a member is broken, too large, or an archive itself; or the archive has changed.
        """
        if self.path.is_dir():
            yield from _all(OpenMembers(self.path, self.names, self.limits))
            return
        with open_members(self.path, self.limits) as members:
            if members.names != self.names:
                raise SubmissionError("the archive changed while it was read", where=self.path)
            yield from _all(members)


@dataclass(frozen=True)
class OpenMembers:
    """Open archive or folder, any of whose members can be read in parts.

    Attributes:
        path, names, limits, warnings: see :class:`Members`.
        archive: the open zip; ``None`` for a folder.
        infos: entry of each member in the zip's directory, by name.
    """

    path: Path
    names: tuple[str, ...]
    limits: Limits = LIMITS
    warnings: tuple[str, ...] = ()
    archive: zipfile.ZipFile | None = field(default=None, repr=False)
    infos: Mapping[str, zipfile.ZipInfo] = field(default_factory=dict, repr=False)

    def meter(self, names: Sequence[str] | None = None, limits: Limits | None = None) -> Meter:
        """Return a meter that counts the bytes of these members together, by default of all, against the limits."""
        limits = limits or self.limits
        if self.archive is None:
            return Meter(self.path, limits)
        chosen = self.infos if names is None else names
        return Meter(self.path, limits, packed=sum(self.infos[name].compress_size for name in chosen))

    def chunks(self, name: str, meter: Meter, *, nested: bool = False) -> Iterator[bytes]:
        """Yield a member's bytes, part by part.

        Args:
            name: the member.
            meter: counter of bytes, from :meth:`meter`.
            nested: True if the member may be an archive itself.

        Raises:
            SubmissionError: the member is broken, too large, or an archive although ``nested`` is False.
        """
        if self.archive is None:
            with reading(self.path, name), open_inside(self.path, name) as stream:
                yield from meter.chunks(stream, name, nested=nested)
            return
        info, size = self.infos[name], 0
        with reading(self.path, name), self.archive.open(info) as stream:
            for part in meter.chunks(stream, name, nested=nested):
                size += len(part)
                yield part
            if rest := _unread(stream):
                raise damaged(self.path, name, f"{rest} bytes behind the end of its packed data")
        if size != info.file_size:
            sizes = f"{size:,} bytes, the archive's directory says {info.file_size:,}"
            raise damaged(self.path, name, sizes)


def open_inside(folder: Path, name: str) -> IO[bytes]:
    """Open an ordinary file below a folder. A link on the way is refused, even one put there after the listing.

    Args:
        folder: the folder.
        name: path below the folder, with ``/`` between its parts.

    Raises:
        OSError: the name belongs to no ordinary file, or a link is on the way.
    """
    if os.open not in os.supports_dir_fd:
        return (folder / name).open("rb")
    *above, last = name.split("/")
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in above:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)
    stream = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "no ordinary file")
    return stream


def _unread(stream: zipfile.ZipExtFile | IO[bytes]) -> int:
    """Return the number of a member's packed bytes that unpacking left unused; other programs may read them."""
    unpacker = getattr(stream, "_decompressor", None)
    return len(getattr(unpacker, "unused_data", b"")) + max(getattr(stream, "_compress_left", 0), 0)


def is_archive(path: Path) -> bool:
    """Tell if a path is to be read member by member: a folder, or a file that is a zip or is named so."""
    if path.is_dir() or path.suffix.lower() == ".zip":
        return True
    try:
        with open_file(path) as stream:
            return stream.read(4)[:2] == b"PK"
    except OSError:
        return False


def read_members(path: Path, limits: Limits = LIMITS) -> Members:
    """Open a zip archive or a folder: names are checked at once, contents as they are read.

    Raises:
        SubmissionError: the archive is unreadable, of another kind, broken or empty, or has members that must be
            refused; the message names the first few and their number.
    """
    with open_members(path, limits) as members:
        return Members(path, members.names, members.warnings, limits)


@contextlib.contextmanager
def open_members(path: Path, limits: Limits = LIMITS) -> Iterator[OpenMembers]:
    """Open a zip archive or a folder for the time of a ``with`` block.

    Raises:
        SubmissionError: as for :func:`read_members`.
    """
    if path.is_dir():
        names, warnings = _folder_names(path, limits)
        yield OpenMembers(path, names, limits, warnings)
        return
    with open_zip(path, limits) as (archive, infos, warnings):
        by_name = {info.filename: info for info in infos}
        yield OpenMembers(path, tuple(by_name), limits, warnings, archive, by_name)


def _all(members: OpenMembers) -> Iterator[Member]:
    meter = members.meter()
    for name in members.names:
        yield Member(name, b"".join(members.chunks(name, meter)))


def _folder_names(path: Path, limits: Limits) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names: list[str] = []
    refused: list[tuple[str, str]] = []
    entries = 0
    with reading(path, "."):
        for folder, below, files in os.walk(path, onerror=_raise):
            below.sort()
            entries += len(below) + len(files)
            if entries > limits.members:
                raise SubmissionError("too many files", where=path, expected=f"at most {limits.members:,}")
            if len(PurePath(folder).relative_to(path).parts) >= DEEPEST - 1:
                refused += [(f"{PurePath(folder, name).relative_to(path).as_posix()}/", TOO_DEEP) for name in below]
                below.clear()
            for entry in [Path(folder, name) for name in [*below, *files]]:
                name = entry.relative_to(path).as_posix()
                if entry.is_symlink():
                    refused.append((name, "a symbolic link; put the file itself there"))
                elif entry.is_file():
                    names.append(name)
                elif not entry.is_dir():
                    refused.append((name, "a device or pipe"))
    bad = {name: why for name in names if (why := bad_name(name))}
    accepted = sorted(name for name in names if name not in bad and not is_litter(name))
    refuse(path, [*refused, *sorted(bad.items()), *clashes(accepted)])
    if not accepted:
        raise SubmissionError("the folder is empty", where=path)
    return tuple(accepted), litter_warnings([name for name in names if is_litter(name)])


def _raise(error: OSError) -> None:
    raise error


@contextlib.contextmanager
def reading(path: Path, name: str) -> Iterator[None]:
    """Turn errors of zipfile and of the system, raised while a member is read, into SubmissionError."""
    try:
        yield
    except BROKEN as error:
        raise damaged(path, name, words(error)) from None
    except OSError as error:
        raise SubmissionError("can't be read", where=at(path, name), found=words(error)) from None
