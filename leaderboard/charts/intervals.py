"""Chart of scores with their intervals.

The chart is a plain Vega-Lite specification: with Altair, a server's first page would take half as long again.
"""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd

from harness.board.entries import MARKS, RUN, Entries, frame_of
from leaderboard.charts.colours import CONSTANT_COLOUR, PUBLISHED_COLOUR, RUN_COLOUR

Spec = dict[str, Any]
MOST_ROWS = 60
_ROWS, _CONSTANTS = "rows", "constants"
_SHAPES = {RUN: "circle", "paper": "diamond", "baseline": "square", "leaderboard": "triangle-up"}
_ROW, _LINE, _LABEL_WIDTH = 24, 13, 80
_AXIS_HEIGHT, _LEGEND_HEIGHT, _CONSTANT_HEIGHT = 64, 40, 20


def interval_chart(entries: Entries, score_title: str) -> Spec:
    """Return a chart with a point per entry, best first; runs with their interval, published results hollow.

    Args:
        entries: sorted entries of a :class:`harness.board.board.Board`, at least one, all with a score.
        score_title: name of the official metric.
    """
    shown = _rows(entries)
    y = _rows_axis("row", shown["row"].tolist())
    colour, shape = _marks(shown)
    tooltip = [_field(name, "nominal", title=title) for name, title in _TOOLTIP.items()]
    ends = {"x": _score("low", score_title), "x2": {"field": "high"}, "y": y, "color": colour, "tooltip": tooltip}
    fill = {"condition": {"test": f"datum.kind == '{RUN}'", "value": RUN_COLOUR}, "value": "transparent"}
    where = {"x": _score("score", score_title), "y": y, "color": colour, "shape": shape, "fill": fill}
    constants = _constant_rows(shown)
    height = _AXIS_HEIGHT + _row_height(shown["row"]) * len(shown)
    height += (_LEGEND_HEIGHT if shown["kind"].nunique() > 1 else 0) + (0 if constants.empty else _CONSTANT_HEIGHT)
    return {
        "layer": [
            *_constant_layers(constants, shown, score_title),
            {
                "data": {"name": _ROWS},
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "rule", "strokeWidth": 2.5, "opacity": 1},
                "encoding": ends,
            },
            {
                "data": {"name": _ROWS},
                "mark": {"type": "point", "size": 75, "strokeWidth": 2, "opacity": 1},
                "encoding": {**where, "tooltip": tooltip},
            },
        ],
        "height": height,
        "datasets": {_ROWS: shown, **({} if constants.empty else {_CONSTANTS: constants})},
    }


def _field(name: str, kind: str, **more: Any) -> Spec:
    """Return the specification of a channel that shows a field; ``kind`` is ``nominal`` or ``quantitative``."""
    return {"field": name, "type": kind, **more}


def _score(name: str, title: str) -> Spec:
    """Return the channel of a score, along the axis that all layers share."""
    scale = {"zero": False, "nice": True, "padding": 12}
    return _field(name, "quantitative", scale=scale, axis={"title": title, "tickCount": 10})


def _rows_axis(field: str, order: list[str]) -> Spec:
    """Return the channel of the rows, with every label in full; line breaks in a label are kept."""
    axis = {
        "labelLimit": 0,
        "labelOverlap": False,
        "labelExpr": "split(datum.label, '\\n')",
        "labelLineHeight": _LINE,
        "ticks": False,
        "labelFlush": False,
    }
    return _field(field, "nominal", sort=order, title=None, axis=axis)


def _row_height(labels: pd.Series[str]) -> int:
    lines = int(labels.str.count("\n").max()) + 1
    return max(_ROW, _LINE * lines + 5)


def _marks(shown: pd.DataFrame) -> tuple[Spec, Spec]:
    """Return colour and shape by kind of entry, with one legend if there are several kinds."""
    kinds = [kind for kind in MARKS if kind in set(shown["kind"])]
    names = [MARKS[kind][2:] for kind in kinds]
    colours = [RUN_COLOUR if kind == RUN else PUBLISHED_COLOUR for kind in kinds]
    legend = {"orient": "top"} if len(kinds) > 1 else None
    colour, shape = (
        _field("mark", "nominal", title=None, scale={"domain": names, "range": marks}, legend=legend)
        for marks in (colours, [_SHAPES[kind] for kind in kinds])
    )
    return colour, shape


_TOOLTIP = {
    "what": "entry",
    "mark": "kind",
    "value_text": "score",
    "interval": "95 % interval by video",
    "standing": "beside the best run",
    "tuned_text": "tuned on val",
    "more": "made with",
}


def _rows(entries: Entries) -> pd.DataFrame:
    """Return plain columns for the chart, with all texts of the tooltips."""
    shown = frame_of(entries[:MOST_ROWS])
    made_with = [
        " · ".join(str(part) for part in parts if isinstance(part, str) and part)
        for parts in zip(shown["encoder"], shown["head"], shown["postprocess"], strict=True)
    ]
    tied = shown["tied"].eq(True)
    labels = [f"{label} †" if is_tied else label for label, is_tied in zip(shown["label"], tied, strict=True)]
    return pd.DataFrame(
        {
            "row": ["\n".join(textwrap.wrap(label, _LABEL_WIDTH) or [label]) for label in labels],
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


def _constant_rows(shown: pd.DataFrame) -> pd.DataFrame:
    """Return the distinct scores of constants, lowest first; only the last has a text beside its line."""
    rows = shown[["constant", "constant_name"]].dropna().drop_duplicates().sort_values("constant")
    texts = [f"a constant gets {value:.3f} ({name})" for value, name in rows.itertuples(index=False)]
    return rows.assign(text=[*([""] * (len(texts) - 1)), *texts[-1:]])


def _constant_layers(constants: pd.DataFrame, shown: pd.DataFrame, score_title: str) -> list[Spec]:
    if constants.empty:
        return []
    # the text stands on the side of the line that has more room
    left = constants["constant"].iloc[-1] <= (shown["score"].min() + shown["score"].max()) / 2
    x, data = _score("constant", score_title), {"name": _CONSTANTS}
    tooltip = [
        _field("constant", "quantitative", title="a constant gets", format=".3f"),
        _field("constant_name", "nominal", title="it says"),
    ]
    line = {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.5, "color": CONSTANT_COLOUR}
    text = {
        "type": "text", "align": "left" if left else "right", "dx": 5 if left else -5, "baseline": "bottom",
        "color": CONSTANT_COLOUR, "fontSize": 12,
    }  # fmt: skip
    words = {"x": x, "y": {"value": -4}, "text": _field("text", "nominal")}
    return [
        {"data": data, "mark": line, "encoding": {"x": x, "tooltip": tooltip}},
        {"data": data, "mark": text, "encoding": words},
    ]
