"""Part of the page Run: scores by class, confusions between classes, and curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from harness.board.run import confusion_rows, density_rows, error_rows, target_rows, unit_rows
from harness.board.tables.run import class_table, confusion_table
from harness.errors import AbawError, StoreError
from harness.metrics.titles import score_title
from harness.records.run import RunRecord
from harness.tasks import TASKS, valid_rows
from leaderboard import words
from leaderboard.charts.classes import class_chart, unit_chart
from leaderboard.charts.confusion import confusion_chart, density_chart, error_chart
from leaderboard.charts.sweep import sweep_chart
from leaderboard.screens import grid
from leaderboard.screens.downloads import heading
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.frames import decisions_of, signature, split_of
from leaderboard.screens.reading import Contents, store_at

_PER_ROW = 3  # dimensions side by side
_NOUNS = {"classes": "class", "binaries": "action unit", "values": "dimension"}


def show_scores(record: RunRecord, folder: Path) -> None:
    """Show scores by class, then confusions, missed units or values over labels."""
    rows, kind = target_rows(record), TASKS[record.task].kind
    if rows.empty:
        return
    task = TASKS[record.task]
    about = words.BY_DIMENSION if kind == "values" else words.BY_CLASS
    if task.level == "video":
        about = words.BY_INTENSITY if kind == "values" else words.BY_CLASS_OF_VIDEOS
    by_class = class_table(record)
    noun = "intensity" if kind == "values" and task.level == "video" else _NOUNS[kind]
    heading(f"By {noun}", by_class, f"{record.run_id}-classes", help=about)
    metric = {"mean_ccc": "CCC", "mean_pearson": "Pearson"}.get(TASKS[record.task].metric, "F1")
    chart, table = st.columns([1, 2] if kind == "values" else [2, 3], gap="large")
    with chart:
        show_chart(class_chart(rows, metric))
    with table:
        help = dict.fromkeys(("precision", "recall", "pearson", "sd_label", "sd"), about)
        help["interval"] = words.interval_help(record.unit)
        grid.show_grid(by_class, help=help, rows=len(by_class.rows), pinned=["target"])
    if kind == "values":
        _show_values(record, folder)
    elif kind == "binaries":
        _show_units(record)
    else:
        _show_confusion(record)


def _show_confusion(record: RunRecord) -> None:
    rows = confusion_rows(record)
    if rows.empty:
        return
    name = f"{record.run_id}-confusion"
    level = TASKS[record.task].level
    about = words.CONFUSION if level == "frame" else words.CONFUSION_OF_VIDEOS
    heading("What is taken for what", confusion_table(record), name, help=about)
    show_chart(confusion_chart(rows, level))


def _show_units(record: RunRecord) -> None:
    rows = unit_rows(record)
    if rows.empty:
        return
    heading("Found and missed", confusion_table(record), f"{record.run_id}-units", help=words.UNITS)
    show_chart(unit_chart(rows))


def _show_values(record: RunRecord, folder: Path) -> None:
    task = TASKS[record.task]
    about = words.DENSITY if task.level == "frame" else words.DENSITY_OF_VIDEOS
    st.subheader("Values over labels", anchor=False, help=f"{about} {words.ERROR}")
    try:
        panels = _value_rows(
            record.run_id, signature(folder, record.files), str(record.data.get("fingerprint")), record, str(folder)
        )
    except AbawError as error:
        st.text(f"Not shown: {error}")
        return
    if not panels:
        st.text("Not shown: the official file and the labels have no video in common.")
        return
    for start in range(0, len(panels), _PER_ROW):
        shown = panels[start : start + _PER_ROW]
        for column, (density, errors) in zip(st.columns(len(shown), gap="large"), shown, strict=True):
            with column:
                show_chart(density_chart(density, *task.range, task.level))
                show_chart(error_chart(errors, *task.range, task.level))


@st.cache_data(max_entries=16, show_spinner="Counting values over labels …")
def _value_rows(
    run_id: str, signature: tuple[Any, ...], fingerprint: str, _record: RunRecord, _folder: str
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Return the density of values over labels and the errors by label, for each dimension.

    Raises:
        AbawError: the official file or the labels are unreadable.
    """
    task, answer = TASKS[_record.task], decisions_of(_record, Path(_folder))
    pairs = [
        (video.labels, answer[name][: len(video.labels)])
        for name, video in split_of(_record, Path(_folder)).videos.items()
        if video.labels is not None and len(answer.get(name, ())) >= len(video.labels)
    ]
    if not pairs:
        return []
    labels, values = (np.concatenate(part) for part in zip(*pairs, strict=True))
    keep = valid_rows(labels, task) & valid_rows(values, task)
    labels, values = labels[keep], values[keep]
    return [
        (density_rows(*pair, name, *task.range), error_rows(*pair, name, *task.range))
        for name, pair in zip(task.targets, zip(labels.T, values.T, strict=True), strict=True)
    ]


def show_curves(contents: Contents, record: RunRecord) -> None:
    """Show the run's score against constants of its post-processing, if ``abaw sweep`` has recorded curves."""
    try:
        points = _sweep(str(contents.place), contents.version, record.run_id)
    except StoreError:
        return
    if points.empty:
        return
    st.subheader("Score against one constant", anchor=False, help=words.SWEEP)
    axes = list(dict.fromkeys(points["axis"]))
    for column, axis in zip(st.columns(max(2, len(axes)), gap="large"), axes, strict=False):
        with column:
            curve = points[points["axis"] == axis]
            show_chart(sweep_chart(curve, score_title(str(curve["metric"].iloc[0]))))


@st.cache_data(max_entries=64, show_spinner=False)
def _sweep(place: str, version: tuple[int, int], run_id: str) -> pd.DataFrame:
    return store_at(place).sweep(run_id)
