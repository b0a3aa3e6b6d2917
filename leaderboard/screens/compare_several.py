"""Part of the page Compare: several runs against a baseline. The address names the runs; the lists change it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from harness.board.differences import run_choices
from harness.board.entries import distinct
from harness.board.rankings import comparable
from harness.board.tables.compare import several_table
from harness.errors import AbawError
from harness.metrics.several import SeveralComparisons, compare_several, numbers_of
from harness.metrics.titles import score_title
from harness.system.counts import counted, with_seed
from leaderboard import words
from leaderboard.charts.differences import forest_chart
from leaderboard.screens import grid, phone
from leaderboard.screens.downloads import heading
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.links import link
from leaderboard.screens.means import MEANS, choose_means, read_scored
from leaderboard.screens.reading import Contents

BASE, RUNS = "base", "run"
_BASE, _RUNS, _MOST = "compare-base", "compare-runs", 60
_WIDTHS = {"name": 330, "score": 80, "difference": 90, "interval": 130, "p_value": 75, "corrected_p": 80}
_HELP = {"difference": words.PAIRED, "interval": words.PAIRED, "p_value": words.P_VALUE, "corrected_p": words.HOLM}


def show_several(contents: Contents, base: str) -> None:
    """Show the runs of the address beside the base, with their differences, intervals and p-values.

    Args:
        contents: contents of the store.
        base: id of the run that the others are compared with.
    """
    runs = contents.runs
    if not (runs["run_id"] == base).any():
        st.warning("**No run of this name is in the store.**")
        st.text(base)
        link("compare", "Compare the two best runs")
        return
    task = str(runs.loc[runs["run_id"] == base, "task"].iloc[0])
    chosen = _choose(runs, task, base)
    if not chosen:
        st.info("Choose runs to compare with the baseline.")
        return
    if len(chosen) > _MOST:
        st.warning(f"**The first {_MOST} of {counted(len(chosen), 'run')} are compared.** Take some out of the list.")
        chosen = chosen[:_MOST]
    of_seeds = tuple(choose_means(contents, (base, *chosen)).items())
    try:
        with st.spinner("Comparing…", show_time=True):
            several = _compared(str(contents.place), contents.version, of_seeds, contents)
    except AbawError as error:
        st.warning("**These runs can't be compared.**")
        st.text(str(error))
        return
    _show(several, base)


def _choose(runs: pd.DataFrame, task: str, base: str) -> list[str]:
    """Show lists to choose the baseline and the runs; return the ids of the runs in the address."""
    every = run_choices(runs, task)
    bases = every if base in every else {base: base, **every}
    fitting = {key: text for key, text in run_choices(runs[comparable(runs, base)], task).items() if key != base}
    linked = [key for key in dict.fromkeys(st.query_params.get_all(RUNS)) if key != base]
    named = [key for key in linked if (runs["run_id"] == key).any()]
    if len(named) < len(linked):
        st.text(f"Not in the store: {', '.join(key for key in linked if key not in named)}")
    options = {**fitting, **{key: every.get(key, key) for key in named}}
    # the address decides: each run of the page's script sets the widgets from it
    st.session_state[_BASE], st.session_state[_RUNS] = base, named

    def put() -> None:
        new = st.session_state[_BASE]
        st.query_params[BASE] = new
        # the earlier base takes the place of the run that is the base now
        rest = [base if key == new else key for key in st.session_state[_RUNS]]
        st.query_params[RUNS] = [key for key in rest if key != new]

    st.selectbox(
        "Baseline", list(bases), format_func=lambda key: bases.get(key, key), key=_BASE, on_change=put,
        help=words.BASELINE,
    )  # fmt: skip
    st.multiselect(
        "Runs", list(options), format_func=lambda key: options.get(key, key), key=_RUNS, on_change=put,
        placeholder="runs on the same labels",
    )  # fmt: skip
    return named


# all arguments but _contents are the cache's key; a missing entry is computed from _contents
@st.cache_data(max_entries=16, show_spinner=False)
def _compared(
    place: str, version: tuple[int, int], of_seeds: tuple[tuple[str, tuple[str, ...]], ...], _contents: Contents
) -> SeveralComparisons:
    """Compare runs, or means over seeds, with the first of the items that :func:`choose_means` returns."""
    (base, of_base), *others = of_seeds
    titles = [_title(_contents, run_id, seeds) for run_id, seeds in of_seeds]
    run_ids = [run_id for run_id, _ in of_seeds]
    names = dict(zip(run_ids, distinct(titles, run_ids), strict=True))
    scored = {names[run_id]: read_scored(_contents, seeds) for run_id, seeds in others}
    return compare_several(read_scored(_contents, of_base), scored, name=names[base], skip=True)


def _title(contents: Contents, run_id: str, seeds: Sequence[str]) -> str:
    row = next(row for row in contents.rows if row["run_id"] == run_id)
    return with_seed(row["name"], row["seed"], len(seeds))


def _show(several: SeveralComparisons, base: str) -> None:
    better = [
        row for row in several.rows if row.separable and row.comparison and row.comparison.headline.difference > 0
    ]
    compared = len(several.compared)
    st.text(
        f"{len(better)} of {compared} better than the baseline, p (Holm) < 0.05 and the interval above 0.",
        help=words.HOLM,
    )
    table = several_table(several)
    heading("Against the baseline", table, "several", help=f"{words.PAIRED} {words.HOLM}")
    _show_on_phone(several)
    grid.show_grid(table, _WIDTHS, _HELP, pinned=["name"], width="content")
    for note in table.notes:
        st.caption(note)
    rows = forest_rows(several)
    if len(rows):
        first = several.compared[0]
        show_chart(forest_chart(rows, score_title(first.headline.metric), first.unit))
        st.caption("Filled: p (Holm) < 0.05, and the interval leaves out 0.")
    _show_pairs(several, base)


def _show_on_phone(several: SeveralComparisons) -> None:
    """Show each run's verdict below its name, and its difference beside it."""
    rows = []
    for row in several.rows:
        of_row = numbers_of(row)
        difference = of_row["difference"]
        ends = "" if of_row["low"] is None else f"{of_row['low']:+.3f} to {of_row['high']:+.3f}"
        number = "–" if difference is None else f"{difference:+.3f}"
        name = phone.Cell(row.name, row.verdict, f"run?{urlencode({'run': row.run_ids[0]})}")
        rows.append((name, phone.Cell(number, ends)))
    phone.show_list("several", ("Run", "Minus baseline"), rows, 1, len(rows))


def forest_rows(several: SeveralComparisons) -> pd.DataFrame:
    """Return one row per comparable run, the best first; columns ``score, a, b, difference, low, high, clear``."""
    frame = several.to_frame().rename(columns={"name": "score", "score": "a", "base": "b", "separable": "clear"})
    frame = frame[frame["difference"].notna()].sort_values("difference", ascending=False, kind="stable")
    return frame.reset_index(drop=True)


def _show_pairs(several: SeveralComparisons, base: str) -> None:
    rows: Sequence[str] = [row.run_ids[0] for row in several.rows if row.comparison is not None]
    if not rows:
        return
    with st.expander(f"Each pair in full: {len(rows)}"):
        for number, run_id in enumerate(rows, start=1):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                link("compare", f"Pair {number}", a=run_id, b=base, means=st.query_params.get(MEANS))
                st.text(run_id, width="content")
