"""``abaw hide``, ``remove``, ``note`` and ``tag``: order among the runs. Everything can be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli import completion
from harness.cli.options import out_options
from harness.errors import DataError, UsageError
from harness.settings import load_settings
from harness.system.terminal import one_line

if TYPE_CHECKING:
    from harness.records.marks import Marks
    from harness.settings import Settings
    from harness.store.store import Store

F = TypeVar("F", bound=Callable[..., Any])
_undo = click.option("--undo", is_flag=True, help="Take the last change of these runs' marks back.")


def _opened(out: Path | None, store: Path | None) -> tuple[Settings, Store]:
    from harness.store.store import Store

    settings = load_settings(out=out, store=store)
    return settings, Store(settings.store)


def _folders(runs: tuple[str, ...], settings: Settings, results: Store) -> Iterator[Path]:
    """Yield the folders of the runs that names mean; of a solution, those of all of its seeds.

    Raises:
        DataError: a name is the path of a copy, while the run of this id lies elsewhere.
    """
    from harness.cli.results import run_folder, run_records
    from harness.store.run_names import is_run_folder

    for name in runs:
        for record, _ in run_records(results, name, settings.out, split="val"):
            folder = run_folder(results, record.run_id, settings.out)
            if is_run_folder(Path(name)) and Path(name).resolve() != folder.resolve():
                do = "Name the folder of its runs with --out, or name the run by its id"
                raise DataError("this folder is a copy of a run", where=name, expected=folder, do=do)
            yield folder


def _change(
    runs: tuple[str, ...], out: Path | None, store: Path | None, change: Callable[[Marks], Marks]
) -> Iterator[tuple[str, Marks]]:
    """Mark runs; yield the id and the marks of each."""
    from harness.runs.marking import mark

    settings, results = _opened(out, store)
    for folder in dict.fromkeys(_folders(runs, settings, results)):
        yield one_line(folder.name), mark(folder, results, change)


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=completion.runs)
@_undo
@out_options
def hide(runs: tuple[str, ...], undo: bool, out: Path | None, store: Path | None) -> None:
    """Leave runs out of every board.

    Their folders stay as they are, and every command still takes their names. `abaw runs --hidden` lists them.

    \b
    Example: abaw hide 1a2b3c4d
             abaw hide 1a2b3c4d --undo
    """
    for run_id, marks in _change(runs, out, store, lambda m: m.changed(hidden=not undo)):
        click.echo(f"{run_id}: {'hidden' if marks.hidden else 'shown again'}")


@click.command()
@click.argument("run", shell_complete=completion.runs)
@click.argument("text", required=False)
@_undo
@out_options
def note(run: str, text: str | None, undo: bool, out: Path | None, store: Path | None) -> None:
    """Keep a note of yours with a run.

    It stands with the run's notes on board, page and export, and the board's search finds it. A new note replaces the
    old one, "" removes it, --undo brings it back.

    \b
    Example: abaw note 1a2b3c4d "crops of edition 6"
    """
    if undo == (text is not None):
        raise UsageError("give the note's text, or --undo; see: abaw note --help")
    for run_id, marks in _change((run,), out, store, lambda m: m.undone() if undo else m.changed(note=text)):
        click.echo(f"{run_id}: {f'note: {one_line(marks.note)}' if marks.note else 'no note'}")


@click.command()
@click.argument("run", shell_complete=completion.runs)
@click.argument("tags", nargs=-1)
@click.option("--remove", "removing", is_flag=True, help="Take these tags away; without any, all of them.")
@_undo
@out_options
def tag(run: str, tags: tuple[str, ...], removing: bool, undo: bool, out: Path | None, store: Path | None) -> None:
    """Put tags on a run, for the board's search.

    \b
    Example: abaw tag 1a2b3c4d final crops-v2
             abaw tag 1a2b3c4d --remove final
    """
    if not tags and not removing and not undo:
        raise UsageError("name a tag, or give --remove or --undo; see: abaw tag --help")

    def change(marks: Marks) -> Marks:
        if undo:
            return marks.undone()
        if removing:
            return marks.changed(tags=tuple(t for t in marks.tags if tags and t not in tags))
        return marks.changed(tags=tuple(dict.fromkeys([*marks.tags, *tags])))

    for run_id, marks in _change((run,), out, store, change):
        words = one_line(", ".join(marks.tags))
        click.echo(f"{run_id}: {f'tags: {words}' if words else 'no tags'}")


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--undo", is_flag=True, help="Bring removed runs back.")
@click.option("--for-good", is_flag=True, help="Delete the folders of runs that were removed before.")
@click.option("--list", "listing", is_flag=True, help="List the runs that were removed.")
@out_options
def remove(
    runs: tuple[str, ...], undo: bool, for_good: bool, listing: bool, out: Path | None, store: Path | None
) -> None:
    """Remove runs; --undo brings them back.

    Their folders are moved to OUT/<TASK>/.removed, and the store forgets them. Only --for-good, a second step, deletes
    anything.

    \b
    Example: abaw remove 1a2b3c4d
             abaw remove 1a2b3c4d --undo
    """
    from harness.runs import marking
    from harness.slots import Ledger

    if undo + for_good + listing > 1 or listing == bool(runs):
        raise UsageError("name runs, with at most one of --undo and --for-good; or give --list alone")
    settings, results = _opened(out, store)
    if listing:
        folders = marking.removed_folders(settings.out)
        for folder in folders:
            click.echo(one_line(folder.name))
        if not folders:
            click.echo(f"{settings.out}: no run was removed")
        return
    if undo or for_good:
        for folder in [marking.removed_folder(settings.out, name) for name in runs]:
            if undo:
                click.echo(f"brought back: {one_line(marking.restore(folder, results))}")
            else:
                marking.delete(folder)
                click.echo(f"deleted: {one_line(folder)}")
        return
    sent = {entry.run_id: entry.number for entry in Ledger(settings.out).read()}
    for folder in dict.fromkeys(_folders(runs, settings, results)):
        if folder.name in sent:
            click.echo(f"note: {one_line(folder.name)} was sent as #{sent[folder.name]}", err=True)
        where = marking.remove(folder, results, settings.out)
        click.echo(f"removed: {one_line(folder.name)}, which lies in {one_line(where.parent)} now")
        click.echo(f"Bring it back with: abaw remove --undo {one_line(folder.name)}")
