"""Files and folders that are either there whole or not there at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.errors import StorageError, problem, storage_error

PARTIAL = ".partial-"


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary sibling for writing; on success it becomes ``path``, on any failure it disappears.

    The bytes are flushed to the disk before the rename, so a power cut can't leave an empty file under the final name.

    Raises:
        StorageError: the disk is full or the folder can't be written.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f"{PARTIAL}{path.name}-", dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
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
        replace: put it in the place of a folder that is there; that one is removed only when the new one is whole.

    Raises:
        StorageError: ``path`` holds something already and ``replace`` is off, the disk is full, or the parent can't be
            written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{PARTIAL}{path.name}-", dir=path.parent))
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        if not replace and path.exists() and any(path.iterdir()):
            raise StorageError(problem("already there", where=path, do="Name another folder, or remove this one first"))
        earlier = Path(f"{temporary}-earlier")
        if replace and path.exists():
            path.replace(earlier)
        temporary.replace(path)
        shutil.rmtree(earlier, ignore_errors=True)
    except BaseException as error:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise storage_error(error, path) from error
        raise
