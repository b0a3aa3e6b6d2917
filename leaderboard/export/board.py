"""Command ``abaw export board``: runs and published results, with the filters of the page."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import UnknownNameError, UsageError
from harness.settings import Settings, load_settings
from harness.tasks import TASKS
from leaderboard.export.writing import one_of, open_store, write, writing_options

if TYPE_CHECKING:
    from harness.board.board import Board
    from harness.board.entries import Entries, Filters


@click.command()
@click.option("--task", type=click.Choice(list(TASKS), case_sensitive=False), help="[default: the first with entries]")
@click.option("--split", help="val or test.  [default: val, if there are entries]")
@click.option("--data-set", help="Name of the data set, as the page shows it.  [default: the newest run's]")
@click.option("--labels", help="Version of the labels, as the page shows it.  [default: the newest run's]")
@click.option("--each-seed", is_flag=True, help="One row per seed, in place of one per setup.")
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
@writing_options
def board(
    task: str | None,
    split: str | None,
    data_set: str | None,
    labels: str | None,
    each_seed: bool,
    reference: bool,
    form: str | None,
    to: Path | None,
    columns: str | None,
    out: Path | None,
    store: Path | None,
    **filters: Any,
) -> None:
    """Write a board, best entries first.

    A board has runs and published results of one task, split and data set. If the data set has several versions of its
    labels, only runs on one version are written.

    \b
    Example: abaw export board --task EXPR --split val --format md
    """
    from harness.board.entries import filtered
    from harness.board.tables.board import board_table

    whole = _board(load_settings(out=out, store=store), task, split, data_set, labels, each_seed=each_seed)
    entries = whole.reference if reference else whole.entries
    shown = filtered(entries, _filters(entries, **filters))
    notes = whole.notes if not reference else (whole.apart,) if whole.apart else ()
    for note in notes:
        click.echo(f"abaw: {note}", err=True)
    for other in () if reference else whole.others:
        click.echo(f"abaw: to write those instead: --labels {other.ranking.labels}", err=True)
    write(board_table(shown, whole.view, notes), form=form, to=to, columns=columns)


def _board(
    settings: Settings,
    task: str | None,
    split: str | None,
    data_set: str | None,
    labels: str | None,
    *,
    each_seed: bool,
) -> Board:
    """Return the board of the options; options that are left out take the page's first choice."""
    from harness.board.board import load_board
    from harness.board.entries import View, data_with_entries, splits_with_entries, tasks_with_entries, versions
    from harness.slots import Ledger

    store = open_store(settings)
    with store.at_once() as held:
        runs, published = held.run_rows(), held.published()
    tasks = tasks_with_entries(runs, published)
    chosen_task = TASKS[one_of("task", task, tasks)]
    chosen = one_of("split of this task", split, splits_with_entries(runs, published, chosen_task))
    data_names = data_with_entries(runs, published, chosen_task, chosen)
    name = one_of("data set of this board", data_set, data_names)
    if data_set is None and len(data_names) > 1:
        others = ", ".join(other for other in data_names if other != name)
        click.echo(f"abaw: this is the board of {name}; --data-set names another one: {others}", err=True)
    known = [ranking.labels for ranking in versions(runs, View(chosen_task, chosen, name)).rankings]
    version = one_of("version of the labels", labels, known) if known or labels else ""
    sent = Ledger(settings.out).read()
    return load_board(store, View(chosen_task, chosen, name, version), each_seed=each_seed, sent=sent)


def _filters(entries: Entries, search: str, since: str, until: str, **accepted: tuple[str, ...]) -> Filters:
    from harness.board.entries import Filters

    for key, values in accepted.items():
        known = {str(value) for entry in entries if (value := getattr(entry, key))}
        for value in values:
            if value not in known:
                raise UnknownNameError(f"{key} (none of the entries has it)", value, known)
    days = {name: _day(text) for name, text in (("since", since), ("until", until))}
    return Filters({key: list(values) for key, values in accepted.items()}, search=search, **days)


def _day(text: str) -> str:
    try:
        return datetime.date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise UsageError("not a day", found=repr(text), expected="a date such as 2026-11-22") from None
