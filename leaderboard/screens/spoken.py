"""Part of the pages Run and Compare: the answers to a video of one row, and the spoken lines of a video."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from pandas.api.types import is_numeric_dtype

from harness.tables.table import Column, Table, one_line, records
from leaderboard import words
from leaderboard.data.timeline import Timeline, answer_rows, word_rows
from leaderboard.screens import grid
from leaderboard.screens.frames import Shown

_MOST_ROWS = 8
_PARTS = {"value": "predicted", "error": "absolute error", "decided": "decided", "score": "score"}


def show_answers(timeline: Timeline) -> None:
    """Show labels and answers of a video that is one row of the official file."""
    rows = answer_rows(timeline)
    of_values = timeline.task.kind == "values"
    st.caption("This video is one row of the official file.", help=words.ANSWER_VALUES if of_values else words.ANSWER)
    first = [Column("target", "Intensity" if of_values else "Class")]
    columns = [*first, *(_column(timeline, key, rows) for key in map(str, rows) if key != "target")]
    grid.show_grid(Table("", tuple(columns), records(rows)), {"target": "medium"})
    for track in timeline.tracks:
        error = timeline.error(track)
        if of_values and error is not None:
            st.text(f"{_of(timeline, track.name)}Mean absolute error of this video: {error[0]:.3f}.")


def show_words(shown: Shown, timeline: Timeline | None, first: int, last: int) -> None:
    """Show the spoken lines of a stretch with times and shares if they are known, else the whole transcript."""
    if shown.words is None:
        return
    source = f", from {one_line(shown.words.source)}" if shown.words.source else ""
    if shown.words.is_empty:
        st.text(f"Words: none{source}.")
        return
    rows = word_rows(timeline, first, last) if timeline is not None else pd.DataFrame()
    if timeline is None or not timeline.words:
        st.text(f"Words{source}:\n{one_line(shown.words.text)}")
        return
    st.text(f"Words{source}:", help=words.SPOKEN)
    if rows.empty:
        st.text("Nothing is said in this stretch.")
        return
    of_frames = timeline.task.level == "frame"
    columns = [
        Column("start", "From (s)", "number", digits=2),
        Column("end", "to (s)", "number", digits=2),
        *([Column("frames", "Frames")] if of_frames else []),
        Column("text", "Words"),
        *(_column(timeline, key, rows) for key in map(str, rows) if ":" in key or key == "labelled"),
    ]
    table = Table("", tuple(columns), records(rows))
    grid.show_grid(table, {"start": 75, "end": 65, "frames": 105, "text": "large"}, rows=_MOST_ROWS)


def _column(timeline: Timeline, key: str, rows: pd.DataFrame) -> Column:
    """Return the column for a key of the rows; its title names the run if there are several."""
    part, _, name = key.partition(":")
    target = timeline.task.targets[1] if timeline.task.is_pair and "text" in rows else ""
    title = f"{_of(timeline, name)}{_PARTS.get(part, part)} {target}".strip()
    return Column(key, title[0].upper() + title[1:], "number" if is_numeric_dtype(rows[key]) else "text")


def _of(timeline: Timeline, name: str) -> str:
    return f"{name}: " if name and len(timeline.tracks) > 1 else ""
