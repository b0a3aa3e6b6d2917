"""``abaw export``: any table of the leaderboard as CSV, Markdown or LaTeX; the same bytes as the page's buttons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli.options import out_options
from harness.errors import UnknownNameError
from harness.settings import Settings, load_settings
from harness.slots import SLOTS, task_names
from harness.tasks import TASKS
from leaderboard.tables.forms import FORMS

if TYPE_CHECKING:
    import pandas as pd

    from leaderboard.data.board import Board
    from leaderboard.data.entries import Filters
    from leaderboard.tables.table import Table

F = TypeVar("F", bound=Callable[..., Any])
_SUFFIXES = {suffix: form for form, (_, suffix, _) in FORMS.items()}


@click.group()
def export() -> None:
    """Any table of the leaderboard as CSV, Markdown or LaTeX.

    The same bytes as the page's buttons give. The best is bold, what can't be told from it is marked, and every
    special character is escaped.

    \b
    Example: abaw export board --task EXPR --format latex --to board.tex
    """


def _writing(function: F) -> F:
    """Options of every table: how it is written, where to, and where the results are."""
    for option in reversed(
        [
            click.option(
                "--format", "form", type=click.Choice(list(FORMS)), help="[default: by the name of --to, else csv]"
            ),
            click.option("--to", type=click.Path(path_type=Path), help="The file.  [default: standard output]"),
            click.option("--columns", help="Only these, in this order: keys as in the CSV's first line, by commas."),
        ]
    ):
        function = option(function)
    return out_options(function)


def _write(table: Table, *, form: str | None, to: Path | None, columns: str | None) -> None:
    from harness.atomic import write_text

    chosen = form or (_SUFFIXES.get(to.suffix, "csv") if to else "csv")
    text = FORMS[chosen][0](_chosen(table, columns))
    if to is None:
        click.echo(text.encode(), nl=False)
        return
    write_text(to, text)
    click.echo(f"{to}: {table.title}, {len(table.rows)} rows", err=True)


def _chosen(table: Table, names: str | None) -> Table:
    """The columns that were asked for, whatever they are for."""
    from dataclasses import replace

    if names is None:
        return table
    known = {column.key: column for column in table.columns}
    keys = [name.strip() for name in names.split(",") if name.strip()]
    for key in keys:
        if key not in known:
            raise UnknownNameError("column", key, known)
    return replace(table, columns=tuple(replace(known[key], data_only=False) for key in keys))


# --- the board


@export.command()
@click.option("--task", type=click.Choice(list(TASKS), case_sensitive=False), help="[default: the first with entries]")
@click.option("--split", help="val or test.  [default: val, if there are entries]")
@click.option("--data-set", help="Name of the data set, as the page shows it.  [default: the newest run's]")
@click.option("--each-seed", is_flag=True, help="A row each seed, not one for all of a setup.")
@click.option("--reference", is_flag=True, help="The published results on other data, which the page lists apart.")
@click.option("--kind", multiple=True, help="run, paper, baseline or leaderboard. This and the next: repeat for more.")
@click.option("--encoder", multiple=True, help="Runs with this encoder; published results stay.")
@click.option("--head", multiple=True, help="Runs with this head.")
@click.option("--postprocess", multiple=True, help="Runs with this post-processing.")
@click.option("--team", multiple=True, help="Published results of this team; runs stay.")
@click.option("--evidence", multiple=True, help="Published results with this evidence.")
@click.option("--search", default="", help="Words that must all occur, in any order.")
@click.option("--since", default="", metavar="DATE", help="Runs made on this day or later, such as 2026-11-22.")
@click.option("--until", default="", metavar="DATE", help="Runs made on this day or earlier.")
@_writing
def board(
    task: str | None,
    split: str | None,
    data_set: str | None,
    each_seed: bool,
    reference: bool,
    form: str | None,
    to: Path | None,
    columns: str | None,
    out: Path | None,
    store: Path | None,
    **filters: Any,
) -> None:
    """Runs and published results of one task, split and data set, best first.

    \b
    Example: abaw export board --task EXPR --split val --format md
    """
    from leaderboard.data.entries import filtered
    from leaderboard.tables.board import board_table

    found = _board(load_settings(out=out, store=store), task, split, data_set, each_seed=each_seed)
    entries = found.reference if reference else found.entries
    shown = filtered(entries, _filters(entries, **filters))
    _write(board_table(shown, found.view), form=form, to=to, columns=columns)


def _board(settings: Settings, task: str | None, split: str | None, data_set: str | None, *, each_seed: bool) -> Board:
    """The board that was asked for, else the one that the page opens with."""
    from harness.store.store import Store
    from leaderboard.data.board import load_board
    from leaderboard.data.entries import View, data_with_entries, splits_with_entries, tasks_with_entries

    store = Store(settings.store)
    runs, published = store.runs(), store.published()
    tasks = tasks_with_entries(runs, published)
    wanted = TASKS[_one_of("task", task, tasks)]
    chosen = _one_of("split", split, splits_with_entries(runs, published, wanted))
    name = _one_of("data set", data_set, data_with_entries(runs, published, wanted, chosen))
    return load_board(store, View(wanted, chosen, name), each_seed=each_seed)


def _one_of(kind: str, name: str | None, known: list[str]) -> str:
    """A name that is known, the first one by default.

    Raises:
        UnknownNameError: there are no entries of that name.
    """
    if name is None:
        return known[0]
    if name not in known:
        raise UnknownNameError(f"{kind} (none of the entries is of it)", name, known)
    return name


def _filters(entries: pd.DataFrame, search: str, since: str, until: str, **accepted: tuple[str, ...]) -> Filters:
    from leaderboard.data.entries import Filters

    for key, values in accepted.items():
        known = {str(value) for value in entries[key].dropna() if value}
        for value in values:
            if value not in known:
                raise UnknownNameError(f"{key} (none of the entries has it)", value, known)
    days = {name: _day(text) for name, text in (("since", since), ("until", until))}
    return Filters({key: list(values) for key, values in accepted.items()}, search=search, **days)


def _day(text: str) -> str:
    import datetime

    from harness.errors import UsageError, problem

    try:
        return datetime.date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise UsageError(problem("not a day", found=repr(text), expected="a date such as 2026-11-22")) from None


# --- the slot ledger


@export.command()
@click.option("--task", type=click.Choice(task_names(), case_sensitive=False), help="Of one task only.")
@click.option("--edition", type=int, help="Of one edition only.")
@click.option("--left", is_flag=True, help="How many slots are left, in place of what was sent.")
@click.option("--slots", "n_slots", default=SLOTS, show_default=True, type=click.IntRange(min=1), help="A task.")
@_writing
def slots(
    task: str | None,
    edition: int | None,
    left: bool,
    n_slots: int,
    form: str | None,
    to: Path | None,
    columns: str | None,
    out: Path | None,
    store: Path | None,
) -> None:
    """What was sent to the organisers, which score came back, and what validation had said.

    \b
    Example: abaw export slots --task EXPR --format csv --to sent.csv
    """
    from harness.slots import Ledger
    from harness.store.store import Store
    from leaderboard.data.submissions import of_view, promised_by, run_ids_of, sent_entries, slot_counts
    from leaderboard.tables.submissions import left_table, sent_table

    settings = load_settings(out=out, store=store)
    sent = Ledger(settings.out).read()
    if left:
        table = left_table(slot_counts(sent, task=task, edition=edition, slots=n_slots))
    else:
        results = Store(settings.store)
        runs = results.runs()
        promised = promised_by(results, run_ids_of(sent)) if len(runs) else runs
        table = sent_table(of_view(sent_entries(sent, runs, promised, n_slots), task, edition))
    _write(table, form=form, to=to, columns=columns)
