"""Command ``abaw export papers``: a paper's table with our scores beside it, or the gain of each ingredient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import UsageError
from harness.settings import load_settings
from leaderboard.export.writing import one_of, open_store, write, writing_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.board.rankings import Ranking
    from harness.settings import Settings
    from harness.store.store import Store
    from harness.tables.table import Table


@click.command()
@click.argument("table")
@click.option("--data-set", help="That ours is on.  [default: the paper's, then the newest run's]")
@click.option("--labels", help="Version of the labels that ours is on.  [default: the newest run's]")
@click.option("--ingredients", is_flag=True, help="What each ingredient adds, in place of the rows.")
@writing_options
def papers(
    table: str,
    data_set: str | None,
    labels: str | None,
    ingredients: bool,
    form: str | None,
    to: Path | None,
    columns: str | None,
    out: Path | None,
    store: Path | None,
) -> None:
    """Write a paper's table beside our scores.

    TABLE is a name that `abaw reproduce` takes. own:EXPR, or own: with another task, stands for our own solutions that
    differ in one ingredient.

    \b
    Example: abaw export papers abaw10:table1 --format latex --to table1.tex
    """
    from harness.board.gains import OWN

    settings = load_settings(out=out, store=store)
    results = open_store(settings)
    if table.startswith(OWN):
        content = _of_own(results, table, data_set, labels, ingredients)
    else:
        content = _of_paper(results, table, data_set, labels, ingredients, settings)
    write(content, form=form, to=to, columns=columns)


def _of_paper(
    store: Store, key: str, data_set: str | None, labels: str | None, ingredients: bool, settings: Settings
) -> Table:
    from harness.board.gains import of_paper
    from harness.board.papers import beside, data_of_table, paper_tables, rankings_of_table
    from harness.board.tables.papers import ingredient_table, paper_table
    from harness.board.waiting import attempts

    tables, runs = paper_tables(), store.runs()
    table = tables[one_of("table", key, list(tables))]
    names = data_of_table(table, runs)
    data_name = one_of("data set of this table's runs", data_set, names) if names or data_set else ""
    chosen = _labels(rankings_of_table(table, runs, data_name), labels)
    with store.at_once() as held:
        current = attempts(held.failures(), settings).current
        rows = beside(table, runs, held.targets(), data_name, held.replicates, current, labels=chosen)
    if not ingredients:
        return paper_table(table, rows, data_name)
    gains = of_paper(table, rows)
    if not gains.listed:
        raise _nothing_to_list(key)
    return ingredient_table(table.title, gains)


def _of_own(store: Store, key: str, data_set: str | None, labels: str | None, ingredients: bool) -> Table:
    from harness.board.gains import OWN, data_of_own, gains_of_task, rankings_of_own
    from harness.board.tables.papers import ingredient_table
    from harness.tasks import task_named

    task, runs = task_named(key.removeprefix(OWN)), store.runs()
    names = data_of_own(runs, task.name)
    if not names:
        raise UsageError(f"no run of {task.name} on validation is in the store", where=store.place)
    data_name = one_of("data set of these runs", data_set, names)
    chosen = _labels(rankings_of_own(runs, task.name, data_name), labels)
    gains = gains_of_task(runs, task.name, data_name, store.replicates, labels=chosen)
    if not ingredients:
        do = "Give --ingredients: our own solutions have no other table here; abaw export board lists them"
        raise UsageError("no paper's table", where=key, do=do)
    if not gains.listed:
        raise _nothing_to_list(key)
    return ingredient_table(f"Our own runs: {task.title}, val", gains)


def _labels(rankings: Sequence[Ranking], labels: str | None) -> str:
    """Return the version of the labels to write, by default the newest run's; name the others on stderr."""
    from harness.system.counts import counted

    names = [ranking.labels for ranking in rankings]
    if not names and labels is None:
        return ""
    chosen = one_of("version of the labels", labels, names)
    for ranking in rankings:
        if len(rankings) > 1 and ranking.labels == chosen:
            click.echo(f"abaw: ours: runs on {ranking.title}", err=True)
    for ranking in rankings:
        if ranking.labels != chosen:
            runs = counted(len(ranking.run_ids), "run")
            click.echo(f"abaw: left out: {runs} on {ranking.title}: --labels {ranking.labels}", err=True)
    return chosen


def _nothing_to_list(key: str) -> UsageError:
    return UsageError("no two rows differ in one ingredient", where=key)
