"""Files and folders that are either there whole or not there at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.errors import StorageError, problem, storage_error

PARTIAL = ".partial-"
_STALE_SECONDS = 3600.0


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary sibling for writing; on success it becomes ``path``, on any failure it disappears.

    The bytes are flushed to the disk before the rename, so a power cut can't leave an empty file under the final name.

    Raises:
        StorageError: the disk is full or the folder can't be written.
    """
    temporary = _sibling(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise storage_error(error, path) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, line ends as given."""
    with atomic_file(path) as stream:
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
    """Remove what a kill left half-written in ``folder`` an hour ago or more; younger ones may be another process's."""
    for left in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                if left.is_dir():
                    shutil.rmtree(left)
                else:
                    left.unlink()


def _sibling(path: Path) -> Path:
    """A name beside ``path`` that nobody else has, made with the permissions that the user's umask allows."""
    return path.with_name(f"{PARTIAL}{path.name[:50]}-{secrets.token_hex(4)}")


def _refuse_occupied(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StorageError(problem("already there", where=path, do="Name another folder, or remove this one first"))


def _replace_folder(new: Path, path: Path) -> None:
    """Two renames, as no portable call swaps folders; between them ``path`` lies beside itself, under a hidden name."""
    earlier = Path(f"{new}-earlier")
    while True:
        with contextlib.suppress(FileNotFoundError):
            path.replace(earlier)
        try:
            new.replace(path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):  # another process put its own there meanwhile
                shutil.rmtree(earlier, ignore_errors=True)
                continue
            with contextlib.suppress(OSError):
                earlier.replace(path)
            raise
        shutil.rmtree(earlier, ignore_errors=True)
        return
