"""Saved views of the board: save the view on the screen; open, rename or delete any."""

from __future__ import annotations

import os
from collections.abc import Callable

import streamlit as st

from harness.errors import AbawError
from harness.settings import load_settings
from leaderboard import words
from leaderboard.data.views import ADDRESS, LONGEST_NAME, SavedView, SavedViews
from leaderboard.screens.links import same_page_links

SHARED = "ABAW_LEADERBOARD_SHARED"
"""Environment variable, set if other machines can reach the server: then views can be opened, but not changed."""
_CHOSEN, _NAME, _MESSAGE = "saved-view", "saved-view-name", "saved-view-message"
_MOST_LISTED, _MOST_HEIGHT = 8, 260


def choose_saved() -> None:
    """Show the popover of saved views. An error about their file is shown in it, and the page goes on."""
    with st.popover("Views", key="views"):
        st.caption(words.SAVED_VIEWS)
        try:
            views = SavedViews(load_settings().out)
            _show(views, views.read())
        except AbawError as error:
            st.error("**Saved views can't be read now.**")
            st.text(str(error))


def _show(views: SavedViews, saved: dict[str, SavedView]) -> None:
    if st.session_state.get(_CHOSEN) not in saved:
        st.session_state[_CHOSEN] = None
    if message := st.session_state.pop(_MESSAGE, ""):
        st.text(message)
    if saved:
        with st.container(height=_MOST_HEIGHT if len(saved) > _MOST_LISTED else "content", border=False):
            same_page_links([(view.name, _state_of(view)) for view in saved.values()])
    else:
        st.caption("No view is saved yet.")
    if os.environ.get(SHARED):
        st.caption("This board is open to others: views are saved and deleted on its own machine.")
        return
    chosen = None
    if saved:
        chosen = st.selectbox("Change a view", list(saved), index=None, key=_CHOSEN, placeholder="none", width=320)
    name = st.text_input("Name", key=_NAME, max_chars=LONGEST_NAME, placeholder="of the view", width=320)
    shown = address()
    with st.container(horizontal=True, gap="small", key="change-views"):
        st.button("Save", on_click=_save, args=(views, name, shown), disabled=not name, help=words.SAVE)
        if chosen:
            st.button("Rename", on_click=_rename, args=(views, chosen, name), disabled=not name)
            st.button("Delete", on_click=_delete, args=(views, chosen))


def _state_of(view: SavedView) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in view.address.items() if key in ADDRESS}


def address() -> dict[str, tuple[str, ...]]:
    """Return the parts of the address that a view of the board holds."""
    shown = {key: tuple(st.query_params.get_all(key)) for key in ADDRESS}
    return {key: values for key, values in shown.items() if values}


def _save(views: SavedViews, name: str, shown: dict[str, tuple[str, ...]]) -> None:
    _say(lambda: f"Saved: {views.save(name, shown).name}")


def _rename(views: SavedViews, chosen: str, name: str) -> None:
    def rename() -> str:
        views.rename(chosen, name)
        return f"Renamed: {name}"

    _say(rename)


def _delete(views: SavedViews, chosen: str) -> None:
    def delete() -> str:
        views.delete(chosen)
        return f"Deleted: {chosen}"

    _say(delete)


def _say(change: Callable[[], str]) -> None:
    try:
        st.session_state[_MESSAGE] = change()
        st.session_state[_NAME] = ""
    except AbawError as error:
        st.session_state[_MESSAGE] = str(error)
