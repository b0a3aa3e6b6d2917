"""The board as a table: what stands in which column, how it is written, what a hover explains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from harness.board.entries import MARKS, RUN, objects
from harness.board.tables.board import NAME_TITLES, places_texts
from harness.metrics.titles import score_title
from harness.tasks import Task
from leaderboard import words
from leaderboard.charts.intervals import PUBLISHED_COLOUR, RUN_COLOUR

_ROW_HEIGHT, _MOST_ROWS = 35, 12

# what tells two rows apart first, then what the score is worth, then how it came about
_RUNS = ("score", "interval", "tuned", "optimism", "standing", "places", "spread", "classes", "constant")
_PUBLISHED = ("edition", "official_rank", "evidence")
_MADE = ("encoder", "head", "postprocess", "frames_per_second", "created", "constant_name", "notes", "run_id")
_NUMBERS = ("rank", "score", "tuned", "optimism", "constant", "edition", "official_rank", "frames_per_second")
FLAG = "⚑ "


def display(entries: pd.DataFrame) -> pd.DataFrame:
    """Entries as they are shown, columns in order; row ``i`` is entry ``i``.

    Args:
        entries: of :func:`harness.board.entries.filtered`.

    Returns:
        The columns that these entries have something to say in.
    """
    runs, published = (entries["kind"] == RUN).any(), (entries["kind"] != RUN).any()
    shown = entries.assign(
        kind=objects(([MARKS[kind]] for kind in entries["kind"]), entries.index),
        interval=_span(entries["low"], entries["high"]),
        places=places_texts(entries),
        spread=objects(map(_spread, entries["seed"], entries["seeds"], entries["sd"]), entries.index),
        trained_on=entries["trained_on"].map(_flagged, na_action="ignore"),
    )
    for column in _NUMBERS:
        shown[column] = pd.to_numeric(shown[column])
    shown["created"] = pd.to_datetime(shown["created"])
    trained = ("trained_on",)
    flagged = any(str(text).startswith(FLAG) for text in shown["trained_on"])
    early, late = (trained, ()) if flagged else ((), trained)
    columns = ["rank", "name", *(["kind"] if published else []), *early, *_RUNS, *late]
    columns += [*_PUBLISHED, *_MADE, "source"] if published else _MADE
    if runs and shown["data_fingerprint"].nunique() > 1:
        shown["data_fingerprint"] = shown["data_fingerprint"].str[:8]
        columns.append("data_fingerprint")
    told = [column for column in columns if column in ("rank", "score") or shown[column].notna().any()]
    return shown[told].reset_index(drop=True)


def _span(low: pd.Series[float], high: pd.Series[float]) -> pd.Series[str]:
    text = low.map("{:.3f} to ".format) + high.map("{:.3f}".format)
    return text.where(low.notna())


def _spread(seed: Any, seeds: Any, sd: Any) -> str | None:
    if pd.notna(sd):
        return f"{seeds:.0f} seeds ± {sd:.3f}"
    return None if pd.isna(seed) else f"seed {seed:.0f}"


def _flagged(trained_on: str) -> str:
    return trained_on if trained_on == "train" else f"{FLAG}{trained_on}"


def column_config(task: Task, frame: pd.DataFrame, *, split: str, unit: str = "video") -> Mapping[str, Any]:
    """Titles, formats and explanations of the columns of :func:`display`; ``unit`` is what intervals draw."""
    c = st.column_config
    score_help = words.METRIC_HELP[task.metric] + (f" {words.CROSS_FITTED}" if "tuned" in frame else "")
    of_classes = [value for values in frame["classes"].dropna() for value in values] if "classes" in frame else []
    kinds = {mark for marks in frame.get("kind", ()) for mark in marks}
    width = 122 if MARKS["leaderboard"] in kinds else 98
    colours = [RUN_COLOUR if kind == RUN else PUBLISHED_COLOUR for kind in MARKS]
    return {
        "rank": c.NumberColumn("Rank", format="%d", width=48, help=words.RANK, pinned=True),
        "name": c.TextColumn(NAME_TITLES["kind" in frame], width=name_width(frame["name"]), pinned=True),
        "kind": c.MultiselectColumn("Kind", width=width, help=words.KIND, options=list(MARKS.values()), color=colours),
        "score": c.NumberColumn(f"{score_title(task.metric)}, {split}", format="%.3f", width=100, help=score_help),
        "interval": c.TextColumn(f"95 % by {unit}", width=112, help=words.interval_help(unit)),
        "tuned": c.NumberColumn("Tuned on val", format="%.3f", width=92, help=words.TUNED),
        "optimism": c.NumberColumn("Optimism", format="%+.3f", width=76, help=words.OPTIMISM),
        "standing": c.TextColumn("Beside the best run", width=132, help=words.STANDING),
        "places": c.TextColumn("Places, 95 %", width=92, help=words.PLACES),
        "spread": c.TextColumn("Seeds", width=118, help=words.SEEDS),
        "classes": c.BarChartColumn(
            _each(task),
            width=max(90, 13 * len(task.targets)),
            help=f"In this order: {', '.join(target.replace('_', ' ') for target in task.targets)}. From 0 to the "
            "highest on this board.",
            y_min=min([0.0, *of_classes]),
            y_max=max([0.0, *of_classes]) or 1.0,
            color=RUN_COLOUR,
        ),
        "constant": c.NumberColumn("Constant", format="%.3f", width=76, help=words.CONSTANT),
        "constant_name": c.TextColumn("Which constant", width=135, help=words.CONSTANT),
        "trained_on": c.TextColumn("Trained on", width=92, help=words.TRAINED_ON),
        "encoder": c.TextColumn("Encoder", width=130),
        "head": c.TextColumn("Head", width=90),
        "postprocess": c.TextColumn("Post-processing", width=240, help=words.POSTPROCESS),
        "edition": c.NumberColumn("Edition", format="%d", width=62, help=words.EDITION),
        "official_rank": c.NumberColumn("Official rank", format="%d", width=92, help=words.OFFICIAL_RANK),
        "evidence": c.TextColumn("Evidence", width=90, help=words.EVIDENCE),
        "source": c.TextColumn("Source", width=420, help=words.SOURCE),
        "frames_per_second": c.NumberColumn("Frames/s", format="%.0f", width=76, help=words.FRAMES_PER_SECOND),
        "created": c.DatetimeColumn("Made (UTC)", format="YYYY-MM-DD HH:mm", width=132, help=words.MADE),
        "notes": c.TextColumn("Notes", width=240, help=words.NOTES),
        "run_id": c.TextColumn("Run", width=330),
        "data_fingerprint": c.TextColumn("Version of the data", width=130),
    }


def _each(task: Task) -> str:
    return {"values": "Each dimension", "binaries": "Each unit"}.get(task.kind, "Each class")


def name_width(names: pd.Series[str]) -> int:
    """Pixels that the longest name needs, up to a quarter of a laptop's screen."""
    return int(min(max(200, 7.2 * names.str.len().max() + 20), 300))


def height(rows: int) -> int:
    """Pixels for all rows, up to a good part of a laptop's screen."""
    return _ROW_HEIGHT * (min(rows, _MOST_ROWS) + 1) + 3
