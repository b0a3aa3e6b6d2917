"""Opening of regular files only: pipes, sockets, devices and folders are refused before they block the program.

A program that opens a pipe without a writer waits for ever. A terminal never ends, and some devices act when opened.
Therefore this module opens, or checks, every path that comes from a user or a data set. A link to a regular file is
accepted.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from harness.errors import AbawError, DataError

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_TO_NOTHING, _IN_A_CIRCLE = "a link that leads to nothing", "a link that leads in a circle"
_AT_ONCE, _NO_TERMINAL = getattr(os, "O_NONBLOCK", 0), getattr(os, "O_NOCTTY", 0)
_READ = os.O_RDONLY | _NO_TERMINAL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_MOST_AT_ONCE, _PROBE = 1 << 26, 1 << 12  # bytes per call, each of which reserves memory for all of them


class NoRegularFileError(OSError):
    """Pipe, device or broken link in the place of a file. ``strerror`` names its kind."""


def require_file(path: Path) -> os.stat_result:
    """Return a file's status if a library may open the file by its name; else raise an error.

    Raises:
        NoRegularFileError: the path is a pipe, a socket, a device, or a link that leads nowhere or in a circle.
        IsADirectoryError: the path is a folder.
        OSError: the path is missing, or its status is unreadable.
    """
    try:
        status = path.stat()
    except OSError as error:
        if link := broken_link(path):
            raise NoRegularFileError(error.errno, link, str(path)) from None
        raise
    _require_regular(status, path)
    return status


def open_file(path: Path) -> io.BufferedReader:
    """Open a file for reading, and refuse paths that may block.

    Raises:
        OSError: see :func:`require_file`; or the user may not read the file.
    """
    return open(path, "rb", opener=lambda _, flags: _opened(path, flags | _NO_TERMINAL)[0])


def read_file(path: Path, most: int | None = None) -> bytes:
    """Read a whole file.

    Args:
        path: the file.
        most: largest accepted size in bytes; by default any.

    Raises:
        OSError: see :func:`open_file`; or the file is larger.
    """
    descriptor, status = _opened(path, _READ)
    try:
        if most is not None and status.st_size > most:
            raise OSError(errno.EOVERFLOW, f"more than {most:,} bytes", str(path))
        parts, size = [os.read(descriptor, min(status.st_size, _MOST_AT_ONCE) + 1)], _PROBE
        while part := os.read(descriptor, size):  # the file has grown, or is larger than one call reads
            parts.append(part)
            size = _MOST_AT_ONCE
            if most is not None and sum(map(len, parts)) > most:
                raise OSError(errno.EOVERFLOW, f"more than {most:,} bytes", str(path))
    finally:
        os.close(descriptor)
    return b"".join(parts)


def read_or_refuse(path: Path, what: str, kind: type[AbawError] = DataError, *, most: int | None = None) -> bytes:
    """Read a whole file; raise an error of the project for an unreadable one.

    Args:
        path: the file.
        what: start of the message, such as ``can't read the file``.
        kind: class of the error.
        most: largest accepted size in bytes; by default any.

    Raises:
        AbawError: the file is missing, unreadable or larger; an error of class ``kind``.
    """
    try:
        return read_file(path, most)
    except OSError as error:
        raise kind(what, where=path, found=error.strerror) from None


def read_text(path: Path, most: int | None = None) -> str:
    """Read a whole file of UTF-8 with unchanged line ends.

    Args:
        path: the file.
        most: largest accepted size in bytes; by default any.

    Raises:
        OSError: see :func:`read_file`.
        UnicodeDecodeError: the file has another encoding.
    """
    return read_file(path, most).decode()


def broken_link(path: Path) -> str | None:
    """Return the fault of a broken link in words; ``None`` for any other path."""
    if not path.is_symlink():
        return None
    try:
        path.stat()
    except OSError as error:
        return {errno.ENOENT: _TO_NOTHING, errno.ELOOP: _IN_A_CIRCLE}.get(error.errno or 0)
    return None


def is_taken(path: Path) -> bool:
    """Tell if a path exists, be it a file, a folder or a broken link."""
    return path.is_symlink() or path.exists()


def kind_of(mode: int) -> str:
    """Return the kind of a special file by its mode, in words; ``""`` for a regular file or a folder."""
    return _KINDS.get(
        stat.S_IFMT(mode), "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "something that is no file"
    )


def _opened(path: Path, flags: int) -> tuple[int, os.stat_result]:
    """Return a descriptor of a regular file, and the status of the opened file.

    The path is checked before it is opened, as a device may act when opened, and again after.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - images are read by the million, and Path.stat() takes twice as long
    except OSError:
        status = require_file(path)  # raises an error with the reason
    _require_regular(status, path)
    try:
        descriptor = os.open(path, flags | _AT_ONCE)
    except BlockingIOError:  # another program holds a lease on this file, and is asked to give it back
        descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        _require_regular(status, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, status


def _require_regular(status: os.stat_result, path: Path) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise NoRegularFileError(errno.EINVAL, f"{kind_of(status.st_mode)}, where a file belongs", str(path))
