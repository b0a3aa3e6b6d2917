"""Regular files, told from pipes, sockets, devices and folders before anybody waits for one of these.

To open a pipe that nobody writes to waits for ever, a terminal never ends, and to open some devices does something. So
what a user, a data set or a stranger names is opened here, or looked at here before a library opens it by its name. A
link to a regular file is one.
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
_MOST_AT_ONCE, _PROBE = 1 << 26, 1 << 12  # bytes of one call: room is made for all that are asked for


class NoRegularFileError(OSError):
    """Something stands in a file's place that is none: a pipe, a device, a link to nothing. ``strerror`` names it."""


def require_file(path: Path) -> os.stat_result:
    """Make sure that a library may open a file by its name, and return the file's status.

    Raises:
        NoRegularFileError: a pipe, a socket or a device is there, or a link that leads to nothing or in a circle.
        IsADirectoryError: a folder is there.
        OSError: nothing is there, or it may not be looked at.
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
    """Open a file for reading, without ever waiting for it.

    Raises:
        OSError: as :func:`require_file`, or the file may not be read.
    """
    return open(path, "rb", opener=lambda _, flags: _opened(path, flags | _NO_TERMINAL)[0])


def read_file(path: Path, most: int | None = None) -> bytes:
    """Read a whole file.

    Args:
        most: bytes that are read; ``None`` for all that there are.

    Raises:
        OSError: as :func:`open_file`, or the file is larger.
    """
    descriptor, status = _opened(path, _READ)
    try:
        if most is not None and status.st_size > most:
            raise OSError(errno.EOVERFLOW, f"more than {most:,} bytes", str(path))
        parts, size = [os.read(descriptor, min(status.st_size, _MOST_AT_ONCE) + 1)], _PROBE
        while part := os.read(descriptor, size):  # it has grown, or is more than could be asked for
            parts.append(part)
            size = _MOST_AT_ONCE
            if most is not None and sum(map(len, parts)) > most:
                raise OSError(errno.EOVERFLOW, f"more than {most:,} bytes", str(path))
    finally:
        os.close(descriptor)
    return b"".join(parts)


def read_or_refuse(path: Path, what: str, kind: type[AbawError] = DataError, *, most: int | None = None) -> bytes:
    """Read a whole file, and name one that can't be read in an error of the project.

    Args:
        what: begins the message, ``can't read the file``.
        kind: of the error.
        most: bytes that are read; ``None`` for all that there are.

    Raises:
        AbawError: of that kind: the file is missing, unreadable or larger.
    """
    try:
        return read_file(path, most)
    except OSError as error:
        raise kind(what, where=path, found=error.strerror) from None


def read_text(path: Path, most: int | None = None) -> str:
    """Read a whole file of UTF-8; line ends stay as they are.

    Args:
        most: bytes that are read; ``None`` for all that there are.

    Raises:
        OSError: as :func:`read_file`.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read_file(path, most).decode()


def broken_link(path: Path) -> str | None:
    """Return what is wrong with a link that leads to no file and no folder, in words; ``None`` for anything else."""
    if not path.is_symlink():
        return None
    try:
        path.stat()
    except OSError as error:
        return {errno.ENOENT: _TO_NOTHING, errno.ELOOP: _IN_A_CIRCLE}.get(error.errno or 0)
    return None


def is_taken(path: Path) -> bool:
    """Tell whether anything has this name, be it a file or not: a link that leads to nothing has it, too."""
    return path.is_symlink() or path.exists()


def kind_of(mode: int) -> str:
    """Return what a file's mode says it is where that is no regular file and no folder, in words; else empty."""
    return _KINDS.get(
        stat.S_IFMT(mode), "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "something that is no file"
    )


def _opened(path: Path, flags: int) -> tuple[int, os.stat_result]:
    """Return a descriptor and the status of what it is of, which stands there when it is opened.

    What stands there is looked at before, too: to open a device may do something.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - images are read by the million, and Path.stat() takes twice as long
    except OSError:
        status = require_file(path)  # which finds the words
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
