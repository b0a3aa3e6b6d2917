"""Altair, set up so that it checks a chart once, when the chart is drawn, instead of with each of its parts, too."""

import altair as alt
from altair.utils import schemapi

schemapi.disable_debug_mode()

__all__ = ["alt"]
