"""Hashes of a submission's bytes and of its content: they tell if it was sent before, and which run wrote it."""

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
    """Hashes and size of a submission, by which it is recognised later.

    Attributes:
        sha256: hash of the file; for a folder, of the names and contents of its files.
        content: hash of the text alone: the same for a packed and an unpacked submission, under any name, with any
            line ends.
        bytes: size of the file; for a folder, of all its files.
        files: sha256 of every official file in the submission; of a single file, its own.
    """

    sha256: str
    content: str
    bytes: int
    files: tuple[str, ...]


def fingerprint(path: Path) -> Fingerprint:
    """Return the hashes and the size of a file, a zip or a folder.

    Raises:
        SubmissionError: the submission is unreadable, or an archive that must be refused.
    """
    if not is_archive(path):
        data = read_or_refuse(path, "can't read the file", SubmissionError)
        sha256 = hashlib.sha256(data).hexdigest()
        return Fingerprint(sha256, _digest([("", _plain(data))]), len(data), (sha256,))
    members = list(read_members(path))
    names = _without_common_folder([member.name for member in members])
    content = _digest(sorted((name, _plain(m.data)) for name, m in zip(names, members, strict=True)))
    size = sum(len(member.data) for member in members)
    digests = tuple(hashlib.sha256(member.data).hexdigest() for member in members)
    if path.is_dir():
        sha256 = _digest([(member.name, member.data) for member in members])
    else:
        data = read_or_refuse(path, "can't read the file", SubmissionError)
        sha256, size = hashlib.sha256(data).hexdigest(), len(data)
    return Fingerprint(sha256, content, size, digests)


def _plain(data: bytes) -> bytes:
    """Return a text in one form: byte-order mark and last line's end removed, CR LF replaced by LF."""
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").rstrip(b"\n")


def _without_common_folder(names: Sequence[str]) -> list[str]:
    """Return members' names below their common folder; ``""`` for a single member, whose name does not matter."""
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
