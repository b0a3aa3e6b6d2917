"""What the page says where there is nothing to show, or something to know first. Each ends in what to do next."""

from __future__ import annotations

import streamlit as st

from harness.errors import StoreBusyError, StoreSchemaError
from leaderboard.data.entries import View
from leaderboard.screens.reading import Contents


def store_notice(contents: Contents) -> None:
    """Why there are no runs, if there are none; nothing otherwise. Paths are written as plain text."""
    error = contents.trouble
    if error is None:
        if not contents.exists:
            st.info("**No results yet.** The first run makes the store. Published results are shown meanwhile.")
            _where(contents)
            _try_this()
        elif contents.runs.empty:
            st.info("**The store has no runs yet.** Published results are shown meanwhile.")
            _where(contents)
            _try_this()
        return
    if isinstance(error, StoreBusyError):
        shown = (
            "The runs below are those read last." if contents.remembered else "Published results are shown meanwhile."
        )
        st.warning(f"**Another program holds the results store.** {shown} Press Refresh in a moment.")
    elif isinstance(error, StoreSchemaError):
        st.warning(
            "**A newer version of abaw-harness wrote this store.** Update this installation, or open another store "
            "with `abaw leaderboard --store FILE`. Published results are shown meanwhile."
        )
    else:
        st.error(
            "**This results store can't be read.** Open another with `abaw leaderboard --store FILE`, or move the file "
            "away and run `abaw reindex`: run folders hold everything. Published results are shown meanwhile."
        )
    st.text(str(error))


def data_notice(view: View) -> None:
    """What a score on these data is worth, where that needs saying."""
    if view.drawn:
        st.info(
            "**These pictures were drawn by this program.** A score here proves that the pipe is tight, from frames to "
            "this page, and nothing more: it says nothing about real faces."
        )


def _where(contents: Contents) -> None:
    st.text(f"Store: {contents.path}")


def _try_this() -> None:
    st.code(
        "abaw demo                                     # drawn faces, end to end, no download\n"
        "abaw run expr/landmarks-mlp-smooth --data ROOT  # your data\n"
        "abaw reindex                                  # run folders are there, but the store is not",
        language="bash",
    )
