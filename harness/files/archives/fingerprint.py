"""What a submission is and what it says: to find out whether it was sent before, and which run wrote it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import SubmissionError
from harness.files.archives.read import is_archive, read_members
from harness.system.regular import read_or_refuse


@dataclass(frozen=True)
class Fingerprint:
    """What a file is, to find it again.

    Attributes:
        sha256: of the file; of names and contents for a folder.
        content: hash of what it says: packed or not, under whatever name, whatever its line ends.
        bytes: its size; of all members for a folder.
        files: sha256 of every official file in it, or its own.
    """

    sha256: str
    content: str
    bytes: int
    files: tuple[str, ...]


def fingerprint(path: Path) -> Fingerprint:
    """What a file, a zip or a folder is, and what it says.

    Raises:
        SubmissionError: it can't be read, or is an archive that can't be accepted.
    """
    if not is_archive(path):
        data = read_or_refuse(path, "can't read the file", SubmissionError)
        own = hashlib.sha256(data).hexdigest()
        return Fingerprint(own, _digest([("", _plain(data))]), len(data), (own,))
    members = list(read_members(path))
    names = _without_common_folder([member.name for member in members])
    content = _digest(sorted((name, _plain(m.data)) for name, m in zip(names, members, strict=True)))
    size = sum(len(member.data) for member in members)
    digests = tuple(hashlib.sha256(member.data).hexdigest() for member in members)
    if path.is_dir():
        own = _digest([(member.name, member.data) for member in members])
    else:
        data = read_or_refuse(path, "can't read the file", SubmissionError)
        own, size = hashlib.sha256(data).hexdigest(), len(data)
    return Fingerprint(own, content, size, digests)


def _plain(data: bytes) -> bytes:
    """A text without what editors and systems change by themselves: byte-order mark, line ends, last line's end."""
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").rstrip(b"\n")


def _without_common_folder(names: Sequence[str]) -> list[str]:
    """Names of members, their common folder left out; a single one has no name that matters."""
    if len(names) == 1:
        return [""]
    tops = {PurePosixPath(name).parts[0] for name in names if "/" in name}
    nested = len(tops) == 1 and all("/" in name for name in names)
    return [name.partition("/")[2] if nested else name for name in names]


def _digest(parts: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, data in parts:
        digest.update(f"{len(name.encode())} {name} {len(data)} ".encode())
        digest.update(data)
    return digest.hexdigest()
