"""Page Board: runs and published results of one task, split and data set, with their intervals."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from harness.board.board import Board, build_board, ranked_runs, with_test_files
from harness.board.entries import Entries, Entry, View, filtered, unit_of
from harness.board.gains import OWN
from harness.board.rank_intervals import leader, leading
from harness.board.tables.board import board_table, with_names
from harness.board.waiting import Attempts
from harness.errors import AbawError, StoreError
from harness.metrics.titles import score_title
from harness.store.store import TableRows
from harness.system.counts import counted
from leaderboard import words
from leaderboard.charts.intervals import MOST_ROWS, interval_chart
from leaderboard.screens import grid, phone
from leaderboard.screens.controls import choose_filters, choose_hidden, choose_view, clear_filters
from leaderboard.screens.downloads import export_buttons
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.links import link, page, same_page_links
from leaderboard.screens.means import asks_for_means
from leaderboard.screens.notices import data_notice, store_notice
from leaderboard.screens.reading import (
    Contents,
    read_at_once,
    read_attempts,
    read_states,
    read_store,
)

ENTRY, BASE = "entry", "base"
_BASELINE = "baseline"
_CLICKED = "clicked-run"
_LONGEST = 70  # characters of a name if two names share a line


def board() -> None:
    """Show the page."""
    if clicked := st.session_state.pop(_CLICKED, None):
        st.switch_page(page("run"), query_params={"run": clicked})
    top = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    top.header("ABAW leaderboard", anchor=False, width="content")
    contents = read_store()
    contents = choose_hidden(contents)
    view, each_seed = choose_view(contents)
    metric = view.task.metric
    top.caption(f"{view.task.title}, score: {score_title(metric)}", help=words.METRIC_HELP[metric])
    store_notice(contents, published=True)
    data_notice(view)
    whole = _with_test_files(contents, _read_board(contents, view, each_seed))
    filters, layout = choose_filters(contents, whole.entries, whole.reference)
    shown, reference = filtered(whole.entries, filters), filtered(whole.reference, filters)
    _say_what_is_shown(whole, shown)
    if shown:
        _show_actions([*_chosen(shown), *_chosen(reference)], shown, whole)
        _show_on_phone(layout.ordered(shown), view)
        _show_table(layout.ordered(shown), reference, view, "board", layout.columns)
    _show_attempts(read_attempts(contents, view.task.name), view)
    if reference:
        _show_reference(reference, shown, whole)
    _show_chart(shown, metric)


def _read_board(contents: Contents, view: View, each_seed: bool) -> Board:
    """Return the board; if the store is unreadable now, classes, rank intervals and ties are missing."""
    if not contents.rows:
        return build_board(view, contents.rows, contents.published, (), {}, each_seed=each_seed)
    key = (
        str(contents.place), contents.version, len(contents.runs), view.task.name, view.split, view.data_name,
        view.labels, each_seed,
    )  # fmt: skip
    try:
        return _remembered_board(key, contents, view)
    except StoreError as error:
        st.warning("**Classes, places and ties can't be shown now.** Press Refresh in a moment.")
        st.text(str(error))
        return build_board(view, contents.rows, contents.published, (), {}, each_seed=each_seed)


# the board is cached, because it is small; the replicates that it is computed from are large
@st.cache_data(max_entries=16, show_spinner=False)
def _remembered_board(key: tuple[Any, ...], _contents: Contents, _view: View) -> Board:
    with read_at_once(_contents) as store:
        return build_board(
            _view,
            _contents.rows,
            _contents.published,
            store.target_rows(),
            store.replicates(ranked_runs(_contents.rows, _view)),
            each_seed=bool(key[-1]),
            read_statistics=store.statistics,
            read_contents=store.contents,
        )


def _with_test_files(contents: Contents, whole: Board) -> Board:
    """Return the board with each run's progress towards a submission, if store and ledger are readable."""
    if not whole.runs:
        return whole
    try:
        return with_test_files(whole, read_states(contents))
    except AbawError as error:
        st.warning("**Which runs have a test file, or were sent, can't be told now.**")
        st.text(str(error))
        return whole


def _say_what_is_shown(whole: Board, shown: Entries) -> None:
    entries, view = whole.entries, whole.view
    if not entries:
        st.info("Nothing here yet for this task, split and data set.")
        return
    _say_which_labels(whole)
    if sentence := leader(entries):
        st.text(sentence, help=words.STANDING)
        _lead_on(entries, view)
    if len(shown) < len(entries):
        with st.container(horizontal=True, vertical_alignment="center"):
            if not shown:
                st.text(f"None of the {len(entries)} rows passes the filters.", width="content")
            else:
                st.text(f"{len(shown)} of {counted(len(entries), 'row', 'pass')} the filters.", width="content")
            st.button("Clear filters", on_click=clear_filters)
    if len({entry.is_run for entry in shown}) > 1 and view.split == "val":
        st.caption(words.PUBLISHED_TUNED, help=f"{words.CROSS_FITTED} {words.TUNED}")


def _say_which_labels(whole: Board) -> None:
    """Name the runs that this board leaves out: those on other labels, and those on a data set of another name."""
    view, ranking = whole.view, whole.ranking
    if ranking is None:
        return
    if whole.others:
        with st.container(border=True, key="other-labels"):
            st.markdown(f"**{words.APART}**", help=words.LABELS)
            st.text(f"Shown: {counted(len(ranking.run_ids), 'run')} on {ranking.title}.")
            for other in whole.others:
                st.text(f"Not shown: {other.text}.")
                address = {"task": view.task.name, "split": view.split, "data": view.data_name}
                state = {key: [value] for key, value in address.items()} | {"labels": [other.ranking.labels]}
                same_page_links([(f"Show the board of labels {other.ranking.labels}", state)])
    for name, number in whole.elsewhere.items():
        st.text(f"{counted(number, 'run')} on these same labels: under the data set {name}.", help=words.ELSEWHERE)


def _lead_on(entries: Entries, view: View) -> None:
    """Show links to the best run, to its comparison with the second, and to the gains of ingredients."""
    first = leading(entries)[:2]
    keys = [entry.key for entry in first]
    with st.container(horizontal=True, gap="small"):
        link("run", "Open the best run", help=words.OF_SEVERAL, run=keys[0])
        if len(keys) > 1:
            link("compare", "Compare it with the second", a=keys[0], b=keys[1], means=asks_for_means(first))
        if len(keys) > 1 and view.split == "val":
            state = {"table": f"{OWN}{view.task.name}", "on": view.data_name, "on_labels": view.labels}
            link("papers", "Which ingredient helped", **state)


def _chosen(entries: Entries) -> list[Entry]:
    """Return the selected entries; the page's address holds the selection."""
    return [entry for entry in entries if entry.key in st.query_params.get_all(ENTRY)]


def _show_actions(chosen: Entries, shown: Entries, whole: Board) -> None:
    """Show the actions on the selected rows in a line above the table.

    The line is always there, so that the table does not move when rows are selected.

    Args:
        chosen: entries of the selected rows.
        shown: entries that the filters left, for the export.
        whole: the board without filters.
    """
    view = whole.view
    alone = chosen[0] if len(chosen) == 1 else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="actions"):
        # on the left, because the table's own tools cover the right
        version = f"-{view.labels}" if whole.others else ""
        export_buttons(board_table(shown, view, whole.notes), f"{view.task.name}-{view.split}{version}".lower())
        # links instead of buttons, so that they can be opened in a new tab
        if alone and alone.is_run:
            link("run", "Open run", help=words.OF_SEVERAL, run=alone.key)
        if len(chosen) == 2:
            link("compare", "Compare", a=chosen[0].key, b=chosen[1].key, means=asks_for_means(chosen))
        if alone:
            st.text(alone.label, width="content")
        elif len(chosen) == 2:
            st.text(" with ".join(_short(entry.label) for entry in chosen), width="content")
        else:
            hint = (
                f"{len(chosen)} rows are selected."
                if chosen
                else "Click on a name to open the run. Select rows (their left edge): one can be opened, two can be "
                "compared, and more with one of them."
            )
            st.caption(hint, width="content")
        if len(runs := [entry for entry in chosen if entry.is_run]) > 2:
            _compare_with_base(runs)
    if alone and not alone.is_run:
        with st.container(border=True):
            st.text(f"Score {alone.score:.4g}, ABAW edition {alone.edition}, evidence: {alone.evidence}")
            st.text(f"Source: {alone.source}")


def _compare_with_base(runs: Entries) -> None:
    """Show a link to a comparison of the selected runs with a baseline among them, which the address holds."""
    labels = {run.key: run.label for run in runs}
    linked = st.query_params.get(BASE)
    # the address decides; by default the last run is the baseline, so that better runs are compared with it
    base = linked if linked in labels else list(labels)[-1]
    st.session_state[_BASELINE] = base

    def put() -> None:
        st.query_params[BASE] = st.session_state[_BASELINE]

    st.selectbox(
        "Baseline", list(labels), format_func=lambda key: labels.get(key, key), key=_BASELINE, on_change=put,
        help=words.BASELINE, width=320,
    )  # fmt: skip
    others = [key for key in labels if key != base]
    means = asks_for_means(runs)
    link("compare", f"Compare {len(others)} with the baseline", base=base, run=others, means=means)


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"


def _show_on_phone(shown: Entries, view: View) -> None:
    """Show rank, name and score of the first rows in a list that fits a phone's screen."""
    heads = ("Rank", "Solution", score_title(view.task.metric))
    rows = map(_phone_row, shown[: phone.MOST_ROWS])
    phone.show_list("board", heads, rows, 1, len(shown))


def _phone_row(entry: Entry) -> tuple[phone.Cell, ...]:
    address = f"run?{urlencode({'run': entry.key})}" if entry.is_run else ""
    ends = "" if entry.low is None else f"{entry.low:.3f} to {entry.high:.3f}"
    rank, score = phone.number(entry.rank, 0), phone.number(entry.score)
    return phone.Cell(rank), phone.Cell(entry.label, address=address), phone.Cell(score, ends)


def _show_table(shown: Entries, beside: Entries, view: View, name: str, columns: Sequence[str] = ()) -> None:
    """Show a table of entries, and keep the selection in the page's other table.

    Args:
        shown: entries, in the order of the rows.
        beside: entries of the other table of the page.
        view: view of the board.
        name: name of the table.
        columns: keys to show beside rank, name and score; empty for all.
    """
    table = with_names(board_table(shown, view), shown)
    frame, unit = grid.board_frame(table, shown, columns), unit_of(entry.persons for entry in shown)
    keys, others = ([entry.key for entry in entries] for entries in (shown, beside))
    # the key depends on the rows: in a table with other rows the selection must not move to another run
    widget = f"{name}-{hashlib.sha256(repr(keys).encode()).hexdigest()[:12]}"
    linked = st.query_params.get_all(ENTRY)

    def select() -> None:
        selection = st.session_state[widget]["selection"]
        rows = selection["rows"]
        of_names = [row for row, column in selection["cells"] if column == "name"]
        if of_names and shown[of_names[0]].is_run:
            st.session_state[_CLICKED] = keys[of_names[0]]
        elsewhere = [key for key in st.query_params.get_all(ENTRY) if key in others]
        if selected := [*(keys[row] for row in rows), *elsewhere]:
            st.query_params[ENTRY] = selected
        else:
            st.query_params.pop(ENTRY, None)

    st.dataframe(
        frame,
        hide_index=True,
        height=grid.height(len(frame)),
        column_config=grid.board_columns(table, frame, view.task, view.split, unit),
        key=widget,
        on_select=select,
        selection_mode=["multi-row", "single-cell"],
        selection_default={
            "selection": {"rows": [k for k, key in enumerate(keys) if key in linked], "columns": [], "cells": []}
        },
        placeholder="–",
    )


def _show_attempts(tried: Attempts, view: View) -> None:
    """Show runs without a result below the board: those that wait for weights or packages, and those that failed."""
    if len(tried.waiting):
        title = f"Needs weights or packages: {counted(len(tried.waiting), 'run')} of {view.task.name}"
        with st.expander(title):
            st.caption("Never ranked. Once what is missing is here, they are no longer listed.", help=words.WAITING)
            row = _choose_attempt(tried.waiting, "waiting", {"needs": "Needs", "command": "Bring it with"})
            st.text(f"{row['name']} {row['needs']}. To bring what is missing, then run it again:")
            st.code(row["command"], language="bash")
    if len(tried.failed):
        with st.expander(f"Failed: {counted(len(tried.failed), 'run')} of {view.task.name}"):
            st.caption("Never ranked. Select a row to read its reason in full.", help=words.FAILED)
            row = _choose_attempt(tried.failed, "failures", {"kind": "Error", "reason": "Reason"})
            st.text(f"{row['name']}: {row['reason']}")
            st.caption("Noted in this file; it is taken away once the same run is complete:")
            st.code(row["file"], language=None)


def _choose_attempt(rows: TableRows, key: str, last: Mapping[str, str]) -> Mapping[str, Any]:
    """Show runs without a result, and return the selected one, by default the first.

    Args:
        rows: rows of one table of :class:`Attempts`.
        key: key of the widget.
        last: titles of the last two columns by name, a narrow one and a wide one.
    """
    c = st.column_config
    short, long = last
    frame = pd.DataFrame(rows, columns=["created", "name", "split", "data_name", "seed", short, long])
    state = st.dataframe(
        frame,
        hide_index=True,
        height=grid.height(min(len(rows), 6)),
        column_config={
            "created": c.DatetimeColumn("Tried (UTC)", format="YYYY-MM-DD HH:mm", width=132),
            "name": c.TextColumn("Solution", width=grid.name_width(frame["name"])),
            "split": c.TextColumn("Split", width=50),
            "data_name": c.TextColumn("Data set", width=120),
            "seed": c.NumberColumn("Seed", format="%d", width=50),
            short: c.TextColumn(last[short], width=160),
            long: c.TextColumn(last[long], width=420),
        },
        key=key,
        on_select="rerun",
        selection_mode="single-row-required",
        placeholder="–",
    )
    chosen = state["selection"]["rows"]
    return rows[chosen[0] if chosen and chosen[0] < len(rows) else 0]


def _show_reference(reference: Entries, shown: Entries, whole: Board) -> None:
    view = whole.view
    st.text(
        whole.apart or f"Published results are on {view.published_on}; not comparable with runs on {view.data_name}."
    )
    linked = bool(_chosen(reference))
    with st.expander(f"For reference: {len(reference)} published results on {view.published_on}", expanded=linked):
        _show_table(reference, shown, view, "reference")


def _show_chart(shown: Entries, metric: str) -> None:
    scored = [entry for entry in shown if entry.score is not None]
    if not scored:
        return
    show_chart(interval_chart(scored, score_title(metric)))
    if any(entry.tied for entry in scored):
        st.caption("† tied with the best run", help=words.STANDING)
    if len(scored) > MOST_ROWS:
        st.caption(f"The chart shows the best {MOST_ROWS} of {len(scored)}; the table has them all.")
