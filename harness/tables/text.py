"""Text form of a table: aligned columns, for a terminal with a width or for a pipe.

Piped text has all columns, and one line per row. On a terminal, spare columns that exceed the width are left out and
named below the table, and long texts continue on the next line. Values are always shown in full.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells
from rich.text import Text

from harness.system import terminal
from harness.tables.table import RIGHT_ALIGNED, TIED, Column, Table

if TYPE_CHECKING:
    from harness.system.console import Terminal

_GAP = 2
_FOLDED, _NARROWEST = 20, 8  # least width of a text column, in cells: with and without spare columns


def write_text(table: Table, width: int | None = None) -> str:
    """Return a table as aligned text without colours.

    Args:
        table: the table.
        width: cells of a terminal's line; ``None`` for as many as the rows need.
    """
    return "".join(f"{line.plain.rstrip()}\n" for line in _lines(table, width))


def print_tables(console: Terminal, tables: Sequence[Table]) -> None:
    """Print tables with an empty line between them; a note of several tables is printed once, at the end."""
    width = console.width if console.is_terminal else None
    notes = [note for table in tables for note in table.all_notes]
    shared = [note for note in dict.fromkeys(notes) if notes.count(note) > 1]
    for table in tables:
        for line in _lines(table, width, without=shared):
            console.print(line, soft_wrap=True)
        if table is not tables[-1]:
            console.print()
    if shared:
        console.print()
        for line in _notes(shared, width):
            console.print(line, soft_wrap=True)


def _lines(table: Table, width: int | None, without: Sequence[str] = ()) -> list[Text]:
    """Return title, head, rows and notes of a table, except the notes ``without``."""
    columns = [column for column in table.columns if column.spare or not column.data_only]
    cells = {column.key: _cells(table, column) for column in columns}
    widths = _widths(columns, cells, width)
    shown = [column for column in columns if column.key in widths]
    lines = [Text(part, "italic") for part in _folded(terminal.one_line(table.title), width) if part]
    lines += _row([(_folded(column.title, widths[column.key]), column, "bold") for column in shown], widths)
    best = {column.key: table.best(column) for column in shown}
    for k in range(len(table.rows)):
        parts = [(_folded(cells[column.key][k], widths[column.key]), column) for column in shown]
        lines += _row([(part, c, "bold" if k in best[c.key] else "") for part, c in parts], widths)
    notes = [note for note in table.all_notes if note not in without]
    left_out = [column.title for column in columns if column.key not in widths]
    if left_out:
        notes.append(f"Left out, as the window is too narrow: {', '.join(left_out)}. To see all: | less -S")
    return lines + _notes(notes, width)


def _notes(notes: Sequence[str], width: int | None) -> list[Text]:
    return [Text(line, "dim") for note in notes for line in _folded(terminal.one_line(note), width)]


def _cells(table: Table, column: Column) -> list[str]:
    """Return a column's cells; if any has a mark, the others have a blank in its place."""
    marked = [table.marked(k, column) for k in range(len(table.rows))]
    mark = {True: TIED, False: " " if any(marked) else ""}
    return [_cell(table, k, column) + mark[marked[k]] for k in range(len(table.rows))]


def _cell(table: Table, row: int, column: Column) -> str:
    """Return a cell as in other forms, but with characters that a terminal obeys shown as escapes."""
    value = table.value(row, column)
    return terminal.one_line(value) if column.kind == "text" and value is not None else table.cell(row, column)


def _widths(columns: Sequence[Column], cells: dict[str, list[str]], width: int | None) -> dict[str, int]:
    """Return the width of each column in cells, by key; columns that are left out have no entry."""
    natural = {column.key: max(map(cell_len, cells[column.key]), default=0) for column in columns}
    titles = {column.key: cell_len(column.title) for column in columns}
    if width is None:
        return {key: max(natural[key], titles[key]) for key in natural}
    words = {column.key: max(map(cell_len, re.split(r" (?!%)", column.title)), default=0) for column in columns}
    least = {column.key: max(words[column.key], _least(natural[column.key], column)) for column in columns}
    for column in sorted((column for column in columns if column.spare), key=lambda column: -column.spare):
        if _total(least) <= width:
            break
        del least[column.key]
    texts = [column.key for column in columns if column.kind == "text" and column.key in least]
    while _total(least) > width and (key := max(texts, key=lambda key: least[key], default=None)):
        if least[key] <= max(words[key], _NARROWEST):
            break
        least[key] -= 1
    for desired_widths in (natural, titles):  # the remaining room goes to long texts first
        for key in least:
            least[key] += max(0, min(desired_widths[key] - least[key], width - _total(least)))
    return least


def _least(natural: int, column: Column) -> int:
    """Return the cells that a column needs: for texts a quarter of the longest, so that few lines hold it."""
    return min(natural, max(_FOLDED, -(-natural // 4))) if column.kind == "text" else natural


def _total(widths: dict[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _row(cells: Sequence[tuple[list[str], Column, str]], widths: dict[str, int]) -> list[Text]:
    """Return the lines of a row, given as each cell's lines, column and style."""
    lines = []
    for k in range(max((len(parts) for parts, *_ in cells), default=0)):
        line = Text()
        for parts, column, style in cells:
            part = parts[k] if k < len(parts) else ""
            blank = " " * (widths[column.key] - cell_len(part))
            line.append(" " * (_GAP if line.plain or column is not cells[0][1] else 0))
            line.append(blank + part if column.kind in RIGHT_ALIGNED else part + blank, style)
        line.rstrip()
        lines.append(line)
    return lines


def _folded(text: str, width: int | None) -> list[str]:
    """Return the lines of a text, broken at blanks; words longer than a line after - / or _, else anywhere."""
    if width is None or cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    for word in re.split(r" (?!%)", text):
        parts = [word] if cell_len(word) <= width else re.split(r"(?<=[-/_])", word)
        for part, blank in zip(parts, [" ", *[""] * len(parts)], strict=False):
            if lines and cell_len(lines[-1] + blank + part) <= width:
                lines[-1] += blank + part
            else:
                lines += chop_cells(part, width) or [""]
    return lines
