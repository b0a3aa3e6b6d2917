"""What must be the same on every machine of a cluster, and is seen to before any work is sent there."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import __version__
from harness.system.backoff import backoff
from harness.system.provenance import source_digest

_PATIENCE = 5.0
"""Seconds until a file written on one machine must be seen on another."""


@dataclass(frozen=True)
class Expected:
    """What the command's own machine has.

    Attributes:
        folder: where the command was typed, if relative paths lead on from there.
        source: digest of the code of this package and of all that offer solutions.
        data: the data set's root.
        marks: files that were written into the folders that must be shared.
    """

    folder: Path | None
    version: str
    source: str
    data: Path | None = None
    marks: tuple[Path, ...] = ()


def sources() -> str:
    """Digest of the code that is installed here."""
    from harness.plugins.registry import providers

    return source_digest("harness", *sorted({type(one).__module__.partition(".")[0] for one in providers()}))


@contextlib.contextmanager
def expected(data: Path | None, shared: Sequence[Path]) -> Iterator[Expected]:
    """What to look for; the marks are there while the block runs."""
    marks: list[Path] = []
    try:
        for folder in shared:
            folder.mkdir(parents=True, exist_ok=True)
            marks.append(folder.resolve() / f".seen-by-all-{secrets.token_hex(8)}")
            marks[-1].touch(exist_ok=False)
        root = data.resolve() if data else None
        whole = all(path.is_absolute() for path in (*shared, *([data] if data else [])))
        yield Expected(None if whole else Path.cwd(), __version__, sources(), root, tuple(marks))
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)


def differences(wanted: Expected) -> list[str]:
    """What is not so here, a line each. Runs on the machine that is asked about."""
    found = []
    if wanted.folder and not wanted.folder.is_dir():
        found.append(f"no folder {wanted.folder}, which the command was typed in: give whole paths")
    if __version__ != wanted.version:
        found.append(f"version {__version__} of this package is installed, not {wanted.version}")
    elif sources() != wanted.source:
        found.append("the code of this package, or of one that offers solutions, is another")
    if wanted.data and not wanted.data.is_dir():
        found.append(f"no data set in {wanted.data}")
    found += [f"{mark.parent} is another folder, or none" for mark in wanted.marks if not _appears(mark)]
    return found


def _appears(mark: Path) -> bool:
    return any(mark.exists() for _ in backoff(time.monotonic() + _PATIENCE, first=0.2, longest=0.2))
