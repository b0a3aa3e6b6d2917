"""Page Compare: two runs, a run and a published number, or several runs against a baseline."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from harness.board.differences import (
    BY_FOLD,
    MACHINE,
    Printed,
    Ran,
    Setting,
    Side,
    beyond_runs,
    score_rows,
    settings_that_differ,
)
from harness.board.rankings import labels_name
from harness.board.tables.compare import beyond_table, scores_table, settings_table
from harness.errors import DataError
from harness.metrics.compare import Comparison
from harness.metrics.compare import compare as compare_runs
from harness.metrics.titles import interval_text, score_title
from harness.records.run import CONSTANT, TUNED_ON_ALL
from harness.system.counts import counted, with_seed
from harness.tasks import TASKS
from leaderboard import words
from leaderboard.charts.differences import difference_chart
from leaderboard.screens import grid
from leaderboard.screens.compare_several import BASE, show_several
from leaderboard.screens.compare_videos import show_videos
from leaderboard.screens.downloads import export_buttons, heading
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.links import link
from leaderboard.screens.means import MEANS, choose_means, read_scored
from leaderboard.screens.notices import store_notice
from leaderboard.screens.reading import Contents, read_store
from leaderboard.screens.sides import choose_sides


def compare() -> None:
    """Show the page."""
    st.header("Compare", anchor=False)
    contents = read_store()
    store_notice(contents)
    scored = contents.runs["value"].notna() if len(contents.runs) else pd.Series(dtype=bool)
    tasks = [task for task in TASKS if scored.any() and (contents.runs.loc[scored, "task"] == task).any()]
    if not tasks:
        st.text("Two scored runs can be compared here, or a run and a published number. There is none yet.")
        return
    if base := st.query_params.get(BASE):
        show_several(contents, base)
        return
    a, b = choose_sides(contents, tasks)
    if a is None or b is None:
        st.info("Choose a second one: another run on the same videos, or a published number.")
        return
    _show_heads(a, b)
    if isinstance(a, Ran) and isinstance(b, Ran):
        link("compare", "Compare several runs with B", base=b.key, run=[a.key], means=st.query_params.get(MEANS))
        _show_runs(a, b, contents)
    else:
        _show_beyond(a, b, contents)


def _show_heads(a: Side, b: Side) -> None:
    for column, letter, side in zip(st.columns(2, gap="large"), "AB", (a, b), strict=True):
        with column, st.container(border=True):
            if isinstance(side, Printed):
                st.text(f"{letter}: {side.name}")
                st.text(f"{score_title(side.task.metric)} {side.score:.3f}, {side.split}, {side.on}")
                st.text(side.source)
                continue
            record = side.record
            row, tuned = record.score(), record.score(TUNED_ON_ALL)
            st.text(f"{letter}: {with_seed(record.name, record.seed)}")
            text = "not scored: no labels were there"
            if row:
                text = f"{score_title(row['metric'])} {interval_text(row['value'], row['low'], row['high'])}"
            if row and tuned:
                text += f", tuned on val {tuned['value']:.3f}"
            if row and (constant := record.score(CONSTANT)):
                text += f"\na constant gets {constant['value']:.3f} ({record.constant})"
            on = f"{record.split}, {record.data.get('name', 'unknown data')}"
            st.text(f"{text}\n{on}" + (f", labels {labels_name(record.data)}" if row else ""))
            link("run", f"Open run {letter}", run=record.run_id)


def _show_runs(a: Ran, b: Ran, contents: Contents) -> None:
    of_seeds = choose_means(contents, (a.key, b.key))
    try:
        comparison = _compared(str(contents.place), contents.version, of_seeds[a.key], of_seeds[b.key], contents)
    except DataError as error:
        st.warning("**These two can't be compared.**")
        st.text(str(error))
        _show_settings(a, b)
        return
    head = comparison.headline
    for letter, side, score in (("A", a, head.a), ("B", b, head.b)):
        if (seeds := len(of_seeds[side.key])) > 1:
            st.text(f"{letter}: {side.record.name}, mean of {seeds} seeds {score:.3f}")
    (st.success if comparison.separable else st.info)(f"**{comparison.verdict[0].upper()}{comparison.verdict[1:]}.**")
    text = f"{score_title(head.metric)}: A − B = {interval_text(head.difference, head.low, head.high, sign='+')}"
    if comparison.p_value is not None:
        size = f"{counted(comparison.n_units, comparison.unit)}, {counted(comparison.replicates, 'replicate')}"
        text += f", p = {comparison.p_value:.4f}, paired over {size}"
    st.text(text, help=f"{words.PAIRED} {words.P_VALUE}")
    _show_settings(a, b)
    _show_scores(comparison)
    show_videos(comparison, a, b)


# all arguments but _contents are the cache's key
@st.cache_data(max_entries=64, show_spinner=False)
def _compared(
    place: str, version: tuple[int, int], a: tuple[str, ...], b: tuple[str, ...], _contents: Contents
) -> Comparison:
    return compare_runs(read_scored(_contents, a), read_scored(_contents, b))


def _show_settings(a: Ran, b: Ran) -> None:
    settings = settings_that_differ(a.record, b.record)
    heading("What differs", settings_table(a.key, b.key, settings), "settings", help=words.DIFFERING)
    if a.key == b.key:
        st.text("Nothing: A and B are the same run.")
        return
    behind = [setting for setting in settings if setting.kind in (BY_FOLD, MACHINE)]
    first = [setting for setting in settings if setting not in behind]
    if not settings:
        st.text("Nothing that is on record: their settings are the same.")
        return
    if first:
        _settings_grid(a, b, first)
    else:
        st.text("No setting of the solution: only where, or from which code, it was run.")
    if behind:
        with st.expander(f"Chosen by fold, code and machine: {len(behind)} more"):
            _settings_grid(a, b, behind)


def _settings_grid(a: Ran, b: Ran, settings: list[Setting]) -> None:
    grid.show_grid(settings_table(a.key, b.key, settings), {"kind": 120, "name": 280, "a": 355, "b": 355})


def _show_scores(comparison: Comparison) -> None:
    scores = scores_table(comparison)
    heading("Score by score", scores, "scores", help=words.PAIRED)
    rows = score_rows(comparison)
    chart, table = st.columns([3, 2], gap="large")
    with chart:
        if (rows["difference"] == 0).all():
            st.text("Every score is the same.")
        else:
            show_chart(difference_chart(rows))
            st.caption("Filled: the interval leaves out 0.")
    with table:
        grid.show_grid(scores, help={"difference": words.PAIRED, "interval": words.PAIRED})


def _show_beyond(a: Side, b: Side, contents: Contents) -> None:
    difference = beyond_runs(a, b, contents.runs)
    if difference.objection:
        st.error("**Not comparable.**")
        st.text(difference.objection)
    else:
        st.info("**A difference, but no interval.**", icon=None)
        st.text(words.NO_INTERVAL)
    names = [side.name if isinstance(side, Printed) else side.key for side in (a, b)]
    table = beyond_table(names[0], names[1], difference)
    grid.show_grid(table, {"score": 240}, {"difference": words.NO_INTERVAL}, width="content")
    export_buttons(table, "difference")
