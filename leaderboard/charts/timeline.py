"""Chart of one video, frame by frame: a lane per class, unit or dimension, a colour for the labels and each run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leaderboard.charts.colours import CONSTANT_COLOUR, PUBLISHED_COLOUR, RUN_COLOUR
from leaderboard.charts.grammar import alt
from leaderboard.data.timeline import LABEL, Timeline, bars, curves, strip_names, strips, word_stretches

TRACK_COLOURS = (RUN_COLOUR, PUBLISHED_COLOUR)
LABEL_COLOUR = CONSTANT_COLOUR
_WORDS, _WORD_STRIP, _LETTER = "words", 22, 6  # name and height of the strip, width of a letter in pixels
_LANE, _TALL_LANE, _VALUE_LANE, _STRIP, _BAR, _PAD = 40, 80, 170, 16, 5, 3
_FRAME = 125  # pixels of axis and legend, which Streamlit includes in a chart's height


@dataclass(frozen=True)
class _Lanes:
    """Vertical layout of the chart, in pixels from the top.

    Attributes:
        tops: upper edge by name of lane or strip.
        inside: upper and lower edge of the area for curves, from the lane's top.
        low, high: values at the lower and upper edge of that area.
        height: height of all lanes and strips.
    """

    tops: dict[str, int]
    inside: tuple[int, int]
    low: float
    high: float
    height: int

    def y(self, target: pd.Series[str], value: pd.Series[float]) -> pd.Series[float]:
        """Return the vertical positions of values in their lanes, in pixels from the top."""
        upper, lower = self.inside
        share = (value.clip(self.low, self.high) - self.low) / (self.high - self.low)
        return target.map(self.tops).astype(float) + lower + share * (upper - lower)


@dataclass(frozen=True)
class _Scales:
    """Scales that all layers share.

    Attributes:
        colour: colours of the labels and of each run.
        x, y: options of the axes.
    """

    colour: alt.Scale
    x: Mapping[str, Any]
    y: Mapping[str, Any]

    def across(self, top: str, bottom: str) -> dict[str, Any]:
        """Return the channels of a rectangle over a stretch, between the columns ``top`` and ``bottom``."""
        return {
            "x": alt.X("start:Q", **self.x),
            "x2": alt.X2("end:Q"),
            "y": alt.Y(f"{top}:Q", **self.y),
            "y2": alt.Y2(f"{bottom}:Q"),
        }

    def whose(self, channel: type[Any] = alt.Color) -> Any:
        """Return the channel that colours labels and runs; all layers share its legend."""
        legend = (
            alt.Legend(orient="top", symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=6)
            if channel is alt.Color
            else None
        )
        return channel("who:N", title=None, scale=self.colour, legend=legend)


def timeline_chart(timeline: Timeline, first: int, last: int) -> alt.LayerChart:
    """Return a chart of frames ``first`` to ``last`` of a video.

    A lane of a class or unit has a bar over labelled stretches, a bar per run over the stretches that it decides so,
    and the runs' scores below. A lane of a dimension has the lines of labels and runs. Strips below the lanes mark
    wrong frames and frames that lack a label or a crop.
    """
    lanes, axis = _lanes(timeline)
    names = [track.name for track in timeline.tracks]
    on = _Scales(
        colour=alt.Scale(domain=[LABEL, *names], range=[LABEL_COLOUR, *TRACK_COLOURS[: len(names)]]),
        x={
            "scale": alt.Scale(domain=[first - 0.5, last + 0.5], nice=False),
            "axis": alt.Axis(title="frame", grid=False),
        },
        y={"scale": alt.Scale(domain=[lanes.height, 0], nice=False), "axis": axis},
    )
    layers = [
        *_dividers(lanes, on),
        *_curve_layers(timeline, curves(timeline, first, last), lanes, on),
        *_bar_layers(timeline, first, last, lanes, on),
        *_word_layers(timeline, first, last, lanes, on),
    ]
    return alt.layer(*layers).properties(height=lanes.height + _FRAME)


def _lanes(timeline: Timeline) -> tuple[_Lanes, alt.Axis]:
    values = timeline.task.kind == "values"
    lane = _VALUE_LANE if values else _TALL_LANE if timeline.task.is_pair else _LANE
    n_bars = 0 if values else 1 + len(timeline.tracks)
    tops = {name: k * lane for k, name in enumerate(timeline.task.targets)}
    below = len(tops) * lane
    marks = {top + lane // 2: name for name, top in tops.items()}
    inside = (10, lane - 10) if values else (_PAD + n_bars * (_BAR + 1) + 1, lane - _PAD)
    if values:
        marks = {}
        for name, top in tops.items():
            low, high = timeline.task.range
            for share, text in ((0.0, _short(high)), (0.5, f"{name}  {_short((low + high) / 2)}"), (1.0, _short(low))):
                marks[round(top + inside[0] + share * (inside[1] - inside[0]))] = text
    located = any(line.first is not None for line in timeline.words)
    for name, size in [*([(_WORDS, _WORD_STRIP)] if located else []), *((s, _STRIP) for s in strip_names(timeline))]:
        tops[name] = below
        marks[below + size // 2] = name
        below += size
    height = below
    low, high = timeline.task.range if values else (0.0, 1.0)
    # our own words, written as JSON: no text of a user may get into the expression
    text = f"{json.dumps({str(k): name for k, name in marks.items()})}[datum.value]"
    axis = alt.Axis(
        title=None, values=list(marks), labelExpr=text, ticks=False, grid=False, domain=False, labelOverlap=False
    )
    return _Lanes(tops, inside, low, high, height), axis


def _dividers(lanes: _Lanes, on: _Scales) -> list[alt.Chart]:
    tops = pd.DataFrame({"top": [top for top in lanes.tops.values() if top]})
    rule = alt.Chart(tops).mark_rule(color=LABEL_COLOUR, opacity=0.35, strokeWidth=1)
    return [rule.encode(y=alt.Y("top:Q", **on.y))]


def _curve_layers(timeline: Timeline, rows: pd.DataFrame, lanes: _Lanes, on: _Scales) -> list[alt.Chart]:
    if rows.empty:
        return []
    top = rows["target"].map(lanes.tops)
    shown = rows.assign(
        low_y=lanes.y(rows["target"], rows["low"]),
        mean_y=lanes.y(rows["target"], rows["mean"]),
        high_y=lanes.y(rows["target"], rows["high"]),
        middle=(rows["first"] + rows["last"]) / 2,
        start=rows["first"] - 0.5,
        end=rows["last"] + 0.5,
        top=top + lanes.inside[0],
        bottom=top + lanes.inside[1],
        frames=_frames(rows),
        value=_values(rows),
    )
    base = alt.Chart(shown)
    tooltip = [
        alt.Tooltip("frames:N", title="frames"),
        alt.Tooltip("target:N", title="of"),
        alt.Tooltip("who:N", title="whose"),
        alt.Tooltip("value:N", title="value" if timeline.task.kind == "values" else "score"),
    ]
    middle, mean = alt.X("middle:Q", **on.x), alt.Y("mean_y:Q", **on.y)
    line = base.mark_line(strokeWidth=1.3).encode(x=middle, y=mean, detail=alt.Detail("target:N"), color=on.whose())
    # the tooltip appears wherever in a lane the pointer is
    hover = base.mark_rect(opacity=0).encode(**on.across("top", "bottom"), tooltip=tooltip)
    if not (rows["low"] < rows["high"]).any():
        return [line, hover]
    spread = base.mark_rect(opacity=0.35).encode(**on.across("low_y", "high_y"), color=on.whose())
    return [spread, line, hover]


def _bar_layers(timeline: Timeline, first: int, last: int, lanes: _Lanes, on: _Scales) -> list[alt.Chart]:
    marks, below = bars(timeline, first, last), strips(timeline, first, last)
    order = {name: k for k, name in enumerate([LABEL, *(track.name for track in timeline.tracks)])}
    marks_top = marks["target"].map(lanes.tops) + _PAD + marks["who"].map(order) * (_BAR + 1)
    titles = marks["who"].where(marks["who"] == LABEL, marks["who"] + " says") + " " + marks["target"]
    marks = marks.assign(top=marks_top, bottom=marks_top + _BAR, what=titles)
    below_top = below["strip"].map(lanes.tops) + 2
    below = below.assign(top=below_top, bottom=below_top + _STRIP - 4, what=below["strip"])
    layers = []
    for rows, whose in ((marks, True), (below[below["who"] != ""], True), (below[below["who"] == ""], False)):
        if rows.empty:
            continue
        shown = rows.assign(start=rows["first"] - 0.5, end=rows["last"] + 0.5, frames=_frames(rows))
        tooltip = [alt.Tooltip("what:N", title="what"), alt.Tooltip("frames:N", title="frames")]
        # the stroke keeps a single frame among thousands visible
        mark = alt.Chart(shown).mark_rect(strokeWidth=1, opacity=1, fill=LABEL_COLOUR, stroke=LABEL_COLOUR)
        colours = {"fill": on.whose(alt.Fill), "stroke": on.whose(alt.Stroke)} if whose else {}
        layers.append(mark.encode(**on.across("top", "bottom"), tooltip=tooltip, **colours))
    return layers


def _word_layers(timeline: Timeline, first: int, last: int, lanes: _Lanes, on: _Scales) -> list[alt.Chart]:
    """Return a box per spoken line with as much of the text as fits; the tooltip has all of it."""
    rows = word_stretches(timeline, first, last)
    if rows.empty:
        return []
    top = lanes.tops[_WORDS]
    shown = rows.assign(
        start=rows["first"] - 0.5,
        end=rows["last"] + 0.5,
        top=top + 2,
        bottom=top + _WORD_STRIP - 2,
        middle=top + _WORD_STRIP / 2,
        frames=_frames(rows),
        share=(rows["last"] - rows["first"] + 1) / (last - first + 1),
    )
    tooltip = [alt.Tooltip("text:N", title="says"), alt.Tooltip("frames:N", title="frames")]
    chart = alt.Chart(shown)
    box = chart.mark_rect(fill=LABEL_COLOUR, fillOpacity=0.15, stroke=LABEL_COLOUR, strokeWidth=1)
    # the text is cut to the chart's width in the browser; with room for three letters or fewer it is left out
    letters = f"floor((datum.share * width - 6) / {_LETTER})"
    cut = chart.transform_calculate(cut=f"{letters} > 3 ? truncate(datum.text, {letters}) : ''")
    text = cut.mark_text(align="left", baseline="middle", dx=4, fontSize=11, clip=True, opacity=0.9)
    where = {"x": alt.X("start:Q", **on.x), "y": alt.Y("middle:Q", **on.y), "text": alt.Text("cut:N")}
    return [box.encode(**on.across("top", "bottom"), tooltip=tooltip), text.encode(**where, tooltip=tooltip)]


def _short(value: float) -> str:
    """Return a number for an axis, without trailing zeros."""
    return f"{value:g}".replace("-", "−")


def _frames(rows: pd.DataFrame) -> pd.Series[str]:
    first, last = rows["first"].map("{:,}".format), rows["last"].map("{:,}".format)
    return first.where(rows["first"] == rows["last"], first + " to " + last)


def _values(rows: pd.DataFrame) -> list[str]:
    texts = []
    for low, mean, high in zip(rows["low"], rows["mean"], rows["high"], strict=True):
        if np.isnan(mean):
            texts.append("none")
        else:
            texts.append(f"{mean:.3f}" if low == high else f"{mean:.3f}, from {low:.3f} to {high:.3f}")
    return texts
