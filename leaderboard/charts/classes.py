"""Charts of a run's score per class, unit or dimension, and of the units that were found and missed."""

from __future__ import annotations

import pandas as pd

from leaderboard.charts.colours import CONSTANT_COLOUR, PUBLISHED_COLOUR, RUN_COLOUR
from leaderboard.charts.grammar import alt

_ROW, _UNIT_ROW, _AXIS = 35, 24, 80
_PARTS = {"found": RUN_COLOUR, "missed": CONSTANT_COLOUR, "false alarm": PUBLISHED_COLOUR}


def class_chart(rows: pd.DataFrame, metric_title: str) -> alt.LayerChart:
    """Return a chart with one point per class and its interval.

    Args:
        rows: rows of :func:`harness.board.run.target_rows`, at least one.
        metric_title: title of the score's axis.
    """
    intervals = [
        "none" if pd.isna(low) else f"{low:.3f} to {high:.3f}"
        for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    shown = rows[["target", "value", "low", "high"]].assign(interval=intervals)
    base = alt.Chart()
    y = alt.Y("target:N", sort=list(rows["target"]), title=None, axis=alt.Axis(labelLimit=0, ticks=False, offset=10))
    least = float(rows[["value", "low"]].min().min())
    x = {"scale": alt.Scale(domain=[min(0.0, least), 1.0]), "axis": alt.Axis(title=metric_title, tickCount=6)}
    tooltip = [
        alt.Tooltip("target:N", title="of"),
        alt.Tooltip("value:Q", title=metric_title, format=".3f"),
        alt.Tooltip("interval:N", title="95 % interval by video"),
    ]
    rule = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2.5, opacity=1, color=RUN_COLOUR)
    point = base.mark_point(size=75, filled=True, opacity=1, color=RUN_COLOUR)
    return alt.layer(
        rule.encode(x=alt.X("low:Q", **x), x2=alt.X2("high:Q"), y=y, tooltip=tooltip),
        point.encode(x=alt.X("value:Q", **x), y=y, tooltip=tooltip),
        data=shown,  # once for all layers: of each layer's own data Altair would hash the whole text
    ).properties(height=_AXIS + _ROW * len(rows))


def unit_chart(rows: pd.DataFrame) -> alt.Chart:
    """Return a chart of the frames per unit that were found, missed or false alarms.

    Args:
        rows: rows of :func:`harness.board.run.unit_rows`.
    """
    order = list(dict.fromkeys(rows["unit"]))
    scale = alt.Scale(domain=list(_PARTS), range=list(_PARTS.values()))
    return (
        alt.Chart(rows.assign(order=rows["what"].map(list(_PARTS).index)))
        .mark_bar()
        .encode(
            x=alt.X("frames:Q", title="frames"),
            y=alt.Y("unit:N", sort=order, title=None, axis=alt.Axis(labelLimit=0, labelOverlap=False, ticks=False)),
            color=alt.Color("what:N", title=None, scale=scale, legend=alt.Legend(orient="top")),
            order=alt.Order("order:Q"),
            tooltip=[alt.Tooltip("unit:N"), alt.Tooltip("what:N"), alt.Tooltip("frames:Q", format=",")],
        )
        .properties(height=_AXIS + _UNIT_ROW * len(order))
    )
