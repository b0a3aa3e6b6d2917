"""Where a run came from that was not made here: a small file beside ``run.json``, which itself stays as it was."""

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
    """Who handed a run over, as far as a name says it.

    Attributes:
        source: name of the folder or zip that it came in.
        date: ISO 8601, UTC.
    """

    source: str
    date: str
    format: int = 1

    @classmethod
    def now(cls, source: Path) -> Self:
        """Of what is imported from there now."""
        name = source.resolve().name or str(source)
        return cls(name, now())

    @property
    def note(self) -> str:
        """For whoever looks at the run."""
        return f"imported from {self.source} on {self.date[:10]}: scored where it was made, not here"

    def write(self, folder: Path) -> None:
        """Write it into a run's folder, atomically."""
        ORIGIN.write(folder / ORIGIN_FILE, asdict(self))


ORIGIN: Document[Origin] = Document(
    Origin,
    "a note of where a run came from that can't be read",
    "Remove it, or import the run again with --replace",
)


def read_origin(folder: Path) -> Origin | None:
    """Return where a run came from; ``None`` for a run that was made here.

    Raises:
        DataError: the file can't be read.
    """
    return ORIGIN.find(folder / ORIGIN_FILE)


def notes_of(notes: Sequence[str], folder: Path) -> list[str]:
    """Return a run's notes: the user's own first, then the run's, and, of one that was imported, from where.

    Raises:
        DataError: where it came from, or the user's marks, can't be read.
    """
    origin = read_origin(folder)
    return [*read_marks(folder).notes, *notes, *([origin.note] if origin else [])]
