"""Charts of two runs: by how much each score differs, and which videos make the difference."""

from __future__ import annotations

import pandas as pd

from leaderboard.charts.colours import CONSTANT_COLOUR, PUBLISHED_COLOUR, RUN_COLOUR
from leaderboard.charts.grammar import alt

A_COLOUR, B_COLOUR = RUN_COLOUR, PUBLISHED_COLOUR
"""Colours of run A and run B, on every chart of the page."""
MOST_VIDEOS = 15
_ROW, _AXIS_HEIGHT, _LEGEND_HEIGHT = 26, 64, 44


def difference_chart(rows: pd.DataFrame) -> alt.LayerChart:
    """A minus B with its interval, a row a score; filled where the interval leaves out 0, hollow where it does not.

    Args:
        rows: of :func:`harness.board.differences.score_rows`, at least one.
    """
    shown = rows.assign(
        better=_better(rows["difference"]),
        value=rows["difference"].map("{:+.3f}".format),
        interval=[
            "none" if pd.isna(low) else f"{low:+.3f} to {high:+.3f}"
            for low, high in zip(rows["low"], rows["high"], strict=True)
        ],
        both=[f"{a:.3f} and {b:.3f}" for a, b in zip(rows["a"], rows["b"], strict=True)],
    )
    base = alt.Chart(shown)
    y = alt.Y("score:N", sort=shown["score"].tolist(), title=None, axis=_rows_axis(160))
    x = {"axis": alt.Axis(title="A − B", format="+.3~f", tickCount=6)}
    tooltip = [
        alt.Tooltip("score:N"),
        alt.Tooltip("both:N", title="A and B"),
        alt.Tooltip("value:N", title="A − B"),
        alt.Tooltip("interval:N", title="95 %, paired by video"),
    ]
    colour = _colour(shown["better"])
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
    """What each of the videos that matter most does to the difference; bars to the right speak for A.

    Args:
        rows: of :func:`harness.board.differences.mover_rows`, at least one that moves anything.
        by_frame: False where a video is one row.
    """
    shown = rows[rows["moves"] != 0].head(MOST_VIDEOS)
    shown = shown.assign(
        better=_better(shown["moves"]),
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
    bar = alt.Chart(shown).mark_bar(height=14).encode(x=x, y=y, color=_colour(shown["better"]), tooltip=tooltip)
    return alt.layer(_zero(), bar).properties(height=_AXIS_HEIGHT + _LEGEND_HEIGHT + _ROW * len(shown))


def _rows_axis(width: int) -> alt.Axis:
    return alt.Axis(labelLimit=width, ticks=False, labelFlush=False, labelOverlap=False)


_COLOURS = {"A is better": A_COLOUR, "B is better": B_COLOUR, "equal": CONSTANT_COLOUR}


def _better(values: pd.Series[float]) -> list[str]:
    a, b, equal = _COLOURS
    return [a if value > 0 else b if value < 0 else equal for value in values]


def _colour(better: pd.Series[str]) -> alt.Color:
    names = [name for name in _COLOURS if name in set(better)]
    scale = alt.Scale(domain=names, range=[_COLOURS[name] for name in names])
    return alt.Color("better:N", title=None, scale=scale, legend=alt.Legend(orient="top"))


def _zero() -> alt.Chart:
    return alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=CONSTANT_COLOUR, strokeWidth=1.5).encode(x="zero:Q")
