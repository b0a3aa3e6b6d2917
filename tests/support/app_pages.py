"""Pages of the app as a link opens them, in Streamlit's own test client."""

from __future__ import annotations

import functools
import html
import re
from pathlib import Path
from typing import Any

from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import leaderboard
from leaderboard.screens.links import LEADS

APP = Path(leaderboard.__file__).with_name("app.py")


def open_page(name: str = "board", /, **address: Any) -> AppTest:
    """The page of that name, as opened by a link with this state in its address; it raised nothing."""
    page = AppTest.from_file(str(APP), default_timeout=20)
    page._bidi_component_manager = _components()
    page._page_hash = calc_hash(name) if name != "board" else ""
    for key, value in address.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception
    return page


@functools.cache
def _components() -> BidiComponentManager:
    """Installed components of Streamlit, looked for once: the client reads every package's metadata for every page."""
    components = BidiComponentManager()
    components.discover_and_register_components(start_file_watching=False)
    return components


def links_of(page: AppTest) -> dict[str, str]:
    """Where the links on a page lead, with the state of what they open, by what they are called."""
    before, after = LEADS.split("{}")
    return {
        found.proto.label.removeprefix(before).removesuffix(after): f"{found.proto.page}?{found.proto.query_string}"
        for found in page.get("page_link")
    }


def same_page_links_of(page: AppTest) -> dict[str, str]:
    """Return where the links to other states of the same page lead, by their texts."""
    lists = [body for element in page.get("html") if 'class="page-links"' in (body := element.proto.body)]
    found = re.findall(r'<li><a href="([^"]*)"[^>]*>([^<]*)</a></li>', "".join(lists))
    return {html.unescape(text): html.unescape(address) for address, text in found}


def words_of(page: AppTest) -> str:
    """All running text on a page."""
    kinds = (
        page.header, page.subheader, page.text, page.success, page.info, page.warning, page.error, page.caption,
        page.code, page.markdown,
    )  # fmt: skip
    return "\n".join(str(element.value) for kind in kinds for element in kind)
