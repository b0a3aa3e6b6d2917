"""The board: runs and published results of one task, split and data set, with their intervals."""

from __future__ import annotations

import hashlib

import pandas as pd
import streamlit as st

from harness.metrics.titles import score_title
from leaderboard import words
from leaderboard.charts.intervals import MOST_ROWS, interval_chart
from leaderboard.data.entries import COLUMNS, RUN, View, board_entries, filtered
from leaderboard.screens import grid
from leaderboard.screens.controls import ENTRY, choose_filters, choose_view, clear_filters
from leaderboard.screens.detail import show_entry
from leaderboard.screens.notices import data_notice, store_notice
from leaderboard.screens.reading import Contents, read_store


def board() -> None:
    """The page."""
    top = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    top.header("ABAW leaderboard", anchor=False, width="content")
    contents = read_store()
    view = choose_view(contents)
    metric = view.task.metric
    top.caption(f"{view.task.title}, score: {score_title(metric)}", help=words.METRIC_HELP[metric])
    store_notice(contents, published=True)
    data_notice(view)
    entries, reference = board_entries(contents.runs, contents.published, view)
    both = entries.to_dict("records") + reference.to_dict("records")
    everything = pd.DataFrame(both, columns=[*COLUMNS, "rank"])
    chosen, search = choose_filters(everything)
    shown, shown_reference = filtered(entries, chosen, search), filtered(reference, chosen, search)
    _say_what_is_shown(entries, shown, view)
    if len(shown):
        _show_table(shown, view, "board")
        if not _show_selected(shown, contents):
            st.caption(
                "Select a row (its left edge): classes, choices and files of a run, a published result's source."
            )
        _show_chart(shown, metric)
    if len(shown_reference):
        _show_reference(shown_reference, view, contents)


def _show_chart(shown: pd.DataFrame, metric: str) -> None:
    scored = shown[shown["score"].notna()]
    if scored.empty:
        return
    st.altair_chart(interval_chart(scored, score_title(metric)), width="stretch")
    if len(scored) > MOST_ROWS:
        st.caption(f"The chart shows the best {MOST_ROWS} of {len(scored)}; the table has them all.")


def _say_what_is_shown(entries: pd.DataFrame, shown: pd.DataFrame, view: View) -> None:
    if entries.empty:
        st.info("Nothing here yet for this task, split and data set.")
        return
    if len(shown) < len(entries):
        with st.container(horizontal=True, vertical_alignment="center"):
            if shown.empty:
                st.text(f"None of the {len(entries)} entries passes the filters.", width="content")
            else:
                st.text(f"{len(shown)} of {len(entries)} entries pass the filters.", width="content")
            st.button("Clear filters", on_click=clear_filters)
    if shown["kind"].eq(RUN).any() and shown["kind"].ne(RUN).any() and view.split == "val":
        st.caption(
            "Published validation scores were, as a rule, tuned on the videos they report: beside them, read a run's "
            "'tuned on val'; its score is cross-fitted.",
            help=f"{words.CROSS_FITTED} {words.TUNED}",
        )
    runs = shown[shown["kind"] == RUN]
    if runs["data_fingerprint"].nunique() > 1:
        st.warning(
            "These runs saw different versions of the data (last column of the table): their scores are not strictly "
            "comparable."
        )


def _show_table(shown: pd.DataFrame, view: View, name: str) -> None:
    frame = grid.display(shown)
    keys = [str(key) for key in shown["key"]]
    # a table with other rows is another widget: a selection never slides to the run that took the row's place
    widget = f"{name}-{hashlib.sha256(repr(keys).encode()).hexdigest()[:12]}"

    def select() -> None:
        rows = st.session_state[widget]["selection"]["rows"]
        if rows:
            st.query_params[ENTRY] = keys[rows[0]]
        elif st.query_params.get(ENTRY) in keys:
            st.query_params.pop(ENTRY, None)

    entry = st.query_params.get(ENTRY)
    chosen = [keys.index(entry)] if entry in keys else []
    cross_fitted = bool(shown["tuned"].notna().any())
    st.dataframe(
        grid.styled(frame),
        hide_index=True,
        height=grid.height(len(frame)),
        column_config=grid.column_config(
            view.task.metric, split=view.split, cross_fitted=cross_fitted, name_width=grid.name_width(frame["name"])
        ),
        key=widget,
        on_select=select,
        selection_mode="single-row",
        selection_default={"selection": {"rows": chosen, "columns": [], "cells": []}},
        placeholder="–",
    )


def _show_selected(shown: pd.DataFrame, contents: Contents) -> bool:
    selected = shown[shown["key"] == st.query_params.get(ENTRY)]
    if selected.empty:
        return False
    entry = {str(name): value for name, value in selected.iloc[0].items()}
    with st.container(border=True):
        st.text(str(entry["label"]))
        show_entry(entry, contents)
    return True


def _show_reference(reference: pd.DataFrame, view: View, contents: Contents) -> None:
    st.divider()
    st.text(f"Published results are on {view.published_on}; not comparable with runs on {view.data_name}.")
    linked = st.query_params.get(ENTRY) in set(reference["key"])
    with st.expander(f"For reference: {len(reference)} published results on {view.published_on}", expanded=linked):
        _show_table(reference, view, "reference")
        _show_selected(reference, contents)
