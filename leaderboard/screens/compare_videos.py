"""Part of the page Compare: the videos that make the difference, and the answers of both runs to one video."""

from __future__ import annotations

import hashlib

import streamlit as st

from harness.board.differences import Ran, mover_rows
from harness.board.tables.compare import videos_table
from harness.metrics.compare import Comparison
from harness.tables.table import Table
from leaderboard import words
from leaderboard.charts.differences import mover_chart
from leaderboard.charts.timeline import timeline_chart
from leaderboard.screens import grid
from leaderboard.screens.downloads import heading
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.frames import video_shown
from leaderboard.screens.links import link
from leaderboard.screens.run_videos import VIDEO, choose_stretch, choose_video, open_video, say_what_is_missing
from leaderboard.screens.spoken import show_answers, show_words


def show_videos(comparison: Comparison, a: Ran, b: Ran) -> None:
    """Show the section, with the video that the address names."""
    of_videos = videos_table(comparison)
    heading("Videos that matter most", of_videos, "videos", help=words.MOVERS)
    rows = mover_rows(comparison)
    names = list(rows["video"])
    asked = st.query_params.get(VIDEO)
    if asked and asked not in names:
        st.warning("These runs have no video of the name in this link. Choose another.")
    chosen = asked if asked in names else None
    if not (rows["moves"] != 0).any():
        st.text("None: both get the same from every video.")
    else:
        chart, table = st.columns(2, gap="medium")
        with chart:
            show_chart(mover_chart(rows, by_frame=comparison.task.level == "frame"))
        with table:
            _videos_grid(of_videos, names, chosen, key=f"{a.key} {b.key}")
    choose_video("compare-video", names, chosen)
    if chosen is None:
        by_frame = comparison.task.level == "frame"
        over = "both runs over each other, by frame" if by_frame else "both runs beside each other"
        st.caption(f"Select a video (its left edge), or choose one by its name: {over}.")
    else:
        _show_video(a, b, chosen)


def _videos_grid(table: Table, names: list[str], chosen: str | None, *, key: str) -> None:
    (title,) = (column.title for column in table.columns if column.key == "a")
    alone = {"A error": words.VIDEO_ERROR, "A right": words.RIGHT_VIDEO}.get(title, words.ALONE)
    # the key depends on the runs: with other runs the selection must not move to the video in the same row
    widget = f"movers-{hashlib.sha256(key.encode()).hexdigest()[:12]}"

    def select() -> None:
        rows = st.session_state[widget]["selection"]["rows"]
        open_video(names[rows[0]] if rows else None)

    grid.show_grid(
        table,
        {"video": 180, "frames": 65, "a": 65, "b": 65, "moves": 95},
        {"a": alone, "b": alone, "moves": words.MOVERS},
        key=widget,
        on_select=select,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(chosen)] if chosen else [], "columns": [], "cells": []}},
    )


def _show_video(a: Ran, b: Ran, video: str) -> None:
    shown = video_shown({"A": (a.record, a.folder), "B": (b.record, b.folder)}, video)
    timeline = shown.timeline
    if timeline is None:
        st.warning("Nothing of this video is within reach: neither the runs' files nor their data set.")
    elif timeline.task.level == "video":
        show_answers(timeline)
        show_words(shown, timeline, 1, 1)
    else:
        first, last = choose_stretch(timeline)
        values = timeline.task.kind == "values"
        st.caption(
            f"Frames {first:,} to {last:,} of {timeline.n_frames:,}",
            help=words.TIMELINE_VALUES if values else words.TIMELINE,
        )
        show_chart(timeline_chart(timeline, first, last))
        show_words(shown, timeline, first, last)
    say_what_is_missing(shown)
    with st.container(horizontal=True):
        for letter, side in zip("AB", (a, b), strict=True):
            link("run", f"This video on the page of run {letter}", run=side.key, video=video)
