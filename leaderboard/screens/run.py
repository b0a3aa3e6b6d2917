"""Placeholder while the page is being built."""

from __future__ import annotations

import streamlit as st


def run() -> None:
    """The page."""
    st.header("run")
