"""Page Papers: results tables of the papers with our scores, gains of ingredients, curves of abaw8's figures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from harness.board.curves import Curve, curves_of
from harness.board.gains import (
    OWN,
    Ingredients,
    data_of_own,
    gains_of_task,
    of_paper,
    own_runs,
    rankings_of_own,
)
from harness.board.papers import (
    Beside,
    PaperTable,
    beside,
    data_of_table,
    paper_tables,
    rankings_of_table,
    unit_of_rows,
)
from harness.board.rankings import Ranking
from harness.board.tables.papers import paper_table
from harness.errors import AbawError
from harness.metrics.titles import score_title
from harness.store.store import TableRows
from harness.tables.table import Table
from harness.tasks import TASKS
from leaderboard import words
from leaderboard.screens import grid, phone
from leaderboard.screens.curves import show_curves
from leaderboard.screens.downloads import export_buttons
from leaderboard.screens.ingredients import show_ingredients
from leaderboard.screens.links import link
from leaderboard.screens.notices import store_notice
from leaderboard.screens.reading import (
    Contents,
    read_attempts,
    read_replicates,
    read_store,
    read_targets,
    store_at,
)

# names that differ from the board's: Streamlit removes a widget's name from the address when a reader leaves its page
TABLE, DATA, LABELS = "table", "on", "on_labels"
# each choice decides the options of the later ones
_IN_ORDER = (TABLE, DATA, LABELS)
_WIDTHS = {
    "system": 330, "paper": 70, "ours": 70, "interval": 122, "tuned": 92, "optimism": 76, "difference": 94, "sd": 92,
    "state": 130, "constants": 135,
}  # fmt: skip
_HELP = {
    "ours": words.OURS, "interval": words.INTERVAL, "tuned": words.TUNED, "optimism": words.OPTIMISM,
    "difference": words.OURS_MINUS_PAPER, "sd": words.SD, "state": words.ROW_STATE, "constants": words.WITH_CONSTANTS,
}  # fmt: skip
# the charts' orange of published results, thin enough for text on black and on white
_TINT = "background-color: rgba(213, 94, 0, 0.14)"


def papers() -> None:
    """Show the page."""
    st.header("Papers", anchor=False)
    contents = read_store()
    store_notice(contents)
    tables = paper_tables()
    our_titles = {f"{OWN}{task}": f"Our own runs: {TASKS[task].title}, val" for task in _tasks_run(contents)}
    titles = {key: table.title for key, table in tables.items()} | our_titles
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="papers"):
        chosen = _pick(TABLE, "Table", titles, width=520)
        names = data_of_table(tables[chosen], contents.runs) if chosen in tables else _data_of_own(contents, chosen)
        data_name = _pick(DATA, "Ours on", {name: name for name in names}, width=320) if names else ""
        rankings = _rankings(contents, chosen, data_name)
        labels = rankings[0].labels if rankings else ""
        if len(rankings) > 1:
            known = {ranking.labels: ranking.labels for ranking in rankings}
            labels = _pick(LABELS, "Labels", known, width=160, help=words.LABELS)
    if len(rankings) > 1:
        _say_which_labels(rankings, labels)
    ours = _OursOn(data_name, labels)
    try:
        if chosen in tables:
            _show_paper(tables[chosen], contents, ours)
        else:
            _show_own(chosen.removeprefix(OWN), titles[chosen], contents, ours)
    except AbawError as error:
        st.warning("**Our runs can't be read now.** Reload the page in a moment.")
        st.text(str(error))


@dataclass(frozen=True)
class _OursOn:
    """Data set and version of the labels that our runs are on; both are empty if there is no run.

    Attributes:
        data_name: name of the data set.
        labels: version of the labels.
    """

    data_name: str
    labels: str


def _rankings(contents: Contents, chosen: str, data_name: str) -> list[Ranking]:
    """Return the rankings that have runs for the chosen table, the newest run's first."""
    tables = paper_tables()
    if chosen in tables:
        return rankings_of_table(tables[chosen], contents.runs, data_name)
    return rankings_of_own(contents.runs, chosen.removeprefix(OWN), data_name)


def _say_which_labels(rankings: Sequence[Ranking], labels: str) -> None:
    shown = next(ranking for ranking in rankings if ranking.labels == labels)
    rest = " and ".join(ranking.title for ranking in rankings if ranking is not shown)
    st.text(f"Ours: runs on {shown.title}. Scores on other labels can't be compared: left out are runs on {rest}.")


def _pick(key: str, label: str, options: dict[str, str], *, width: int, help: str | None = None) -> str:
    """Show a list of options, and return the one in the address; the first if the address names another."""
    linked = st.query_params.get(key)
    if linked and linked not in options:
        st.query_params.pop(key)
        st.text(f"There is no {linked!r} here: the first is shown.")
    # the address decides: each run of the page's script sets the widget from it
    st.session_state[f"papers-{key}"] = linked if linked in options else next(iter(options))

    def put() -> None:
        st.query_params[key] = st.session_state[f"papers-{key}"]
        for later in _IN_ORDER[_IN_ORDER.index(key) + 1 :]:
            st.query_params.pop(later, None)

    def name(option: str) -> str:
        return options.get(option, option)

    return st.selectbox(
        label, list(options), format_func=name, key=f"papers-{key}", on_change=put, width=width, help=help
    )


def _tasks_run(contents: Contents) -> list[str]:
    return [task for task in TASKS if len(own_runs(contents.runs, task))]


def _data_of_own(contents: Contents, chosen: str) -> list[str]:
    return data_of_own(contents.runs, chosen.removeprefix(OWN))


# --- a paper's table


def _show_paper(table: PaperTable, contents: Contents, ours: _OursOn) -> None:
    data_name = ours.data_name
    current = read_attempts(contents, table.task).current
    tried = tuple(row["failure_id"] for row in current)
    rows = _beside(str(contents.place), contents.version, table.key, ours, tried, contents, current)
    _say_what_ours_is(table, rows, data_name)
    _show_rows(table, rows, data_name)
    ingredients = of_paper(table, rows)
    if ingredients.listed:
        show_ingredients(ingredients, table.title, score_title(table.metric), data_name)
    curves = _curves(str(contents.place), contents.version, table.key, ours, contents)
    if curves:
        show_curves(curves, data_name, comparable=data_name == table.on and not rows[0].apart)


# arguments that begin with _ are no part of the cache's key: a missing entry is computed from them
@st.cache_data(max_entries=32, show_spinner=False)
def _beside(
    place: str,
    version: tuple[int, int],
    key: str,
    ours: _OursOn,
    tried: tuple[str, ...],
    _contents: Contents,
    _failures: TableRows,
) -> list[Beside]:
    contents, table, data_name = _contents, paper_tables()[key], ours.data_name
    if not data_name:
        return beside(table, contents.runs, pd.DataFrame(), data_name, lambda ids: {}, _failures)
    replicates = functools.partial(read_replicates, contents)
    return beside(table, contents.runs, read_targets(contents), data_name, replicates, _failures, labels=ours.labels)


@st.cache_data(max_entries=32, show_spinner=False)
def _curves(place: str, version: tuple[int, int], key: str, ours: _OursOn, _contents: Contents) -> list[Curve]:
    store, table = store_at(place), paper_tables()[key]
    return curves_of(table, _contents.runs, ours.data_name, store.sweep, labels=ours.labels)


def _say_what_ours_is(table: PaperTable, rows: list[Beside], data_name: str) -> None:
    if table.task not in TASKS:
        st.info("There is no solution for this task here yet: the paper's numbers stand alone.")
    elif data_name and data_name != table.on:
        st.warning(
            "**Ours is on other data than the paper's: not comparable.** No difference is formed; what an ingredient "
            "adds may differ, too."
        )
        st.text(f"Ours: {data_name}. The paper's: {table.on}.")
    elif rows[0].apart and any(row.ours for row in rows):
        st.warning("**Ours may be on other labels than the paper's: not comparable.** No difference is formed.")
        st.text(rows[0].apart)
    elif table.split == "test":
        st.info("Labels of the test set are with the organisers: what they sent back stands on Submissions.")
        link("submissions", "Submissions", task=table.task)
    elif not data_name:
        st.info("**None of these rows was run yet.** The whole table in one go, features and heads shared:")
    if table.split == "val" and not data_name and any(row.solution for row in rows):
        _how_to_run(table)


def _how_to_run(table: PaperTable) -> None:
    st.code(f"abaw reproduce {table.key} --data ROOT --seeds 5", language="bash")


def _show_rows(table: PaperTable, rows: list[Beside], data_name: str) -> None:
    shown = paper_table(table, rows, data_name)
    frame = grid.grid_frame(shown, _columns_in_order(shown))
    tinted = [row.printed.is_own for row in rows]
    score = f"{score_title(table.metric)}. {words.PAPER_SCORE}"
    help = {**_HELP, "paper": score, "interval": words.interval_help(unit_of_rows(rows))}
    _show_on_phone(table, rows)
    selected = st.dataframe(
        frame.style.apply(lambda row: [_TINT if tinted[row.name] else ""] * len(row), axis=1),
        hide_index=True,
        height=grid.height(len(frame), len(frame)),
        column_config=grid.grid_columns(shown, _WIDTHS, help, pinned=["system"]),
        on_select="rerun",
        selection_mode="single-row",
        key=f"rows-{table.key}-{data_name}",
        placeholder="–",
        width="content",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        export_buttons(shown, table.key.replace(":", "-"))
        st.caption("Tinted: the paper's own rows. Select a row (its left edge): its notes, and our runs of it.")
    chosen = selected["selection"]["rows"]
    if chosen:
        _show_row(rows[chosen[0]], table)
    if data_name and table.split == "val" and any(row.solution and not row.ours for row in rows):
        st.caption("What is not run yet, all in one go, features and heads shared:")
        _how_to_run(table)


def _show_on_phone(table: PaperTable, rows: list[Beside]) -> None:
    """Show each row's two scores beside its name, in a list that fits a phone's screen."""
    score = score_title(table.metric)
    cells = [
        (
            phone.Cell(
                row.printed.system,
                address=f"run?{urlencode({'run': row.ours.run_ids[0]})}" if row.ours and row.ours.run_ids else "",
            ),
            phone.Cell(phone.number(row.paper)),
            phone.Cell(phone.number(row.ours.mean if row.ours else None), _ends(row)),
        )
        for row in rows
    ]
    phone.show_list("papers", ("System", f"Paper, {score}", "Ours"), cells, 2, len(rows))


def _ends(row: Beside) -> str:
    if row.ours is None or row.ours.interval is None:
        return ""
    low, high = row.ours.interval
    return f"{low:.3f} to {high:.3f}"


def _columns_in_order(table: Table) -> list[str]:
    """Return the keys of the columns in order: the state is visible without scrolling, scores by class stand last."""
    keys = [column.key for column in table.read if column.key != "seeds"]
    by_class = [key for key in keys if key.startswith(("paper ", "ours "))]
    last = ["state", *(["constants"] if "constants" in keys else []), *by_class]
    return [*(key for key in keys if key not in last), *last]


def _show_row(row: Beside, table: PaperTable) -> None:
    with st.container(border=True):
        st.text(row.printed.system)
        for note in row.printed.notes:
            st.text(f"Note: {note}")
        if row.failure:
            state = f"{row.needs[0].upper()}{row.needs[1:]}" if row.needs else "Tried, and failed"
            st.text(f"{state}: {row.failure}")
        if row.solution and table.split == "val":
            st.code(f"abaw run {row.solution} --data ROOT --split val --seed 0", language="bash")
        if row.variant_names and table.split == "val":
            st.text("Also by name: " + ", ".join(name.removeprefix(row.solution) for name in row.variant_names))
        ours = [
            ("chosen on validation", row.ours),
            ("with the paper's constants", row.constants),
            *((f"{each.solution.removeprefix(row.solution)} {each.mean:.4f}", each) for each in row.variants),
        ]
        with st.container(horizontal=True):
            for what, system in ours:
                for run_id, seed in zip(system.run_ids, system.seeds, strict=False) if system else ():
                    link("run", f"Run {what}, seed {seed}", run=run_id)
            if row.ours and row.paper is not None:
                link("compare", "Compare with the paper's row", a=row.ours.run_ids[0], b=str(row.printed.row))


# --- our own runs


def _show_own(task: str, title: str, contents: Contents, ours: _OursOn) -> None:
    st.text(
        "No paper's table: our own solutions that differ in one ingredient, on validation. Every score is the mean "
        "over the seeds of a solution's newest set-up, cross-fitted where anything was chosen."
    )
    ingredients = _own_gains(str(contents.place), contents.version, task, ours, contents)
    if not ingredients.listed:
        st.info(
            "**No two solutions here differ in one ingredient.** Run two that do, such as landmarks-mlp and "
            "landmarks-mlp-smooth; `abaw solutions` lists them all."
        )
        return
    show_ingredients(ingredients, title, score_title(TASKS[task].metric), ours.data_name)


@st.cache_data(max_entries=32, show_spinner=False)
def _own_gains(place: str, version: tuple[int, int], task: str, ours: _OursOn, _contents: Contents) -> Ingredients:
    replicates = functools.partial(read_replicates, _contents)
    return gains_of_task(_contents.runs, task, ours.data_name, replicates, labels=ours.labels)
