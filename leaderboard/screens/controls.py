"""Controls of the board: task, split, data set, labels and filters. The address holds all of them."""

from __future__ import annotations

import dataclasses
import datetime
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from harness.board.entries import (
    MARKS,
    Entries,
    Filters,
    View,
    data_with_entries,
    splits_with_entries,
    tasks_with_entries,
    versions,
)
from harness.board.seeds import has_seeds
from harness.tasks import task_named
from leaderboard import words
from leaderboard.screens import grid
from leaderboard.screens.reading import Contents, forget
from leaderboard.screens.refresh import choose_refresh
from leaderboard.screens.saved import choose_saved

_FIRST = {
    "encoder": ("Encoder", words.RUNS_ONLY),
    "head": ("Head", words.RUNS_ONLY),
    "postprocess": ("Post-processing", f"{words.POSTPROCESS} {words.RUNS_ONLY}"),
}
_MORE = {
    "kind": ("Kind", words.KIND),
    "team": ("Team", words.TEAM),
    "evidence": ("Evidence", f"{words.EVIDENCE} {words.PUBLISHED_ONLY}"),
}
_SORTED_BY = {
    "score": "Score", "tuned": "Tuned on val", "optimism": "Optimism", "sd": "Spread over seeds", "name": "Name",
    "created": "Made", "encoder": "Encoder", "head": "Head", "postprocess": "Post-processing",
    "trained_on": "Trained on", "edition": "Edition", "test_file": "Test file", "frames_per_second": "Speed",
}  # fmt: skip
_BY_RANK, _LAYOUT = "Rank", ("sort", "ascending", "columns")
_DAYS = {"since": "Made from", "until": "Made until"}


def choose_view(contents: Contents) -> tuple[View, bool]:
    """Show a row of controls for task, split, data set, labels and seeds, with a button to read the store again.

    Labels and seeds are offered only if there are several.

    Returns:
        The chosen view, and True if each seed is to have a row.
    """
    runs, published = contents.rows, contents.published
    # the key lets the row keep its place when elements above it change
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="view"):
        tasks = tasks_with_entries(runs, published)
        name = st.segmented_control("Task", tasks, default=tasks[0], required=True, key="task", bind="query-params")
        task = task_named(name)
        splits = splits_with_entries(runs, published, task)
        split = st.segmented_control(
            "Split", splits, default=splits[0], required=True, key="split", bind="query-params", help=words.SPLIT
        )
        names = data_with_entries(runs, published, task, split)
        data_name = st.selectbox("Data set", names, key="data", bind="query-params", help=words.DATA, width=320)
        view = View(task, split, data_name)
        names = [ranking.labels for ranking in versions(runs, view).rankings]
        if len(names) > 1:
            chosen = st.selectbox("Labels", names, key="labels", bind="query-params", help=words.LABELS, width=160)
            view = dataclasses.replace(view, labels=chosen)
        each_seed = has_seeds(runs, view) and st.toggle(
            "Each seed", key="each_seed", bind="query-params", help=words.EACH_SEED
        )
        st.button(
            "Refresh", on_click=forget, help="Read the store anew. A run shows up by itself at the next click, too."
        )
    return view, each_seed


def choose_hidden(contents: Contents) -> Contents:
    """Return the contents to list, with the hidden runs if the reader asks for them."""
    if contents.hidden.empty:
        return contents
    with st.container(key="hidden-runs"):
        asked = st.toggle(f"Hidden runs ({len(contents.hidden)})", key="hidden", bind="query-params", help=words.HIDDEN)
    return contents.with_hidden() if asked else contents


@dataclass(frozen=True)
class Layout:
    """Order and columns of the board's table.

    Attributes:
        sort: column of the entries; empty for the ranks.
        ascending: True for the lowest first.
        columns: keys of the columns to show beside rank, name and score; empty for all.
    """

    sort: str = ""
    ascending: bool = False
    columns: tuple[str, ...] = ()

    def ordered(self, entries: Entries) -> Entries:
        """Return the entries in this order; rows without a value come last, and equal values are ordered by rank."""
        if not self.sort:
            return entries[::-1] if self.ascending else entries
        value_of = operator.attrgetter(self.sort)
        filled = [entry for entry in entries if value_of(entry) is not None]
        filled.sort(key=value_of, reverse=not self.ascending)
        return [*filled, *(entry for entry in entries if value_of(entry) is None)]


def choose_filters(contents: Contents, *entries: Entries) -> tuple[Filters, Layout]:
    """Show search, filters, order and columns, and return the reader's choice.

    Args:
        contents: contents of the store.
        entries: entries of the board, and its published results on other data; their values are offered as filters.
    """
    accepted: dict[str, list[str]] = {}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        search = st.text_input("Search", key="q", bind="query-params", help=words.SEARCH, width=200)
        with st.popover(_filters_label(), key="more"):
            for key, (label, text) in {**_FIRST, **_MORE}.items():
                _choose_values(entries, key, label, text, accepted)
            days = {key: _choose_day(key, label) for key, label in _DAYS.items()}
        with st.popover(_columns_label(), key="layout"):
            layout = _choose_layout(entries[0])
        choose_saved()
        choose_refresh(contents)
    return Filters(accepted, search or "", **days), layout


def _choose_layout(entries: Entries) -> Layout:
    """Show the choices of order and columns, and return the reader's."""
    # by title, so that the address is readable
    by_title = {title: key for key, title in _SORTED_BY.items() if len(_values_of(entries, key)) > 1}
    st.selectbox("Sort by", [_BY_RANK, *by_title], key="sort", bind="query-params", help=words.SORT, width=240)
    ascending = st.toggle("Ascending", key="ascending", bind="query-params")
    columns = st.multiselect(
        "Columns", list(grid.COLUMNS), key="columns", bind="query-params", placeholder="all", help=words.COLUMNS,
        width=240,
    )  # fmt: skip
    order = by_title.get(str(st.session_state["sort"]), "")
    return Layout(order, ascending, tuple(grid.COLUMNS[title] for title in columns))


def _values_of(entries: Entries, key: str) -> set[Any]:
    """Return the distinct values of a column; empty cells have none."""
    return {value for entry in entries if (value := getattr(entry, key)) is not None}


def _columns_label() -> str:
    """Return the label of the popover, with the number of choices in it that differ from the defaults."""
    chosen = [st.session_state[key] if key in st.session_state else st.query_params.get(key) for key in _LAYOUT]
    active = sum(bool(value) and value != _BY_RANK for value in chosen)
    return f"Order and columns ({active})" if active else "Order and columns"


def _choose_values(entries: Sequence[Entries], key: str, label: str, text: str, accepted: dict[str, list[str]]) -> None:
    """Offer the values of a column as a filter, if there are several or a filter is set; store the choice."""
    values = {str(value) for some in entries for value in _values_of(some, key) if value}
    if len(values) < 2 and not st.session_state.get(key):
        return
    options = [kind for kind in MARKS if kind in values] if key == "kind" else sorted(values)
    accepted[key] = st.multiselect(
        label, options, key=key, bind="query-params", help=text, placeholder="all", width=200
    )


def _choose_day(key: str, label: str) -> str:
    day = st.date_input(
        label, value=None, key=key, bind="query-params", format="YYYY-MM-DD", help=words.MADE_BETWEEN, width=200
    )
    return day.isoformat() if isinstance(day, datetime.date) else ""


def _filters_label() -> str:
    """Return the label of the popover, with the number of filters that are set in it."""
    keys = (*_FIRST, *_MORE, *_DAYS)
    active = sum(bool(st.session_state[key] if key in st.session_state else st.query_params.get(key)) for key in keys)
    return f"Filters ({active})" if active else "Filters"


def clear_filters() -> None:
    """Reset every filter to 'all'; a callback of a button."""
    for key in (*_FIRST, *_MORE):
        if key in st.session_state:
            st.session_state[key] = []
    for key in _DAYS:
        st.session_state[key] = None
    st.session_state["q"] = ""
