"""The origin of an imported run: a small file beside ``run.json``, which itself stays unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from harness.records.document import Document, now
from harness.records.marks import read_marks

ORIGIN_FILE = "imported.json"


@dataclass(frozen=True)
class Origin:
    """The source and date of an import.

    Attributes:
        source: name of the folder or zip that held the run.
        date: ISO 8601, UTC.
        format: version of the file's format.
    """

    source: str
    date: str
    format: int = 1

    @classmethod
    def now(cls, source: Path) -> Self:
        """Return the origin of a run that is imported now from a folder or zip."""
        name = source.resolve().name or str(source)
        return cls(name, now())

    @property
    def note(self) -> str:
        """The note that is shown with the run."""
        return f"imported from {self.source} on {self.date[:10]}: scored where it was made, not here"

    def write(self, folder: Path) -> None:
        """Write the origin into a run's folder, atomically."""
        ORIGIN.write(folder / ORIGIN_FILE, asdict(self))


ORIGIN: Document[Origin] = Document(
    Origin,
    "the note of a run's origin can't be read",
    "Remove it, or import the run again with --replace",
)


def read_origin(folder: Path) -> Origin | None:
    """Return the origin of an imported run; ``None`` for a run that was made here.

    Raises:
        DataError: the file can't be read.
    """
    return ORIGIN.find(folder / ORIGIN_FILE)


def notes_of(notes: Sequence[str], folder: Path) -> list[str]:
    """Return the notes of a run: the user's first, then the run's, then the origin of an imported run.

    Raises:
        DataError: the origin or the user's marks can't be read.
    """
    origin = read_origin(folder)
    return [*read_marks(folder).notes, *notes, *([origin.note] if origin else [])]
