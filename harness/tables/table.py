"""Table model: columns with their kinds, rows of plain values, best values and ties with the best."""

from __future__ import annotations

import json
import math
import numbers
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "whole", "number", "signed", "interval"]
Row = Mapping[str, Any]
TIED = "†"
_HASH, _HASH_SHOWN = re.compile("[0-9a-f]{40,}"), 12
RIGHT_ALIGNED: tuple[Kind, ...] = ("whole", "number", "signed")
_TIED_NOTE = f"{TIED} not separable from the best: paired over the same videos, p ≥ 0.05."


@dataclass(frozen=True)
class Column:
    """Column of a table.

    Attributes:
        key: key of the value in a row, and the column's name in CSV.
        title: heading in all other forms.
        kind: kind of the values; ``interval`` is a pair of numbers, ``signed`` a number that always shows its sign.
        digits: digits after the point.
        best: True to set the highest value in bold.
        data_only: True for a column for programs, left out of forms for readers.
        spare: order in which a terminal that is too narrow leaves columns out, the highest first; 0 always stays. A
            spare column for programs is shown on a terminal that has room for it.
    """

    key: str
    title: str
    kind: Kind = "text"
    digits: int = 3
    best: bool = False
    data_only: bool = False
    spare: int = 0


@dataclass(frozen=True)
class Table:
    """Table with its title and notes.

    Attributes:
        title: a line of plain text.
        columns: the columns, in order.
        rows: the rows, in order, as values by column key; ``None``, a missing key and a number that is not finite are
            an empty cell.
        tied: indices of the rows that are not separable from the best one; marked with a dagger.
        notes: plain lines below the table.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    tied: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def read(self) -> tuple[Column, ...]:
        """Columns for readers."""
        return tuple(column for column in self.columns if not column.data_only)

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Lines below the table, the meaning of the dagger first."""
        return (*((_TIED_NOTE,) if self.tied else ()), *self.notes)

    def cell(self, row: int, column: Column) -> str:
        """Return a value as text, unescaped; ``""`` for an empty cell."""
        return text_of(self.value(row, column), column)

    def value(self, row: int, column: Column) -> Any:
        """Return a value; ``None`` for an empty cell."""
        value = self.rows[row].get(column.key)
        if column.kind == "interval":
            return value if value is not None and not any(map(_missing, value)) else None
        return None if _missing(value) else value

    def best(self, column: Column) -> frozenset[int]:
        """Return the rows with the highest value of a column; empty for a column without bold type."""
        if not column.best:
            return frozenset()
        values = {k: float(value) for k in range(len(self.rows)) if (value := self.value(k, column)) is not None}
        highest = max(values.values(), default=None)
        return frozenset(k for k, value in values.items() if value == highest)

    def marked(self, row: int, column: Column) -> bool:
        """Tell if a cell has a dagger: it is in a tied row, and the best value of its column is set in bold."""
        return column.best and row in self.tied and self.value(row, column) is not None


def records(frame: pd.DataFrame) -> tuple[Row, ...]:
    """Return a data frame's rows for a table."""
    return tuple({str(key): value for key, value in row.items()} for row in frame.to_dict("records"))


def text_of(value: Any, column: Column) -> str:
    """Return a value as text for readers, on one line and without control characters."""
    if value is None:
        return ""
    form = f"z.{column.digits}f"  # z: a value that rounds to 0 has no sign
    if column.kind == "interval":
        low, high = value
        return f"[{low:{form}}, {high:{form}}]"
    if column.kind == "whole":
        return f"{int(value)}"
    if column.kind in ("number", "signed"):
        return f"{value:{'+' if column.kind == 'signed' else ''}{form}}"
    return one_line(str(value))


def short_text(value: Any) -> str:
    """Return a setting as short text: hashes by their first 12 digits, numbers with 4 significant digits."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(
            short_text(part) if not isinstance(part, list | tuple) else f"[{short_text(part)}]" for part in value
        )
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    return f"{text[:_HASH_SHOWN]}…" if _HASH.fullmatch(text) else text


def one_line(text: str) -> str:
    """Return a text on one line: each stretch of white space becomes a blank, and invisible characters are removed.

    Marks that change the direction of writing are removed, too. Joiners stay: emoji and some scripts need them.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(c for c in text if c.isspace() or not _unseen(c))
    return " ".join(text.split())


# marks of the direction of writing; blanks, breaks and byte-order marks of no width
_UNSEEN = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\u2060\ufeff\ufffe\uffff"
)


def _unseen(character: str) -> bool:
    return character in _UNSEEN or unicodedata.category(character) in ("Cc", "Cs")


def _missing(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, numbers.Real):  # NumPy's numbers, too
        return not math.isfinite(value)
    # neither value equals itself, but a comparison of NA gives NA, which has no truth value
    return type(value).__name__ in ("NAType", "NaTType")
