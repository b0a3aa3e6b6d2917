"""Export of the tables on a page, in the same bytes that ``abaw export`` writes."""

from __future__ import annotations

import functools
import hashlib
import re

import streamlit as st

from harness.tables.forms import FORMS
from harness.tables.table import Table

_TITLES = {"csv": "CSV", "md": "Markdown", "latex": "LaTeX"}


def heading(title: str, table: Table, name: str, *, help: str | None = None) -> None:
    """Show a section's title with the export of its table; see :func:`export_buttons`."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(title, anchor=False, help=help, width="content")
        export_buttons(table, name)


def export_buttons(table: Table, name: str) -> None:
    """Show a button that offers a table in every format.

    Args:
        table: table to export.
        name: name of the file without its suffix; unique on the page.
    """
    # the end of a long name distinguishes the tables of a run
    file = re.sub(r"[^A-Za-z0-9.]+", "-", name)[-100:].strip("-.") or "table"
    key = hashlib.sha256(name.encode()).hexdigest()[:12]
    with st.popover("Export", icon=":material/download:", help="The table as CSV, Markdown or LaTeX."):
        for form, title in _TITLES.items():
            write, suffix, media = FORMS[form]
            st.download_button(
                title,
                data=functools.partial(write, table),
                file_name=f"{file}{suffix}",
                mime=media,
                key=f"export-{key}-{form}",
                on_click="ignore",
                width="stretch",
            )
