"""What to look at: task, split, data set and filters. All of it stands in the address: a link opens the same view."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from harness.tasks import task_named
from leaderboard import words
from leaderboard.data.entries import MARKS, View, data_with_entries, splits_with_entries, tasks_with_entries
from leaderboard.screens.reading import Contents, forget

ENTRY = "entry"
_FILTERS = {
    "kind": ("Kind", words.KIND),
    "encoder": ("Encoder", words.RUNS_ONLY),
    "head": ("Head", words.RUNS_ONLY),
    "postprocess": ("Post-processing", f"{words.POSTPROCESS} {words.RUNS_ONLY}"),
    "evidence": ("Evidence", f"{words.EVIDENCE} {words.PUBLISHED_ONLY}"),
}


def choose_view(contents: Contents) -> View:
    """One row of controls: task, split, data set, and a button to read the store anew."""
    runs, published = contents.runs, contents.published
    # keyed, so that the row keeps its place whatever stands above it
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
        st.button(
            "Refresh", on_click=forget, help="Read the store anew. A run shows up by itself at the next click, too."
        )
    return View(task, split, data_name)


def choose_filters(entries: pd.DataFrame) -> tuple[dict[str, list[str]], str]:
    """A row of filters that offer what the entries have.

    Returns:
        Accepted values by column, an empty list for all; and the words to search for.
    """
    chosen: dict[str, list[str]] = {}
    filters = {key: text for key, text in _FILTERS.items() if entries[key].nunique() > 1 or st.session_state.get(key)}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        search = st.text_input("Search", key="q", bind="query-params", help=words.SEARCH, width=200)
        for key, (label, text) in filters.items():
            values = {str(value) for value in entries[key].dropna() if value}
            options = [kind for kind in MARKS if kind in values] if key == "kind" else sorted(values)
            chosen[key] = st.multiselect(
                label, options, key=key, bind="query-params", help=text, placeholder="all", width=190
            )
    return chosen, search or ""


def clear_filters() -> None:
    """Callback: every filter back to 'all'."""
    for key in _FILTERS:
        if key in st.session_state:
            st.session_state[key] = []
    st.session_state["q"] = ""
