"""``abaw reproduce``: a paper's table, theirs beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import (
    data_options,
    format_options,
    open_given,
    out_options,
    print_json,
    print_tables,
    work_options,
)
from harness.settings import load_settings
from harness.system.console import Terminal
from harness.system.slow_imports import announced_imports

if TYPE_CHECKING:
    from harness.board.papers import Beside, PaperTable
    from harness.datasets.dataset import Dataset
    from harness.runs.reproduce import Reproduced
    from harness.settings import Settings
    from harness.tables.table import Table


@click.command()
@click.argument("table")
@data_options
@work_options
@out_options
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Run each row so often.")
@click.option("--variant", default="", help="Run …@VARIANT of each row: text, code, paper, fixed or frozen.")
@click.option("--fresh", is_flag=True, help="Fit and predict again what was run before.")
@format_options
@announced_imports()
def reproduce(
    table: str,
    root: Path | None,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    out: Path | None,
    store: Path | None,
    seeds: int,
    variant: str,
    fresh: bool,
    form: str,
    **work: Any,
) -> None:
    """Reproduce the rows of a paper's TABLE.

    Each row of the paper's own systems is run on validation and printed beside the paper's numbers.

    Rows share features and trained heads, and what was run before is not run again. A row whose weights, features or
    extras are missing is listed with the reason, and the exit code is then 1. Of a row alone: abaw10:table1:emotieffnet

    A row follows the paper's text or its authors' code, as its remark says; docs/ingredients.md has both, and --variant
    runs either by name.

    \b
    Example: abaw reproduce abaw10:table1 --data /data/Aff-Wild2 --seeds 5
             abaw reproduce abaw10:table1 --data /data/Aff-Wild2 --variant text
    """
    from harness.runs.reproduce import reproduce as run_rows
    from harness.runs.reproduce import rows_of, task_of

    rows = rows_of(table)
    settings = load_settings(data=root, out=out, store=store, **work)
    data = open_given(settings, task_of(rows), crops=crops, annotations=annotations, ignore_lengths=ignore_lengths)
    errors = Terminal(stderr=True)

    def say(row: Reproduced) -> None:
        errors.print(f"{row.printed.row}: {f'{row.ours.mean:.4f}' if row.ours else _state(row, settings)}")

    results = run_rows(rows, data, settings, seeds=range(seeds), fresh=fresh, variant=variant, done=say)
    if form == "json":
        print_json([_plain(row, settings) for row in results])
    else:
        print_tables([_table(results, data, settings)], form)
    if any(row.ours is None for row in results):
        raise click.exceptions.Exit(1)


def _state(row: Reproduced, settings: Settings) -> str:
    """Return the state of a row in the words of the page Papers."""
    from harness.board.tables.papers import state_of

    return state_of(_beside(row, "", settings), _printed([row]))


def _printed(rows: Sequence[Reproduced]) -> PaperTable:
    from harness.board.papers import PaperTable

    first = rows[0].printed.row
    return PaperTable(first.paper, first.table, tuple(row.printed for row in rows))


def _beside(row: Reproduced, labels: str, settings: Settings) -> Beside:
    """Return a row as the page Papers has it.

    Args:
        row: that was run, or tried.
        labels: fingerprint of the labels of ours.
        settings: where weights and features lie.
    """
    from harness.board.papers import Beside, Ours
    from harness.board.waiting import needs_of_failure

    ours = Ours.of(row.solution, row.ours, labels)
    needs = needs_of_failure(row.solution, row.kind, settings) if row.kind else ""
    return Beside(row.printed, row.printed.published, row.solution, ours, None, failure=row.reason, needs=needs)


def _plain(row: Reproduced, settings: Settings) -> dict[str, Any]:
    printed = row.printed
    ours = asdict(row.ours) | {"optimism": row.ours.optimism} if row.ours else None
    return {**asdict(printed.row), "system": printed.system, "published": printed.published,
            "metric": printed.metric, "solution": row.solution, "ours": ours,
            "state": _state(row, settings), "reason": row.reason}  # fmt: skip


def _table(results: Sequence[Reproduced], data: Dataset, settings: Settings) -> Table:
    """Return the paper's table with ours beside it: rows that were asked for alone, as on the page Papers."""
    from harness.board.tables.papers import paper_table

    labels = data.fingerprint("val")
    rows = [_beside(row, labels, settings) for row in results]
    table = paper_table(_printed(results), rows, data.name)
    notes, ran = list(table.notes), [row.ours for row in results if row.ours]
    if ran:
        constant = "" if ran[0].constant is None else f"; the best constant prediction gets {ran[0].constant:.3f}"
        notes.append(f"Ours is on labels {labels[:8]}{constant}.")
    reasons: dict[str, list[str]] = {}
    for row in results:
        if row.ours is None:
            reasons.setdefault(row.reason, []).append(row.printed.row.row_id)
    notes += [f"not run: {', '.join(names)}, because {reason}" for reason, names in reasons.items()]
    # what the paper prints by class is not computed here
    columns = tuple(column for column in table.columns if not column.key.startswith(("paper ", "ours ")))
    return replace(table, columns=columns, notes=tuple(notes))
