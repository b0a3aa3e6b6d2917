"""``abaw import``: other people's runs, from a shared drive, a git checkout or a zip."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option, out_options, print_json
from harness.files.archives.names import SHOWN
from harness.settings import load_settings
from harness.system.counts import counted, first_of

if TYPE_CHECKING:
    from harness.importing.merge import Outcome
    from harness.store.store import Store
    from harness.store.sync import Due

_DONE = {
    "new": "imported",
    "replaced": "replaced",
    "here": "here already",
    "refused": "REFUSED",
    "passed over": "no run",
}
_WOULD_BE = {**_DONE, "new": "would be imported", "replaced": "would be replaced"}


@click.command("import")
@click.argument("sources", nargs=-1, required=True, metavar="FOLDER|ZIP...", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Put these in the place of runs that are here already.")
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@out_options
@json_option
def import_(
    sources: tuple[Path, ...], replace: bool, dry_run: bool, out: Path | None, store: Path | None, as_json: bool
) -> None:
    """Import other people's runs.

    The source is a run's folder, or a folder or zip with many runs at any depth.

    To hand runs over, copy their folders to where the others can read them (a shared drive, a git repository), or zip
    them: zip -r anna.zip submissions/EXPR. Nothing else is needed.

    Nothing that comes is believed or executed. Only the files that a run has are taken, all or none: they must be what
    its record says, official files valid, and scores those that the run's own statistics give. Whether these are right
    only the labels can tell: abaw score. A run that is here already, with the same result, stays as it is; another one
    of the same id is refused without --replace. Every problem is named; the other runs are imported all the same, and
    the exit code is then 1.

    \b
    Example: abaw import anna.zip /mnt/team/runs --dry-run
    """
    from harness.importing.take import take, to_record
    from harness.store.store import Store

    settings = load_settings(out=out, store=store)
    words = _WOULD_BE if dry_run else _DONE
    outcomes: list[Outcome] = []
    for outcome in take(sources, settings.out, replace=replace, dry=dry_run):
        outcomes.append(outcome)
        if not as_json:
            _print(outcome, words)
    results = Store(settings.store)
    recorded = 0 if dry_run else _record(results, to_record(results, outcomes))
    if as_json:
        print_json({"outcomes": [_plain(outcome) for outcome in outcomes], "recorded": recorded, "dry_run": dry_run})
    else:
        click.echo(_sum(outcomes, words) + (f"; {recorded:,} recorded in {settings.store}" if recorded else ""))
    if any(outcome.state == "refused" for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _record(store: Store, due: Due) -> int:
    from harness.store.sync import record_due
    from harness.system.progress import progress

    if due.runs or due.failures:
        with progress("recording", len(due.runs), "runs") as advance:
            record_due(store, due, advance)
    return len(due.runs)


def _print(outcome: Outcome, words: dict[str, str]) -> None:
    bad = outcome.state == "refused"
    what = " (note of a failed run)" if outcome.failure else ""
    click.echo(f"{words[outcome.state]:12s}  {outcome.where}{what}", err=bad)
    for text in outcome.problems:
        click.echo("  " + text.replace("\n", "\n  "), err=bad)
    if outcome.left_out:
        click.echo(f"  left out: {first_of(outcome.left_out, SHOWN, ', ')}")


def _sum(outcomes: list[Outcome], words: dict[str, str]) -> str:
    runs = Counter(outcome.state for outcome in outcomes if not outcome.failure and outcome.state != "passed over")
    notes = sum(outcome.state == "new" for outcome in outcomes if outcome.failure)
    parts = [f"{runs[state]:,} {word}" for state, word in words.items() if runs[state]]
    return ", ".join([*parts, *([f"{counted(notes, 'note')} of failed runs"] if notes else [])])


def _plain(outcome: Outcome) -> dict[str, Any]:
    record, folder = outcome.run or (None, None)
    failure, file = outcome.failure or (None, None)
    return {
        "where": outcome.where,
        "state": outcome.state,
        "task": record.task if record else failure.task if failure else None,
        "run_id": record.run_id if record else None,
        "failure_id": failure.failure_id if failure else None,
        "place": str(folder or file) if folder or file else None,
        "problems": list(outcome.problems),
        "left_out": list(outcome.left_out),
    }
