"""Part of the Compare page: the videos that make the difference, and any of them with both runs over each other."""

from __future__ import annotations

import hashlib

import pandas as pd
import streamlit as st

from harness.board.differences import Ran, mover_rows
from harness.board.tables.compare import videos_table
from harness.metrics.compare import Comparison
from leaderboard import words
from leaderboard.charts.differences import mover_chart
from leaderboard.charts.timeline import timeline_chart
from leaderboard.screens import grid
from leaderboard.screens.downloads import heading
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.frames import video_shown
from leaderboard.screens.links import link
from leaderboard.screens.run_videos import FRAMES, VIDEO, choose_stretch, say_what_is_missing


def show_videos(found: Comparison, a: Ran, b: Ran) -> None:
    """The section; the address says which video."""
    heading("Videos that matter most", videos_table(found), "videos", help=words.MOVERS)
    rows = mover_rows(found)
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
            show_chart(mover_chart(rows))
        with table:
            _videos_grid(rows, names, chosen, key=f"{a.key} {b.key}")
    _choose_video(names, chosen)
    if chosen is None:
        st.caption("Select a video (its left edge), or choose one by its name: both runs over each other, by frame.")
    else:
        _show_video(a, b, chosen)


def _videos_grid(rows: pd.DataFrame, names: list[str], chosen: str | None, *, key: str) -> None:
    # other runs' table is another widget: a selection never slides to the video in the same row
    widget = f"movers-{hashlib.sha256(key.encode()).hexdigest()[:12]}"

    def select() -> None:
        found = st.session_state[widget]["selection"]["rows"]
        _open_video(names[found[0]] if found else None)

    c = st.column_config
    config = {
        "video": c.TextColumn("Video", width=180),
        "frames": c.NumberColumn("Frames", format="localized", width=65),
        "a": c.NumberColumn("A alone", format="%.3f", help=words.ALONE, width=65),
        "b": c.NumberColumn("B alone", format="%.3f", help=words.ALONE, width=65),
        "moves": c.NumberColumn("Moves A − B", format="%+.4f", help=words.MOVERS, width=95),
    }
    st.dataframe(
        rows,
        hide_index=True,
        column_config=config,
        height=grid.height(len(rows)),
        key=widget,
        on_select=select,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(chosen)] if chosen else [], "columns": [], "cells": []}},
    )


def _choose_video(names: list[str], chosen: str | None) -> None:
    st.session_state["compare-video"] = chosen

    def choose() -> None:
        _open_video(st.session_state["compare-video"])

    st.selectbox(
        "Video",
        sorted(names),
        index=None,
        key="compare-video",
        on_change=choose,
        placeholder="Choose a video",
        label_visibility="collapsed",
    )


def _open_video(video: str | None) -> None:
    """Callback: show a video, whole."""
    st.query_params.pop(FRAMES, None)
    if video is None:
        st.query_params.pop(VIDEO, None)
    else:
        st.query_params[VIDEO] = video


def _show_video(a: Ran, b: Ran, video: str) -> None:
    shown = video_shown({"A": (a.record, a.folder), "B": (b.record, b.folder)}, video)
    timeline = shown.timeline
    if timeline is None:
        st.warning("Nothing of this video is within reach: neither the runs' files nor their data set.")
    else:
        first, last = choose_stretch(timeline)
        values = timeline.task.kind == "values"
        st.caption(
            f"Frames {first:,} to {last:,} of {timeline.n_frames:,}",
            help=words.TIMELINE_VALUES if values else words.TIMELINE,
        )
        show_chart(timeline_chart(timeline, first, last))
    say_what_is_missing(shown)
    with st.container(horizontal=True):
        for letter, side in zip("AB", (a, b), strict=True):
            link("run", f"This video on the page of run {letter}", run=side.key, video=video)
