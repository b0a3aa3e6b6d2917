"""Charts of confusions between classes, and of values over their labels with the errors."""

from __future__ import annotations

import pandas as pd

from leaderboard.charts.colours import CONSTANT_COLOUR, PUBLISHED_COLOUR, RUN_COLOUR
from leaderboard.charts.grammar import alt

# fixed colours below the text of a cell, which is then equally legible in light and dark themes
_PALE, _DEEP, _ON_PALE, _ON_DEEP = (0xDC, 0xEB, 0xF5), (0x00, 0x44, 0x6B), "#101418", "#ffffff"
_CELL, _AXIS, _PANEL, _ERRORS = 46, 85, 400, 290


def confusion_chart(rows: pd.DataFrame, noun: str = "frame") -> alt.LayerChart:
    """Return a matrix with a square per pair of label and decision: share of the label's frames, and their number.

    Args:
        rows: rows of :func:`harness.board.run.confusion_rows`.
        noun: name of the counted things, ``frame`` or ``video``.
    """
    order = list(dict.fromkeys(rows["label"]))
    totals = rows.groupby("label")["frames"].transform("sum")
    shown = rows.assign(
        percent=[_percent(share, frames) for share, frames in zip(rows["share"], rows["frames"], strict=True)],
        count=rows["frames"].map("{:,.0f}".format),
        total=totals.map("{:,.0f}".format),
        cell=rows["share"].map(_shade),
        ink=[_ON_DEEP if share > 0.65 else _ON_PALE for share in rows["share"]],
    )
    axis = {"labelLimit": 0, "ticks": False, "domain": False}
    x = alt.X("decision:N", sort=order, axis=alt.Axis(title="decided", orient="top", labelAngle=0, **axis))
    y = alt.Y("label:N", sort=order, axis=alt.Axis(title="labelled", **axis))
    tooltip = [
        alt.Tooltip("label:N", title="labelled"),
        alt.Tooltip("decision:N", title="decided"),
        alt.Tooltip("percent:N", title=f"of the label's {noun}s"),
        alt.Tooltip("count:N", title=f"{noun}s"),
        alt.Tooltip("total:N", title=f"{noun}s with this label"),
    ]
    some = alt.Chart(shown[shown["frames"] > 0])
    colour, ink = alt.Color("cell:N", scale=None), alt.Color("ink:N", scale=None)
    right = alt.Chart(shown[shown["label"] == shown["decision"]])
    return alt.layer(
        some.mark_rect().encode(x=x, y=y, color=colour, tooltip=tooltip),
        right.mark_rect(fillOpacity=0, stroke=PUBLISHED_COLOUR, strokeWidth=2).encode(x=x, y=y, tooltip=tooltip),
        some.mark_text(dy=-7, fontSize=13).encode(x=x, y=y, text=alt.Text("percent:N"), color=ink, tooltip=tooltip),
        some.mark_text(dy=9, fontSize=10.5).encode(x=x, y=y, text=alt.Text("count:N"), color=ink, tooltip=tooltip),
    ).properties(height=_CELL * len(order) + _AXIS)


def _shade(share: float) -> str:
    return "#" + "".join(f"{round(pale + share * (deep - pale)):02x}" for pale, deep in zip(_PALE, _DEEP, strict=True))


def _percent(share: float, frames: float) -> str:
    return "under 1 %" if frames and share < 0.01 else f"{share:.0%}".replace("%", " %")


def density_chart(rows: pd.DataFrame, low: float = -1.0, high: float = 1.0, noun: str = "frame") -> alt.LayerChart:
    """Return a chart of one dimension's values over its labels: darker squares have more frames.

    A dashed line marks values that equal their labels.

    Args:
        rows: rows of :func:`harness.board.run.density_rows`.
        low: least value of the task.
        high: largest value of the task.
        noun: name of the counted things, ``frame`` or ``video``.
    """
    name = str(rows["target"].iloc[0])
    shown = rows.assign(
        label_to=rows["label"] + rows["width"],
        value_to=rows["value"] + rows["width"],
        what=[f"{x:.2f} to {x + w:.2f}" for x, w in zip(rows["label"], rows["width"], strict=True)],
        says=[f"{y:.2f} to {y + w:.2f}" for y, w in zip(rows["value"], rows["width"], strict=True)],
    )
    scale = alt.Scale(domain=[low, high], nice=False)
    x = alt.X("label:Q", scale=scale, axis=alt.Axis(title=f"{name}, labelled", tickCount=5))
    y = alt.Y("value:Q", scale=scale, axis=alt.Axis(title=f"{name}, the run's", tickCount=5))
    colour = alt.Color(
        "frames:Q",
        scale=alt.Scale(type="log", range=[_shade(0.25), _shade(1)]),
        legend=alt.Legend(title=f"{noun}s", orient="right", tickCount=4),
    )
    tooltip = [
        alt.Tooltip("what:N", title="labelled"),
        alt.Tooltip("says:N", title="the run's"),
        alt.Tooltip("frames:Q", title=f"{noun}s", format=","),
    ]
    equal = alt.Chart(pd.DataFrame({"label": [low, high], "value": [low, high]}))
    return alt.layer(
        alt.Chart(shown)
        .mark_rect()
        .encode(x=x, x2=alt.X2("label_to"), y=y, y2=alt.Y2("value_to"), color=colour, tooltip=tooltip),
        equal.mark_line(color=PUBLISHED_COLOUR, strokeDash=[5, 4], strokeWidth=1.5).encode(x=x, y=y),
    ).properties(height=_PANEL)


def error_chart(rows: pd.DataFrame, low: float = -1.0, high: float = 1.0, noun: str = "frame") -> alt.LayerChart:
    """Return a chart of one dimension's errors over its labels: their mean size (distance) and their mean (bias).

    Args:
        rows: rows of :func:`harness.board.run.error_rows`.
        low: least value of the task.
        high: largest value of the task.
        noun: name of the counted things, ``frame`` or ``video``.
    """
    name = str(rows["target"].iloc[0])
    shown = rows.assign(what=[f"{a:.1f} to {b:.1f}" for a, b in zip(rows["low"], rows["high"], strict=True)])
    parts = {"distance": PUBLISHED_COLOUR, "bias": RUN_COLOUR}
    scale = alt.Scale(domain=list(parts), range=list(parts.values()))
    long = shown.melt(["label", "what", "frames"], list(parts), "which", "error")
    base = alt.Chart(long).encode(
        x=alt.X("label:Q", scale=alt.Scale(domain=[low, high]), axis=alt.Axis(title=f"{name}, labelled", tickCount=5)),
        y=alt.Y("error:Q", axis=alt.Axis(title="error", tickCount=5)),
        color=alt.Color("which:N", title=None, scale=scale, legend=alt.Legend(orient="top")),
        tooltip=[
            alt.Tooltip("what:N", title="labelled"),
            alt.Tooltip("which:N", title="which"),
            alt.Tooltip("error:Q", format="+.3f"),
            alt.Tooltip("frames:Q", title=f"{noun}s", format=","),
        ],
    )
    none = alt.Chart(pd.DataFrame({"error": [0.0]})).mark_rule(color=CONSTANT_COLOUR).encode(y=alt.Y("error:Q"))
    return alt.layer(none, base.mark_line(), base.mark_point(filled=True, size=50, opacity=1)).properties(
        height=_ERRORS
    )
