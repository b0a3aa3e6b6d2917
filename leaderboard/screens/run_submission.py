"""Part of the page Run: progress of a run on test: validation score of the same solution, slot, official score."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from harness.board.slots import sent_entries
from harness.errors import AbawError
from harness.metrics.titles import score_title
from harness.records.run import RunRecord, splits_in
from harness.slots import Sent
from harness.tables.table import records
from leaderboard import words
from leaderboard.screens.links import link
from leaderboard.screens.reading import Contents, read_promised, read_sent


def show_submission(contents: Contents, record: RunRecord) -> None:
    """Show the validation score of the same solution, and the slot and official score of the file."""
    try:
        promised = read_promised(contents, [record.run_id])
    except AbawError as error:
        st.warning("**What validation says of this solution can't be read now.**")
        st.text(str(error))
        promised = pd.DataFrame()
    try:
        sent = read_sent()
    except AbawError as error:
        st.warning("**The slot ledger can't be read: whether this run was sent is not known.**")
        st.text(str(error))
        sent = ()
    val = _validation(contents, promised)
    # slots are numbered over all submissions
    entries = sent_entries(sent, contents.runs, promised)
    rows = [dict(row) for row in records(entries) if row["run_id"] == record.run_id]
    with st.container(horizontal=True, gap="large", vertical_alignment="bottom", key="run-submission"):
        _show_validation(record, val)
        for row in rows:
            _show_sent(row)
    if val is None:
        st.text("No run on val of the same solution, recipe and seed is in the store.", help=words.PROMISED)
    if not rows:
        st.text(_not_sent(record, sent), help=words.TEST_FILE)
    with st.container(horizontal=True):
        if val is not None:
            link("run", "Open its validation run", run=val["run_id"])
        link("submissions", "Open the submissions", task=record.task if rows else None)


def _validation(contents: Contents, promised: pd.DataFrame) -> dict[str, Any] | None:
    """Return the row of the same solution's run on val; ``None`` if the store lacks such a run."""
    val_id = promised["val"].iloc[0] if len(promised) else None
    rows = contents.runs[contents.runs["run_id"] == val_id]
    return {str(key): value for key, value in rows.iloc[0].items()} if len(rows) else None


def _show_validation(record: RunRecord, val: dict[str, Any] | None) -> None:
    if val is None or pd.isna(val["value"]):
        return
    unit = "video" if pd.isna(val["persons"]) else "person"
    alone = ", heads trained on train alone" if "val" in splits_in(record.trained_on) else ""
    title = f"Same solution on val{alone}: {score_title(val['metric'])}"
    st.metric(title, f"{val['value']:.3f}", help=words.PROMISED, width="content")
    if pd.notna(val["low"]):
        interval = f"{val['low']:.3f} to {val['high']:.3f}"
        st.metric(f"95 % on val by {unit}", interval, help=words.interval_help(unit), width="content")


def _show_sent(row: dict[str, Any]) -> None:
    """Show the slot of a submission and its official score."""
    st.metric(f"Slot, edition {row['edition']}", str(row["slot"]), help=words.SLOT, width="content")
    if pd.isna(row["test"]):
        st.metric("Official score", "not there yet", help=words.RETURNED, width="content")
        return
    shift = "" if pd.isna(row["shift"]) else f" ({row['shift']:+.3f})"
    beside = f", {row['beside']} the interval of val" if row["beside"] else ""
    help_ = f"{words.RETURNED} {words.SHIFT} {words.BESIDE}"
    st.metric(f"Official score (minus val){beside}", f"{row['test']:.3f}{shift}", help=help_, width="content")


def _not_sent(record: RunRecord, sent: tuple[Sent, ...]) -> str:
    """Return the sentence for a run that is not in the ledger; the very same file may be, from another run."""
    hashes = set(record.files.values())
    for entry in sent:
        if entry.sha256 in hashes:
            return f"Not noted as sent; the very same file was, as #{entry.number}."
    return "Not sent yet. When it is, note it: abaw slots send FILE --task " + record.task
