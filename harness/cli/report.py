"""How runs look on a terminal: one run in full, and the seeds of one solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.text import Text

from harness.board.seeds import summarise
from harness.board.tables.run import STEPS_NOT_KNOWN, run_facts, shown_tables
from harness.metrics.titles import interval_text, score_title
from harness.records.options import RANDOM_WEIGHTS
from harness.records.run import RUN_FILE, RunRecord, splits_in
from harness.runs.finished import MODEL_FOLDER
from harness.system.console import Terminal
from harness.system.counts import counted, with_seed
from harness.system.terminal import one_line, shown_notes
from harness.tables.text import print_tables

_NOTES = 50
"""Notes that are printed; the record holds all of them."""


def print_run(record: RunRecord, folder: Path, *, reused: bool = False, beside: RunRecord | None = None) -> None:
    """Print one run: scores, what they are worth, how fast it was, and where the file is.

    Args:
        record: the run.
        folder: its folder, which may be elsewhere.
        reused: the run was there already.
        beside: the run on val of the same solution with heads trained on train alone, where this one's have seen val.
    """
    console = Terminal(soft_wrap=True)
    name, data_name = one_line(record.name), one_line(record.data["name"])
    console.print(Text.assemble((name, "bold"), with_seed(f" on {data_name} {one_line(record.split)}", record.seed)))
    if reused:
        console.print(
            f"This very run was made on {one_line(record.created)} and is shown again; --fresh makes it again."
        )
    head = record.score()
    if head:
        print_tables(console, [replace(table, title="") for table in shown_tables(record)])
    else:
        console.print("No labels for this split: nothing to score.")
    for line in seen_val_lines(record, beside):
        console.print(line)
    if record.steps is None:
        console.print(f"\n{STEPS_NOT_KNOWN}")
    facts = run_facts(record, folder)
    every_note = [text for fact, text in facts if fact == "note"]
    # a score that says nothing is called so even under --quiet
    notes = shown_notes(every_note) or [text for text in every_note if RANDOM_WEIGHTS in text]
    by_name = dict(facts)
    console.print(f"\n{by_name['data']}")
    console.print(by_name["made"])
    for part in (text for fact, text in facts if fact == "part"):
        console.print(f"part: {one_line(part)}")
    for note in notes[:_NOTES]:
        console.print(f"note: {one_line(note)}")
    if len(notes) > _NOTES:
        console.print(f"note: and {counted(len(notes) - _NOTES, 'more note')}, in {one_line(folder / RUN_FILE)}")
    console.print(f"\nofficial file  {one_line(by_name['official file'])}")
    weights = f"  (fitted weights in {MODEL_FOLDER}/)" if (folder / MODEL_FOLDER).is_dir() else ""
    console.print(f"run            {one_line(record.run_id)}{weights}")


def seen_val_lines(record: RunRecord, beside: RunRecord | None = None) -> list[str]:
    """Return lines on heads that were trained on val: they lack a validation score, and another run's replaces it.

    Args:
        record: any run; the result is empty for heads that were not trained on val.
        beside: the run on val of the same solution with heads trained on train alone.
    """
    if "val" not in splits_in(record.trained_on):
        return []
    trained = f"Trained on {one_line(record.trained_on)}: these heads have no validation score."
    if record.split == "val":
        return (
            [f"{trained} The numbers above are on videos that they were trained on."] if record.score() else [trained]
        )
    head = beside.score() if beside else None
    if beside is None or head is None:
        return [trained]
    score = interval_text(head["value"], head["low"], head["high"])
    return [
        trained,
        f"Heads trained on train alone, on val: {score_title(head['metric'])} {score}, run {beside.run_id}",
    ]


def print_seeds(records: Sequence[RunRecord]) -> None:
    """Print the scores of one solution's runs with several seeds, their mean and their spread."""
    console, summary = Terminal(soft_wrap=True), summarise(records)
    if summary is None:
        return
    title = score_title(summary.metric)
    console.print(f"\n{title} over {counted(len(records), 'seed')}", style="bold")
    for seed, value in zip(summary.seeds, summary.values, strict=True):
        console.print(f"seed {seed}: {value:.3f}")
    mean, spread = interval_text(summary.mean, summary.low, summary.high), f"± {summary.sd:.3f}"
    ends = f"from {min(summary.values):.3f} to {max(summary.values):.3f}"
    console.print(f"mean {mean} {spread}, {ends}")
