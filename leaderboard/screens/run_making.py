"""Part of the page Run: how the run was made, and other runs on the same videos."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from harness.board.entries import unit_of
from harness.board.rankings import rankings
from harness.board.run import command_for, others, siblings
from harness.board.seeds import mean_over_seeds
from harness.board.tables.run import choice_table, settings_table
from harness.errors import StoreError
from harness.records.run import UNKNOWN, RunRecord, frames_without
from harness.system.counts import counted
from leaderboard import words
from leaderboard.screens import grid
from leaderboard.screens.downloads import export_buttons
from leaderboard.screens.links import link
from leaderboard.screens.reading import Contents, read_replicates

_MOST_ROWS = 8
_NOTHING_CHOSEN = {
    "nothing": "Nothing.",
    "": "Nothing is noted.",
    UNKNOWN: "Not known: the file was made elsewhere and scored here.",
}


def show_making(record: RunRecord, folder: Path) -> None:
    """Show choices, facts, every setting and the whole record of a run."""
    st.subheader("How it was made", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        _show_choices(record)
    with right:
        _show_facts(record, folder)
    settings = settings_table(record)
    with st.expander(f"Every setting ({len(settings.rows)})"):
        export_buttons(settings, f"{record.run_id}-settings")
        grid.show_grid(settings, {"setting": "medium", "value": "large"})
    with st.expander("The whole record (run.json)"):
        st.json(record.plain(), expanded=1)


def _show_choices(record: RunRecord) -> None:
    st.markdown("**Chosen on labels**", help=words.CROSS_FITTED)
    table = choice_table(record)
    if not table.rows:
        st.text(_NOTHING_CHOSEN.get(record.tuned_on, f"On {record.tuned_on}: what, is in the whole record below."))
    else:
        st.text(f"On {record.choices.get('tuned_on') or 'unknown videos'}")
        grid.show_grid(table)


def _show_facts(record: RunRecord, folder: Path) -> None:
    data, provenance, timings = record.data, record.provenance, record.timings
    git, (noun, bare) = provenance.get("git") or {}, frames_without(data) or ("crop", None)
    commit = str(git.get("commit", ""))[:12] + (" with uncommitted changes" if git.get("dirty") else "")
    rate = timings.get("frames_per_second")
    facts = {
        "run": record.run_id,
        "made": str(record.created),
        "encoder": record.encoder,
        "head": record.head,
        "post-processing": record.postprocess,
        "trained on": record.trained_on,
        "tuned on": record.tuned_on,
        "data": f"{data.get('name')}: {counted(data.get('videos', 0), 'video')}, "
        f"{counted(data.get('frames', 0), 'frame')}",
        f"without a {noun}": "" if bare is None else f"{counted(bare, 'frame')}, predicted all the same",
        "data folder": str(data.get("root") or ""),
        "options given": ", ".join(f"{key} {value}" for key, value in record.options.items()),
        "took": f"{timings['total']:,.1f} s" if timings.get("total") is not None else "",
        "frames/s": f"{rate:,.1f}" if rate else "",
        "device": " ".join(str(provenance.get(key) or "") for key in ("device", "backend", "precision")).strip(),
        "commit": commit,
        "Python": f"{provenance.get('python', '')}, {provenance.get('platform', '')}".strip(", "),
        "run folder": str(folder),
    }
    st.markdown("**Facts**")
    known_facts = {name: value for name, value in facts.items() if value}
    st.dataframe(
        pd.DataFrame({"what": list(known_facts), "value": list(known_facts.values())}),
        hide_index=True,
        height=35 * (len(known_facts) + 1) + 3,
        column_config={
            "what": st.column_config.TextColumn("Fact", width=130),
            "value": st.column_config.TextColumn("Value", width="large"),
        },
    )
    if command := command_for(record, record.split):
        st.markdown("**To make it again**")
        st.code(command, language="bash", wrap_lines=True)


def show_neighbours(contents: Contents, record: RunRecord) -> None:
    """Show other seeds of the same setup, and other runs on the same videos."""
    same, rest = siblings(contents.runs, record.run_id), others(contents.runs, record.run_id)
    if len(same) > 1:
        st.subheader(f"Its {counted(len(same), 'seed')}", anchor=False, help=words.OF_ONE_SETUP)
        st.caption(_over_seeds(contents, same))
        _show_runs(same, record, "seeds", ["seed", "value", "low", "high", "tuned_on_all", "created", "run_id"])
    _say_what_is_apart(contents, record)
    if len(rest):
        st.subheader("Other runs on the same videos", anchor=False, help=words.ON_SAME_VIDEOS)
        columns = ["name", "seed", "value", "difference", "low", "high", "encoder", "head", "postprocess", "run_id"]
        _show_runs(rest, record, "others", columns)


def _say_what_is_apart(contents: Contents, record: RunRecord) -> None:
    """Name the runs on the same data set that can't be listed here, because they are on other labels."""
    all_rankings = rankings(contents.rows, record.task, record.split, str(record.data.get("name")))
    apart = [ranking for ranking in all_rankings if record.run_id not in ranking.run_ids]
    if len(apart) < len(all_rankings):
        for ranking in apart:
            runs = counted(len(ranking.run_ids), "run")
            st.text(f"Not beside it: {runs} on {ranking.title}, other ones than this run's.", help=words.LABELS)


def _over_seeds(contents: Contents, same: pd.DataFrame) -> str:
    """Return mean, interval of the mean and standard deviation over seeds, as Markdown without a user's text."""
    values = same["value"].dropna().astype(float)
    if len(values) < 2:
        return "Not all of them were scored."
    try:
        replicates = list(read_replicates(contents, list(same["run_id"])).values())
    except StoreError:
        replicates = []  # the mean is then shown without an interval
    stats = mean_over_seeds(list(values), replicates)
    unit = unit_of(same["persons"].dropna())
    interval = "" if stats.low is None else f" with 95 % by {unit} from {stats.low:.3f} to {stats.high:.3f}"
    return f"Mean {stats.mean:.3f}{interval}, ± {stats.sd:.3f}"


def _show_runs(runs: pd.DataFrame, record: RunRecord, what: str, columns: list[str]) -> None:
    c = st.column_config
    widget = f"run-{what}-{record.run_id}-{len(runs)}"
    config = {
        "name": c.TextColumn("Solution", width="medium", pinned=True),
        "seed": c.NumberColumn("Seed", format="%d"),
        "value": c.NumberColumn("Score", format="%.3f"),
        "difference": c.NumberColumn("Minus this run", format="%+.3f"),
        "low": c.NumberColumn("95 % from", format="%.3f", help=words.INTERVAL),
        "high": c.NumberColumn("to", format="%.3f", help=words.INTERVAL),
        "tuned_on_all": c.NumberColumn("Tuned on val", format="%.3f", help=words.TUNED),
        "created": c.DatetimeColumn("Made (UTC)", format="YYYY-MM-DD HH:mm", help=words.MADE),
        "encoder": c.TextColumn("Encoder"),
        "head": c.TextColumn("Head"),
        "postprocess": c.TextColumn("Post-processing", help=words.POSTPROCESS),
        "run_id": c.TextColumn("Run", width="medium"),
    }
    filled_columns = [column for column in columns if runs[column].notna().any()]
    event = st.dataframe(
        runs[filled_columns],
        hide_index=True,
        height=35 * (min(len(runs), _MOST_ROWS) + 1) + 3,
        column_config=config,
        key=widget,
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
    )
    rows = event["selection"]["rows"]
    if not rows or rows[0] >= len(runs):
        return
    other = str(runs["run_id"].iloc[rows[0]])
    if other == record.run_id:
        st.caption("This is the run on this page.")
        return
    with st.container(horizontal=True):
        link("run", "Open run", run=other)
        link("compare", "Compare with this run", a=record.run_id, b=other)
