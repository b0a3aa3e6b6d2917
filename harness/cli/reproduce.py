"""``abaw reproduce``: a paper's table, theirs beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from harness.cli.options import data_options, json_option, open_given, out_options, print_json, work_options
from harness.datasets.identity import PUBLISHED_ON
from harness.metrics.titles import score_title
from harness.settings import load_settings
from harness.system.console import Terminal

if TYPE_CHECKING:
    from harness.datasets.dataset import Dataset
    from harness.runs.reproduce import Reproduced


@click.command()
@click.argument("table")
@data_options
@work_options
@out_options
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Run each row so often.")
@click.option("--fresh", is_flag=True, help="Fit and predict again what was run before.")
@json_option
def reproduce(
    table: str,
    root: Path | None,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    out: Path | None,
    store: Path | None,
    seeds: int,
    fresh: bool,
    as_json: bool,
    **work: Any,
) -> None:
    """Run every own row of a paper's TABLE on validation and print it beside the paper's numbers.

    Rows share features and trained heads, and what was run before is not run again. A row whose weights, features or
    extras are missing is listed with the reason, and the exit code is then 1. Of a row alone: abaw10:table1:emotieffnet

    \b
    Example: abaw reproduce abaw10:table1 --data /data/Aff-Wild2 --seeds 5
    """
    from harness.runs.reproduce import reproduce as run_rows
    from harness.runs.reproduce import rows_of, task_of

    rows = rows_of(table)
    settings = load_settings(data=root, out=out, store=store, **work)
    data = open_given(settings, task_of(rows), crops=crops, annotations=annotations, ignore_lengths=ignore_lengths)
    errors = Terminal(stderr=True, highlight=False)

    def say(row: Reproduced) -> None:
        value = f"{row.ours.mean:.4f}" if row.ours else "not run"
        errors.print(f"{row.printed.row}: {value}", markup=False)

    results = run_rows(rows, data, settings, seeds=range(seeds), fresh=fresh, done=say)
    if as_json:
        print_json([_plain(row) for row in results])
    else:
        _print(results, data, seeds)
    if any(row.ours is None for row in results):
        raise click.exceptions.Exit(1)


def _plain(row: Reproduced) -> dict[str, Any]:
    printed = row.printed
    ours = asdict(row.ours) | {"optimism": row.ours.optimism} if row.ours else None
    return {**asdict(printed.row), "system": printed.system, "published": printed.published,
            "metric": printed.metric, "solution": row.solution, "ours": ours, "reason": row.reason}  # fmt: skip


def _print(results: Sequence[Reproduced], data: Dataset, seeds: int) -> None:
    first = results[0].printed
    console = Terminal(highlight=False)
    title = f"{first.row.paper}, table {first.row.table}: {first.task} on {data.name}, val"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("system", overflow="fold")
    unit = next((row.ours.unit for row in results if row.ours), "video")
    for column in ("paper", "ours", f"95 % by {unit}", "tuned on val", "optimism"):
        table.add_column(column, justify="right", no_wrap=True)
    if seeds > 1:
        table.add_column(f"{seeds} seeds", justify="right", no_wrap=True)
    for row in results:
        paper = "–" if row.printed.published is None else f"{row.printed.published:.3f}"
        ours = row.ours
        if ours is None:
            table.add_row(escape(row.printed.system), paper, "not run")
            continue
        interval = "–" if ours.low is None else f"[{ours.low:.3f}, {ours.high:.3f}]"
        cells = [escape(row.printed.system), paper, f"[bold]{ours.mean:.3f}[/]", escape(interval)]
        cells += ["–" if ours.tuned_on_all is None else f"{ours.tuned_on_all:.3f}"]
        cells += ["–" if ours.optimism is None else f"{ours.optimism:+.3f}"]
        if seeds > 1:
            cells.append(f"± {ours.sd:.3f}, {min(ours.values):.3f} to {max(ours.values):.3f}")
        table.add_row(*cells)
    console.print(table)
    ran = [row.ours for row in results if row.ours]
    if ran:
        constant = "" if ran[0].constant is None else f"; the best constant prediction gets {ran[0].constant:.3f}"
        labels = data.fingerprint("val")[:8]
        console.print(f"{score_title(ran[0].metric)}, cross-fitted{constant}; ours is on labels {labels}")
    home = PUBLISHED_ON[first.task]
    console.print(f"The paper's numbers are on {home} and tuned on the videos that they are reported on.")
    reasons: dict[str, list[str]] = {}
    for row in results:
        if row.ours is None:
            reasons.setdefault(row.reason, []).append(row.printed.row.row_id)
    for reason, names in reasons.items():
        console.print(f"\nnot run: {', '.join(names)}", markup=False)
        console.print(f"because {reason}", markup=False)
