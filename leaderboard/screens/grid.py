"""Tables on a page: columns, titles and cells as in every other format, with widths and explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from harness.board.entries import MARKS, RUN, Entries
from harness.tables.table import RIGHT_ALIGNED, Column, Table
from harness.tasks import Task
from leaderboard import words
from leaderboard.charts.colours import PUBLISHED_COLOUR, RUN_COLOUR

_ROW_HEIGHT, _MOST_ROWS = 35, 12
FLAG = "⚑ "
COLUMNS = {
    "Kind": "kind", "Interval": "interval", "Tuned on val": "tuned", "Optimism": "optimism",
    "Beside the best run": "standing", "Test file": "test_file", "Rank interval": "rank_interval", "Spread": "spread",
    "Each class": "classes", "Short id": "short_id", "Day": "day", "Tags": "tags", "Notes": "notes",
    "Same files": "same_files", "Constant": "constant", "Trained on": "trained_on", "Edition": "edition",
    "Official rank": "official_rank", "Evidence": "evidence", "Encoder": "encoder", "Head": "head",
    "Post-processing": "postprocess", "Frames per second": "frames_per_second", "Made": "created",
    "Constant's name": "constant_name", "Run id": "run_id", "Source": "source", "Data hash": "data_fingerprint",
}  # fmt: skip
"""Keys of the board's columns that a reader can choose, by title; rank, name and score are always shown."""
_ALWAYS = ("rank", "name", "score")

# columns that identify a row come first, then those that qualify its score, then those on how the run was made
_ORDER = (
    "rank", "name", "kind", "score", "interval", "tuned", "optimism", "standing", "test_file", "rank_interval",
    "spread", "classes", "short_id", "day", "tags", "notes", "same_files", "constant", "trained_on", "edition",
    "official_rank", "evidence", "encoder", "head", "postprocess", "frames_per_second", "created", "constant_name",
    "run_id", "source", "data_fingerprint",
)  # fmt: skip
_WIDTHS = {
    "rank": 48, "score": 100, "interval": 122, "tuned": 92, "optimism": 76, "standing": 132, "rank_interval": 92,
    "spread": 118, "constant": 76, "constant_name": 135, "trained_on": 92, "encoder": 130, "head": 90,
    "postprocess": 240, "edition": 62, "official_rank": 92, "evidence": 90, "source": 420, "frames_per_second": 76,
    "created": 132, "notes": 240, "run_id": 330, "data_fingerprint": 130, "test_file": 120, "same_files": 150,
    "short_id": 100, "day": 92, "tags": 120,
}  # fmt: skip
_HELP = {
    "rank": words.RANK, "kind": words.KIND, "interval": words.INTERVAL, "tuned": words.TUNED,
    "optimism": words.OPTIMISM, "standing": words.STANDING, "rank_interval": words.RANK_INTERVAL,
    "spread": words.SEEDS, "constant": words.CONSTANT, "constant_name": words.CONSTANT,
    "trained_on": words.TRAINED_ON, "postprocess": words.POSTPROCESS, "edition": words.EDITION,
    "official_rank": words.OFFICIAL_RANK, "evidence": words.EVIDENCE, "source": words.SOURCE,
    "frames_per_second": words.FRAMES_PER_SECOND, "created": words.MADE, "notes": words.NOTES,
    "test_file": words.TEST_FILE, "same_files": words.SAME_FILES, "short_id": words.SHORT_ID, "day": words.MADE,
    "tags": words.TAGS,
}  # fmt: skip


def grid_frame(table: Table, keys: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a table as a frame for Streamlit: numbers as numbers, other cells as texts, ``None`` for empty cells.

    Args:
        table: table to show.
        keys: keys of the columns in order, by default those for readers; columns that the table lacks are left out.
    """
    known = {column.key: column for column in table.columns}
    columns = table.read if keys is None else tuple(known[key] for key in keys if key in known)
    return pd.DataFrame({column.key: _values(table, column) for column in columns})


def _values(table: Table, column: Column) -> pd.Series[Any]:
    rows = range(len(table.rows))
    if column.kind in RIGHT_ALIGNED:
        return pd.Series([table.value(k, column) for k in rows], dtype=float)
    return pd.Series([table.cell(k, column) or None for k in rows], dtype=object)


def grid_columns(
    table: Table, widths: Mapping[str, Any], help: Mapping[str, str] | None = None, pinned: Sequence[str] = ()
) -> dict[str, Any]:
    """Return Streamlit's description of a table's columns.

    Args:
        table: table with the columns.
        widths: widths by key, in pixels or as Streamlit's names.
        help: explanations on hover, by key.
        pinned: keys of columns that stay in place when a reader scrolls sideways.
    """
    config: dict[str, Any] = {}
    for column in table.columns:
        about: dict[str, Any] = {"width": widths.get(column.key), "help": (help or {}).get(column.key)}
        about["pinned"] = column.key in pinned
        digits = "%d" if column.kind == "whole" else f"%{'+' if column.kind == 'signed' else ''}.{column.digits}f"
        config[column.key] = (
            st.column_config.NumberColumn(column.title, format=digits, **about)
            if column.kind in RIGHT_ALIGNED
            else st.column_config.TextColumn(column.title, **about)
        )
    return config


def show_grid(
    table: Table,
    widths: Mapping[str, Any] | None = None,
    help: Mapping[str, str] | None = None,
    *,
    keys: Sequence[str] | None = None,
    rows: int = _MOST_ROWS,
    **options: Any,
) -> Any:
    """Show a table, and return the result of ``st.dataframe``.

    Args:
        table: table to show.
        widths: widths by key, see :func:`grid_columns`.
        help: explanations on hover, by key.
        keys: keys of the columns to show, see :func:`grid_frame`.
        rows: largest number of rows that are visible without scrolling.
        options: further options of ``st.dataframe``, and ``pinned`` of :func:`grid_columns`.
    """
    frame = grid_frame(table, keys)
    pinned = options.pop("pinned", ())
    config = grid_columns(table, widths or {}, help, pinned)
    return st.dataframe(
        frame, hide_index=True, height=height(len(frame), rows), column_config=config, placeholder="–", **options
    )


def board_frame(table: Table, entries: Entries, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return the board's table as the page shows it; row ``i`` is entry ``i``.

    Args:
        table: table of :func:`harness.board.tables.board.board_table`.
        entries: entries that the table was made of.
        columns: keys to show beside rank, name and score; empty for all.
    """
    frame = grid_frame(table, _ORDER)
    frame["classes"] = pd.Series([entry.classes for entry in entries], dtype=object)
    if "kind" in frame:
        frame["kind"] = pd.Series([[MARKS[entry.kind]] for entry in entries], dtype=object)
    if "created" in frame:
        frame["created"] = pd.to_datetime(frame["created"])
    if "trained_on" in frame:
        frame["trained_on"] = frame["trained_on"].map(_flagged, na_action="ignore")
    order = [key for key in _ORDER if key in frame and (key in ("rank", "score") or frame[key].notna().any())]
    always: tuple[str, ...] = _ALWAYS
    if "trained_on" in frame and any(str(text).startswith(FLAG) for text in frame["trained_on"]):
        order.remove("trained_on")
        order.insert(order.index("score"), "trained_on")
        always = (*_ALWAYS, "trained_on")  # no choice of columns hides a flag
    if len({entry.data_fingerprint for entry in entries} - {None}) < 2:
        order = [key for key in order if key != "data_fingerprint"]
    else:
        frame["data_fingerprint"] = frame["data_fingerprint"].str[:8]
    return frame[[key for key in order if not columns or key in (*always, *columns)]]


def _flagged(trained_on: str) -> str:
    return trained_on if trained_on == "train" else f"{FLAG}{trained_on}"


def board_columns(table: Table, frame: pd.DataFrame, task: Task, split: str, unit: str = "video") -> dict[str, Any]:
    """Return Streamlit's description of the columns of :func:`board_frame`.

    Args:
        table: table of the board.
        frame: result of :func:`board_frame`.
        task: task of the board.
        split: split of the board.
        unit: unit of the bootstrap, ``video`` or ``person``.
    """
    c = st.column_config
    score_help = words.METRIC_HELP[task.metric] + (f" {words.CROSS_FITTED}" if "tuned" in frame else "")
    config = grid_columns(
        table,
        {**_WIDTHS, "name": name_width(frame["name"])},
        {**_HELP, "score": score_help, "interval": words.interval_help(unit)},
        pinned=("rank", "name"),
    )
    config["score"]["label"] += f", {split}"
    config["score"]["width"] = max(_WIDTHS["score"], int(6.4 * len(config["score"]["label"])) + 16)
    config["created"] = c.DatetimeColumn(
        "Made (UTC)", format="YYYY-MM-DD HH:mm", width=_WIDTHS["created"], help=words.MADE
    )
    of_classes = [value for values in frame["classes"].dropna() for value in values] if "classes" in frame else []
    config["classes"] = c.BarChartColumn(
        {"values": "Each dimension", "binaries": "Each unit"}.get(task.kind, "Each class"),
        width=max(90, 13 * len(task.targets)),
        help=f"In this order: {', '.join(target.replace('_', ' ') for target in task.targets)}. From 0 to the "
        "highest on this board.",
        y_min=min([0.0, *of_classes]),
        y_max=max([0.0, *of_classes]) or 1.0,
        color=RUN_COLOUR,
    )
    kinds = {mark for marks in frame.get("kind", ()) for mark in marks}
    colours = [RUN_COLOUR if kind == RUN else PUBLISHED_COLOUR for kind in MARKS]
    width = 122 if MARKS["leaderboard"] in kinds else 98
    config["kind"] = c.MultiselectColumn(
        "Kind", width=width, help=words.KIND, options=list(MARKS.values()), color=colours
    )
    return config


def name_width(names: pd.Series[str]) -> int:
    """Return the width of the longest name in pixels, between 200 and 300, a quarter of a laptop's screen."""
    return int(min(max(200, 7.2 * names.str.len().max() + 20), 300))


def height(rows: int, most: int = _MOST_ROWS) -> int:
    """Return the height in pixels of a table with its head and up to ``most`` rows."""
    return _ROW_HEIGHT * (min(rows, most) + 1) + 3
