"""``abaw extract``, ``run``, ``submit``: from frames to official files and scores."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import completion
from harness.cli.options import (
    SEEN_VAL,
    data_options,
    json_option,
    open_given,
    out_options,
    print_json,
    stride_option,
    work_options,
)
from harness.errors import UsageError
from harness.records.run import ON_BOTH, TRAIN
from harness.settings import load_settings
from harness.system.counts import counted, verb_for
from harness.system.slow_imports import announced_imports
from harness.system.terminal import QUIET, one_line, shown_notes
from harness.tasks import SPLITS, task_named

if TYPE_CHECKING:
    from harness.datasets.dataset import Dataset
    from harness.records.run import RunRecord
    from harness.runs.batch import Job, Ran
    from harness.runs.outlook import Outlook
    from harness.settings import Settings
    from harness.system.job import Step

SPLIT = click.Choice(SPLITS)


@click.command()
@click.argument("encoder", shell_complete=completion.encoders)
@data_options
@work_options
@stride_option
@click.option("--task", default="EXPR", show_default=True, help="Whose videos: tasks annotate different ones.")
@click.option("--split", "splits", type=SPLIT, multiple=True, help="Repeat for several.  [default: all there are]")
@announced_imports()
def extract(
    encoder: str,
    root: Path | None,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    task: str,
    splits: tuple[str, ...],
    **work: Any,
) -> None:
    """Fill the feature cache for ENCODER. Runs also do so by themselves; the same command goes on where it stopped.

    \b
    Encoders: landmarks, tiny, expression, enet_b0_8_best_vgaf and its family, ddamfn_8, ddamfn_8_mtl, timm:<model>;
              of audio: wav2vec2, hubert (frames are then rows of 20 ms, once a recording), log-mel, speech-embedding;
              of words: sentences, roberta-go-emotions; stat:<encoder>; precomputed:<name>
    Example:  abaw extract landmarks --data /data/Aff-Wild2 --split train --split val
    """
    from harness.plugins.registry import extract as extract_with

    settings = load_settings(data=root, **work)
    data = open_given(settings, task_named(task), crops=crops, annotations=annotations, ignore_lengths=ignore_lengths)
    chosen_splits = splits or tuple(split for split in SPLITS if data.splits.get(split))
    report = extract_with(encoder, data, chosen_splits, settings)
    rate = f", {report.frames_per_second:,.0f} frames/s" if report.frames_per_second else ""
    click.echo(
        f"{report.encoder}: {counted(report.videos, 'video')}; {counted(report.frames, 'frame')} encoded in "
        f"{report.seconds:.1f} s{rate}; {report.reused:,} were in the cache; "
        f"nothing found in {counted(report.undetected, data.task.noun)}"
    )
    for note in shown_notes((*data.notes, *report.notes)):
        click.echo(f"note: {note}", err=True)


def _common(function: Any) -> Any:
    for decorate in (
        json_option,
        click.option("--fresh", is_flag=True, help="Fit and predict again even if this very run is there."),
        click.option(
            "--train-on",
            type=click.Choice([TRAIN, ON_BOTH]),
            help="Splits that the heads for test learn from. With train+val, choices are made on val with heads "
            "trained on train alone, whose validation score is shown beside; then heads are trained on both.  "
            "[default: train, but for rows of papers that were trained on both]",
        ),
        click.option("--seed", default=0, show_default=True, help="Of the training."),
        out_options,
        stride_option,
        work_options,
        data_options,
        click.argument("solution", shell_complete=completion.solutions),
    ):
        function = decorate(function)
    return function


@click.command()
@_common
@click.option("--split", type=SPLIT, help="[default: val; test with --train-on train+val]")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="So many, from --seed on.")
@click.option("--dry-run", is_flag=True, help="Print device, steps, cached features, time and disk; run nothing.")
def run(**options: Any) -> None:
    """Run SOLUTION on a split and record the result.

    The command fits SOLUTION if needed, predicts, writes the official file, validates and scores it. Constants that are
    chosen on labels, such as a smoothing window, are cross-fitted over the validation videos; the score "tuned on val"
    beside it is the kind that papers report.

    With --train-on train+val the heads that predict test have seen val, so that they get no validation score: the run
    on val of heads trained on train alone is made first and shown beside.

    \b
    Example: abaw run expr/landmarks-mlp-smooth --data /data/Aff-Wild2 --split val --seed 0
    """
    _run(**options)


@click.command()
@_common
@click.option("--split", type=click.Choice(["test"]), default="test", show_default=True)
@click.option(
    "--template", type=click.Path(path_type=Path), help="Official list of rows.  [default: the newest below ROOT]"
)
def submit(**options: Any) -> None:
    """Make the official file for the test set.

    The file holds every row of the organisers' template, in order; it is checked and packed.

    \b
    Example: abaw submit expr/landmarks-mlp-smooth --data /data/Aff-Wild2 --split test
             abaw submit expr/landmarks-mlp-smooth --data /data/Aff-Wild2 --train-on train+val
    """
    _run(**options, packed=True)


@announced_imports()
def _run(
    solution: str,
    root: Path | None,
    crops: str | None,
    annotations: Path | None,
    ignore_lengths: bool,
    out: Path | None,
    store: Path | None,
    seed: int,
    fresh: bool,
    as_json: bool,
    split: str | None,
    train_on: str | None,
    template: Path | None = None,
    packed: bool = False,
    seeds: int = 1,
    dry_run: bool = False,
    **work: Any,
) -> None:
    split = split or _split_for(train_on)
    which = f"seed {seed}" if seeds == 1 else f"seeds {seed} to {seed + seeds - 1}"
    if not os.environ.get(QUIET):  # before the imports and the data set's opening, which take seconds
        place = one_line(root or "the data set")
        click.echo(f"{one_line(solution)} on {split}, {which}: opening {place}", err=True)
    from harness.plugins.registry import solution_entry
    from harness.runs.batch import Job
    from harness.runs.job_plan import planned_runs, steps_of
    from harness.runs.outlook import outlook_of
    from harness.system.job import whole_job

    alone = solution_entry(solution)
    entry = alone.trained(train_on) if train_on else alone
    if train_on == ON_BOTH and split != "test":
        do = f"Give --split test; for the score of heads trained on train alone: abaw run {solution} --split {split}"
        raise UsageError(SEEN_VAL, found=f"--split {split}", do=do)
    settings = load_settings(data=root, out=out, store=store, **work)
    data = open_given(
        settings, entry.task, crops=crops, template=template, annotations=annotations, ignore_lengths=ignore_lengths
    )
    options: dict[str, Any] = {"crops": crops, "ignore_lengths": ignore_lengths or None}
    options |= {"template": template, "annotations": annotations}
    options |= {key: work[key] for key in ("device", "backend", "precision", "weights", "stride")}
    given_text = {key: str(value) for key, value in options.items() if value is not None}
    numbers = range(seed, seed + seeds)
    if dry_run:
        outlooks: list[Outlook] = []
        for number in numbers:
            alike = outlooks[-1] if outlooks else None
            outlooks.append(outlook_of(entry, data, split, settings, seed=number, fresh=fresh, alike=alike))
        _show_outlooks(outlooks, as_json)
        return
    both = split == "test" and entry.trained_on == ON_BOTH
    jobs = [Job(entry, number) for number in numbers]
    on_val = [Job(alone, number) for number in numbers] if both else []
    steps: list[Step] = []
    if not os.environ.get(QUIET):
        planned = [
            run
            for of_split, its in (("val", on_val), (split, jobs))
            for run in planned_runs([(job.entry, job.seed) for job in its], data, of_split, settings, fresh=fresh)
        ]
        if text := _plan_line([run.outlook for run in planned[len(on_val) :] if run.outlook is not None]):
            click.echo(one_line(text), err=True)
        steps = steps_of(planned)
    with whole_job(steps):
        _make_runs(on_val, jobs, data, split, settings, given_text, fresh=fresh, as_json=as_json, packed=packed)


def _make_runs(
    on_val: Sequence[Job],
    jobs: Sequence[Job],
    data: Dataset,
    split: str,
    settings: Settings,
    given_text: Mapping[str, str],
    *,
    fresh: bool,
    as_json: bool,
    packed: bool,
) -> None:
    """Make runs and print them.

    Args:
        on_val: runs on val that are made first, so that they can stand beside those of heads that have seen val.
        jobs: the runs.
        data: the data set.
        split: that the runs predict.
        settings: of the runs.
        given_text: options that their records keep.
        fresh: make runs again that are there.
        as_json: print plain data.
        packed: pack each run on test.
    """
    from harness.cli.report import print_run, print_seeds
    from harness.cli.sending import packed_submission
    from harness.runs.batch import raise_failed, run_all

    validations: dict[int | None, RunRecord] = {}
    if on_val:
        validations = _validated(list(run_all(on_val, data, "val", settings, fresh=fresh, options=_of_val(given_text))))
    runs, listed, records, refused = [], [], [], False
    for ran in run_all(jobs, data, split, settings, fresh=fresh, options=given_text):
        runs.append(ran)
        finished = ran.value
        if finished is None:
            continue
        ready = packed_submission(finished, data) if packed else None
        refused = refused or (ready is not None and not ready.valid)
        beside = validations.get(finished.record.seed)
        if as_json:
            more = ready.plain() if ready else {"archive": None}
            listed.append(finished.plain() | more | _plain_beside(beside))
        else:
            print_run(finished.record, finished.folder, reused=finished.reused, beside=beside)
            if ready:
                ready.show()
        records.append(finished.record)
    if as_json and listed:
        print_json(listed if jobs[1:] else listed[0])
    elif len(records) > 1:
        print_seeds(records)
    raise_failed(runs)
    if refused:
        raise click.exceptions.Exit(1)


def _plan_line(outlooks: Sequence[Outlook]) -> str:
    """Return the plan of the runs in one line; empty where there is none."""
    due = [outlook for outlook in outlooks if not outlook.finished]
    n_there = len(outlooks) - len(due)
    there = (
        f"; {n_there} of {counted(len(outlooks), 'run')} {verb_for(n_there, 'are')} there already" if n_there else ""
    )
    if not due:
        return outlooks[0].line + ("" if len(outlooks) == 1 else there) if outlooks else ""
    return due[0].line + (f"; for each of {counted(len(due), 'seed')}" if due[1:] else "") + there


def _split_for(train_on: str | None) -> str:
    """Return the split of a run whose command names none."""
    return "test" if train_on == ON_BOTH else "val"


def _show_outlooks(outlooks: Sequence[Outlook], as_json: bool) -> None:
    if as_json:
        print_json([asdict(outlook) | {"missing": outlook.missing, "seconds": outlook.seconds} for outlook in outlooks])
        return
    for outlook in outlooks:
        for line in outlook.lines:
            click.echo(one_line(line))


def _validated(runs: Sequence[Ran]) -> dict[int | None, RunRecord]:
    """Return the records of runs on val by seed, so that they can stand beside runs whose heads have seen val.

    Raises:
        AbawError: a run failed; nothing can be chosen on val then, either.
    """
    from harness.runs.batch import raise_failed

    raise_failed(runs)
    return {run.item.seed: run.value.record for run in runs if run.value is not None}


def _plain_beside(beside: RunRecord | None) -> dict[str, Any]:
    """Return the score of heads trained on train alone as plain data, for a run whose heads have seen val."""
    if beside is None:
        return {}
    return {"validation": {"run_id": beside.run_id, "trained_on": beside.trained_on, **(beside.score() or {})}}


def _of_val(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options that matter to a run on val: the template lists rows of test."""
    return {key: value for key, value in options.items() if key != "template"}
