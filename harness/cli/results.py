"""``abaw runs``, ``show``, ``reindex``, ``sync``: what is in the results store."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import completion
from harness.cli.options import format_options, out_options, print_json, print_tables
from harness.errors import DataError, UsageError
from harness.records.run import RUN_FILE, RunRecord, splits_in
from harness.settings import load_settings
from harness.store.address import StoreAddress
from harness.store.folders import may_be_opened, run_folders, within_reach
from harness.system.counts import counted
from harness.system.terminal import one_line

if TYPE_CHECKING:
    from harness.board.board import Board
    from harness.board.waiting import Attempts
    from harness.store.run_names import NamedRun
    from harness.store.store import Store, TableRows


@click.command()
@click.option("--task", default=None, help="Of this task only, such as EXPR.")
@click.option("--each-seed", is_flag=True, help="One row per seed, in place of the mean over the seeds of a solution.")
@click.option("--hidden", is_flag=True, help="The hidden runs, too; see: abaw hide.")
@out_options
@format_options
def runs(task: str | None, each_seed: bool, hidden: bool, out: Path | None, store: Path | None, form: str) -> None:
    """Show the board: every run, best first.

    Runs on Aff-Wild2 itself are shown beside published results. The short id in column Run names a run to every other
    command, and so does SOLUTION[@SEED].

    Runs on different labels have separate tables, even if their data sets have the same name. A terminal that is too
    narrow for all columns leaves some out and names them.

    \b
    Example: abaw runs --task EXPR
    """
    from harness.board.board import every_board
    from harness.board.tables.board import tables_of
    from harness.board.waiting import attempts
    from harness.slots import Ledger
    from harness.store.store import Store
    from harness.tasks import task_named

    task_name = task_named(task).name if task else None
    settings = load_settings(out=out, store=store)
    results = Store(settings.store)
    with results.at_once() as held:
        every = held.run_rows(hidden=True)
        known = {str(row[column]) for row in every for column in ("run_id", "folder")}
        listed = _of_task(every if hidden else [row for row in every if not row["hidden"]], task_name)
        unrecorded = _tell_of_unrecorded(results, settings.out, known)
        options: dict[str, Any] = {"with_runs": True, "each_seed": each_seed, "sent": Ledger(settings.out).read()}
        boards = every_board(held, listed, held.published(), **options) if listed else ()
        if form == "json":
            print_json(_content_of(list(boards), listed))
        elif listed:
            print_tables([table for board in boards for table in tables_of(board, named=True)], form)
            if form == "text":
                _tell_of_attempts(attempts(_of_task(held.failures(), task_name), settings))
        elif not unrecorded:
            do = "Make one with: abaw run SOLUTION --data ROOT  (see: abaw solutions)"
            click.echo(f"{results.place}: no runs yet. {do}")


def _of_task(rows: TableRows, task: str | None) -> TableRows:
    """Return the rows of a task; all of them where none is named."""
    return [row for row in rows if row["task"] == task] if task else rows


def _tell_of_attempts(tried: Attempts) -> None:
    """Print which solutions wait for weights, and how many runs failed."""
    for note in tried.notes:
        click.echo(f"waiting: {one_line(note)}")
    for name, reason in {row["name"]: row["reason"] for row in tried.failed}.items():
        first = str(reason).partition("\n")[0]
        click.echo(f"failed: {one_line(name)}: {one_line(first[:200])}")


def _content_of(boards: Sequence[Board], runs: TableRows) -> list[dict[str, Any]]:
    """Return the rows of the boards as plain data, in their order: what the other forms print, and more of each.

    A row of a run holds what the store holds of it, too; a mean over seeds that of its lowest seed, but for the
    numbers, and ``members``. Runs of tasks that have no board follow.
    """
    from harness.board.entries import COLUMNS
    from harness.store.run_names import short_id

    listed = [_plain(row) for row in runs]
    by_id = {row["run_id"]: row for row in listed}
    content, shown = [], set()
    for board in boards:
        apart = board.reference if board.view.verified else ()  # as the other forms have it
        place: dict[str, str | None] = {
            "task": board.view.task.name,
            "split": board.view.split,
            "data_name": board.view.data_name,
        }
        place["labels"] = board.ranking.labels if board.ranking else None
        for entry in (*board.entries, *apart):
            row = _plain({name: getattr(entry, name) for name in COLUMNS})
            names = {"value": entry.score, "short_id": short_id(entry.run_id) if entry.run_id else None}
            content.append({**by_id.get(entry.run_id, {}), **row, **names, **place})
            shown |= set(entry.members or ())
    return [*content, *(row for row in listed if row["run_id"] not in shown)]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row for JSON: a time as ISO 8601, with milliseconds."""
    return {
        key: value.isoformat(timespec="milliseconds") if isinstance(value, datetime.datetime) else value
        for key, value in row.items()
    }


def _tell_of_unrecorded(results: Store, out: Path, known: set[str]) -> bool:
    """Warn on stderr of run folders that the store lacks, as after it was deleted or busy; return True if any exist."""
    lost = [folder for folder in run_folders(out) if not known & {folder.name, str(folder.resolve())}]
    if lost:
        number = f"{counted(len(lost), 'run')} {'is' if len(lost) == 1 else 'are'}"
        state = "" if results.exists() else f"there is no results store at {results.place}; "
        click.echo(f"abaw: {state}{number} in {out} and not in the store. Bring them in with: abaw sync", err=True)
    return bool(lost)


def run_folder(results: Store, name: str, out: Path | None = None, *, split: str | None = None) -> Path:
    """Return the folder of the run that a name means; see :func:`harness.store.run_names.named_run`.

    Args:
        results: the results store.
        name: name of the run.
        out: folder of the runs, which is searched for runs that the store lacks.
        split: preferred split, where a solution has runs on several.

    Raises:
        UnknownNameError: the name is unknown.
        AmbiguousNameError: several runs have this name.
        DataError: a server names a folder that holds another run, or belongs to another user.
        StoreError: the run is missing from ``out``, and the store is unreadable.
    """
    from harness.store.run_names import named_run

    run = named_run(results, name, out, split=split)
    if (
        not _is_own(run, name, out)
        and within_reach(run.folder)
        and not may_be_opened(run.folder, run.run_id, results.place)
    ):
        what = "a folder that the store's server names is not opened: it does not hold this run of yours"
        do = "Name the folder of your runs: --out. For a run of others: abaw import"
        raise DataError(what, where=run.folder, do=do)
    return run.folder


def _is_own(run: NamedRun, name: str, out: Path | None) -> bool:
    """Return True if the user named the run's folder, or if it lies in the folder of the user's runs."""
    return run.folder == Path(name) or (out is not None and run.folder in run_folders(out))


def run_records(results: Store, name: str, out: Path, *, split: str | None = None) -> list[tuple[RunRecord, Path]]:
    """Return the runs that a name means: one, or those of one solution that differ in the seed alone, lowest first.

    The store's record is used for a run whose folder is gone or on another machine.

    Raises:
        AmbiguousNameError: several runs have this name, and differ in more than the seed.
        UnknownNameError: the name is unknown.
        StoreError: the run is missing from ``out``, and the store is unreadable.
        DataError: the record in a run's folder is unreadable.
    """
    from harness.store.run_names import AmbiguousNameError, named_runs

    runs = named_runs(results, name, out, split=split)
    records = [_record_of(results, run, name, out) for run in runs]
    if len(records) > 1 and not _are_seeds([record for record, _ in records]):
        raise AmbiguousNameError(name, runs)
    return sorted(records, key=lambda pair: pair[0].seed or 0)


def _are_seeds(records: Sequence[RunRecord]) -> bool:
    """Return True for runs of one set-up with different seeds."""
    seeds = {record.seed for record in records}
    return len({record.setup for record in records}) == 1 and None not in seeds and len(seeds) == len(records)


def _record_of(results: Store, run: NamedRun, name: str, out: Path) -> tuple[RunRecord, Path]:
    from harness.store.store import stored_record

    opened = _is_own(run, name, out) or may_be_opened(run.folder, run.run_id, results.place)
    if not (opened and within_reach(run.folder / RUN_FILE)) and (stored := stored_record(results, run.run_id)):
        return stored
    return RunRecord.read(run.folder), run.folder


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
@click.argument("run", shell_complete=completion.runs)
@out_options
@format_options
def show(run: str, out: Path | None, store: Path | None, form: str) -> None:
    """Show a run's scores, choices and files.

    RUN is an id, its beginning, the short id of `abaw runs`, a run's folder, or SOLUTION[@SEED]. A solution that ran
    under several seeds is shown with their mean.

    \b
    Example: abaw show landmarks-mlp-smooth-val-s0-1a2b3c4d
             abaw show expr/landmarks-mlp-smooth@0
    """
    from harness.board.tables.run import shown_content, shown_tables
    from harness.cli.report import print_run, print_seeds
    from harness.store.store import Store

    settings = load_settings(out=out, store=store)
    results = Store(settings.store)
    shown = run_records(results, run, settings.out, split="val")
    if form == "json":
        content = [shown_content(record, folder) for record, folder in shown]
        print_json(content if len(content) > 1 else content[0])
        return
    if form != "text":
        print_tables([table for record, folder in shown for table in shown_tables(record, folder)], form)
        return
    for record, folder in shown:
        print_run(record, folder, beside=_beside(results, record))
        if not within_reach(folder):
            click.echo("This is what the store holds: the run's folder is on another machine, or was moved or removed.")
    if len(shown) > 1:
        print_seeds([record for record, _ in shown])


@click.command()
@out_options
@click.option("--anew", is_flag=True, help="Move the store aside without opening it, and make a new one.")
def reindex(out: Path | None, store: Path | None, anew: bool) -> None:
    """Rebuild the results store.

    The run folders hold all results; the store is an index over them. Runs in the store whose folders are elsewhere are
    kept; those whose folders are gone are removed. A damaged store is renamed (results.duckdb.broken-1) and made again,
    and so is a store that crashes the process that opens it.

    \b
    Example: abaw reindex --out submissions
    """
    from harness.store.rebuild import rebuild
    from harness.store.store import Store

    settings = load_settings(out=out, store=store)
    if isinstance(settings.store, StoreAddress):
        do = "Others' runs would be removed, as their folders are not here. Record yours with: abaw sync"
        raise UsageError("a store on a server is not rebuilt from here", where=settings.store, do=do)
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
    """Record runs that the store lacks.

    The runs below OUT are compared with the store; missing ones, and those of which the store has an earlier version,
    are recorded. Nothing is removed. Use it for runs that were made while the team's store was away, and to join a team
    with runs of your own. A second call changes nothing.

    \b
    Example: abaw sync --store quack:board.lab.example:443
    """
    from harness.store.store import Store
    from harness.store.sync import due, record_due
    from harness.system.progress import progress

    settings = load_settings(out=out, store=store)
    results = Store(settings.store)
    missing = due(results, settings.out)
    if missing.runs or missing.failures:
        with progress("recording", len(missing.runs), "runs") as advance:
            record_due(results, missing, advance)
    for record, folder in missing.runs:
        click.echo(f"recorded: {one_line(record.run_id)}, from {one_line(folder)}")
    for failure, path in missing.failures:
        click.echo(f"recorded: the failure of {one_line(failure.name)}, from {one_line(path)}")
    for run_id in missing.newer:
        click.echo(f"left as it is: {one_line(run_id)}, of which the store has a newer version")
    recorded = f"{counted(len(missing.runs), 'run')} and {counted(len(missing.failures), 'failure')} recorded"
    click.echo(f"{settings.store}: {recorded} from {settings.out}, {missing.unchanged} were there")
    for message in missing.left_out:
        click.echo(f"left out: {message}", err=True)
    if missing.left_out:
        raise click.exceptions.Exit(1)
