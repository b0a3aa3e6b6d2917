"""``abaw runs``, ``show``, ``reindex``, ``sync``: what is in the results store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import format_options, out_options, print_json, print_tables
from harness.errors import DataError, UnknownNameError, UsageError, problem
from harness.records.run import RUN_FILE, RunRecord, splits_in
from harness.settings import load_settings
from harness.store.address import StoreAddress
from harness.store.folders import may_be_opened, run_folders, within_reach
from harness.system.counts import counted
from harness.system.terminal import one_line

if TYPE_CHECKING:
    from harness.store.store import Store


@click.command()
@click.option("--task", default=None, help="Of this task only, such as EXPR.")
@click.option("--each-seed", is_flag=True, help="One row per seed, in place of the mean over the seeds of a solution.")
@out_options
@format_options
def runs(task: str | None, each_seed: bool, out: Path | None, store: Path | None, form: str) -> None:
    """The board: every run, best first, with published results beside those on Aff-Wild2 itself.

    Runs on different labels have tables of their own, though their data sets bear one name. A terminal that is too
    narrow for all columns leaves some out and names them.

    \b
    Example: abaw runs --task EXPR
    """
    from harness.board.board import every_board
    from harness.board.tables.board import tables_of
    from harness.store.store import Store
    from harness.tasks import task_named

    wanted = task_named(task).name if task else None
    settings = load_settings(out=out, store=store)
    results = Store(settings.store)
    with results.at_once() as held:
        found = held.runs()
        known = set() if found.empty else {*found.run_id, *found.folder}
        unrecorded = _tell_of_unrecorded(results, settings.out, known)
        if wanted and not found.empty:
            found = found[found.task == wanted]
        if form == "json":
            print_json(json.loads(found.to_json(orient="records", date_format="iso")))
        elif len(found):
            boards = every_board(held, found, held.published(), with_runs=True, each_seed=each_seed)
            print_tables([table for board in boards for table in tables_of(board)], form)
        elif not unrecorded:
            do = "Make one with: abaw run SOLUTION --data ROOT  (see: abaw solutions)"
            click.echo(f"{results.place}: no runs yet. {do}")


def _tell_of_unrecorded(results: Store, out: Path, known: set[str]) -> bool:
    """Say so on stderr where run folders are there that the store knows nothing of: it was deleted, or was busy."""
    lost = [folder for folder in run_folders(out) if not known & {folder.name, str(folder.resolve())}]
    if lost:
        number = f"{counted(len(lost), 'run')} {'is' if len(lost) == 1 else 'are'}"
        state = "" if results.exists() else f"there is no results store at {results.place}; "
        click.echo(f"abaw: {state}{number} in {out} and not in the store. Bring them in with: abaw sync", err=True)
    return bool(lost)


def run_folder(results: Store, run_id: str, out: Path | None = None) -> Path:
    """Where a run of the store lies.

    Args:
        out: folder of the runs, where to look for what the store does not know, or can't tell.

    Raises:
        UnknownNameError: there is no such run.
        DataError: a server names a folder that is not the run's, or not the user's.
        StoreError: it is not in ``out``, and the store can't be read.
    """
    folder = _named_folder(results, run_id, out)
    if (
        folder != _found_folder(run_id, out)
        and within_reach(folder)
        and not may_be_opened(folder, run_id, results.place)
    ):
        what = "a folder that the store's server names is not opened: it does not hold this run of yours"
        do = "Name the folder of your runs: --out. For a run of others: abaw import"
        raise DataError(problem(what, where=folder, do=do))
    return folder


def _found_folder(run_id: str, out: Path | None) -> Path | None:
    return next((folder for folder in run_folders(out) if folder.name == run_id), None) if out else None


def _named_folder(results: Store, run_id: str, out: Path | None) -> Path:
    known = {folder.name: folder for folder in run_folders(out)} if out else {}
    if run_id in known:
        return known[run_id]
    known |= results.folders()
    if run_id not in known:
        raise UnknownNameError("run", run_id, known, hint="See all with: abaw runs")
    return known[run_id]


def run_record(results: Store, run_id: str, out: Path) -> tuple[RunRecord, Path]:
    """A run's record and folder; as the store holds it where the folder is on another machine, or gone.

    Raises:
        UnknownNameError: there is no such run.
        StoreError: it is not in ``out``, and the store can't be read.
        DataError: the folder is there, and its record can't be read.
    """
    from harness.store.store import stored_record

    folder = _named_folder(results, run_id, out)
    opened = folder == _found_folder(run_id, out) or may_be_opened(folder, run_id, results.place)
    if not (opened and within_reach(folder / RUN_FILE)) and (found := stored_record(results, run_id)):
        return found
    return RunRecord.read(folder), folder


def _beside(results: Store, record: RunRecord) -> RunRecord | None:
    """Return the run on val of heads trained on train alone, for a run whose heads have seen val; else ``None``."""
    from harness.board.slots import promised_by
    from harness.store.store import stored_record

    if record.split != "test" or "val" not in splits_in(record.trained_on):
        return None
    promised = promised_by(results, [record.run_id])
    stored = stored_record(results, str(promised["val"].iloc[0])) if len(promised) else None
    return stored[0] if stored else None


@click.command()
@click.argument("run_id")
@out_options
@format_options
def show(run_id: str, out: Path | None, store: Path | None, form: str) -> None:
    """One run in full: scores, choices, where its files are.

    \b
    Example: abaw show landmarks-mlp-smooth-val-s0-1a2b3c4d
    """
    from harness.board.tables.run import shown_tables
    from harness.cli.report import print_run
    from harness.store.store import Store

    settings = load_settings(out=out, store=store)
    record, folder = run_record(Store(settings.store), run_id, settings.out)
    if form == "json":
        print_json(record.plain())
        return
    if form != "text":
        print_tables(shown_tables(record), form)
        return
    print_run(record, folder, beside=_beside(Store(settings.store), record))
    if not within_reach(folder):
        click.echo("This is what the store holds: the run's folder is on another machine, or was moved or removed.")


@click.command()
@out_options
@click.option("--anew", is_flag=True, help="Move the store aside without opening it, and make a new one.")
def reindex(out: Path | None, store: Path | None, anew: bool) -> None:
    """Rebuild the results store from the run folders: they are the truth, the store is an index.

    Runs in the store whose folders are elsewhere are kept; those whose folders are gone are removed. A damaged store is
    moved aside (results.duckdb.broken-1) and made anew; so is one that ends the process that opens it.

    \b
    Example: abaw reindex --out submissions
    """
    from harness.store.rebuild import rebuild
    from harness.store.store import Store

    settings = load_settings(out=out, store=store)
    if isinstance(settings.store, StoreAddress):
        do = "Others' runs would be removed, as their folders are not here. Record yours with: abaw sync"
        raise UsageError(problem("a store on a server is not rebuilt from here", where=settings.store, do=do))
    done = rebuild(Store(settings.store), settings.out, unread=anew)
    if done.moved_aside:
        state = "was not opened" if anew else "was damaged"
        click.echo(
            f"the store {state} and lies at {done.moved_aside} now; runs it held from other folders than "
            f"{settings.out} come back with: abaw reindex --out FOLDER --store {settings.store}"
        )
    click.echo(f"{settings.store}: {done.recorded} runs recorded from {settings.out}")
    for run_id in done.removed:
        click.echo(f"removed: {one_line(run_id)}, its folder is gone")
    for message in done.left_out:
        click.echo(f"left out: {message}", err=True)
    if done.left_out:
        raise click.exceptions.Exit(1)


@click.command()
@out_options
def sync(out: Path | None, store: Path | None) -> None:
    """Record the runs below OUT that the store lacks, or has an earlier version of. Nothing is removed.

    For what was made while the team's store could not be reached, and for whoever joins one with runs of their own.
    Twice does nothing more.

    \b
    Example: abaw sync --store quack:board.lab.example:443
    """
    from harness.store.store import Store
    from harness.store.sync import due, record_due
    from harness.system.progress import progress

    settings = load_settings(out=out, store=store)
    results = Store(settings.store)
    found = due(results, settings.out)
    if found.runs or found.failures:
        with progress("recording", len(found.runs), "runs") as advance:
            record_due(results, found, advance)
    for record, folder in found.runs:
        click.echo(f"recorded: {one_line(record.run_id)}, from {one_line(folder)}")
    for failure, path in found.failures:
        click.echo(f"recorded: the failure of {one_line(failure.name)}, from {one_line(path)}")
    for run_id in found.newer:
        click.echo(f"left as it is: {one_line(run_id)}, of which the store has a newer version")
    recorded = f"{counted(len(found.runs), 'run')} and {counted(len(found.failures), 'failure')} recorded"
    click.echo(f"{settings.store}: {recorded} from {settings.out}, {found.unchanged} were there")
    for message in found.left_out:
        click.echo(f"left out: {message}", err=True)
    if found.left_out:
        raise click.exceptions.Exit(1)
