"""Chart of the gain of each ingredient, from a plain system to the full one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from leaderboard.charts.colours import CONSTANT_COLOUR
from leaderboard.charts.grammar import alt

_ROW, _AXIS_HEIGHT = 44, 50
_LEAST_SPAN = 0.04  # least span of the axis, so that a gain in the third digit looks small


@dataclass(frozen=True)
class Stage:
    """Row of the chart: a system's score, and the score of the system before it.

    Attributes:
        label: name of the ingredient that the system adds; the first system's own name.
        system: name of the system.
        score: score of the system; ``None`` before its first run.
        before: score of the system before; ``None`` for the first system, or before that system's first run.
        interval: interval of the gain, as text.
    """

    label: str
    system: str
    score: float | None
    before: float | None
    interval: str = ""


def waterfall_chart(stages: Sequence[Stage], colour: str, score_title: str) -> alt.LayerChart:
    """Return a waterfall chart with a bar per ingredient: filled for a gain, hollow for a loss.

    Args:
        stages: systems, the plainest first; at least one has a score.
        colour: colour of the bars: that of runs, or that of published results.
        score_title: title of the axis.
    """
    rows = pd.DataFrame([_row(stage) for stage in stages])
    if rows["gain_text"].iloc[-1] != "–":  # the last row also names the final score
        rows.loc[rows.index[-1], "text"] += f", to {rows['score'].iloc[-1]:.4f}"
    order = list(dict.fromkeys(rows["row"]))
    axis = alt.Axis(
        labelLimit=190, ticks=False, labelFlush=False, labelExpr="split(datum.label, '\\n')", labelLineHeight=14
    )
    y = alt.Y("row:N", sort=order, title=None, axis=axis, scale=alt.Scale(domain=order))
    x = {
        "scale": alt.Scale(domain=_domain(rows), nice=False, zero=False),
        "axis": alt.Axis(title=score_title, tickCount=6),
    }
    tooltip = [
        alt.Tooltip("system:N"),
        alt.Tooltip("score_text:N", title=score_title),
        alt.Tooltip("gain_text:N", title="adds"),
        alt.Tooltip("interval:N", title="95 % of that"),
    ]
    every = alt.Chart()
    base = every.transform_filter("isValid(datum.score)")
    gained = base.transform_filter("isValid(datum.before)")
    bar = {"x": alt.X("before:Q", **x), "x2": "score:Q", "y": y, "tooltip": tooltip}
    layers = [
        gained.transform_filter("datum.score >= datum.before").mark_bar(height=16, color=colour).encode(**bar),
        gained.transform_filter("datum.score < datum.before")
        .mark_bar(height=16, filled=False, stroke=colour, strokeWidth=2)
        .encode(**bar),
        base.mark_tick(thickness=3, size=24, color=colour, opacity=1).encode(
            x=alt.X("score:Q", **x), y=y, tooltip=tooltip
        ),
        base.transform_calculate(right="isValid(datum.before) ? max(datum.score, datum.before) : datum.score")
        .mark_text(align="left", dx=8, fontSize=12, color=CONSTANT_COLOUR)
        .encode(x=alt.X("right:Q", **x), y=y, text="text:N"),
        every.transform_filter("!isValid(datum.score)")
        .mark_text(align="left", dx=8, fontSize=12, color=CONSTANT_COLOUR)
        .encode(x=alt.XValue(0), y=y, text="text:N"),
    ]
    # data once for all layers: of each layer's own data Altair would hash the whole text
    return alt.layer(*layers, data=rows).properties(height=_AXIS_HEIGHT + _ROW * len(order))


def _domain(rows: pd.DataFrame) -> list[float]:
    """Return the ends of the axis, with room for the text at the right of each bar."""
    scores = rows["score"].dropna().astype(float)
    low, high = float(scores.min()), float(scores.max())
    span = max(high - low, _LEAST_SPAN)
    return [low - 0.08 * span, low + 1.3 * span]


def _row(stage: Stage) -> dict[str, object]:
    gain = None if stage.score is None or stage.before is None else stage.score - stage.before
    score = "not run yet" if stage.score is None else f"{stage.score:.4f}"
    return {
        "row": stage.label,
        "system": stage.system,
        "score": stage.score,
        "before": stage.before,
        "score_text": score,
        "gain_text": "–" if gain is None else f"{gain:+.4f}",
        "interval": stage.interval or "–",
        "text": score if gain is None else f"{gain:+.3f}",
    }
