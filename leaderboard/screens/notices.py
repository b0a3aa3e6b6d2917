"""Notices about missing or doubtful contents of a page; each ends with a next step."""

from __future__ import annotations

import streamlit as st

from harness.board.entries import View
from harness.errors import AbawError, StoreBusyError, StoreError, StoreSchemaError, StoreUnreachableError
from harness.store.address import StoreAddress
from leaderboard.screens.reading import Contents


def store_notice(contents: Contents, *, published: bool = False) -> None:
    """Show why runs, or parts of them, are missing; paths are written as plain text.

    Args:
        contents: contents of the store.
        published: True for a page that shows published results even without runs.
    """
    meanwhile = " Published results are shown meanwhile." if published else ""
    error = contents.trouble
    if error is None:
        _say_what_is_missing(contents, meanwhile)
        return
    if isinstance(error, StoreUnreachableError):
        shown = " What is shown was read last." if contents.remembered else meanwhile
        st.warning(f"**The team's store does not answer.**{shown} Runs that are made meanwhile are not lost.")
        st.button("Try again", key="try-again")
    elif isinstance(error, StoreBusyError):
        shown = " What is shown was read last." if contents.remembered else meanwhile
        st.warning(f"**Another program holds the results store.**{shown}")
        st.button("Try again", key="try-again")
    elif isinstance(error, StoreSchemaError):
        st.warning(
            "**This store is of another version of abaw-harness than this installation.** Update the older one, or "
            f"open another store with `abaw leaderboard --store FILE`.{meanwhile}"
        )
    elif isinstance(error, StoreError) and isinstance(contents.place, StoreAddress):
        st.error(f"**The team's store can't be read.** Ask whoever runs its server.{meanwhile}")
    elif isinstance(error, StoreError):
        st.error(
            "**This results store can't be read.** Open another with `abaw leaderboard --store FILE`, or move the file "
            f"away and run `abaw reindex`: run folders hold everything.{meanwhile}"
        )
    else:
        st.error("**A setting can't be used.** Mend it, then start `abaw leaderboard` again.")
    st.text(str(error))


def failure_notice(error: AbawError) -> None:
    """Show the error that stopped a page in the middle, with a button to try again."""
    st.error("**The rest of this page can't be shown now.**")
    st.text(str(error))
    st.button("Try again", key="try-the-rest-again")


def _say_what_is_missing(contents: Contents, meanwhile: str) -> None:
    if not contents.exists or contents.runs.empty:
        what = (
            "**The store has no runs yet.**"
            if contents.exists
            else "**No results yet.** The first run makes the store."
        )
        st.info(what + meanwhile)
        st.text(f"Store: {contents.place}")
        _try_this()
    elif contents.older:
        st.info(
            "**An earlier version of abaw-harness wrote this store.** What it did not keep is missing here, such as "
            "places, ties and means over seeds. `abaw reindex`, or the next run, adds it; a copy of the store stays."
        )


def data_notice(view: View) -> None:
    """Show a caution about the scores if the data set is synthetic."""
    if view.drawn:
        st.info(
            "**These images were drawn by this program.** A score here shows that the pipeline works, from frames to "
            "this page, and nothing more: it says nothing about real faces."
        )


def _try_this() -> None:
    st.code(
        "abaw demo                                     # drawn faces, end to end, no download\n"
        "abaw run expr/landmarks-mlp-smooth --data ROOT  # your data\n"
        "abaw sync                                     # run folders are there, but not in the store",
        language="bash",
    )
