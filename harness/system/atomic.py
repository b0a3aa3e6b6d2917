"""Atomic writers: a file or folder appears under its name only once it is complete."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import itertools
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.errors import StorageError, storage_error

PARTIAL = ".partial-"
_STALE_SECONDS = 86_400.0
_OWNED = re.compile(r"-(?P<where>[0-9a-f]{8})\.(?P<pid>\d+)\.(?P<started>\d+)-[0-9a-f]{8}")
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST)  # another process has put a folder there meanwhile
_HERE, _RENAME_EXCHANGE = -100, 2  # AT_FDCWD and the flag, as Linux's headers have them
_renameat2 = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a temporary sibling for writing; on success it becomes ``path``, on any failure it disappears.

    The bytes are flushed to the disk before the rename, so a power cut can't leave an empty file under the final name.

    Args:
        path: the file to write.
        durable: True to flush; False for a file with a checksum that is made again if damaged, as after a power cut.

    Raises:
        StorageError: the disk is full or the folder can't be written.
    """
    with atomic_path(path, durable=durable) as temporary, temporary.open("xb") as stream:
        yield stream


@contextlib.contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a free temporary name for a writer that opens its file by name; else as :func:`atomic_file`.

    Args:
        path: the file to write.
        durable: see :func:`atomic_file`.

    Raises:
        StorageError: the disk is full or the folder can't be written.
    """
    temporary = _sibling(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            _flush(temporary)
        temporary.replace(path)
        with contextlib.suppress(OSError):  # not every system lets a folder be flushed; the file is in its place
            if durable:
                _flush(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise storage_error(error, path) from error
        raise


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write UTF-8 text atomically, with unchanged line ends.

    Args:
        path: the file to write.
        text: content of the file.
        durable: see :func:`atomic_file`.
    """
    with atomic_file(path, durable=durable) as stream:
        stream.write(text.encode())


@contextlib.contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary sibling folder that becomes ``path`` on success and disappears on any failure.

    Args:
        path: the folder to write.
        replace: replace an existing folder; it is moved away only once the new one is complete.

    Raises:
        StorageError: ``path`` exists and holds files and ``replace`` is off, the disk is full, or the parent can't be
            written.
    """
    temporary = _sibling(path)
    try:
        if not replace:
            _refuse_occupied(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        yield temporary
        if not replace:
            _refuse_occupied(path)
            temporary.replace(path)
        else:
            _replace_folder(temporary, path)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise storage_error(error, path) from error
        raise


def sweep_partials(folder: Path) -> None:
    """Remove partial files and folders that killed processes left in ``folder``.

    A partial file's name contains its process. Files of a living process of this machine stay, however old, and files
    of a dead one are removed at once. Files from another machine or container, or from before this machine's last
    start, are removed after a day without a change.
    """
    for left in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            if _is_left(left):
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left)
                else:
                    left.unlink()


def _is_left(path: Path) -> bool:
    """Tell if no process works on a partial file or folder any more."""
    match = _OWNED.search(path.name)
    if match is None or not _here() or match["where"] != _here():
        return time.time() - path.stat().st_mtime > _STALE_SECONDS
    return _started(int(match["pid"])) != match["started"]


@functools.cache
def _here() -> str:
    """Return an id of this machine since its start and of its set of process numbers; ``""`` if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        numbers = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return ""
    return hashlib.sha256(f"{boot.strip()} {numbers}".encode()).hexdigest()[:8]


def _started(pid: int) -> str:
    """Return the start of a process, in ticks since the start of this machine; ``""`` if the process has ended.

    Number and start together identify a process.
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]


def numbered_path(path: Path, label: str) -> Path:
    """Return a free name beside ``path``: ``results.duckdb.broken-1`` for the label ``broken``."""
    names = (f"{path.name}.{label}-{n}" for n in itertools.count(1))
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())


def _sibling(path: Path) -> Path:
    """Return a free name beside ``path`` that contains the id of this process."""
    pid = os.getpid()
    owner = f"{_here()}.{pid}.{_started(pid)}" if _here() else ""
    return path.with_name(f"{PARTIAL}{path.name[:50]}-{owner}-{secrets.token_hex(4)}")


def _refuse_occupied(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StorageError("already there", where=path, do="Name another folder, or remove this one first")


def _replace_folder(new: Path, path: Path) -> None:
    """Put ``new`` in the place of ``path``, in one step if the system can, and remove the earlier folder."""
    while True:
        try:
            if _exchange(new, path):
                shutil.rmtree(new, ignore_errors=True)
            else:
                _replace_in_two_steps(new, path)
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
        else:
            return


def _exchange(new: Path, path: Path) -> bool:
    """Swap two folders in one step, on most file systems of Linux. Return False if the system can't."""
    if _renameat2 is None:
        return False
    done: int = _renameat2(_HERE, os.fsencode(new.absolute()), _HERE, os.fsencode(path.absolute()), _RENAME_EXCHANGE)
    return done == 0


def _replace_in_two_steps(new: Path, path: Path) -> None:
    """Replace ``path`` by two renames; between them the earlier folder has a hidden name beside ``path``."""
    earlier = Path(f"{new}-earlier")
    with contextlib.suppress(FileNotFoundError):
        path.replace(earlier)
    try:
        new.replace(path)
    except OSError as error:
        if error.errno not in _OCCUPIED:
            with contextlib.suppress(OSError):
                earlier.replace(path)
            raise
        shutil.rmtree(earlier, ignore_errors=True)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
