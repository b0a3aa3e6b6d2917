"""``abaw compare``: is one run really better than another?"""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option, out_options, print_json
from harness.cli.results import run_record
from harness.metrics.titles import interval_text, score_title
from harness.records.run import differing_settings
from harness.settings import load_settings
from harness.system.terminal import one_line

if TYPE_CHECKING:
    from harness.metrics.compare import Comparison
    from harness.records.run import RunRecord
    from harness.system.console import Terminal


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--videos", default=5, show_default=True, type=click.IntRange(min=0), help="How many videos to list.")
@out_options
@json_option
def compare(a: str, b: str, videos: int, out: Path | None, store: Path | None, as_json: bool) -> None:
    """Two runs over the same videos: the difference with its 95 % interval and p-value, and what sets them apart.

    The videos are drawn 10,000 times, the same ones for both runs. The p-value is two-sided: twice the smaller of the
    shares of draws in which A is not better and in which B is not.

    \b
    Example: abaw compare landmarks-mlp-smooth-val-s0-1a2b3c4d landmarks-mlp-val-s0-5e6f7a8b
    """
    from harness.metrics import compare as comparing
    from harness.store.store import Store

    places = load_settings(out=out, store=store)
    results = Store(places.store)
    record_a, record_b = (run_record(results, run_id, places.out)[0] for run_id in (a, b))
    found = comparing.compare(record_a.scored(), record_b.scored())
    settings = differing_settings(record_a, record_b)
    if as_json:
        print_json(
            {
                "a": found.a,
                "b": found.b,
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
                "settings": {name: {"a": of_a, "b": of_b} for name, of_a, of_b in settings},
            }
        )
    else:
        _print(found, record_a, record_b, settings, videos)


def _print(found: Comparison, a: RunRecord, b: RunRecord, settings: list[tuple[str, Any, Any]], n_videos: int) -> None:
    from rich.markup import escape

    from harness.system.console import Terminal

    console = Terminal(highlight=False, soft_wrap=True)
    for letter, record in (("A", a), ("B", b)):
        console.print(f"[bold]{letter}[/]  {escape(one_line(record.run_id))}  {escape(one_line(record.name))}")
    head = found.headline
    title = score_title(head.metric, head.target)
    console.print(
        f"{found.task.name} {found.split} on {escape(one_line(a.data['name']))}: {found.sizes}, "
        f"{found.n_frames:,} {found.task.labels_noun}\n"
    )
    for letter, record in (("A", a), ("B", b)):
        row = record.score()
        if row:
            interval = interval_text(row["value"], row["low"], row["high"])
            console.print(f"{f'{title} {letter}':16s} {interval}", markup=False)
    difference = interval_text(head.difference, head.low, head.high, sign="+")
    console.print(f"{'A - B':16s}{difference}", markup=False)
    if found.p_value is not None:
        console.print(f"{'p':16s} {found.p_value:.4f}, paired over {found.unit}s, {found.replicates:,} draws")
    console.print(f"[bold]{found.verdict}[/]")
    _print_scores(console, found)
    _print_movers(console, found, n_videos)
    _print_settings(console, settings)


def _print_scores(console: Terminal, found: Comparison) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("score", "A", "B", "A - B", f"95 % by {found.unit}"):
        table.add_column(column, justify="left" if column == "score" else "right", no_wrap=True)
    for row in found.differences[1:]:
        interval = f"\\[{row.low:+.3f}, {row.high:+.3f}]" if row.low is not None and row.high is not None else ""
        title = score_title(row.metric, row.target)
        table.add_row(title, f"{row.a:.3f}", f"{row.b:.3f}", f"{row.difference:+.3f}", interval)
    console.print()
    console.print(table)


def _print_movers(console: Terminal, found: Comparison, n_videos: int) -> None:
    from rich.markup import escape
    from rich.table import Table

    moving = [mover for mover in found.movers if mover.moves][:n_videos]
    if not moving:
        return
    table = Table(box=None, pad_edge=False)
    for column in ("video", "frames", "A alone", "B alone", "moves A - B by"):
        table.add_column(column, justify="left" if column == "video" else "right", no_wrap=True)
    for mover in moving:
        table.add_row(
            escape(one_line(mover.video)),
            f"{mover.frames:,}",
            f"{mover.a:.3f}",
            f"{mover.b:.3f}",
            f"{mover.moves:+.4f}",
        )
    console.print("\nThe videos that matter most: what A's answer in place of B's does to the score, all else as it is")
    console.print(table)


def _print_settings(console: Terminal, settings: list[tuple[str, Any, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not settings:
        console.print("\nTheir settings are the same.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("what differs", no_wrap=True)
    for column in ("A", "B"):
        table.add_column(column, overflow="fold")
    for name, of_a, of_b in settings:
        table.add_row(escape(one_line(name)), *(escape(_short(value)) for value in (of_a, of_b)))
    console.print()
    console.print(table)


def _short(value: Any) -> str:
    """A setting on the screen: hashes by their first digits."""
    text = "–" if value is None else one_line(value)
    return f"{text[:12]}…" if re.fullmatch("[0-9a-f]{40,}", text) else text
