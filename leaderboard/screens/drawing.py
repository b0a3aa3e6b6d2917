"""Charts on a page."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    import altair as alt

# the tests turn this on
_VALIDATE = False


def show_chart(chart: alt.Chart | alt.LayerChart | dict[str, Any]) -> None:
    """Show a chart over the whole width.

    Only the tests validate our charts against Vega-Lite's schema, because validation takes longer than the rest of a
    page.

    Args:
        chart: chart of Altair, or a Vega-Lite specification whose ``datasets`` are data frames.
    """
    if isinstance(chart, dict):
        if _VALIDATE:
            _check(chart)
        st.vega_lite_chart(chart, width="stretch")
        return
    object.__setattr__(chart, "to_dict", functools.partial(chart.to_dict, validate=_VALIDATE))
    st.altair_chart(chart, width="stretch")


def _check(spec: dict[str, Any]) -> None:
    """Validate a specification against Vega-Lite's schema.

    Raises:
        jsonschema.ValidationError: the specification breaks the schema.
    """
    import altair as alt

    alt.LayerChart.from_dict({key: part for key, part in spec.items() if key != "datasets"}).to_dict(validate=True)
