"""``abaw crossval``: a solution trained and scored fold by fold over all labelled videos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import data_options, json_option, open_given, print_json, work_options
from harness.settings import load_settings
from harness.system.counts import counted, with_seed
from harness.system.slow_imports import announced_imports
from harness.system.terminal import shown_notes

if TYPE_CHECKING:
    from harness.runs.crossval import CrossValidated


@click.command()
@click.argument("solution")
@data_options
@work_options
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True, help="At most one a recording.")
@click.option("--seed", default=0, show_default=True, help="Of the training.")
@click.option("--fresh", is_flag=True, help="Train again what an earlier call trained.")
@click.option("--save", type=click.Path(path_type=Path), help="Write the result as JSON, too.")
@json_option
@announced_imports()
def crossval(
    solution: str,
    root: Path | None,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    folds: int,
    seed: int,
    fresh: bool,
    save: Path | None,
    as_json: bool,
    **work: Any,
) -> None:
    """Cross-validate SOLUTION over all labels.

    SOLUTION is trained on all folds of the labelled videos but one, and predicts that one, for each fold in turn; all
    frames are scored together. Training and validation videos are distributed alike. The score is a third kind beside
    validation and test scores: it is printed, and written to the file of --save, but not recorded as a run.

    \b
    Example: abaw crossval vd/motion-skeleton --data /data/DVD --folds 5
    """
    from harness.plugins.registry import solution_entry
    from harness.runs.crossval import cross_validate
    from harness.system.atomic import write_text

    entry = solution_entry(solution)
    settings = load_settings(data=root, **work)
    data = open_given(settings, entry.task, crops=crops, annotations=annotations, ignore_lengths=ignore_lengths)
    result = cross_validate(
        entry, data, settings, folds=folds, seed=seed, fresh=fresh,
        done=lambda fold, of: click.echo(f"fold {fold} of {of} done", err=True),
    )  # fmt: skip
    plain = {"solution": entry.name, "task": entry.task.name, "data": data.name, "seed": seed, **result.plain()}
    if save:
        write_text(save, json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        print_json(plain)
    else:
        _print(with_seed(f"{entry.name} on {data.name}", seed), result)


def _print(title: str, result: CrossValidated) -> None:
    from harness.metrics.titles import interval_text, score_title
    from harness.system.console import Terminal

    console, card = Terminal(soft_wrap=True), result.card
    folds = max(result.fold.values()) + 1
    console.print(
        f"{title}: {folds}-fold cross-validation, {counted(len(card.videos), 'video')}, "
        f"{counted(card.n_frames, 'frame')}"
    )
    for score in card.scores:
        text = interval_text(score.value, score.low, score.high)
        console.print(f"{score_title(score.metric, score.target):24s}{text}")
    console.print(f"{'constant':24s}{card.constant[1]:.3f}  always {card.constant[0]}")
    for name, value in card.constants:
        console.print(f"{f'always {name}':24s}{value:.3f}")
    unit = card.units.noun
    console.print(f"tuned on {result.tuned_on}; 95 % interval by {unit}; neither a validation nor a test score")
    for note in shown_notes(result.notes):
        console.print(f"note: {note}")
