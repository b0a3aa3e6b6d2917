"""Charts: scores with their intervals, on colours that everybody can tell apart (Okabe and Ito) in light and dark."""

from __future__ import annotations

import textwrap
from typing import Any

import altair as alt
import pandas as pd

from harness.board.entries import MARKS, RUN

# at least 3:1 against white and against Streamlit's dark background: the page learns of a dark theme too late
RUN_COLOUR, PUBLISHED_COLOUR, CONSTANT_COLOUR = "#0072B2", "#D55E00", "#808080"
MOST_ROWS = 60
_SHAPES = {RUN: "circle", "paper": "diamond", "baseline": "square", "leaderboard": "triangle-up"}
_ROW, _LINE, _LABEL_WIDTH = 24, 13, 80
_AXIS_HEIGHT, _LEGEND_HEIGHT, _CONSTANT_HEIGHT = 64, 40, 20


def interval_chart(entries: pd.DataFrame, score_title: str) -> alt.LayerChart:
    """A point an entry, best first; runs with their interval, published results hollow and without one.

    Args:
        entries: at least one, all with a score, sorted; of :func:`harness.board.entries.board_entries`.
        score_title: the official metric's name.
    """
    shown = _rows(entries)
    y = _rows_axis("row", shown["row"].tolist())
    x = {"scale": alt.Scale(zero=False, nice=True, padding=12), "axis": alt.Axis(title=score_title, tickCount=10)}
    colour, shape = _marks(shown)
    tooltip = [alt.Tooltip(f"{name}:N", title=title) for name, title in _TOOLTIP.items()]
    base = alt.Chart(shown)
    rule = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2.5, opacity=1)
    point = base.mark_point(size=75, strokeWidth=2, opacity=1)
    # channels by their own classes: of a plain value Altair finds out by its schema which one is meant
    filled = alt.FillValue("transparent", condition={"test": f"datum.kind == '{RUN}'", "value": RUN_COLOUR})
    constant = _constant_layers(shown, x)
    height = _AXIS_HEIGHT + _row_height(shown["row"]) * len(shown)
    height += (_LEGEND_HEIGHT if shown["kind"].nunique() > 1 else 0) + (_CONSTANT_HEIGHT if constant else 0)
    return alt.layer(
        *constant,
        rule.encode(x=alt.X("low:Q", **x), x2="high:Q", y=y, color=colour, tooltip=tooltip),
        point.encode(x=alt.X("score:Q", **x), y=y, color=colour, shape=shape, fill=filled, tooltip=tooltip),
    ).properties(height=height)


def _rows_axis(field: str, order: list[str]) -> alt.Y:
    """One row each, all of them labelled in full: a line break in the text is one on the screen."""
    axis = alt.Axis(
        labelLimit=0,
        labelOverlap=False,
        labelExpr="split(datum.label, '\\n')",
        labelLineHeight=_LINE,
        ticks=False,
        labelFlush=False,
    )
    return alt.Y(f"{field}:N", sort=order, title=None, axis=axis)


def _row_height(labels: pd.Series[str]) -> int:
    lines = int(labels.str.count("\n").max()) + 1
    return max(_ROW, _LINE * lines + 5)


def _marks(shown: pd.DataFrame) -> tuple[alt.Color, alt.Shape]:
    """Colour and shape by kind, with one legend where there is more than one kind."""
    kinds = [kind for kind in MARKS if kind in set(shown["kind"])]
    names = [MARKS[kind][2:] for kind in kinds]
    colours = [RUN_COLOUR if kind == RUN else PUBLISHED_COLOUR for kind in kinds]
    legend = alt.Legend(orient="top") if len(kinds) > 1 else None
    return (
        alt.Color("mark:N", title=None, scale=alt.Scale(domain=names, range=colours), legend=legend),
        alt.Shape(
            "mark:N", title=None, scale=alt.Scale(domain=names, range=[_SHAPES[k] for k in kinds]), legend=legend
        ),
    )


_TOOLTIP = {
    "what": "entry",
    "mark": "kind",
    "value_text": "score",
    "interval": "95 % interval by video",
    "standing": "beside the best run",
    "tuned_text": "tuned on val",
    "more": "made with",
}


def _rows(entries: pd.DataFrame) -> pd.DataFrame:
    """Plain columns for the chart, everything that a tooltip says already in words."""
    shown = entries.head(MOST_ROWS)
    made_with = [
        " · ".join(str(part) for part in parts if isinstance(part, str) and part)
        for parts in zip(shown["encoder"], shown["head"], shown["postprocess"], strict=True)
    ]
    told = [f"{label} †" if tied else label for label, tied in zip(shown["label"], shown["tied"].eq(True), strict=True)]
    return pd.DataFrame(
        {
            "row": ["\n".join(textwrap.wrap(label, _LABEL_WIDTH) or [label]) for label in told],
            "what": shown["label"],
            "kind": shown["kind"],
            "mark": shown["kind"].map(lambda kind: MARKS[kind][2:]),
            "score": shown["score"].astype(float),
            "low": shown["low"].astype(float),
            "high": shown["high"].astype(float),
            "value_text": shown["score"].map("{:.3f}".format),
            "interval": _intervals(shown),
            "standing": shown["standing"].astype("string").fillna("–"),
            "tuned_text": shown["tuned"].map(lambda value: "–" if pd.isna(value) else f"{value:.3f}"),
            "more": [text or "see the source in the table" for text in made_with],
            "constant": shown["constant"].astype(float),
            "constant_name": shown["constant_name"].astype("string").fillna(""),
        }
    )


def _intervals(rows: pd.DataFrame) -> list[str]:
    return [
        "none" if pd.isna(low) else f"{low:.3f} to {high:.3f}"
        for low, high in zip(rows["low"], rows["high"], strict=True)
    ]


def _constant_layers(shown: pd.DataFrame, x: dict[str, Any]) -> list[Any]:
    constants = shown[["constant", "constant_name"]].dropna().drop_duplicates().sort_values("constant")
    if constants.empty:
        return []
    value, name = constants.iloc[-1]
    # on the side of the line where there is room
    left = value <= (shown["score"].min() + shown["score"].max()) / 2
    tooltip = [
        alt.Tooltip("constant:Q", title="a constant gets", format=".3f"),
        alt.Tooltip("constant_name:N", title="it says"),
    ]
    rule = alt.Chart(constants).mark_rule(strokeDash=[5, 4], strokeWidth=1.5, color=CONSTANT_COLOUR)
    label = alt.Chart(constants.tail(1).assign(text=f"a constant gets {value:.3f} ({name})")).mark_text(
        align="left" if left else "right", dx=5 if left else -5, baseline="bottom", color=CONSTANT_COLOUR, fontSize=12
    )
    where = alt.X("constant:Q", **x)
    return [rule.encode(x=where, tooltip=tooltip), label.encode(x=where, y=alt.YValue(-4), text="text:N")]
