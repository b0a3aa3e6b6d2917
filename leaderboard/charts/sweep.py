"""Charts of a score against one constant: our runs as a line with its interval, printed scores as dots and diamonds."""

from __future__ import annotations

import pandas as pd

from harness.cli.sweep import TITLES
from leaderboard.charts.colours import PUBLISHED_COLOUR, RUN_COLOUR
from leaderboard.charts.grammar import alt

_HEIGHT = 250


def sweep_chart(
    points: pd.DataFrame, score_title: str, *, axis: str | None = None, printed: pd.DataFrame | None = None
) -> alt.LayerChart:
    """Return a chart of the score against one constant.

    Args:
        points: a run's rows of :meth:`harness.store.store.Store.sweep` for this constant; may be empty.
        score_title: title of the score's axis.
        axis: name of the constant; required if ``points`` is empty.
        printed: columns ``value, score, evidence, source`` of :mod:`harness.reference.curves`, on the run's data.
    """
    axis = axis or str(points["axis"].iloc[0])
    # widths grow by factors; the square root keeps 0 on the axis
    scale = alt.Scale(type="sqrt", nice=False) if axis == "half_width" else alt.Scale(zero=False, nice=False, padding=8)
    x = alt.X("value:Q", title=TITLES.get(axis, axis.replace("_", " ")), scale=scale)
    y = {"scale": alt.Scale(zero=False, nice=True), "axis": alt.Axis(title=score_title, tickCount=6)}
    layers = _own_layers(points, x, y) if len(points) else []
    if printed is not None and len(printed):
        layers += _printed_layers(printed, x, y)
    return alt.layer(*layers).properties(height=_HEIGHT)


def _own_layers(points: pd.DataFrame, x: alt.X, y: dict[str, object]) -> list[alt.Chart]:
    shown = points[["value", "score", "low", "high"]]
    tooltip = [
        alt.Tooltip("value:Q", title="constant"),
        alt.Tooltip("score:Q", title="our score", format=".4f"),
        alt.Tooltip("low:Q", title="95 % from", format=".4f"),
        alt.Tooltip("high:Q", title="to", format=".4f"),
    ]
    base, score = alt.Chart(shown), alt.Y("score:Q", **y)
    layers = [
        base.mark_line(color=RUN_COLOUR, strokeWidth=2).encode(x=x, y=score),
        base.mark_point(color=RUN_COLOUR, filled=True, size=45, opacity=1).encode(x=x, y=score, tooltip=tooltip),
    ]
    if shown["low"].notna().all():
        band = base.mark_area(color=RUN_COLOUR, opacity=0.18)
        layers.insert(0, band.encode(x=x, y=alt.Y("low:Q", **y), y2=alt.Y2("high:Q")))
    return layers


def _printed_layers(printed: pd.DataFrame, x: alt.X, y: dict[str, object]) -> list[alt.Chart]:
    tooltip = [
        alt.Tooltip("evidence:N", title="the authors'"),
        alt.Tooltip("value:Q", title="constant"),
        alt.Tooltip("score:Q", title="their score", format=".4f"),
        alt.Tooltip("source:N"),
    ]
    base, where = alt.Chart(printed), {"x": x, "y": alt.Y("score:Q", **y)}
    notebook = base.transform_filter("datum.evidence == 'notebook'")
    return [
        notebook.mark_line(color=PUBLISHED_COLOUR, strokeDash=[2, 3], strokeWidth=1.5).encode(**where),
        notebook.mark_point(filled=True, size=25, opacity=1, color=PUBLISHED_COLOUR).encode(**where, tooltip=tooltip),
        base.transform_filter("datum.evidence != 'notebook'")
        .mark_point(shape="diamond", filled=False, size=130, strokeWidth=2, opacity=1, color=PUBLISHED_COLOUR)
        .encode(**where, tooltip=tooltip),
    ]
