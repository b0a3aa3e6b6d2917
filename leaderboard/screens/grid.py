"""The board as a table: what stands in which column, how it is written, what a hover explains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from harness.metrics.titles import score_title
from leaderboard import words
from leaderboard.data.entries import MARKS, RUN

_ROW_HEIGHT, _MOST_ROWS = 35, 12
# blue, thin enough to read on black and on white
_RUN_STYLE = "background-color: rgba(0, 114, 178, 0.16)"

# what tells two rows apart first, then what the score is worth, then how it came about
_RUNS = ("rank", "name", "seed", "score", "interval", "tuned", "optimism", "against_best", "constant", "constant_name",
         "encoder", "head", "postprocess", "frames_per_second", "created", "run_id")  # fmt: skip
_PUBLISHED = ("rank", "name", "edition", "kind", "score", "evidence", "source")
_BOTH = ("rank", "name", "seed", "edition", "kind", "score", "interval", "tuned", "optimism", "against_best",
         "evidence", "constant", "constant_name", "encoder", "head", "postprocess", "source",
         "frames_per_second", "created", "run_id")  # fmt: skip
_NUMBERS = ("rank", "score", "tuned", "optimism", "constant", "seed", "edition", "frames_per_second")


def display(entries: pd.DataFrame) -> pd.DataFrame:
    """Entries as they are shown, columns in order; row ``i`` is entry ``i``.

    Args:
        entries: of :func:`leaderboard.data.entries.filtered`.

    Returns:
        The columns that these entries have something to say in.
    """
    runs, published = (entries["kind"] == RUN).any(), (entries["kind"] != RUN).any()
    shown = entries.assign(
        kind=entries["kind"].map(MARKS),
        interval=entries["low"].map("{:.3f} to ".format) + entries["high"].map("{:.3f}".format),
    )
    shown["interval"] = shown["interval"].where(shown["low"].notna())
    for column in _NUMBERS:
        shown[column] = pd.to_numeric(shown[column])
    shown["created"] = pd.to_datetime(shown["created"])
    columns = list(_BOTH if runs and published else _RUNS if runs else _PUBLISHED)
    if runs and shown["data_fingerprint"].nunique() > 1:
        shown["data_fingerprint"] = shown["data_fingerprint"].str[:8]
        columns.append("data_fingerprint")
    told = [column for column in columns if column in ("rank", "score") or shown[column].notna().any()]
    return shown[told].reset_index(drop=True)


def column_config(metric: str, *, split: str, cross_fitted: bool, name_width: int) -> Mapping[str, Any]:
    """Titles, formats and explanations of the columns.

    Args:
        metric: name of the official metric.
        cross_fitted: whether any run's score is cross-fitted.
        name_width: pixels for the longest name, of :func:`name_width`.
    """
    c = st.column_config
    score_help = words.METRIC_HELP[metric] + (f" {words.CROSS_FITTED}" if cross_fitted else "")
    return {
        "rank": c.NumberColumn("Rank", format="%d", width=50, help=words.RANK, pinned=True),
        "kind": c.TextColumn("Kind", width=102, help=words.KIND),
        "name": c.TextColumn("Solution, or team and system", width=name_width, pinned=True),
        "score": c.NumberColumn(f"{score_title(metric)}, {split}", format="%.3f", width=105, help=score_help),
        "interval": c.TextColumn("95 % by video", width=118, help=words.INTERVAL),
        "tuned": c.NumberColumn("Tuned on val", format="%.3f", width=96, help=words.TUNED),
        "optimism": c.NumberColumn("Optimism", format="%+.3f", width=80, help=words.OPTIMISM),
        "constant": c.NumberColumn("Constant", format="%.3f", width=80, help=words.CONSTANT),
        "constant_name": c.TextColumn("Which constant", width=135, help=words.CONSTANT),
        "against_best": c.TextColumn("Beside the best run", width=135, help=words.AGAINST_BEST),
        "encoder": c.TextColumn("Encoder", width=130),
        "head": c.TextColumn("Head", width=90),
        "postprocess": c.TextColumn("Post-processing", width=240, help=words.POSTPROCESS),
        "seed": c.NumberColumn("Seed", format="%d", width=50),
        "edition": c.NumberColumn("Edition", format="%d", width=62, help=words.EDITION),
        "evidence": c.TextColumn("Evidence", width=90, help=words.EVIDENCE),
        "source": c.TextColumn("Source", width=420, help=words.SOURCE),
        "frames_per_second": c.NumberColumn("Frames/s", format="%.0f", width=80, help=words.FRAMES_PER_SECOND),
        "created": c.DatetimeColumn("Made (UTC)", format="YYYY-MM-DD HH:mm", width=135, help=words.MADE),
        "run_id": c.TextColumn("Run", width=330),
        "data_fingerprint": c.TextColumn("Version of the data", width=130),
    }


def styled(shown: pd.DataFrame) -> Any:
    """The table with runs on a tint of their own where published results stand between them."""
    if "kind" not in shown:  # runs alone
        return shown
    is_run = shown["kind"] == MARKS[RUN]
    return shown.style.apply(lambda row: [_RUN_STYLE if is_run[row.name] else ""] * len(row), axis=1)


def name_width(names: pd.Series[str]) -> int:
    """Pixels that the longest name needs, up to a third of a laptop's screen."""
    return int(min(max(200, 7.2 * names.str.len().max() + 20), 420))


def height(rows: int) -> int:
    """Pixels for all rows, up to a good part of a laptop's screen."""
    return _ROW_HEIGHT * (min(rows, _MOST_ROWS) + 1) + 3
