"""Altair, set up to validate a chart once when the chart is drawn, instead of each part when it is made."""

import altair as alt
from altair.utils import schemapi

schemapi.disable_debug_mode()

__all__ = ["alt"]
