"""Entry script of the Streamlit app: ``abaw leaderboard`` runs it, with the store's path in ``ABAW_STORE``."""

from __future__ import annotations

import streamlit as st

from leaderboard.board import board

st.set_page_config(page_title="ABAW leaderboard", layout="wide")
# Streamlit leaves a hand's width empty at the top, of which its own bar covers 3.75 (fixed text, nothing of the user's)
st.html("<style>[data-testid='stMainBlockContainer'] { padding-top: 4.25rem; }</style>")
# a further page is a further st.Page here; with one page, Streamlit shows no menu
st.navigation([st.Page(board, title="Board", default=True)]).run()
