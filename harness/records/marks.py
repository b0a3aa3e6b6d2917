"""Marks of the user on a run: hidden or not, a note, tags. A small file beside ``run.json``, which stays as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from harness.records.document import Document, now
from harness.system.counts import counted

MARKS_FILE = "marks.json"
_MOST_TAGS, _LONGEST = 50, 2000


@dataclass(frozen=True)
class Marks:
    """Marks of one run.

    Attributes:
        hidden: left out of boards; every command still takes the run's name.
        note: the user's note, a plain text, which may be empty.
        tags: tags without repetition, in the order in which the user added them.
        history: earlier marks, the oldest first: ``time`` of the change and the earlier ``hidden``, ``note``, ``tags``.
        format: version of the file's format.
    """

    hidden: bool = False
    note: str = ""
    tags: tuple[str, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()
    format: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError for tags or a note that are too long for a board."""
        if len(self.tags) > _MOST_TAGS or any(len(tag) > 100 or not tag.strip() for tag in self.tags):
            raise ValueError(f"tags that can't be shown: at most {_MOST_TAGS}, each of 1 to 100 characters")
        if len(self.note) > _LONGEST:
            raise ValueError(f"a note of {counted(len(self.note), 'character')}: at most {_LONGEST:,}")

    @property
    def notes(self) -> list[str]:
        """Notes on the run that the marks add: the user's note, if it is not empty."""
        return [self.note] if self.note else []

    def changed(self, **changes: Any) -> Self:
        """Return marks with changes, and with the earlier marks in the history; the same marks if no value changes."""
        if all(getattr(self, name) == value for name, value in changes.items()):
            return self
        before = {"time": now(), "hidden": self.hidden, "note": self.note, "tags": list(self.tags)}
        return replace(self, history=(*self.history, before), **changes)

    def undone(self) -> Self:
        """Return the marks before the last change; the same marks if the history is empty."""
        if not self.history:
            return self
        last = self.history[-1]
        listed = last.get("tags")
        tags = tuple(map(str, listed)) if isinstance(listed, list | tuple) else ()
        hidden, note = last.get("hidden") is True, str(last.get("note", ""))
        return replace(self, hidden=hidden, note=note, tags=tags, history=self.history[:-1])

    def plain(self) -> dict[str, Any]:
        """Return the marks without their history, as a store keeps them."""
        return {"hidden": self.hidden, "note": self.note, "tags": list(self.tags)}

    def write(self, folder: Path) -> None:
        """Write the marks into a run's folder, atomically."""
        MARKS.write(folder / MARKS_FILE, asdict(self))


MARKS: Document[Marks] = Document(
    Marks, "the marks of a run can't be read", "Mend the file by hand, or remove it: the run is then shown unmarked"
)


def keep_marks(earlier: Path, folder: Path) -> None:
    """Write the marks of an earlier run, if it has any, into the folder of the one that replaces it.

    Raises:
        DataError: the earlier marks can't be read.
    """
    if (marks := read_marks(earlier)) != Marks():
        marks.write(folder)


def read_marks(folder: Path) -> Marks:
    """Return the marks of a run; empty ones where the file is missing.

    Raises:
        DataError: the file can't be read.
    """
    return MARKS.find(folder / MARKS_FILE) or Marks()
