"""Figures of *What the scores mean*, drawn from synthetic data with the project's own metrics and bootstrap.

The predictions are made here with a seed: labels in long stretches, and a share of wrong frames that differs between
videos. No number in a figure says anything about a real solution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import vl_convert

from harness.metrics.folds import assign_folds, chosen_on
from harness.metrics.interval import bootstrap, percentile_interval
from harness.metrics.metric import metric_for
from harness.tasks import EXPR

FOLDER = "figures"
METRIC = metric_for(EXPR)
HEADLINE = (EXPR.metric, "all")
VIDEOS, FRAMES = 40, 400
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#808080"
SOURCE = "synthetic data"
Labels = npt.NDArray[np.int64]


def figures() -> dict[str, str]:
    """Return each figure as SVG, by its path inside ``docs/``."""
    charts = {
        "statistics": statistics_chart(),
        "interval": interval_chart(),
        "pairs": pairs_chart(),
        "optimism": optimism_chart(),
    }
    return {f"{FOLDER}/{name}.svg": vl_convert.vegalite_to_svg(chart) for name, chart in charts.items()}


def synthetic(seed: int = 0, mistakes: float = 0.3) -> tuple[Labels, Labels]:
    """Return labels and decisions ``(VIDEOS, FRAMES)`` of a made-up solution.

    Args:
        seed: of the labels, and of the videos' difficulty.
        mistakes: mean share of wrong frames.
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, EXPR.n_outputs, (VIDEOS, FRAMES // 40)), 40, axis=1)
    difficulty = rng.beta(1.2, 1.2 * (1 - mistakes) / mistakes, VIDEOS)
    wrong = np.random.default_rng(seed + 1).random((VIDEOS, FRAMES)) < difficulty[:, None]
    return labels, np.where(wrong, (labels + rng.integers(1, EXPR.n_outputs, labels.shape)) % EXPR.n_outputs, labels)


def table_of(labels: Labels, decisions: Labels, frames_per_unit: int = FRAMES) -> npt.NDArray[np.float64]:
    """Return the sufficient statistics of each video, or of each shorter stretch of frames."""
    lengths = np.full(labels.size // frames_per_unit, frames_per_unit)
    return METRIC.by_video(labels.ravel(), decisions.ravel(), lengths)


def replicates(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the score of each bootstrap replicate over the rows of a table of statistics."""
    scores = bootstrap(lambda weights: METRIC.evaluate(table, weights), len(table), replicates=2000)
    return scores[HEADLINE]


def statistics_chart() -> dict[str, Any]:
    """Draw the confusion matrices of three videos and that of all videos."""
    labels, decisions = synthetic()
    table = table_of(labels, decisions)
    charts = []
    for title, rows in (("video 1", table[:1]), ("video 2", table[1:2]), ("video 3", table[2:3]), ("sum of 40", table)):
        counts = METRIC.confusion(rows.sum(0))
        values = [
            {
                "label": EXPR.targets[k],
                "decision": EXPR.targets[j],
                "share": float(counts[k, j] / max(1, counts[k].sum())),
            }
            for k in range(EXPR.n_outputs)
            for j in range(EXPR.n_outputs)
        ]
        order = list(EXPR.targets)
        left = not charts
        y = alt.Y("label:N", sort=order, title="labelled" if left else None, axis=alt.Axis(labels=left, ticks=left))
        x = alt.X("decision:N", sort=order, title="decided", axis=alt.Axis(labelAngle=-90))
        colour = alt.Color("share:Q", scale=alt.Scale(range=["#ffffff", BLUE], interpolate="rgb"), title="share")
        chart = alt.Chart(alt.InlineData(values), title=f"{title}: macro-F1 {METRIC.headline(rows.sum(0)):.2f}")
        charts.append(chart.mark_rect(stroke="#ddd").encode(x=x, y=y, color=colour).properties(width=130, height=130))
    return _whole(alt.hconcat(*charts), "A confusion matrix per video; their sum gives the score")


def interval_chart() -> dict[str, Any]:
    """Draw the bootstrap of one run over frames and over videos."""
    labels, decisions = synthetic()
    kinds = {"frames drawn (too narrow)": 1, "videos drawn": FRAMES}
    drawn = {kind: replicates(table_of(labels, decisions, unit)) for kind, unit in kinds.items()}
    return _whole(_densities(drawn, "macro-F1 of a replicate"), "One run: 95 % intervals by what is drawn")


def pairs_chart() -> dict[str, Any]:
    """Draw the intervals of two runs and that of their difference."""
    labels, worse = synthetic()
    rng = np.random.default_rng(7)
    better = np.where(rng.random(labels.shape) < 0.06, labels, worse)
    tables = {"run A": table_of(labels, better), "run B": table_of(labels, worse)}
    drawn = {name: replicates(table) for name, table in tables.items()}
    centred = {name: values - drawn["run B"].mean() for name, values in drawn.items()}
    centred["A - B, paired"] = drawn["run A"] - drawn["run B"]
    return _whole(
        _densities(centred, "macro-F1 less the mean of run B"),
        "Two runs on the same videos: their difference is certain",
    )


def optimism_chart() -> dict[str, Any]:
    """Draw cross-fitted and tuned scores where the best of many equal constants is chosen."""
    rng = np.random.default_rng(3)
    labels, decisions = synthetic()
    fold = assign_folds([f"video{k}" for k in range(VIDEOS)], [FRAMES] * VIDEOS)
    on = chosen_on(fold)
    values = []
    for repeat in range(40):
        for number in (2, 8, 32):
            tables = [table_of(labels, _disturbed(decisions, rng)) for _ in range(number)]
            scores = np.array([[METRIC.headline(table[part].sum(0)) for table in tables] for part in on])
            best = scores.argmax(1)
            fitted = sum(tables[best[k]][fold == k].sum(0) for k in range(len(on) - 1))
            truth = float(np.mean([METRIC.headline(table.sum(0)) for table in tables]))
            for kind, value in (("tuned on val", scores[-1].max()), ("cross-fitted", METRIC.headline(fitted))):
                values.append({"number": number, "kind": kind, "gain": float(value) - truth, "repeat": repeat})
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=["tuned on val", "cross-fitted"], range=[ORANGE, BLUE]), title=None
    )
    base = alt.Chart(alt.InlineData(values)).encode(
        x=alt.X("number:O", title="constants to choose from, all equally good", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("kind:N", sort=["tuned on val", "cross-fitted"]),
    )
    points = base.mark_circle(size=18, opacity=0.35).encode(
        y=alt.Y("gain:Q", title="reported less true score"), color=colour
    )
    means = base.mark_tick(size=26, thickness=3).encode(y="mean(gain):Q", color=colour)
    zero = alt.Chart(alt.InlineData([{"zero": 0}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(y="zero:Q")
    chart = alt.layer(zero, points, means).properties(width=520, height=240)
    return _whole(chart, "Choosing and reporting on the same videos flatters")


def _disturbed(decisions: Labels, rng: np.random.Generator) -> Labels:
    """Return decisions of a constant that is as good as any other: other videos suffer."""
    lost = rng.random(VIDEOS)[:, None] * 0.3 > rng.random(decisions.shape)
    return np.where(lost, rng.integers(0, EXPR.n_outputs, decisions.shape), decisions)


def _densities(samples: Mapping[str, npt.NDArray[np.float64]], title: str) -> alt.VConcatChart:
    names = list(samples)
    bars, ranges = [], []
    for name, values in samples.items():
        heights, edges = np.histogram(values, bins=40)
        share = heights / heights.max()
        bars += [
            {"name": name, "start": float(a), "end": float(b), "share": float(h), "zero": 0}
            for a, b, h in zip(edges[:-1], edges[1:], share, strict=True)
        ]
        low, high = percentile_interval(values)
        ranges.append({"name": name, "low": low, "high": high, "text": f"[{low:.3f}, {high:.3f}]"})
    colour = alt.Color("name:N", scale=alt.Scale(domain=names, range=[GREY, BLUE, ORANGE][: len(names)]), legend=None)
    rows = []
    for k, name in enumerate(names):
        x = alt.X("start:Q", title=title if k == len(names) - 1 else None, scale=alt.Scale(zero=False))
        shown = [bar for bar in bars if bar["name"] == name]
        interval = [one for one in ranges if one["name"] == name]
        area = (
            alt.Chart(alt.InlineData(shown))
            .mark_bar(opacity=0.55)
            .encode(x=x, x2="end:Q", y2="zero:Q", y=alt.Y("share:Q", axis=None), color=colour)
        )
        base = alt.Chart(alt.InlineData(interval)).encode(color=colour)
        rule = base.mark_rule(strokeWidth=3).encode(x="low:Q", x2="high:Q", y=alt.value(70))
        text = base.mark_text(align="right", fontSize=12).encode(x=alt.value(556), y=alt.value(12), text="text:N")
        rows.append(
            alt.layer(area, rule, text).properties(
                width=560, height=76, title={"text": name, "anchor": "start", "fontSize": 12}
            )
        )
    return alt.vconcat(*rows).resolve_scale(x="shared", color="independent")


def _whole(chart: Any, title: str) -> dict[str, Any]:
    """Return a chart's specification, titled and with its source named."""
    names = {"text": title, "subtitle": SOURCE, "anchor": "start", "fontSize": 15, "subtitleColor": ORANGE}
    whole = chart.properties(title=names, background="white", padding=12)
    specification: dict[str, Any] = whole.to_dict()
    return specification
