"""Lists that replace wide tables on a phone: a few columns, with scores beside the names."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from harness.system.counts import counted

KEY = "phone-list"
"""Prefix of the keys of these lists, by which the app's style shows them only on narrow screens."""
MOST_ROWS = 25


@dataclass(frozen=True)
class Cell:
    """Cell of a list.

    Attributes:
        text: text, which a user may have written.
        below: second, smaller line.
        address: target of a link on the text; empty for plain text.
    """

    text: str
    below: str = ""
    address: str = ""

    @property
    def markup(self) -> str:
        """HTML of the cell, with every text escaped."""
        text = html.escape(self.text)
        text = f'<a href="{html.escape(self.address)}" target="_self">{text}</a>' if self.address else text
        return text + (f"<br><small>{html.escape(self.below)}</small>" if self.below else "")


def show_list(name: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]], numbers: int, of: int) -> None:
    """Show a list on narrow screens, with the number of further rows in the table below.

    Args:
        name: name of the list, unique on the page.
        heads: titles of the columns.
        rows: rows with one cell per column.
        numbers: number of columns at the end that hold numbers.
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
        st.caption(f"{counted(rest, 'more row')}, and all columns:" if rest > 0 else "All columns:")


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with ``digits`` decimals; a dash for ``None`` or NaN."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"
