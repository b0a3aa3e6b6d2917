"""Charts: a run's score against one constant of its post-processing, with its interval."""

from __future__ import annotations

import altair as alt
import pandas as pd

from harness.cli.sweep import TITLES
from leaderboard.charts.intervals import RUN_COLOUR

_HEIGHT = 260


def sweep_chart(points: pd.DataFrame, score_title: str) -> alt.LayerChart:
    """A line with its interval.

    Args:
        points: of one axis, at least one; of :meth:`harness.store.store.Store.sweep`.
    """
    axis = str(points["axis"].iloc[0])
    base = alt.Chart(points[["value", "score", "low", "high"]])
    x = alt.X("value:Q", axis=alt.Axis(title=TITLES.get(axis, axis.replace("_", " "))))
    scale = {"scale": alt.Scale(zero=False), "axis": alt.Axis(title=score_title)}
    tooltip = [
        alt.Tooltip("value:Q", title="constant"),
        alt.Tooltip("score:Q", title="score", format=".4f"),
        alt.Tooltip("low:Q", title="95 % from", format=".4f"),
        alt.Tooltip("high:Q", title="to", format=".4f"),
    ]
    y = alt.Y("score:Q", **scale)
    return alt.layer(
        base.mark_area(color=RUN_COLOUR, opacity=0.18).encode(x=x, y=alt.Y("low:Q", **scale), y2=alt.Y2("high:Q")),
        base.mark_line(color=RUN_COLOUR).encode(x=x, y=y),
        base.mark_point(color=RUN_COLOUR, filled=True, size=45, opacity=1).encode(x=x, y=y, tooltip=tooltip),
    ).properties(height=_HEIGHT)
