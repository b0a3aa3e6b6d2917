"""Charts of a score against one constant: ours as a line with its interval, what was printed as dots and diamonds."""

from __future__ import annotations

import altair as alt
import pandas as pd

from leaderboard.charts.intervals import PUBLISHED_COLOUR, RUN_COLOUR

AXIS_TITLES = {
    "half_width": "half width of the window, frames",
    "filter_threshold": "threshold of the filter",
    "threshold": "threshold of violence",
    "weight": "weight of the first stream",
}
_HEIGHT = 240


def curve_chart(axis: str, score_title: str, ours: pd.DataFrame, printed: pd.DataFrame | None = None) -> alt.LayerChart:
    """One axis.

    Args:
        ours: ``value, score, low, high`` of one run; may be empty.
        printed: ``value, score, evidence, source`` of :mod:`harness.reference.curves`; on the same data as ours.
    """
    # widths grow by factors; the square root keeps 0 on the axis
    scale = alt.Scale(type="sqrt", nice=False) if axis == "half_width" else alt.Scale(zero=False, nice=False, padding=8)
    x = alt.X("value:Q", title=AXIS_TITLES.get(axis, axis), scale=scale)
    y = {"scale": alt.Scale(zero=False, nice=True), "axis": alt.Axis(title=score_title, tickCount=6)}
    layers: list[alt.Chart] = []
    if len(ours):
        layers += _own_layers(ours, x, y)
    if printed is not None and len(printed):
        layers += _printed_layers(printed, x, y)
    return alt.layer(*layers).properties(height=_HEIGHT)


def _own_layers(ours: pd.DataFrame, x: alt.X, y: dict[str, object]) -> list[alt.Chart]:
    shown = ours.assign(
        interval=[
            "none" if pd.isna(low) else f"{low:.3f} to {high:.3f}"
            for low, high in zip(ours["low"], ours["high"], strict=True)
        ],
        whose="ours",
    )
    tooltip = [
        alt.Tooltip("whose:N", title="whose"),
        alt.Tooltip("value:Q"),
        alt.Tooltip("score:Q", format=".4f"),
        alt.Tooltip("interval:N", title="95 % by video"),
    ]
    base = alt.Chart(shown)
    line = base.mark_line(color=RUN_COLOUR, strokeWidth=2).encode(x=x, y=alt.Y("score:Q", **y))
    point = base.mark_point(filled=True, size=45, opacity=1, color=RUN_COLOUR)
    layers = [line, point.encode(x=x, y=alt.Y("score:Q", **y), tooltip=tooltip)]
    if shown["low"].notna().all():
        band = base.mark_area(opacity=0.2, color=RUN_COLOUR)
        layers.insert(0, band.encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q"))
    return layers


def _printed_layers(printed: pd.DataFrame, x: alt.X, y: dict[str, object]) -> list[alt.Chart]:
    tooltip = [
        alt.Tooltip("evidence:N", title="from the authors'"),
        alt.Tooltip("value:Q"),
        alt.Tooltip("score:Q", format=".4f"),
        alt.Tooltip("source:N"),
    ]
    base = alt.Chart(printed)
    notebook = base.transform_filter("datum.evidence == 'notebook'")
    where = {"x": x, "y": alt.Y("score:Q", **y)}
    return [
        notebook.mark_line(color=PUBLISHED_COLOUR, strokeDash=[2, 3], strokeWidth=1.5).encode(**where),
        notebook.mark_point(filled=True, size=25, opacity=1, color=PUBLISHED_COLOUR).encode(**where, tooltip=tooltip),
        base.transform_filter("datum.evidence != 'notebook'")
        .mark_point(shape="diamond", filled=False, size=130, strokeWidth=2, opacity=1, color=PUBLISHED_COLOUR)
        .encode(**where, tooltip=tooltip),
    ]
