"""Check before any work that each machine of a cluster has the same code, data set and shared folders."""

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
"""Most seconds until a file written on one machine appears on another."""


@dataclass(frozen=True)
class Expected:
    """State of the command's own machine, which other machines must match.

    Attributes:
        folder: working folder of the command; ``None`` if all paths are absolute.
        version: version of this package.
        source: digest of the code of this package and of all packages with solutions.
        data: root of the data set.
        marks: files written into the shared folders.
    """

    folder: Path | None
    version: str
    source: str
    data: Path | None = None
    marks: tuple[Path, ...] = ()


def sources() -> str:
    """Return a digest of the installed code of this package and of all packages with solutions."""
    from harness.plugins.registry import providers

    return source_digest("harness", *sorted({type(one).__module__.partition(".")[0] for one in providers()}))


@contextlib.contextmanager
def expected(data: Path | None, shared: Sequence[Path]) -> Iterator[Expected]:
    """Yield the state of this machine; its marks exist while the block runs."""
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


def differences(command: Expected) -> list[str]:
    """Return the differences of this machine from the command's machine, one line each.

    Args:
        command: state of the command's machine.
    """
    lines = []
    if command.folder and not command.folder.is_dir():
        lines.append(f"no folder {command.folder}, which the command was typed in: give whole paths")
    if __version__ != command.version:
        lines.append(f"version {__version__} of this package is installed, not {command.version}")
    elif sources() != command.source:
        lines.append("the code of this package, or of one that offers solutions, is another")
    if command.data and not command.data.is_dir():
        lines.append(f"no data set in {command.data}")
    lines += [f"{mark.parent} is another folder, or none" for mark in command.marks if not _appears(mark)]
    return lines


def _appears(mark: Path) -> bool:
    return any(mark.exists() for _ in backoff(time.monotonic() + _PATIENCE, first=0.2, longest=0.2))
