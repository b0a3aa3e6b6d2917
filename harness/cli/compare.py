"""``abaw compare``: is one run really better than another, or any of several better than one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import completion
from harness.cli.options import format_options, out_options, print_json, print_tables
from harness.cli.results import run_records
from harness.errors import UsageError
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
@click.argument("runs", nargs=-1, required=True, shell_complete=completion.runs)
@click.option("--videos", type=click.IntRange(min=0), help="How many videos to list, of two runs.  [default: 5]")
@out_options
@format_options
def compare(runs: tuple[str, ...], videos: int | None, out: Path | None, store: Path | None, form: str) -> None:
    """Compare two runs, or several with one.

    For two RUNS, A and B, the command prints the difference A - B with its 95 % interval and p-value, the videos that
    matter most, and the settings that differ. For three and more the first is the base: each other run gets a row with
    its difference from the base, interval and p-value, and the p-value corrected for the number of comparisons (Holm
    1979).

    RUNS are run ids, beginnings of them, short ids of `abaw runs`, or SOLUTION[@SEED]. A solution that ran with several
    seeds is compared by the mean over these.

    The videos are resampled 10,000 times, the same ones for both runs. The p-value is two-sided: twice the smaller of
    two shares, that of the replicates in which A is at most as good as B, and that in which B is at most as good as A.
    A run on other labels than the base is listed with the reason, and the exit code is then 1.

    \b
    Example: abaw compare landmarks-mlp-smooth-val-s0-1a2b3c4d landmarks-mlp-val-s0-5e6f7a8b
             abaw compare expr/landmarks-mlp expr/landmarks-mlp-smooth landmarks-forest 1a2b3c4d
    """
    from harness.store.store import Store

    if len(runs) < 2:
        raise click.UsageError("one run alone can't be compared. Name two, or a base and any number of others.")
    if len(runs) > 2 and videos is not None:
        raise click.UsageError("--videos is for two runs. Leave it out, or name two runs.")
    folders = load_settings(out=out, store=store)
    results = Store(folders.store)
    records = [[record for record, _ in run_records(results, name, folders.out, split="val")] for name in runs]
    if len(runs) == 2:
        _compare_two(records[0], records[1], 5 if videos is None else videos, form)
    else:
        _compare_several(runs, records, form)


def _compare_several(names: Sequence[str], records: Sequence[Sequence[RunRecord]], form: str) -> None:
    """Print a row for each run but the first, which is the base.

    Raises:
        UsageError: two names mean the same runs.
    """
    from harness.board.tables.compare import several_table
    from harness.metrics.several import compare_several, numbers_of

    name_by_ids: dict[tuple[str, ...], str] = {}
    for name, runs in zip(names, records, strict=True):
        ids = tuple(record.run_id for record in runs)
        if ids in name_by_ids:
            what = "each run counts once: two names mean the same"
            raise UsageError(what, found=f"{name_by_ids[ids]} and {name}, which are {ids[0]}", do="Leave one out")
        name_by_ids[ids] = name
    titles, data_name = [_title_of(runs) for runs in records], str(records[0][0].data["name"])
    base, *others = ([record.scored() for record in runs] for runs in records)
    several = compare_several(base, dict(zip(titles[1:], others, strict=True)), name=titles[0], skip=True)
    if form == "json":
        first = several.compared[0]
        rows = [
            {"name": row.name, "runs": row.run_ids, **numbers_of(row), "separable": row.separable}
            | {"verdict": row.verdict, "reason": row.reason}
            for row in several.rows
        ]
        content = {
            "base": several.base,
            "runs": several.base_ids,
            "task": first.task.name,
            "split": first.split,
            "data_name": data_name,
            "metric": first.headline.metric,
            "replicates": first.replicates,
            "unit": first.unit,
            "units": first.n_units,
            "frames": first.n_frames,
            "correction": several.correction,
            "rows": rows,
        }
        print_json(content)
    else:
        print_tables([several_table(several, data_name)], form)
    if any(row.comparison is None for row in several.rows):
        raise click.exceptions.Exit(1)


def _title_of(runs: Sequence[RunRecord]) -> str:
    """Return the solution with its seed, or its number of seeds, and the short id."""
    from harness.store.run_names import short_id

    first = runs[0]
    if len(runs) > 1:
        return f"{first.name}, mean over {counted(len(runs), 'seed')} ({', '.join(short_id(r.run_id) for r in runs)})"
    return f"{first.name}{'' if first.seed is None else f'@{first.seed}'} ({short_id(first.run_id)})"


def _compare_two(of_a: Sequence[RunRecord], of_b: Sequence[RunRecord], videos: int, form: str) -> None:
    """Print the difference of two runs, or of the means of two solutions, and the settings that differ."""
    from harness.board.differences import settings_that_differ
    from harness.board.tables.compare import scores_table, settings_table, verdict_table, videos_table
    from harness.metrics import compare as comparing

    record_a, record_b = of_a[0], of_b[0]
    comparison = comparing.compare([record.scored() for record in of_a], [record.scored() for record in of_b])
    if form == "json":
        print_json(
            {
                "a": comparison.a,
                "b": comparison.b,
                "runs": {"a": [r.run_id for r in of_a], "b": [r.run_id for r in of_b]},
                "task": comparison.task.name,
                "split": comparison.split,
                "verdict": comparison.verdict,
                "separable": comparison.separable,
                "p_value": comparison.p_value,
                "replicates": comparison.replicates,
                "unit": comparison.unit,
                "units": comparison.n_units,
                "frames": comparison.n_frames,
                "differences": [asdict(row) for row in comparison.differences],
                "videos": [asdict(mover) for mover in comparison.movers],
                "settings": {
                    name: {"a": in_a, "b": in_b} for name, in_a, in_b in differing_settings(record_a, record_b)
                },
            }
        )
        return
    settings = settings_that_differ(record_a, record_b)
    of_videos = videos_table(comparison)
    moving = tuple(row for row in of_videos.rows if row["moves"])[:videos]
    scores, differences = scores_table(comparison), settings_table(comparison.a, comparison.b, settings)
    of_movers = replace(of_videos, rows=moving)
    verdict = verdict_table(comparison)
    if form == "text":
        _print_heads(comparison, of_a, of_b)
        scores = replace(scores, title="", notes=())
        of_movers, differences = replace(of_movers, title=_MOVES), replace(differences, title="What differs")
    tables = (*((verdict,) if form != "text" else ()), scores, of_movers, differences)
    print_tables([table for table in tables if table.rows], form)
    if form == "text" and not settings:
        click.echo("\nTheir settings are the same.")


def _print_heads(comparison: Comparison, a: Sequence[RunRecord], b: Sequence[RunRecord]) -> None:
    """Print the compared runs, the data, and the verdict."""
    from rich.text import Text

    from harness.system.console import Terminal

    console = Terminal(soft_wrap=True)
    for letter, records in (("A", a), ("B", b)):
        first, more = records[0], f", mean over {counted(len(records), 'seed')}" if len(records) > 1 else ""
        ids = ", ".join(one_line(record.run_id) for record in records)
        console.print(Text.assemble((letter, "bold"), f"  {ids}  {one_line(first.name)}{more}"))
    head = comparison.headline
    size = f"{comparison.sizes}, {counted(comparison.n_frames, comparison.task.label_noun)}"
    console.print(f"{comparison.task.name} {comparison.split} on {one_line(a[0].data['name'])}: {size}\n")
    console.print(comparison.verdict, style="bold")
    difference = interval_text(head.difference, head.low, head.high, sign="+")
    p = "" if comparison.p_value is None else f", p = {comparison.p_value:.4f}, paired over {comparison.unit}s"
    replicates = counted(comparison.replicates, "replicate")
    answer = f"{score_title(head.metric, head.target)}, A - B {difference}{p}, {replicates}\n"
    console.print(answer)
