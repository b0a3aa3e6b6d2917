"""Files and folders that are either there whole or not there at all."""

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
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST)  # another process put its own there meanwhile
_HERE, _RENAME_EXCHANGE = -100, 2  # AT_FDCWD and the flag, as Linux's headers have them
_renameat2 = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a temporary sibling for writing; on success it becomes ``path``, on any failure it disappears.

    The bytes are flushed to the disk before the rename, so a power cut can't leave an empty file under the final name.

    Args:
        path: of the file.
        durable: flush; False for what is made again where a checksum in it fails, as after a power cut.

    Raises:
        StorageError: the disk is full or the folder can't be written.
    """
    with atomic_path(path, durable=durable) as temporary, temporary.open("xb") as stream:
        yield stream


@contextlib.contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """As :func:`atomic_file`, for what opens its file by name: a temporary sibling's name, with no file there yet.

    Args:
        path: of the file.
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
    """Write UTF-8 text atomically, line ends as given.

    Args:
        path: of the file.
        text: its content.
        durable: see :func:`atomic_file`.
    """
    with atomic_file(path, durable=durable) as stream:
        stream.write(text.encode())


@contextlib.contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """A temporary sibling folder that becomes ``path`` on success and disappears on any failure.

    Args:
        replace: put it in the place of a folder that is there; that one is moved away only when the new one is whole.

    Raises:
        StorageError: ``path`` holds something already and ``replace`` is off, the disk is full, or the parent can't be
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
    """Remove what a kill left half-written in ``folder``.

    A name says which process has it. Where that can be looked at, what a living process has stays however old it looks,
    and what a dead one left goes at once. What another machine's or container's process has, or one before this
    machine's last start, goes when it has not changed for a day.
    """
    for left in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            if _is_left(left):
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left)
                else:
                    left.unlink()


def _is_left(path: Path) -> bool:
    """Whether nobody is at work on a partial file or folder any more."""
    match = _OWNED.search(path.name)
    if match is None or not _here() or match["where"] != _here():
        return time.time() - path.stat().st_mtime > _STALE_SECONDS
    return _started(int(match["pid"])) != match["started"]


@functools.cache
def _here() -> str:
    """What tells this machine since its start, and this set of process numbers, from others; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        numbers = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return ""
    return hashlib.sha256(f"{boot.strip()} {numbers}".encode()).hexdigest()[:8]


def _started(pid: int) -> str:
    """When a process was started, in ticks since this machine was: no two have number and start in common.

    Empty if it is not there, or has ended and nobody has asked how.
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]


def numbered_path(path: Path, label: str) -> Path:
    """A name beside ``path`` that nothing has yet: ``results.duckdb.broken-1`` for the label ``broken``."""
    names = (f"{path.name}.{label}-{n}" for n in itertools.count(1))
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())


def _sibling(path: Path) -> Path:
    """A name beside ``path`` that nobody else has, made with the permissions that the user's umask allows."""
    pid = os.getpid()
    owner = f"{_here()}.{pid}.{_started(pid)}" if _here() else ""
    return path.with_name(f"{PARTIAL}{path.name[:50]}-{owner}-{secrets.token_hex(4)}")


def _refuse_occupied(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StorageError("already there", where=path, do="Name another folder, or remove this one first")


def _replace_folder(new: Path, path: Path) -> None:
    """Put ``new`` in the place of ``path``, in one step where the system can, and remove what was there."""
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
    """Swap two folders in one step: Linux can, on most file systems. ``False`` where it can't, or nothing is there."""
    if _renameat2 is None:
        return False
    done: int = _renameat2(_HERE, os.fsencode(new.absolute()), _HERE, os.fsencode(path.absolute()), _RENAME_EXCHANGE)
    return done == 0


def _replace_in_two_steps(new: Path, path: Path) -> None:
    """Two renames, as no portable call swaps folders; between them ``path`` lies beside itself, under a hidden name."""
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
