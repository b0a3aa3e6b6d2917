"""Lists in the place of wide tables on a phone: a few columns, with the scores beside the names."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

KEY = "phone-list"
"""How the keys of these lists begin: the app's style shows them on narrow screens alone."""
MOST_ROWS = 25


@dataclass(frozen=True)
class Cell:
    """A cell of a list.

    Attributes:
        text: as a user may have written it.
        below: a second, smaller line.
        address: the text leads there; empty for plain text.
    """

    text: str
    below: str = ""
    address: str = ""

    @property
    def markup(self) -> str:
        """The cell as HTML, with every text escaped."""
        text = html.escape(self.text)
        text = f'<a href="{html.escape(self.address)}" target="_self">{text}</a>' if self.address else text
        return text + (f"<br><small>{html.escape(self.below)}</small>" if self.below else "")


def show_list(name: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]], numbers: int, of: int) -> None:
    """Show a list where the screen is narrow, with the number of rows that only the table below has.

    Args:
        name: of the list, one per page.
        heads: titles of the columns.
        rows: cells, one per column.
        numbers: how many of the last columns hold numbers.
        of: number of rows of the table.
    """
    first = len(heads) - numbers
    marks = [' class="number"' if k >= first else "" for k in range(len(heads))]
    head = "".join(f'<th scope="col"{mark}>{html.escape(title)}</th>' for title, mark in zip(heads, marks, strict=True))
    shown = list(rows)[:MOST_ROWS]
    body = "".join(
        f"<tr>{''.join(f'<td{mark}>{cell.markup}</td>' for cell, mark in zip(row, marks, strict=True))}</tr>"
        for row in shown
    )
    with st.container(key=f"{KEY}-{name}"):
        st.html(f'<table class="phone-list"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')
        rest = of - len(shown)
        st.caption(f"{rest} more rows, and all columns:" if rest > 0 else "All columns:")


def number(value: float | None, digits: int = 3) -> str:
    """Return a number as the lists write it; a dash for a missing one."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"
