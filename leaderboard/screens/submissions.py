"""Page Submissions: the slot ledger, with slots that are left, official scores, and validation scores."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from harness.board.slots import SlotCount, of_view, run_ids_of, sent_entries, slot_counts
from harness.board.tables.slots import left_table, sent_table
from harness.errors import AbawError, DataError, StoreError
from harness.settings import load_settings
from harness.slots import EDITION, Ledger, Sent
from harness.tasks import TASKS
from leaderboard import words
from leaderboard.charts.shift import shift_chart
from leaderboard.screens import grid
from leaderboard.screens.downloads import heading
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.links import link
from leaderboard.screens.notices import store_notice
from leaderboard.screens.reading import Contents, forget, read_promised, read_store

_ORDER = (
    "number", "task", "edition", "slot", "name", "seed", "trained_on", "test", "val", "interval", "shift",
    "beside", "earlier",
    "time", "note", "problems",
)  # fmt: skip
_WIDTHS = {
    "number": 45, "task": 60, "edition": 70, "slot": 60, "time": 135, "name": 260, "seed": 50, "val": 65,
    "trained_on": 92, "interval": 122, "test": 65, "shift": 85, "beside": 130, "earlier": 110, "note": 220,
    "problems": 260,
}  # fmt: skip
_HELP = {
    "edition": words.EDITION, "slot": words.SLOT, "val": words.PROMISED, "trained_on": words.TRAINED_ON,
    "interval": f"{words.INTERVAL} {words.INTERVAL_BY_PERSON}",
    "test": words.RETURNED, "shift": words.SHIFT, "beside": words.BESIDE, "problems": words.DESPITE,
    "earlier": "Scores that were noted before the one that counts.",
}  # fmt: skip


def submissions() -> None:
    """Show the page."""
    st.header("Submissions", anchor=False)
    st.caption("What was sent to the organisers, and what came back. Nothing is sent from here.", help=words.SLOT)
    try:
        ledger = Ledger(load_settings().out)
        sent = ledger.read()
    except AbawError as error:
        _say_unreadable(error)
        return
    contents = read_store()
    store_notice(contents)
    entries = sent_entries(sent, contents.runs, _promised(contents, sent))
    task, edition = _choose(sent)
    _show_left(slot_counts(sent, task=task, edition=edition))
    shown = of_view(entries, task, edition)
    if not sent:
        _say_empty(ledger)
    elif shown.empty:
        st.text("Nothing was sent for this task and edition.")
    else:
        _show_sent(shown)
    if sent:
        st.caption("The ledger is one plain file; nothing can rebuild it. Keep it:")
        st.code(str(ledger.path), language=None)


def _say_unreadable(error: AbawError) -> None:
    if isinstance(error, DataError):
        st.error("**The slot ledger can't be read.** It is left as it is.")
    else:
        st.error("**The settings can't be used.**")
    st.text(str(error))
    st.button("Refresh", on_click=forget)


def _say_empty(ledger: Ledger) -> None:
    st.info("**Nothing was sent yet.** Make the official file, upload it at the organisers', and note it here.")
    st.code(
        "abaw submit SOLUTION --data ROOT --split test   # the file, checked and packed\n"
        "abaw slots send FILE --task EXPR                # note it: a look at the file before you upload it\n"
        "abaw slots result 1 0.386                       # when the score is there",
        language="bash",
    )
    st.text(f"The ledger will be {ledger.path}")


def _promised(contents: Contents, sent: Sequence[Sent]) -> pd.DataFrame:
    """Return the validation runs that belong to the submissions; show a warning if the store is unreadable."""
    ids = run_ids_of(sent)
    if not ids:
        return pd.DataFrame()
    if not contents.runs.empty:
        try:
            return read_promised(contents, ids)
        except StoreError as error:
            st.warning("**Validation scores can't be read now;** they are missing below.")
            st.text(str(error))
    return pd.DataFrame()


def _choose(sent: Sequence[Sent]) -> tuple[str | None, int | None]:
    """Show controls for task and edition, and return the choice, ``None`` for all; the address holds both."""
    tasks = list(dict.fromkeys([*TASKS, *(entry.task for entry in sent)]))
    editions = [str(n) for n in sorted({EDITION, *(entry.edition for entry in sent)}, reverse=True)]
    for key, known in (("task", tasks), ("edition", editions)):
        linked = st.query_params.get(key)
        if linked and linked not in known:
            st.text(f"The link names {key} {linked}, of which nothing was sent. All are shown.")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="view"):
        task = st.segmented_control("Task", tasks, key="task", bind="query-params", help="None chosen: all.")
        edition = st.segmented_control("Edition", editions, key="edition", bind="query-params", help=words.EDITION)
        st.button("Refresh", on_click=forget, help="Read ledger and store anew.")
    return task, int(edition) if edition else None


def _show_left(counts: Sequence[SlotCount]) -> None:
    table = left_table(counts)
    heading("Slots", table, "slots-left")
    help = {"edition": words.EDITION, "left": words.SLOT, "sent": words.SLOT, "best": words.RETURNED}
    grid.show_grid(table, dict.fromkeys(("task", "edition", "sent", "left", "slots"), 80), help, width="content")


def _show_sent(shown: pd.DataFrame) -> None:
    table = sent_table(shown)
    heading("Sent", table, "slots")
    # the key depends on the rows: in a table with other rows the selection must not move to another submission
    numbers = [int(number) for number in shown["number"]]
    widget = f"sent-{hashlib.sha256(repr(numbers).encode()).hexdigest()[:12]}"
    alike = [key for key in ("task", "edition") if shown[key].nunique() == 1]
    state = grid.show_grid(
        table,
        _WIDTHS,
        _HELP,
        keys=[key for key in _ORDER if key not in alike],
        pinned=["number"],
        key=widget,
        on_select="rerun",
        selection_mode="single-row",
    )
    for note in table.notes[1:]:  # the first repeats the columns' help
        st.caption(note)
    rows: list[int] = state["selection"]["rows"]
    if rows and rows[0] < len(shown):
        _show_one({str(key): value for key, value in shown.iloc[rows[0]].items()})
    else:
        st.caption("Select a row (its left edge): the file, its hash, the run that wrote it.")
    if shown["test"].notna().any():
        show_chart(shift_chart(shown))
    _say_what_is_missing(shown)


def _show_one(entry: dict[str, Any]) -> None:
    with st.container(border=True):
        st.text(f"No. {entry['number']:.0f}: {entry['task']}, edition {entry['edition']:.0f}, slot {entry['slot']}")
        st.code(f"{entry['file']}\nsha256 {entry['sha256']}", language=None)
        for label, text in (("Note", entry["note"]), ("Sent despite", entry["problems"])):
            if text:
                st.text(f"{label}: {text}")
        with st.container(horizontal=True):
            if entry["name"]:
                link("run", "Open run", run=entry["run_id"])
            if entry["val_run_id"]:
                link("run", "Open its validation run", run=entry["val_run_id"])
        if not entry["run_id"]:
            st.text("No run is known to have written this file.")
        elif not entry["name"]:
            st.text(f"Run {entry['run_id']} is not in the store. If its folder is there: abaw reindex")


def _say_what_is_missing(shown: pd.DataFrame) -> None:
    """Show the commands that bring missing scores."""
    waiting = shown[shown["test"].isna()]
    bare = shown[shown["val"].isna() & shown["name"].notna()].drop_duplicates(["name", "seed"])
    commands = [f"abaw slots result {number} VALUE   # when the score is there" for number in waiting["number"]]
    for name, seed in zip(bare["name"], bare["seed"], strict=True):
        of_seed = "" if pd.isna(seed) else f" --seed {seed:.0f}"
        commands.append(f"abaw run {shlex.quote(name)} --data ROOT --split val{of_seed}   # what validation says of it")
    if commands:
        st.caption("What is missing, and how to bring it:")
        st.code("\n".join(commands), language="bash")
