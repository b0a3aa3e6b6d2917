"""Placeholder while the page is being built."""

from __future__ import annotations

import streamlit as st


def compare() -> None:
    """The page."""
    st.header("compare")
