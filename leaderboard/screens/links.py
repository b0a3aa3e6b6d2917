"""Pages of the app by name, and links between them. The address of a page holds its state."""

from __future__ import annotations

import functools
import html
import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from harness.errors import AbawError
from leaderboard.screens.notices import failure_notice

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

# titles in the menu by name; the name is also that of the page's module, function and address
PAGES = {
    "board": "Board",
    "run": "Run",
    "compare": "Compare",
    "papers": "Papers",
    "submissions": "Submissions",
}
LEADS = ":primary[{} →]"
"""Label of a link in colour with an arrow, because Streamlit's own links look like text."""


def all_pages() -> list[StreamlitPage]:
    """Return every page, for ``st.navigation``."""
    return [page(name) for name in PAGES]


def page(name: str) -> StreamlitPage:
    """Return the page of a name in :data:`PAGES`."""
    return st.Page(functools.partial(_show, name), title=PAGES[name], url_path=name, default=name == "board")


def _show(name: str) -> None:
    # each page is imported when it is shown: pages link to each other, and the first must not wait for the rest
    st.set_page_config(page_title=f"{PAGES[name]} · ABAW leaderboard")
    show = getattr(importlib.import_module(f"leaderboard.screens.{name}"), name)
    try:
        show()
    except AbawError as error:  # the store may vanish between two reads of one page
        failure_notice(error)


def link(name: str, label: str, *, help: str | None = None, **state: Any) -> None:
    """Show a link to a page with its state in the address. The label is Markdown and must not hold a user's text."""
    query = {key: value for key, value in state.items() if value not in (None, "", [])}
    st.page_link(page(name), label=LEADS.format(label), help=help, query_params=query)


def same_page_links(links: Sequence[tuple[str, Mapping[str, Sequence[str]]]]) -> None:
    """Show links to other states of the page that is open, one per line.

    Streamlit's own links change the address and keep the widgets, which then put their values back into the address.
    These links load the page again.

    Args:
        links: text, which a user may have written, and state in the address of each link.
    """
    lines = (
        f'<li><a href="?{html.escape(urlencode(state, doseq=True))}" target="_self">{html.escape(text)}</a></li>'
        for text, state in links
    )
    st.html(f'<ul class="page-links">{"".join(lines)}</ul>')
