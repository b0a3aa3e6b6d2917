"""``abaw solutions``: which solutions there are, what each needs, and what it scored."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option, out_options, print_json
from harness.errors import StoreError, UnknownNameError
from harness.settings import load_settings
from harness.system.terminal import one_line
from harness.tasks import AH, AHV, Task, task_named

if TYPE_CHECKING:
    from harness.board.own_best import OwnBest
    from harness.plugins.interface import SolutionEntry
    from harness.plugins.needs import Need
    from harness.settings import Settings

_STATE = 14  # cells of "needs features"


@click.command()
@click.option("--task", help="Of this task only, such as EXPR; AH lists AHV, too.")
@click.option("--paper", help="Rows of this paper only: abaw8 or abaw10.")
@click.option("--ready", is_flag=True, help="Only those that run now: nothing has to be fetched or installed.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of features and weights.  [ABAW_CACHE]")
@out_options
@json_option
def solutions(
    task: str | None,
    paper: str | None,
    ready: bool,
    cache: Path | None,
    out: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """List every solution, its needs and its scores.

    A solution runs now, or needs weights, features of your own, or a package: then the command follows that brings
    them. Beside each stand the paper's score of the row that it reproduces, and the best score of your own runs on
    validation.

    "Start with" names for each task the solution with your best validation score on real data, of those that run now.
    Before any run it names the simplest that needs no download: one head in place of a blend, few encoders (the demo's
    last), smoothed over time.

    Variants stand below a solution's summary. Their names are the same with @text or @code behind them (as the paper's
    text or its authors' code has it; the remark in --json says which the solution itself follows), @paper (the paper's
    own constants, so that little or nothing is chosen on labels), @fixed (trained as a careful person would, where the
    authors' code is followed otherwise) or @frozen (pretrained encoders as they are, quick to train).

    \b
    Example: abaw solutions --task VD --paper abaw10
             abaw solutions --task EXPR --ready
    """
    from harness.board.first_choice import first_choices
    from harness.cli.demo import SOLUTIONS as DEMO
    from harness.plugins.registry import needs_of_solution, solution_entries
    from harness.reference.papers import table_rows

    papers = {row.row.paper for row in table_rows()}
    if paper is not None and paper not in papers:
        raise UnknownNameError("paper", paper, papers)
    chosen_tasks = _tasks_named(task) if task else None
    every = solution_entries()
    variants: dict[str, list[str]] = {}
    for e in every.values():
        if e.variant_of:
            variants.setdefault(e.variant_of, []).append(e.name)
    entries = [
        e
        for e in every.values()
        if not e.variant_of
        and (chosen_tasks is None or e.task in chosen_tasks)
        and paper in (None, e.row.paper if e.row else None)
    ]
    settings = load_settings(cache=cache, out=out, store=store)
    needs = {e.name: needs_of_solution(e.name, settings) or [] for e in entries}
    if ready:
        entries = [e for e in entries if all(need.here for need in needs[e.name])]
    best = _own_best(settings)
    with_variants = [every[name] for e in entries for name in (e.name, *variants.get(e.name, []))]
    needs_of_all = {e.name: needs[e.variant_of or e.name] for e in with_variants}
    starts = first_choices(with_variants, needs_of_all, best, demo=DEMO)
    if as_json:
        chosen = {choice.name: choice.why for choice in starts.values()}
        print_json([_listed(e, variants.get(e.name, []), needs[e.name], best.get(e.name), chosen) for e in entries])
        return
    if not entries:
        click.echo(f"no solution for {task or paper or 'any task'} {'runs now' if ready else 'yet'}")
        return
    _print_list(entries, variants, needs, best, with_targets=chosen_tasks is not None)
    for task_name, choice in starts.items():
        click.echo(f"Start with, for {task_name}: {choice.name}  ({one_line(choice.why)})")
    for text in _about_best(entries, best):
        click.echo(text)


def _own_best(settings: Settings) -> dict[str, OwnBest]:
    from harness.board.own_best import own_best
    from harness.store.store import Store

    try:
        return own_best(Store(settings.store))
    except StoreError as error:
        click.echo(f"abaw: scores of your runs can't be read now: {error}", err=True)
        return {}


def _print_list(
    entries: Sequence[SolutionEntry],
    variants: Mapping[str, Sequence[str]],
    needs: Mapping[str, Sequence[Need]],
    best: Mapping[str, OwnBest],
    *,
    with_targets: bool,
) -> None:
    """Print a line per solution, and below it what it is, and what it needs."""
    from harness.plugins.needs import commands_for, state_of
    from harness.system.console import Terminal

    console = Terminal()
    width = max(40, console.width)
    longest = max(len(one_line(e.name)) for e in entries)
    room = max(24, min(longest, width - _STATE - 4 - 16))
    head = f"{'solution':{room}}  {'state':{_STATE}}  {'paper':>6}  {'yours':>6}"
    console.print(head, style="bold", soft_wrap=True)
    for e in entries:
        missing = [need for need in needs[e.name] if not need.here]
        best_run = best.get(e.name)
        scores = (
            "–" if value is None else f"{value:.4f}" for value in (e.published, best_run.score if best_run else None)
        )
        paper, yours = scores
        name = one_line(e.name)  # it stays in one piece, to be copied
        state = state_of(missing)
        if len(name) > room:
            console.print(name, soft_wrap=True)
            name = ""
        first = state if len(state) <= _STATE else state.partition(" and ")[0]
        console.print(f"{name:{room}}  {first:{_STATE}}  {paper:>6}  {yours:>6}", soft_wrap=True)
        source = f" [{e.row.paper}:table{e.row.table}]" if e.row else ""
        extras = f" (extra: {', '.join(e.needs)})" if e.needs else ""
        also = _suffixes(e.name, variants.get(e.name, []))
        lines = [f"{one_line(e.summary)}{extras}{also}{source}"]
        if with_targets and e.published_targets:
            lines.append(", ".join(f"{target} {value:.4f}" for target, value in e.published_targets.items()))
        for line in lines:
            for part in textwrap.wrap(line, width - 2):
                console.print(f"  {part}", style="dim", soft_wrap=True)
        for command in commands_for(missing):  # whole, to be copied
            console.print(f"  to get it: {one_line(command)}", soft_wrap=True)


def _suffixes(name: str, variants: Sequence[str]) -> str:
    """Return what is appended to a solution's name for its variants, the most useful first; empty if it has none."""
    first = {suffix: place for place, suffix in enumerate(("@text", "@code", "@paper"))}
    suffixes = sorted(
        (variant.removeprefix(name) for variant in variants), key=lambda suffix: first.get(suffix, len(first))
    )
    return f"; also {' '.join(suffixes)}" if suffixes else ""


def _about_best(entries: Sequence[SolutionEntry], best: Mapping[str, OwnBest]) -> list[str]:
    """Return a sentence per task on the data that the user's scores are of."""
    best_by_task = {e.task.name: best[e.name] for e in entries if e.name in best}
    return [
        f"Yours, {task}: best run on val of {one_line(run.data_name)}"
        + (", which a program drew: it says nothing of real data" if run.drawn else "")
        for task, run in best_by_task.items()
    ]


def _tasks_named(name: str) -> tuple[Task, ...]:
    """Return the tasks whose solutions are listed: the organisers and papers call both AH and AHV by one name."""
    task = task_named(name)
    return (task, AHV) if task is AH else (task,)


def _listed(
    entry: SolutionEntry,
    variants: Sequence[str],
    needs: Sequence[Need],
    best: OwnBest | None,
    starts: Mapping[str, str],
) -> dict[str, Any]:
    """Return a solution as plain data.

    Args:
        entry: of the registry.
        variants: their names.
        needs: here or missing.
        best: the user's best run; ``None`` before any.
        starts: reason of each solution to start with, by name.
    """
    from harness.plugins.needs import commands_for, state_of

    keys = ("name", "summary", "encoder", "head", "postprocess", "published", "published_targets", "remark", "needs")
    row = entry.row
    where = {"paper": row.paper, "table": row.table, "row_id": row.row_id} if row else {}
    empty = {"paper": None, "table": None, "row_id": None}
    best_run = {key: getattr(entry, key) for key in keys}
    constants = next((name for name in variants if name.endswith("@paper")), None)
    missing = [need for need in needs if not need.here]
    return {
        "task": entry.task.name,
        **best_run,
        **empty,
        **where,
        "variants": variants,
        "with_paper_constants": constants,
        "state": state_of(missing),
        "missing": [need.name for need in missing],
        "commands": commands_for(missing),
        "start": {name: starts[name] for name in (entry.name, *variants) if name in starts} or None,
        "yours": None if best is None else vars(best),
    }
