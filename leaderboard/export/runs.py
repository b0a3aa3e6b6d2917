"""Commands ``abaw export run`` and ``abaw export compare``: tables of one run, and of two side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import UnknownNameError
from harness.settings import load_settings
from leaderboard.export.writing import one_of, open_store, write, writing_options

if TYPE_CHECKING:
    from harness.board.differences import Side
    from harness.records.run import RunRecord
    from harness.store.store import Store
    from harness.tables.table import Table


@click.command()
@click.argument("run_id")
@click.option(
    "--table", "which", help="classes, confusion, videos, steps or settings.  [default: the first that it has]"
)
@writing_options
def run(
    run_id: str,
    which: str | None,
    form: str | None,
    to: Path | None,
    columns: str | None,
    out: Path | None,
    store: Path | None,
) -> None:
    """Write a table of one run.

    The tables are scores by class, confusions, scores by video, effect of each step, and every setting.

    \b
    Example: abaw export run landmarks-mlp-smooth-val-s0-1a2b3c4d --table videos
    """
    from harness.board.tables.run import run_tables

    settings = load_settings(out=out, store=store)
    tables = run_tables(_record(open_store(settings), run_id, settings.out))
    write(tables[one_of("table of this run", which, list(tables))], form=form, to=to, columns=columns)


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--table", "which", help="scores, videos or settings.  [default: scores]")
@writing_options
def compare(
    a: str,
    b: str,
    which: str | None,
    form: str | None,
    to: Path | None,
    columns: str | None,
    out: Path | None,
    store: Path | None,
) -> None:
    """Write a comparison of two runs.

    The tables are each score with its paired difference, the videos that matter most, and the settings that differ.
    A or B may be a published number, named by its key in the page's address; it has no interval.

    \b
    Example: abaw export compare landmarks-mlp-smooth-val-s0-1a2b3c4d landmarks-mlp-val-s0-5e6f7a8b --format md
    """
    settings = load_settings(out=out, store=store)
    tables = _tables(open_store(settings), a, b, settings.out)
    make = tables[one_of("table of these two", which, list(tables))]
    write(make(), form=form, to=to, columns=columns)


def _tables(store: Store, a: str, b: str, out: Path) -> dict[str, Callable[[], Table]]:
    """Return functions that make the page's tables, by name; settings can be compared even if scores can't."""
    from harness.board.differences import Printed, Ran, beyond_runs, settings_that_differ
    from harness.board.tables.compare import beyond_table, scores_table, settings_table, videos_table
    from harness.metrics.compare import compare as compare_runs

    one, other = (_side(store, key, out) for key in (a, b))
    if isinstance(one, Ran) and isinstance(other, Ran):
        of_a, of_b = one.record, other.record
        return {
            "scores": lambda: scores_table(compare_runs(of_a.scored(), of_b.scored())),
            "videos": lambda: videos_table(compare_runs(of_a.scored(), of_b.scored())),
            "settings": lambda: settings_table(of_a.run_id, of_b.run_id, settings_that_differ(of_a, of_b)),
        }
    called = {side.key: side.name if isinstance(side, Printed) else side.key for side in (one, other)}
    return {
        "difference": lambda: beyond_table(called[one.key], called[other.key], beyond_runs(one, other, store.runs()))
    }


def _side(store: Store, key: str, out: Path) -> Side:
    """Return the published number of a key, or the run that a name means.

    Raises:
        UnknownNameError: the store has neither.
        AmbiguousNameError: several runs have the name.
    """
    from harness.board.differences import Ran, printed_side
    from harness.store.run_names import named_run
    from harness.store.store import stored_record

    if (printed := printed_side(store.published(), key)) is not None:
        return printed
    try:
        stored = stored_record(store, named_run(store, key, out).run_id)
    except UnknownNameError:
        stored = None
    if stored is None:
        raise UnknownNameError("run, or published number,", key, store.folders(), hint="See all runs with: abaw runs")
    return Ran(*stored)


def _record(store: Store, name: str, out: Path) -> RunRecord:
    """Return the record of the run that a name means: its id or a beginning, short id, folder, or solution and seed.

    Raises:
        UnknownNameError: there is no such run.
        AmbiguousNameError: several runs have the name.
    """
    from harness.store.run_names import named_run
    from harness.store.store import stored_record

    run_id = named_run(store, name, out).run_id
    stored = stored_record(store, run_id)
    if stored is None:
        raise UnknownNameError("run in the store", run_id, store.folders(), hint="Record it with: abaw sync")
    return stored[0]
