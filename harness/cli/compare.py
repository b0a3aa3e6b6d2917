"""``abaw compare``: is one run really better than another?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import completion
from harness.cli.options import format_options, out_options, print_json, print_tables
from harness.cli.results import run_records
from harness.metrics.titles import interval_text, score_title
from harness.records.run import differing_settings
from harness.settings import load_settings
from harness.system.counts import counted
from harness.system.terminal import one_line

if TYPE_CHECKING:
    from harness.metrics.compare import Comparison
    from harness.records.run import RunRecord

_MOVES = "The videos that matter most: what A's answer in place of B's does to the score, all else as it is"


@click.command()
@click.argument("a", shell_complete=completion.runs)
@click.argument("b", shell_complete=completion.runs)
@click.option("--videos", default=5, show_default=True, type=click.IntRange(min=0), help="How many videos to list.")
@out_options
@format_options
def compare(a: str, b: str, videos: int, out: Path | None, store: Path | None, form: str) -> None:
    """Two runs over the same videos: the difference with its 95 % interval and p-value, and what sets them apart.

    A and B are run ids, beginnings of them, short ids of `abaw runs`, or SOLUTION[@SEED]. Of a solution that ran under
    several seeds the mean over these is compared.

    The videos are drawn 10,000 times, the same ones for both runs. The p-value is two-sided: twice the smaller of the
    shares of replicates in which A is not better and in which B is not.

    \b
    Example: abaw compare landmarks-mlp-smooth-val-s0-1a2b3c4d landmarks-mlp-val-s0-5e6f7a8b
    """
    from harness.board.differences import settings_that_differ
    from harness.board.tables.compare import scores_table, settings_table, verdict_table, videos_table
    from harness.metrics import compare as comparing
    from harness.store.store import Store

    folders = load_settings(out=out, store=store)
    results = Store(folders.store)
    of_a, of_b = ([record for record, _ in run_records(results, name, folders.out, split="val")] for name in (a, b))
    record_a, record_b = of_a[0], of_b[0]
    found = comparing.compare([record.scored() for record in of_a], [record.scored() for record in of_b])
    if form == "json":
        print_json(
            {
                "a": found.a,
                "b": found.b,
                "runs": {"a": [r.run_id for r in of_a], "b": [r.run_id for r in of_b]},
                "task": found.task.name,
                "split": found.split,
                "verdict": found.verdict,
                "separable": found.separable,
                "p_value": found.p_value,
                "replicates": found.replicates,
                "unit": found.unit,
                "units": found.n_units,
                "frames": found.n_frames,
                "differences": [asdict(row) for row in found.differences],
                "videos": [asdict(mover) for mover in found.movers],
                "settings": {
                    name: {"a": of_a, "b": of_b} for name, of_a, of_b in differing_settings(record_a, record_b)
                },
            }
        )
        return
    settings = settings_that_differ(record_a, record_b)
    of_videos = videos_table(found)
    moving = tuple(row for row in of_videos.rows if row["moves"])[:videos]
    scores, differences = scores_table(found), settings_table(found.a, found.b, settings)
    of_movers = replace(of_videos, rows=moving)
    verdict = verdict_table(found)
    if form == "text":
        _print_heads(found, of_a, of_b)
        scores = replace(scores, title="", notes=())
        of_movers, differences = replace(of_movers, title=_MOVES), replace(differences, title="What differs")
    tables = (*((verdict,) if form != "text" else ()), scores, of_movers, differences)
    print_tables([table for table in tables if table.rows], form)
    if form == "text" and not settings:
        click.echo("\nTheir settings are the same.")


def _print_heads(found: Comparison, a: Sequence[RunRecord], b: Sequence[RunRecord]) -> None:
    """Print which runs are compared, on what, and the answer."""
    from rich.text import Text

    from harness.system.console import Terminal

    console = Terminal(soft_wrap=True)
    for letter, records in (("A", a), ("B", b)):
        first, more = records[0], f", mean over {counted(len(records), 'seed')}" if len(records) > 1 else ""
        ids = ", ".join(one_line(record.run_id) for record in records)
        console.print(Text.assemble((letter, "bold"), f"  {ids}  {one_line(first.name)}{more}"))
    head = found.headline
    size = f"{found.sizes}, {counted(found.n_frames, found.task.label_noun)}"
    console.print(f"{found.task.name} {found.split} on {one_line(a[0].data['name'])}: {size}\n")
    console.print(found.verdict, style="bold")
    difference = interval_text(head.difference, head.low, head.high, sign="+")
    p = "" if found.p_value is None else f", p = {found.p_value:.4f}, paired over {found.unit}s"
    answer = f"{score_title(head.metric, head.target)}, A - B {difference}{p}, {found.replicates:,} replicates\n"
    console.print(answer)
