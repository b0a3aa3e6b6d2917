"""``abaw runs``, ``show``, ``reindex``: what is in the results store."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli.options import json_option, out_options, print_json
from harness.errors import DataError, UnknownNameError
from harness.record import RUN_FILE, RunRecord
from harness.settings import load_settings


@click.command()
@click.option("--task", default=None, help="EXPR, VA, AU or VD only.")
@out_options
@json_option
def runs(task: str | None, out: Path | None, store: Path | None, as_json: bool) -> None:
    """The board: every run, best first, with published results beside those on Aff-Wild2 itself.

    \b
    Example: abaw runs --task EXPR
    """
    from rich.console import Console

    from harness.cli.report import board_table
    from harness.store.store import Store
    from harness.tasks import task_named

    wanted = task_named(task).name if task else None
    results = Store(load_settings(out=out, store=store).store)
    found = results.runs()
    if wanted and not found.empty:
        found = found[found.task == wanted]
    if as_json:
        print_json(json.loads(found.to_json(orient="records", date_format="iso")))
        return
    if found.empty:
        click.echo(f"{results.path}: no runs yet. Make one with: abaw run SOLUTION --data ROOT  (see: abaw solutions)")
        return
    published, console = results.published(), Console(highlight=False)
    scored = found[found.value.notna()]
    for name, split, data_name in sorted(set(zip(scored.task, scored.split, scored.data_name, strict=True))):
        console.print(board_table(scored, published, name, split, data_name))
        console.print()
    for r in found[found.value.isna()].to_dict("records"):
        where = f"{r['task']} · {r['split']} · {r['data_name']}"
        console.print(f"{where}: {r['name']}, no labels to score on: {r['folder']}", soft_wrap=True, markup=False)


@click.command()
@click.argument("run_id")
@out_options
@json_option
def show(run_id: str, out: Path | None, store: Path | None, as_json: bool) -> None:
    """One run in full: scores, choices, where its files are.

    \b
    Example: abaw show landmarks-mlp-smooth-val-s0-1a2b3c4d
    """
    from harness.cli.report import print_run
    from harness.store.store import Store

    results = Store(load_settings(out=out, store=store).store)
    found = results.runs()
    known = dict(zip(found.run_id, found.folder, strict=True)) if not found.empty else {}
    if run_id not in known:
        raise UnknownNameError("run", run_id, known, hint="See all with: abaw runs")
    folder = Path(known[run_id])
    if as_json:
        try:
            click.echo((folder / RUN_FILE).read_text(encoding="utf-8").rstrip())
        except OSError as error:
            hint = "Was the run folder moved? Then: abaw reindex"
            raise DataError(f"{folder / RUN_FILE}: {error.strerror}. {hint}") from None
        return
    print_run(RunRecord.read(folder), folder)


@click.command()
@out_options
def reindex(out: Path | None, store: Path | None) -> None:
    """Rebuild the results store from the run folders: they are the truth, the store is an index.

    Runs in the store whose folders are elsewhere are kept.

    \b
    Example: abaw reindex --out submissions
    """
    from harness.store.store import Store

    settings = load_settings(out=out, store=store)
    found = (path.parent for path in settings.out.glob(f"*/*/{RUN_FILE}"))
    folders = sorted(folder for folder in found if not folder.name.startswith("."))
    records, broken = [], []
    for folder in folders:
        try:
            records.append((RunRecord.read(folder), folder))
        except DataError as error:
            broken.append(str(error))
    Store(settings.store).record(records)
    click.echo(f"{settings.store}: {len(records)} runs recorded from {settings.out}")
    for message in broken:
        click.echo(f"left out: {message}", err=True)
    if broken:
        raise click.exceptions.Exit(1)
