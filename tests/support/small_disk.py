"""A disk as full as a test wants: a small file system in memory, or a limit of files where none may be made."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

LARGEST_FILE = "ABAW_TESTS_LARGEST_FILE"
"""Variable by which :mod:`tests.support.commands` limits the size of a command's files, in bytes."""

_PAGE = 4096


class SmallDisk:
    """A folder on a disk of its own.

    Attributes:
        place: the folder.
        real: whether the disk itself is small; else only files can be limited, by :data:`LARGEST_FILE`.
    """

    def __init__(self, place: Path, *, real: bool) -> None:
        self.place = place
        self.real = real
        self._ballast = place / ".ballast"

    def leave(self, size: int) -> None:
        """Leave room for so many bytes on a disk that is small itself."""
        free = os.statvfs(self.place).f_bavail * _PAGE
        with self._ballast.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, max(free - size // _PAGE * _PAGE, _PAGE))

    def free(self) -> None:
        """Let there be room again."""
        self._ballast.unlink(missing_ok=True)

    def empty(self) -> None:
        """Remove all that is there."""
        for path in self.place.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextlib.contextmanager
def small_disk(place: Path, size: int = 48 << 20) -> Iterator[SmallDisk]:
    """A disk at a new folder while the block runs."""
    place.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    real = (
        shutil.which("mount") is not None and subprocess.run(options, capture_output=True, check=False).returncode == 0
    )
    try:
        yield SmallDisk(place, real=real)
    finally:
        if real:
            subprocess.run(["umount", str(place)], check=True)
