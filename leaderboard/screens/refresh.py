"""Periodic look at the store, which makes the page again only if the store has changed."""

from __future__ import annotations

import datetime

import streamlit as st

from harness.errors import AbawError
from leaderboard import words
from leaderboard.screens.reading import Contents, store_at

OFF = "off"
_SECONDS = {OFF: 0, "10 s": 10, "30 s": 30, "60 s": 60, "5 min": 300}


def choose_refresh(contents: Contents) -> None:
    """Show a choice of the interval between two looks at the store, off by default, and the time of the last read."""
    every = st.selectbox("Read every", list(_SECONDS), key="every", bind="query-params", help=words.REFRESH, width=110)
    seconds = _SECONDS[every]
    if not seconds:
        st.caption(_read_at(contents), width="content")
        return
    st.fragment(_look, run_every=seconds)(contents)


def _look(contents: Contents) -> None:
    """Show the times of the last read and the last look; make the page again if the store has changed since."""
    looked = ""
    try:
        version = store_at(str(contents.place)).version()
        if version != contents.version:
            st.rerun(scope="app")
        looked = f"; unchanged at {_now()}"
    except (AbawError, OSError):
        looked = f"; the store could not be looked at, {_now()}"
    st.caption(f"{_read_at(contents)}{looked}", width="content")


def _read_at(contents: Contents) -> str:
    return f"Read at {contents.read_at:%H:%M:%S} UTC" if contents.read_at else "Not read"


def _now() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%H:%M:%S}"
