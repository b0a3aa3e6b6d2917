"""Names of files in an archive or a folder: accepted where they mean the same on every system, else refused."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from harness.errors import SubmissionError, problem
from harness.system.counts import first_of

SHOWN = 5


def clashes(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return names that can't lie side by side on every file system, each with the reason.

    Args:
        names: names of members that :func:`~harness.system.names.bad_name` accepts.
    """
    refused: list[tuple[str, str]] = []
    name_by_key: dict[str, str] = {}
    for name in names:
        key = _folded(name)
        if key in name_by_key:
            other = name_by_key[key]
            refused.append(
                (name, "there twice" if other == name else f"differs from {other!r} only in case or spelling")
            )
        name_by_key.setdefault(key, name)
    for name in name_by_key.values():
        above = next(
            (
                name_by_key[key]
                for parent in PurePosixPath(name).parents
                if (key := _folded(str(parent))) in name_by_key
            ),
            None,
        )
        if above:
            refused.append((name, f"lies in {above!r}, which is a file"))
    return refused


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def is_litter(name: str) -> bool:
    """Tell if macOS or Windows added a file to an archive or a folder by itself."""
    parts = PurePosixPath(name).parts
    last = parts[-1] if parts else ""
    return "__MACOSX" in parts[:-1] or last in (".DS_Store", "Thumbs.db", "desktop.ini") or last.startswith("._")


def litter_warnings(litter: Sequence[str]) -> tuple[str, ...]:
    """Return one warning that names the files left out; an empty tuple without such files."""
    if not litter:
        return ()
    return (f"left out, no part of a submission: {first_of([repr(name) for name in litter], SHOWN, ', ')}",)


def refuse(path: Path, refused: Sequence[tuple[str, str]]) -> None:
    """Raise an error if any member was refused.

    Args:
        path: the archive or folder.
        refused: names, each with the reason.

    Raises:
        SubmissionError: a member was refused; the message names the first few and their number.
    """
    if refused:
        reasons = first_of([f"  {_shortened(name)!r}: {why}" for name, why in refused], SHOWN, "\n")
        summary = problem("members that can't be accepted", where=path, found=len(refused))
        raise SubmissionError(f"{summary}\n{reasons}")


def _shortened(name: str) -> str:
    return name if len(name) <= 300 else f"{name[:200]}…{name[-60:]}"
