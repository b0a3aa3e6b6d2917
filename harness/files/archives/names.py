"""What files in an archive or a folder may be called: names that mean the same on every system, or a refusal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from harness.errors import SubmissionError, problem
from harness.system.counts import first_of

SHOWN = 5


def clashes(names: Iterable[str]) -> list[tuple[str, str]]:
    """Members that could not lie side by side on every file system, and why.

    Args:
        names: of which :func:`bad_name` has nothing to say.
    """
    found: list[tuple[str, str]] = []
    seen: dict[str, str] = {}
    for name in names:
        key = _folded(name)
        if key in seen:
            other = seen[key]
            found.append((name, "there twice" if other == name else f"differs from {other!r} only in case or spelling"))
        seen.setdefault(key, name)
    for name in seen.values():
        above = next(
            (seen[key] for parent in PurePosixPath(name).parents if (key := _folded(str(parent))) in seen), None
        )
        if above:
            found.append((name, f"lies in {above!r}, which is a file"))
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def is_litter(name: str) -> bool:
    """What macOS and Windows put into archives and folders by themselves."""
    parts = PurePosixPath(name).parts
    last = parts[-1] if parts else ""
    return "__MACOSX" in parts[:-1] or last in (".DS_Store", "Thumbs.db", "desktop.ini") or last.startswith("._")


def litter_warnings(litter: Sequence[str]) -> tuple[str, ...]:
    """One warning that names what was left out; none if nothing was."""
    if not litter:
        return ()
    return (f"left out, no part of a submission: {first_of([repr(name) for name in litter], SHOWN, ', ')}",)


def refuse(path: Path, refused: Sequence[tuple[str, str]]) -> None:
    """Stop if any member was refused.

    Args:
        refused: names, and why.

    Raises:
        SubmissionError: names the first few and says how many there are.
    """
    if refused:
        reasons = first_of([f"  {_shortened(name)!r}: {why}" for name, why in refused], SHOWN, "\n")
        summary = problem("members that can't be accepted", where=path, found=len(refused))
        raise SubmissionError(f"{summary}\n{reasons}")


def _shortened(name: str) -> str:
    return name if len(name) <= 300 else f"{name[:200]}…{name[-60:]}"
