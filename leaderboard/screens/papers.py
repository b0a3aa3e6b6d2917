"""Placeholder while the page is being built."""

from __future__ import annotations

import streamlit as st


def papers() -> None:
    """The page."""
    st.header("papers")
