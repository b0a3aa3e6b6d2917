"""Chart of submissions: validation score with its interval, and the official test score."""

from __future__ import annotations

import textwrap

import pandas as pd

from leaderboard.charts.colours import PUBLISHED_COLOUR, RUN_COLOUR
from leaderboard.charts.grammar import alt

_ROW, _LINE, _LABEL_WIDTH, _AXES = 28, 13, 60, 100
_VAL, _TEST = "validation, 95 % interval", "test, as it came back"


def shift_chart(entries: pd.DataFrame) -> alt.LayerChart:
    """Return a chart with one row per submission, newest first.

    Args:
        entries: rows of :func:`harness.board.slots.sent_entries`, at least one.
    """
    labels = [
        "\n".join(textwrap.wrap(f"{number}. {task} {name or 'unknown run'}", _LABEL_WIDTH))
        for number, task, name in zip(entries["number"], entries["task"], entries["name"], strict=True)
    ]
    wide = pd.DataFrame(
        {
            "row": labels,
            "val": entries["val"].astype(float),
            "low": entries["low"].astype(float),
            "high": entries["high"].astype(float),
            "test": entries["test"].astype(float),
            "shift": ["–" if pd.isna(value) else f"{value:+.3f}" for value in entries["shift"]],
            "interval": [
                "none" if pd.isna(low) else f"{low:.3f} to {high:.3f}"
                for low, high in zip(entries["low"], entries["high"], strict=True)
            ],
        }
    )
    # one row per point, so that colour and shape share a legend
    shown = pd.DataFrame(
        [
            {**row, "what": what, "value": row[key]}
            for row in wide.to_dict("records")
            for key, what in (("val", _VAL), ("test", _TEST))
        ]
    )
    axis = alt.Axis(
        labelLimit=0, labelOverlap=False, labelExpr="split(datum.label, '\\n')", labelLineHeight=_LINE, ticks=False
    )
    y = alt.Y("row:N", sort=labels, title=None, axis=axis)
    x = {"scale": alt.Scale(zero=False, nice=True, padding=12), "axis": alt.Axis(title="official score", tickCount=10)}
    domain, legend = [_VAL, _TEST], alt.Legend(orient="top", labelLimit=0)
    colour = alt.Color(
        "what:N", title=None, legend=legend, scale=alt.Scale(domain=domain, range=[RUN_COLOUR, PUBLISHED_COLOUR])
    )
    shape = alt.Shape("what:N", title=None, legend=legend, scale=alt.Scale(domain=domain, range=["circle", "diamond"]))
    tooltip = [
        alt.Tooltip("row:N", title="submission"),
        alt.Tooltip("val:Q", title="validation", format=".3f"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("test:Q", title="test", format=".3f"),
        alt.Tooltip("shift:N", title="test − val"),
    ]
    base = alt.Chart()
    rule = base.transform_filter(f"isValid(datum.low) && datum.what == '{_VAL}'").mark_rule(strokeWidth=2.5, opacity=1)
    point = base.transform_filter("isValid(datum.value)").mark_point(size=85, filled=True, opacity=1)
    lines = max(label.count("\n") for label in labels) + 1
    return alt.layer(
        rule.encode(x=alt.X("low:Q", **x), x2="high:Q", y=y, tooltip=tooltip, color=colour),
        point.encode(x=alt.X("value:Q", **x), y=y, tooltip=tooltip, color=colour, shape=shape),
        data=shown,  # once for all layers: of each layer's own data Altair would hash the whole text
    ).properties(height=_AXES + max(_ROW, _LINE * lines + 5) * len(wide))
