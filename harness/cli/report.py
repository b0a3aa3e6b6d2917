"""How runs look on a terminal: one run in full, and the board of all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from harness.board.entries import unit_of
from harness.board.rankings import (
    Ranking,
    Statistics,
    beside_published,
    counted,
    labels_name,
    other_labels,
    rankings,
    under_other_names,
    why_apart,
)
from harness.board.seeds import summarise
from harness.datasets.identity import PUBLISHED_ON
from harness.metrics.titles import interval_text, score_title
from harness.records.origin import notes_of
from harness.records.run import CONSTANT, HEADLINE, TUNED_ON_ALL, UNKNOWN, RunRecord, frames_without, submission_of
from harness.records.scores import SCORES_FILE
from harness.runs.runner import MODEL_FOLDER
from harness.system.console import Terminal
from harness.system.terminal import one_line
from harness.tasks import task_named


def print_run(record: RunRecord, folder: Path, *, reused: bool = False) -> None:
    """One run: scores, what they are worth, how fast it was, and where the file is."""
    console = Terminal(highlight=False, soft_wrap=True)
    seed = "" if record.seed is None else f", seed {record.seed}"
    name, data_name = (escape(one_line(text)) for text in (record.name, record.data["name"]))
    console.print(f"[bold]{name}[/] on {data_name} {one_line(record.split)}{seed}")
    if reused:
        console.print(
            f"This very run was made on {one_line(record.created)} and is shown again; --fresh makes it anew."
        )
    head = record.score()
    if head:
        _print_scores(console, record, head)
    else:
        console.print("No labels for this split: nothing to score.")
    data, timings = record.data, record.timings
    bare = frames_without(data)
    without = f", {bare[1]:,} without a {bare[0]} (predicted all the same)" if bare else ""
    labels = f", labels {labels_name(data)}" if head else ""
    console.print(f"\n{data['videos']} videos, {data['frames']:,} frames{without}{labels}")
    rate, encoded = timings.get("frames_per_second"), timings.get("frames_encoded")
    if encoded is not None:
        speed = f"{encoded:,} frames encoded, {rate:,.0f} frames/s" if rate else "features cached"
        console.print(f"made in {timings['total']:.1f} s; {speed}")
    else:
        console.print("a file that was scored: how it was made is not known here")
    for note in notes_of(record.notes, folder):
        console.print(f"note: {one_line(note)}", markup=False)
    n, official = sum(name != SCORES_FILE for name in record.files), submission_of(record.files, folder)
    console.print(f"\nofficial file  {one_line(official)}" + (f"{os.sep} ({n} files)" if n > 1 else ""), markup=False)
    weights = f"  (fitted weights in {MODEL_FOLDER}/)" if (folder / MODEL_FOLDER).is_dir() else ""
    console.print(f"run            {one_line(record.run_id)}{weights}", markup=False)


def _print_scores(console: Terminal, record: RunRecord, head: Any) -> None:
    title = score_title(head["metric"])
    known = {"nothing": "nothing was chosen on labels", UNKNOWN: "what it was tuned on is not known"}
    cross = (
        "cross-fitted" if "cross-fitted" in record.tuned_on else known.get(record.tuned_on, one_line(record.tuned_on))
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row(f"[bold]{title}[/]", f"[bold]{interval_text(head['value'], head['low'], head['high'])}[/]",
                  f"{escape(cross)}; 95 % interval by {record.unit}")  # fmt: skip
    tuned = record.score(TUNED_ON_ALL)
    if tuned:
        gap = tuned["value"] - head["value"]
        table.add_row("tuned on val", interval_text(tuned["value"], tuned["low"], tuned["high"]),
                      f"chosen and reported on the same videos; optimism {gap:+.3f}")  # fmt: skip
    constant = record.score(CONSTANT)
    if constant:
        table.add_row("constant", f"{constant['value']:.3f}", escape(one_line(record.constant)))
    for row in record.scores:
        if row["estimate"] == CONSTANT and row["target"] != "all":
            table.add_row(f"always {escape(one_line(row['target']))}", f"{row['value']:.3f}", "")
    targets: dict[str, list[str]] = {}
    for row in record.scores:
        if row["estimate"] != HEADLINE or row is head:
            continue
        if row["target"] == "all":
            table.add_row(score_title(row["metric"]), interval_text(row["value"], row["low"], row["high"]), "")
        else:
            targets.setdefault(row["metric"], []).append(f"{row['target']} {row['value']:.2f}")
    console.print(table)
    for metric, values in targets.items():
        console.print(f"{score_title(metric):15s}" + "  ".join(values))
    _print_choices(console, record.choices)


def _print_choices(console: Terminal, choices: Mapping[str, Any]) -> None:
    """What was chosen on labels: on all of val, and by fold where one number says it."""
    for name, chosen in choices.items():
        if not isinstance(chosen, Mapping) or "on_all" not in chosen:
            continue
        by_fold = ", ".join(_brief(value) for value in chosen.get("per_fold", ()))
        one_number = isinstance(chosen["on_all"], int | float)
        folds = f"; by fold {one_line(by_fold)}" if one_number and by_fold else ""
        text = f"{one_line(name).replace('_', ' '):15s}{one_line(_brief(chosen['on_all']))} chosen on all of val{folds}"
        console.print(text, markup=False)


def _brief(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_brief(part) for part in value if part is not None)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def print_seeds(records: Sequence[RunRecord]) -> None:
    """Runs of one solution under several seeds: each score, their mean and how far apart they lie."""
    console, summary = Terminal(highlight=False, soft_wrap=True), summarise(records)
    if summary is None:
        return
    title = score_title(summary.metric)
    console.print(f"\n[bold]{title} over {len(records)} seeds[/]")
    for seed, value in zip(summary.seeds, summary.values, strict=True):
        console.print(f"seed {seed}: {value:.3f}")
    interval = "" if summary.low is None else f" [{summary.low:.3f}, {summary.high:.3f}]"
    spread = f", from {min(summary.values):.3f} to {max(summary.values):.3f}"
    console.print(f"mean {summary.mean:.3f}{interval} ± {summary.sd:.3f}{spread}", markup=False)


def print_board(
    console: Terminal,
    runs: pd.DataFrame,
    published: pd.DataFrame,
    task: str,
    split: str,
    data_name: str,
    read_statistics: Callable[[str], Statistics],
) -> None:
    """Print the board of one task, split and data set, best first; one table per version of the labels.

    Args:
        runs: of :meth:`harness.store.store.Store.runs`.
        published: of :meth:`harness.store.store.Store.published`; shown only for the data set that they are on.
        read_statistics: :meth:`harness.store.store.Store.statistics`, to say how versions of the labels differ.
    """
    title, official = f"{task} · {split} · {data_name}", data_name == PUBLISHED_ON.get(task)
    found = rankings(runs, task, split, data_name)
    joined = beside_published(found) if official else None
    theirs = _published_rows(published, task, split) if official else []
    for ranking in found:
        own = runs[runs["run_id"].isin(ranking.run_ids)]
        rows = [(run["value"], _run_cells(run)) for run in own.to_dict("records")]
        named = f"{title} · {ranking.size}" + (f" · labels {ranking.labels}" if len(found) > 1 else "")
        _print_table(
            console, named, rows + (theirs if ranking is joined else []), sources=ranking is joined, unit=unit_of(own)
        )
    if theirs and joined is None:
        _print_table(console, f"{title} · published results" if found else title, theirs, sources=True)
    notes = list(_notes_on_labels(runs, found, task, data_name, read_statistics))
    if found and theirs and joined is None:
        notes.append(why_apart(found, data_name))
    for line in notes:
        console.print(one_line(line), markup=False, soft_wrap=True)
    if notes:
        console.print()


def _published_rows(published: pd.DataFrame, task: str, split: str) -> list[tuple[float, list[str]]]:
    theirs = published[(published.task == task) & (published.split == split) & (published.target == "all")]
    theirs = theirs[theirs.metric == task_named(task).metric]
    return [(result["value"], _published_cells(result)) for result in theirs.to_dict("records")]


def _print_table(
    console: Terminal, title: str, rows: Sequence[tuple[float, list[str]]], *, sources: bool, unit: str = "video"
) -> None:
    """Print rows, given with their scores, as a table, best first."""
    # a table's own title breaks where its columns end
    console.print(one_line(title), style="italic", markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("solution", overflow="fold")
    for column in ("score", f"95 % by {unit}", "tuned on val", "constant", "seed"):
        table.add_column(column, justify="right", no_wrap=True)
    if sources:
        table.add_column("source", overflow="fold")
    for _, cells in sorted(rows, key=lambda row: -row[0]):
        table.add_row(*cells[: len(table.columns)])
    console.print(table)
    console.print()


def _notes_on_labels(
    runs: pd.DataFrame,
    found: Sequence[Ranking],
    task: str,
    data_name: str,
    read_statistics: Callable[[str], Statistics],
) -> Iterator[str]:
    """Say that a data set has several versions of its labels, and how they differ; name runs that are elsewhere."""
    if len(found) > 1:
        yield (
            f"{data_name} has {len(found)} versions of its labels in this store. Scores on different labels can't be "
            "compared: each version has a table of its own."
        )
        for other in other_labels(found[0], found, task, read_statistics):
            if other.difference:
                yield f"labels {other.ranking.labels} against labels {found[0].labels}: {other.difference}"
    for ranking in found:
        for name, number in under_other_names(runs, ranking, data_name).items():
            yield f"{counted(number, 'run')} on the same labels {ranking.labels}: under the data set {name}"


def _run_cells(run: Mapping[Hashable, Any]) -> list[str]:
    interval = f"[{run['low']:.3f}, {run['high']:.3f}]" if pd.notna(run["low"]) else ""
    tuned = f"{run['tuned_on_all']:.3f}" if pd.notna(run["tuned_on_all"]) else "–"
    seed = str(int(run["seed"])) if pd.notna(run["seed"]) else "–"
    score, constant = f"{run['value']:.3f}", f"{run['constant']:.3f}"
    return [f"[bold]{escape(one_line(run['name']))}[/]", score, interval, tuned, constant, seed, "this store"]


def _published_cells(result: Mapping[Hashable, Any]) -> list[str]:
    name = f"{result['team']}: {result['system']}" if result["system"] else str(result["team"])
    source = f"{result['kind']}, edition {result['edition']} ({result['evidence']})"
    return [escape(name), f"{result['value']:.3f}", "", "–", "–", "–", source]
