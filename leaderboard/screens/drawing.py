"""Charts on a page."""

from __future__ import annotations

import functools

import altair as alt
import streamlit as st

# the tests turn it on
_VALIDATE = False


def show_chart(chart: alt.Chart | alt.LayerChart) -> None:
    """As wide as there is room.

    A chart of ours is held against Vega-Lite's schema by the tests; doing so for every reader takes longer than all the
    rest of a page.
    """
    object.__setattr__(chart, "to_dict", functools.partial(chart.to_dict, validate=_VALIDATE))
    st.altair_chart(chart, width="stretch")
