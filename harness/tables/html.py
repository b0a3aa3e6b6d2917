"""HTML form of a table, for the bundle and ``abaw export --format html``. Every text is escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from harness.system.terminal import one_line
from harness.tables.table import RIGHT_ALIGNED, TIED, Column, Table

_LONG = 24  # characters; longer words may break anywhere


@dataclass(frozen=True)
class Head:
    """Head of a column; ``help`` is shown on hover, ``markup`` below the title, unescaped."""

    title: str
    numeric: bool = False
    help: str = ""
    markup: str = ""


@dataclass(frozen=True)
class Cell:
    """Cell of a row.

    Attributes:
        text: text of the cell.
        value: number to sort the cell by; ``None`` to sort by its text.
        below: small text below the text.
        numeric: True to style the cell as a number.
        best: True to set the text in bold.
        tied: True to add a dagger.
        markup: HTML of an image in place of the text, unescaped.
    """

    text: str
    value: float | None = None
    below: str = ""
    numeric: bool = False
    best: bool = False
    tied: bool = False
    markup: str = ""


@dataclass(frozen=True)
class HtmlRow:
    """Cells of a row, its class for a style sheet, and titles and texts that unfold under "more"."""

    cells: Sequence[Cell]
    kind: str = ""
    more: Sequence[tuple[str, str]] = ()


def escape(text: str) -> str:
    """Return a text for HTML, without control characters: a browser drops them, a terminal obeys them."""
    return html.escape(one_line(text))


def write_html(table: Table) -> str:
    """Return a table with all its columns for readers, as an element to put into a page."""
    rows = [HtmlRow(cells) for cells in html_cells(table, table.read)]
    return html_table(table, [html_head(column) for column in table.read], rows)


def html_head(column: Column, *, help: str = "", markup: str = "") -> Head:
    """Return the head of a column."""
    return Head(column.title, column.kind in RIGHT_ALIGNED, help, markup)


def html_cells(table: Table, columns: Sequence[Column]) -> list[list[Cell]]:
    """Return the cells of each row in these columns."""
    best = {column.key: table.best(column) for column in columns}

    def cell(row: int, column: Column) -> Cell:
        value, numeric = table.value(row, column), column.kind in RIGHT_ALIGNED
        return Cell(
            table.cell(row, column),
            float(value) if numeric and value is not None else None,
            numeric=numeric,
            best=row in best[column.key],
            tied=table.marked(row, column),
        )

    return [[cell(k, column) for column in columns] for k in range(len(table.rows))]


def html_table(table: Table, heads: Sequence[Head], rows: Sequence[HtmlRow]) -> str:
    """Return a table's title and notes around these heads and rows."""
    more = any(row.more for row in rows)
    last = ['<th scope="col" class="plain"><span class="unseen">More</span></th>'] if more else []
    lines = [
        f'<div class="scroll"><table aria-label="{escape(table.title)}">',
        "<thead><tr>",
        *map(_head, heads),
        *last,
        "</tr></thead>",
        "<tbody>",
    ]
    for row in rows:
        lines.append(f'<tr class="{escape(row.kind)}">' if row.kind else "<tr>")
        lines += [*map(_cell, row.cells), *([_more(row.more)] if more else []), "</tr>"]
    lines += ["</tbody>", "</table></div>", *(f'<p class="note">{escape(note)}</p>' for note in table.all_notes)]
    return "\n".join([*lines, ""])


def _head(head: Head) -> str:
    numeric = ' class="number"' if head.numeric else ""
    hover, term = (f' title="{escape(head.help)}"', ' class="term"') if head.help else ("", "")
    return f'<th scope="col"{numeric}{hover}><span{term}>{escape(head.title)}</span>{head.markup}</th>'


def _cell(cell: Cell) -> str:
    kind = "number" if cell.numeric else "long" if len(cell.text) > _LONG else ""
    attributes = f' class="{kind}"' if kind else ""
    attributes += "" if cell.value is None else f' data-value="{cell.value}"'
    tag = "strong" if cell.best else "bdi"
    content = cell.markup or f"<{tag}>{escape(cell.text)}</{tag}>"
    content += f"<sup>{TIED}</sup>" if cell.tied else ""
    return f"<td{attributes}>{content}{f'<small>{escape(cell.below)}</small>' if cell.below else ''}</td>"


def _more(more: Sequence[tuple[str, str]]) -> str:
    if not more:
        return "<td></td>"
    texts = "".join(f"\n<dt>{escape(title)}</dt><dd><bdi>{escape(text)}</bdi></dd>" for title, text in more)
    return f"<td><details><summary>more</summary><dl>{texts}\n</dl></details></td>"
