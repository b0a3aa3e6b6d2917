"""Entry script of the Streamlit app: ``abaw leaderboard`` runs it, with the store's path in ``ABAW_STORE``."""

from __future__ import annotations

import streamlit as st

from leaderboard.screens.links import all_pages

st.set_page_config(page_title="ABAW leaderboard", layout="wide")
# Streamlit leaves a hand's width empty at the top, of which its own bar covers 3.75, and a thumb's at the sides, which
# a wide table can do with. A link begins where the text around it does, and none looks chosen that leads to another run
# on the same page. Streamlit's own CSV would make a formula of a name that begins as one: ours are beside the tables
# (fixed text, nothing of the user's)
st.html(
    "<style>[data-testid='stMainBlockContainer'] { padding: 4.25rem min(2.5rem, 4vw) 5rem; }"
    "[data-testid='stMain'] [data-testid='stPageLink-NavLink'] { margin-left: -0.5rem; }"
    "[data-testid='stMain'] [data-testid='stPageLink-NavLink']:not(:hover) { background: none; }"
    "[data-testid='stElementToolbarButton']:has([aria-label='Download as CSV']) { display: none; }</style>"
)
st.navigation(all_pages(), position="top").run()
