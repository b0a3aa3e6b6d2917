"""Where a run came from that was not made here: a small file beside ``run.json``, which itself stays as it was."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from harness.errors import DataError, problem
from harness.system.atomic import write_text
from harness.system.regular import read_text

ORIGIN_FILE = "imported.json"
FORMAT = 1


@dataclass(frozen=True)
class Origin:
    """Who handed a run over, as far as a name says it.

    Attributes:
        source: name of the folder or zip that it came in.
        date: ISO 8601, UTC.
    """

    source: str
    date: str
    format: int = FORMAT

    @classmethod
    def now(cls, source: Path) -> Self:
        """Of what is imported from there now."""
        name = source.resolve().name or str(source)
        return cls(name, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))

    @property
    def note(self) -> str:
        """For whoever looks at the run."""
        return f"imported from {self.source} on {self.date[:10]}: scored where it was made, not here"

    def write(self, folder: Path) -> None:
        """Write it into a run's folder, atomically."""
        write_text(folder / ORIGIN_FILE, json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")


def read_origin(folder: Path) -> Origin | None:
    """Where a run came from; ``None`` for one that was made here.

    Raises:
        DataError: the file can't be read.
    """
    path = folder / ORIGIN_FILE
    try:
        content = json.loads(read_text(path))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        return Origin(str(content["source"]), str(content["date"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        do = "Remove it, or import the run again with --replace"
        raise DataError(
            problem("a note of where a run came from that can't be read", where=path, found=error, do=do)
        ) from None


def notes_of(notes: Sequence[str], folder: Path) -> list[str]:
    """A run's notes, and, of one that was imported, from where.

    Raises:
        DataError: where it came from can't be read.
    """
    origin = read_origin(folder)
    return [*notes, *([origin.note] if origin else [])]
