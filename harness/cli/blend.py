"""``abaw blend``: several runs' scores, weighted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from harness.cli import completion
from harness.cli.options import SEEN_VAL, data_options, json_option, open_given, out_options, print_json
from harness.errors import UsageError
from harness.records.run import ON_BOTH, TRAIN
from harness.settings import load_settings
from harness.system.names import require_name
from harness.tasks import task_named


@click.command()
@click.argument("runs", nargs=-1, required=True, shell_complete=completion.runs)
@click.option("--task", help="Task of the runs, such as EXPR.  [default: that of the first run]")
@data_options
@out_options
@click.option("--name", default="", help="What it is called on the board.  [default: blend-of-N]")
@click.option("--split", type=click.Choice(["val", "test"]), default="val", show_default=True)
@click.option(
    "--train-on",
    type=click.Choice([TRAIN, ON_BOTH]),
    help="For --split test: blend runs whose heads were trained on these splits; weights are those of heads trained on "
    "train alone.  [default: as the runs' own recipes say]",
)
@click.option("--weights", help="Given, not chosen: one a run, such as 0.7,0.3; they must sum to 1.")
@click.option("--smooth", is_flag=True, help="Smooth the blend too, window chosen; the runs' scores may be so already.")
@json_option
def blend(
    runs: tuple[str, ...],
    task: str | None,
    root: Path | None,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    out: Path | None,
    store: Path | None,
    name: str,
    split: str,
    train_on: str | None,
    weights: str | None,
    smooth: bool,
    as_json: bool,
) -> None:
    """Blend finished RUNS into a run of its own.

    The scores of runs on validation are blended. Weights of up to five runs are chosen in steps of a tenth,
    cross-fitted over the validation videos; for action units, thresholds are chosen likewise. For --split test the same
    solutions' test runs are blended, with weights chosen on all of validation, and the result is packed as `abaw
    submit` does. RUNS are ids, short ids, or SOLUTION[@SEED]. A blend uses stored scores alone: it reads no features.

    \b
    Example: abaw blend 1a2b3c4d 5e6f7a8b --data /data/Aff-Wild2
    """
    from harness.cli.report import print_run
    from harness.cli.results import run_folder
    from harness.cli.sending import packed_submission
    from harness.plugins.registry import blend_entry
    from harness.records.run import RunRecord
    from harness.runs.blend import blend_parts, trained_on_of, with_test_runs
    from harness.runs.runner import run_solution
    from harness.store.folders import run_folders
    from harness.store.store import Store

    if len(runs) < 2 or len(set(runs)) < len(runs):
        raise UsageError(f"blend takes two or more different runs, got {', '.join(runs)}")
    settings = load_settings(data=root, out=out, store=store)
    results = Store(settings.store)
    folders = [run_folder(results, run, settings.out, split="val") for run in runs]
    if len(set(folders)) < len(folders):
        raise UsageError(f"blend takes two or more different runs, got {', '.join(runs)}")
    chosen_task = task_named(task or RunRecord.read(folders[0]).task)
    parts = blend_parts(folders, chosen_task)
    if split == "test":
        parts = with_test_runs(parts, run_folders(settings.out), train_on)
    elif train_on == ON_BOTH:
        raise UsageError(SEEN_VAL, found=f"--split {split}", do="Give --split test")
    full_name = f"{chosen_task.name.lower()}/{name or f'blend-of-{len(runs)}'}"
    require_name(full_name, "blend", kind=UsageError, do="Give another --name")
    entry = blend_entry(full_name, chosen_task, parts, _weights(weights, len(runs)) if weights else None, smooth=smooth)
    entry = replace(entry, trained_on=trained_on_of(parts) or entry.trained_on)
    data = open_given(settings, chosen_task, crops=crops, annotations=annotations, ignore_lengths=ignore_lengths)
    finished = run_solution(entry, data, split, settings)
    ready = packed_submission(finished, data) if split == "test" else None
    if as_json:
        print_json(finished.plain() | (ready.plain() if ready else {}))
    else:
        print_run(finished.record, finished.folder, reused=finished.reused)
        if ready:
            ready.show()
    if ready and not ready.valid:
        raise click.exceptions.Exit(1)


def _weights(text: str, n: int) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != n or min(values) < 0 or abs(sum(values) - 1) > 1e-9:
        raise UsageError(f"--weights wants {n} numbers from 0 up that sum to 1, such as 0.7,0.3; got {text!r}")
    return values
