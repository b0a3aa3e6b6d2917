"""Page Run: score of one run, official file, scores by class, videos frame by frame, and how the run was made.

Names, notes, paths and run folders may come from anybody: all of them are written as plain text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from harness.board.rankings import labels_name
from harness.board.run import others, siblings
from harness.errors import StoreError
from harness.metrics.titles import score_title
from harness.records.run import (
    CONSTANT,
    HEADLINE,
    TRAIN,
    TUNED_ON_ALL,
    UNKNOWN,
    RunRecord,
    frames_without,
)
from harness.system.counts import counted, with_seed
from harness.tasks import TASKS
from leaderboard import words
from leaderboard.screens.links import link
from leaderboard.screens.notices import store_notice
from leaderboard.screens.reading import Contents, read_record, read_store
from leaderboard.screens.run_files import show_official_file
from leaderboard.screens.run_making import show_making, show_neighbours
from leaderboard.screens.run_scores import show_curves, show_scores
from leaderboard.screens.run_steps import show_steps
from leaderboard.screens.run_submission import show_submission
from leaderboard.screens.run_videos import FRAMES, VIDEO, show_videos

RUN = "run"
_PICKER = "run-picker"


def run() -> None:
    """Show the page."""
    contents = read_store().with_hidden()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="run-top"):
        st.header("Run", anchor=False, width="content")
        run_id = _choose(contents)
    store_notice(contents)
    if contents.runs.empty:
        return
    if run_id is None:
        _list_runs(contents)
        return
    try:
        stored = read_record(contents, run_id)
    except StoreError as error:
        st.warning("The run's record can't be read now. Try again in a moment.")
        st.text(str(error))
        return
    if stored is None:
        st.warning("This run is no longer in the store. Choose another.")
        return
    _show_run(contents, *stored)


def _show_run(contents: Contents, record: RunRecord, folder: Path) -> None:
    _show_head(record)
    _show_marks(contents, record)
    _show_trained_on(record)
    _show_score(contents, record)
    if record.split == "test":
        show_submission(contents, record)
    if record.task not in TASKS:
        st.info("This version knows no such task: here is the record alone.")
        show_making(record, folder)
        return
    show_official_file(contents, record, folder)
    show_scores(record, folder)
    show_steps(record, folder)
    show_videos(record, folder)
    show_curves(contents, record)
    show_neighbours(contents, record)
    show_making(record, folder)


def _choose(contents: Contents) -> str | None:
    """Show a list of runs, and return the id of the run in the address; ``None`` if the store lacks that run."""
    labels = _labels(contents.runs)
    asked = st.query_params.get(RUN)
    chosen = asked if asked in labels else None
    if labels:
        st.session_state[_PICKER] = chosen

        def choose() -> None:
            _open(st.session_state[_PICKER])

        st.selectbox(
            "Run",
            list(labels),
            format_func=labels.__getitem__,
            index=None,
            key=_PICKER,
            on_change=choose,
            placeholder="Choose a run, or type a part of its name",
            label_visibility="collapsed",
        )
    if asked and chosen is None and labels:
        st.warning("The store has no run of the name in this link. Choose another.")
    return chosen


def _open(run_id: str | None) -> None:
    """Put a run into the address, without the video of another run; a callback of a widget."""
    for key in (VIDEO, FRAMES):
        st.query_params.pop(key, None)
    if run_id is None:
        st.query_params.pop(RUN, None)
    else:
        st.query_params[RUN] = run_id


def _labels(runs: pd.DataFrame) -> dict[str, str]:
    """Return a label of each run for the list, by run id; labels are unique."""
    if runs.empty:
        return {}
    columns = [runs[name] for name in ("run_id", "task", "split", "name", "seed", "value", "data_name")]
    label_by_id: dict[str, str] = {}
    for run_id, task, split, name, seed, value, data in zip(*columns, strict=True):
        parts = [
            with_seed(str(name), int(seed) if pd.notna(seed) else None),
            f"{task} {split}",
            str(data),
            f"{value:.3f}" if pd.notna(value) else "no score",
            str(run_id)[-8:],
        ]
        label_by_id[run_id] = " · ".join(parts)
    taken: dict[str, int] = {}
    for run_id, label in label_by_id.items():
        taken[label] = taken.get(label, 0) + 1
        if taken[label] > 1:
            label_by_id[run_id] = f"{label} · {run_id}"
    return label_by_id


def _list_runs(contents: Contents) -> None:
    st.caption("Choose a run above, or select a row (its left edge).")
    runs = contents.runs
    c = st.column_config

    def select() -> None:
        rows = st.session_state["run-list"]["selection"]["rows"]
        if rows:
            _open(str(runs["run_id"].iloc[rows[0]]))

    st.dataframe(
        runs[["name", "seed", "task", "split", "data_name", "value", "created"]],
        hide_index=True,
        column_config={
            "name": c.TextColumn("Solution", width="large"),
            "seed": c.NumberColumn("Seed", format="%d"),
            "task": c.TextColumn("Task"),
            "split": c.TextColumn("Split"),
            "data_name": c.TextColumn("Data set"),
            "value": c.NumberColumn("Score", format="%.3f"),
            "created": c.DatetimeColumn("Made (UTC)", format="YYYY-MM-DD HH:mm", help=words.MADE),
        },
        key="run-list",
        on_select=select,
        selection_mode="single-row",
        placeholder="–",
    )


def _show_head(record: RunRecord) -> None:
    data = record.data
    noun, bare = frames_without(data) or ("crop", None)
    parts = [
        record.name,
        "" if record.seed is None else f"seed {record.seed}",
        f"{record.task} {record.split}",
        f"{data.get('name')}: {counted(data.get('videos', 0), 'video')}, {counted(data.get('frames', 0), 'frame')}",
        f"labels {labels_name(data)}" if record.score() else "",
        "" if bare is None else f"{bare:,} without a {noun}",
    ]
    st.text(" · ".join(part for part in parts if part))
    if record.status != "complete":
        st.warning("This run is not whole: it is never ranked.")
    for note in record.notes:
        st.text(f"Note: {note}")


def _show_marks(contents: Contents, record: RunRecord) -> None:
    """Show the user's tags of a run, and a mark if the run is hidden."""
    for run in contents.runs[contents.runs["run_id"] == record.run_id].to_dict("records"):
        if run["hidden"]:
            st.text("Hidden: the board leaves this run out.", help=words.HIDDEN)
        if isinstance(run["tags"], str) and (tags := json.loads(run["tags"])):
            st.text(f"Tags: {', '.join(map(str, tags))}", help=words.TAGS)


def _show_beside(record: RunRecord, row: Mapping[str, Any]) -> None:
    """Show an unofficial score; for tasks with two classes its label says so, as it looks like the official one."""
    title = score_title(row["metric"], row["target"])
    pair = record.task in TASKS and TASKS[record.task].is_pair
    label = f"Beside it: {title}" if pair else title[0].upper() + title[1:]
    help_ = words.BESIDE_HELP.get(row["metric"]) if pair else None
    st.metric(label, f"{row['value']:.3f}", help=help_, width="content")


def _of_present(record: RunRecord, row: Mapping[str, Any]) -> bool:
    """Return True for F1 of the second class of a task with two classes."""
    task = TASKS.get(record.task)
    return task is not None and task.is_pair and (row["metric"], row["target"]) == ("f1", task.targets[1])


def _show_trained_on(record: RunRecord) -> None:
    """Show the training split of a run whose heads were trained on more than train."""
    if record.has_seen_its_split and record.split == "val":
        st.warning("Trained on the validation videos, too: its score on them says nothing of other videos.")
    elif record.trained_on not in (TRAIN, UNKNOWN, ""):
        st.text(f"Trained on {record.trained_on}.")


def _show_score(contents: Contents, record: RunRecord) -> None:
    head = record.score()
    if head is None:
        st.info("No labels for this split: nothing to score.")
        return
    cross_fitted = "cross-fitted" in record.tuned_on
    help_ = words.METRIC_HELP.get(head["metric"], "") + (f" {words.CROSS_FITTED}" if cross_fitted else "")
    on = "videos it was trained on" if record.has_seen_its_split else record.split
    title = f"{score_title(head['metric'])}, {on}" + (", cross-fitted" if cross_fitted else "")
    with st.container(horizontal=True, gap="large", vertical_alignment="bottom", key="run-score"):
        st.metric(title, f"{head['value']:.3f}", help=help_, width="content")
        if head["low"] is not None:
            interval = f"{head['low']:.3f} to {head['high']:.3f}"
            help_ = words.interval_help(record.unit)
            st.metric(f"95 % by {record.unit}", interval, help=help_, width="content")
        tuned, constant = record.score(TUNED_ON_ALL), record.score(CONSTANT)
        if tuned:
            gap = tuned["value"] - head["value"]
            st.metric(
                "Tuned on val (optimism)",
                f"{tuned['value']:.3f} ({gap:+.3f})",
                help=f"{words.TUNED} {words.OPTIMISM}",
                width="content",
            )
        if constant:
            st.metric("A constant gets", f"{constant['value']:.3f}", help=words.CONSTANT, width="content")
        for row in record.scores:
            if row["estimate"] == HEADLINE and row is not head and (row["target"] == "all" or _of_present(record, row)):
                _show_beside(record, row)
    if constant and record.constant:
        each = [row for row in record.scores if row["estimate"] == CONSTANT and row["target"] != "all"]
        listed = "".join(f" Always {row['target']}: {row['value']:.3f}." for row in each)
        st.text(f"Best constant: {record.constant}.{listed}")
    seeds = siblings(contents.runs, record.run_id)["value"].dropna().astype(float)
    if len(seeds) > 1:
        st.text(
            f"One of {counted(len(seeds), 'seed')}, whose mean is {seeds.mean():.3f} ± {seeds.std():.3f}.",
            help=words.OF_ONE_SETUP,
        )
    other_runs = others(contents.runs, record.run_id)
    if len(other_runs):
        link("compare", "Compare with the best other run", a=record.run_id, b=str(other_runs["run_id"].iloc[0]))
