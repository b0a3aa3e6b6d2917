"""Charts of two runs: the difference of each score, and the videos that make the difference."""

from __future__ import annotations

import pandas as pd

from leaderboard.charts.colours import CONSTANT_COLOUR, PUBLISHED_COLOUR, RUN_COLOUR
from leaderboard.charts.grammar import alt

A_COLOUR, B_COLOUR = RUN_COLOUR, PUBLISHED_COLOUR
"""Colours of run A and run B, on every chart of the page."""
MOST_VIDEOS = 15
_ROW, _AXIS_HEIGHT, _LEGEND_HEIGHT = 26, 64, 44


def difference_chart(rows: pd.DataFrame) -> alt.LayerChart:
    """Return a chart of A minus B with its interval, one row per score.

    A point is filled if its interval leaves out 0, and hollow otherwise.

    Args:
        rows: rows of :func:`harness.board.differences.score_rows`, at least one.
    """
    return _differences(rows, "A − B", "A and B", "95 %, paired by video", _SIDES)


def forest_chart(rows: pd.DataFrame, score_title: str, unit: str = "video") -> alt.LayerChart:
    """Return a chart with a row per run: its score minus that of the baseline, with the interval.

    Args:
        rows: rows of :func:`leaderboard.screens.compare_several.forest_rows`, at least one.
        score_title: name of the official metric.
        unit: unit of the bootstrap, ``video`` or ``person``.
    """
    sides = ("better than the baseline", "worse")
    return _differences(rows, f"{score_title}: run − baseline", "run and baseline", f"95 %, paired by {unit}", sides)


def _differences(rows: pd.DataFrame, title: str, both: str, interval: str, sides: tuple[str, str]) -> alt.LayerChart:
    """Return a point per row with its interval, around 0.

    Args:
        rows: columns ``score, a, b, difference, low, high, clear``.
        title: title of the axis.
        both: tooltip's title of the two values.
        interval: tooltip's title of the interval.
        sides: words for differences above and below 0.
    """
    shown = rows.assign(
        better=_better(rows["difference"], sides),
        value=rows["difference"].map("{:+.3f}".format),
        interval=[
            "none" if pd.isna(low) else f"{low:+.3f} to {high:+.3f}"
            for low, high in zip(rows["low"], rows["high"], strict=True)
        ],
        both=[f"{a:.3f} and {b:.3f}" for a, b in zip(rows["a"], rows["b"], strict=True)],
    )
    base = alt.Chart(shown)
    width = 160 if max(map(len, shown["score"])) < 30 else 260
    y = alt.Y("score:N", sort=shown["score"].tolist(), title=None, axis=_rows_axis(width))
    x = {"axis": alt.Axis(title=title, format="+.3~f", tickCount=6)}
    tooltip = [
        alt.Tooltip("score:N"),
        alt.Tooltip("both:N", title=both),
        alt.Tooltip("value:N", title=title),
        alt.Tooltip("interval:N", title=interval),
    ]
    colour = _colour(shown["better"], sides)
    rule = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2.5, opacity=1)
    hollow = base.transform_filter("!datum.clear").mark_point(size=75, strokeWidth=2, opacity=1, filled=False)
    full = base.transform_filter("datum.clear").mark_point(size=75, strokeWidth=2, opacity=1, filled=True)
    where = {"x": alt.X("difference:Q", **x), "y": y, "color": colour, "tooltip": tooltip}
    return alt.layer(
        _zero(),
        rule.encode(x=alt.X("low:Q", **x), x2="high:Q", y=y, color=colour, tooltip=tooltip),
        hollow.encode(**where),
        full.encode(**where),
    ).properties(height=_AXIS_HEIGHT + _LEGEND_HEIGHT + _ROW * len(shown))


def mover_chart(rows: pd.DataFrame, *, by_frame: bool = True) -> alt.LayerChart:
    """Return a chart of the videos that move the difference A minus B most; bars to the right favour A.

    Args:
        rows: rows of :func:`harness.board.differences.mover_rows`; at least one moves the difference.
        by_frame: False for a task of level ``video``.
    """
    shown = rows[rows["moves"] != 0].head(MOST_VIDEOS)
    shown = shown.assign(
        better=_better(shown["moves"], _SIDES),
        value=shown["moves"].map("{:+.4f}".format),
        both=[f"{a:.3f} and {b:.3f}" for a, b in zip(shown["a"], shown["b"], strict=True)],
    )
    y = alt.Y("video:N", sort=shown["video"].tolist(), title=None, axis=_rows_axis(220))
    x = alt.X("moves:Q", axis=alt.Axis(title="moves A − B by", format="+.4~f", tickCount=5))
    tooltip = [
        alt.Tooltip("video:N"),
        *([alt.Tooltip("frames:Q", format=",")] if by_frame else []),
        alt.Tooltip("both:N", title="A and B on it alone"),
        alt.Tooltip("value:N", title="moves A − B by"),
    ]
    bar = alt.Chart(shown).mark_bar(height=14).encode(x=x, y=y, color=_colour(shown["better"], _SIDES), tooltip=tooltip)
    return alt.layer(_zero(), bar).properties(height=_AXIS_HEIGHT + _LEGEND_HEIGHT + _ROW * len(shown))


def _rows_axis(width: int) -> alt.Axis:
    return alt.Axis(labelLimit=width, ticks=False, labelFlush=False, labelOverlap=False)


_SIDES, _EQUAL = ("A is better", "B is better"), "equal"


def _better(values: pd.Series[float], sides: tuple[str, str]) -> list[str]:
    above, below = sides
    return [above if value > 0 else below if value < 0 else _EQUAL for value in values]


def _colour(better: pd.Series[str], sides: tuple[str, str]) -> alt.Color:
    colours = dict(zip((*sides, _EQUAL), (A_COLOUR, B_COLOUR, CONSTANT_COLOUR), strict=True))
    names = [name for name in colours if name in set(better)]
    scale = alt.Scale(domain=names, range=[colours[name] for name in names])
    return alt.Color("better:N", title=None, scale=scale, legend=alt.Legend(orient="top"))


def _zero() -> alt.Chart:
    return alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=CONSTANT_COLOUR, strokeWidth=1.5).encode(x="zero:Q")
