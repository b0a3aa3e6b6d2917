"""One entry in detail: a run's classes, choices, notes and files; a published result's source in full.

Names, notes and paths come from users, so they are written as plain text and never as Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from harness.errors import StoreError
from harness.metrics.titles import score_title
from harness.record import HEADLINE, UNKNOWN, frames_without, submission_of
from leaderboard import words
from leaderboard.charts.intervals import class_chart
from leaderboard.data.entries import RUN
from leaderboard.screens.reading import Contents, read_record


def show_entry(entry: Mapping[str, Any], contents: Contents) -> None:
    """Details of one entry of the board, a row of :func:`leaderboard.data.entries.board_entries`."""
    if entry["kind"] != RUN:
        st.text(f"Score {entry['score']:.4g}, ABAW edition {entry['edition']:.0f}, evidence: {entry['evidence']}")
        st.text(f"Source: {entry['source']}")
        return
    try:
        found = read_record(contents, str(entry["run_id"]))
    except StoreError as error:
        st.text(f"The run's record can't be read now. {error}")
        return
    if found is None:
        st.text("This run is no longer in the store. Press Refresh.")
        return
    whole, folder = found
    record = asdict(whole)
    record.pop("statistics")
    _show_classes(record)
    left, right = st.columns(2, gap="large")
    with left:
        _show_choices(record)
    with right:
        _show_making(record)
    _show_files(record, folder)
    with st.expander("The whole record (run.json)"):
        st.json(record, expanded=1)


def class_scores(record: Mapping[str, Any]) -> pd.DataFrame:
    """Scores by class (or dimension, or action unit) of a run's headline: ``metric, target, value, low, high``."""
    rows = [row for row in record["scores"] if row["estimate"] == HEADLINE and row["target"] != "all"]
    return pd.DataFrame(rows, columns=["metric", "target", "value", "low", "high"]).astype(
        {"low": float, "high": float}
    )


def choices_table(choices: Mapping[str, Any]) -> pd.DataFrame:
    """What was chosen on labels, a row each: value on all of the videos, values by fold, candidates."""
    rows = [
        {
            "what": name.replace("_", " "),
            "chosen on all of val": _brief(value["on_all"]),
            "by fold": ", ".join(map(_brief, value.get("per_fold", ()))),
            "out of": ", ".join(map(_brief, value.get("candidates", ()))),
        }
        for name, value in choices.items()
        if isinstance(value, Mapping) and "on_all" in value
    ]
    return pd.DataFrame(rows)


def _brief(value: Any) -> str:
    """A number, or several, as a table has room for."""
    if isinstance(value, list | tuple):
        return " ".join(_brief(part) for part in value if part is not None)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _show_classes(record: Mapping[str, Any]) -> None:
    classes = class_scores(record)
    if classes.empty:
        st.text("No scores by class: this split has no labels here.")
        return
    title = score_title(classes["metric"].iloc[0])
    chart, table = st.columns([3, 2], gap="large")
    with chart:
        st.altair_chart(class_chart(classes, title), width="stretch")
    with table:
        c = st.column_config
        shown = classes[["target", "value", "low", "high"]]
        config = {
            "target": c.TextColumn("Class"),
            "value": c.NumberColumn(title, format="%.3f"),
            "low": c.NumberColumn("95 % from", format="%.3f", help=words.INTERVAL),
            "high": c.NumberColumn("to", format="%.3f", help=words.INTERVAL),
        }
        st.dataframe(shown, hide_index=True, column_config=config, height=35 * (min(len(shown), 12) + 1) + 3)


def _show_choices(record: Mapping[str, Any]) -> None:
    choices = record["choices"]
    st.markdown("**Chosen on labels**", help=words.CROSS_FITTED)
    table = choices_table(choices)
    if table.empty:
        known = record["tuned_on"] != UNKNOWN
        st.text("Nothing." if known else "Not known: the file was made elsewhere and scored here.")
    else:
        st.text(f"On {choices.get('tuned_on') or 'unknown videos'}")
        st.dataframe(table, hide_index=True)


def _show_making(record: Mapping[str, Any]) -> None:
    st.markdown("**How it was made**")
    data, made, timings = record["data"], record["provenance"], record["timings"]
    git, (noun, bare) = made.get("git") or {}, frames_without(data) or ("crop", None)
    commit = str(git.get("commit", ""))[:12] + (" with uncommitted changes" if git.get("dirty") else "")
    facts = {
        "trained on": record["trained_on"],
        "data": f"{data['name']}: {data['videos']:,} videos, {data['frames']:,} frames",
        f"without a {noun}": "" if bare is None else f"{bare:,} frames, predicted all the same",
        "took": f"{timings['total']:,.1f} s" if timings.get("total") is not None else "",
        "device": made.get("device", ""),
        "commit": commit,
    }
    shown = pd.DataFrame({"what": list(facts), "value": [str(value) for value in facts.values()]})
    st.dataframe(
        shown[shown["value"] != ""], hide_index=True, column_config={"what": st.column_config.Column(width=110)}
    )
    for note in record["notes"]:
        st.text(f"Note: {note}")


def _show_files(record: Mapping[str, Any], folder: Path) -> None:
    st.markdown("**Run folder and official file**")
    official = submission_of(record["files"], folder)
    st.code(str(folder) if official == folder else f"{folder}\n{official}", language=None)
    if not folder.is_dir():
        st.text("The folder is no longer there: it was moved or deleted.")
    elif not official.exists():
        st.text("The official file is no longer there.")
