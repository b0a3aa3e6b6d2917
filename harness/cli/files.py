"""``abaw validate`` and ``abaw score``: official files, ours or anybody's."""

from __future__ import annotations

import contextlib
import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option, out_options, print_json
from harness.errors import AbawError
from harness.files.formats import FORMATS
from harness.files.report import SHOWN_PER_KIND, Report
from harness.files.spelling import SPELLINGS
from harness.system.counts import counted
from harness.system.terminal import shown_notes
from harness.tasks import SPLITS

if TYPE_CHECKING:
    from harness.files.score import Scored
    from harness.metrics.scoring import ScoreCard
    from harness.metrics.variants import Variant

_TASKS = click.Choice(sorted({format.task for format in FORMATS.values()}), case_sensitive=False)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--task", type=_TASKS, help="What it is meant to be.  [default: found out from the file]")
@click.option("--template", type=click.Path(path_type=Path), help="The organisers' rows: a file, or a folder of files.")
@click.option(
    "--data",
    "root",
    type=click.Path(path_type=Path),
    help="Data set whose newest template, or list of test videos, is taken, if it has the file's videos.  [ABAW_DATA]",
)
@click.option("--edition", type=click.IntRange(3, 11), help="Of the competition, where formats differ.")
@json_option
def validate(
    path: Path, task: str | None, template: Path | None, root: Path | None, edition: int | None, as_json: bool
) -> None:
    """Check a submission line by line. Exit code 1 if there are errors.

    PATH is a file, a folder of files, a zip, or a run (its folder, id, short id, or SOLUTION[@SEED]).

    A file is called valid only if a template was there to hold it against; without one it is well-formed at best, and
    a file for a real test set is held against the names and counts that this program knows. The organisers of EMI and
    AHV release no template: a file is valid against the list of test videos, which --data has.

    \b
    Example: abaw validate predictions.txt --template CVPR_6th_ABAW_Expr_test_set_example.txt
    """
    from harness.cli.official import ExpectedRows, expected_rows, official_path
    from harness.files.checking.at_sight import report_at_sight

    path = official_path(path, split="test")
    expected, report = ExpectedRows(template), None
    if template is None:
        expected = expected_rows(path, task, edition, root, with_edition=edition is not None)
    else:
        report = report_at_sight(path, template, task=task, edition=edition)
    if report is None:
        from harness.files.checking.submission import validate as check

        report = check(path, task=task, template=expected.template, edition=edition, listed=expected.listed)
    report.assumed += expected.notes
    if expected.evidence:
        from harness.files.editions import common_editions, contradiction

        allowed = common_editions(expected.evidence)
        asked = edition or max(allowed or expected.evidence[0].editions)
        command = f"abaw validate {shlex.quote(str(path))}"
        if message := contradiction(expected.task, asked, expected.evidence, command):
            report.add(0, 0, "edition", message, "warning" if edition is None else "error")
    verdict = expected.verdict(report)
    if as_json:
        print_json(
            {
                "valid": report.valid,
                "verdict": verdict,
                "template": None if expected.template is None else str(expected.template),
                "test_list": None if expected.listed is None else expected.listed.where,
                "format": report.format,
                "rows": report.rows,
                "videos": report.videos,
                "tables": report.tables,
                "counts": [{"severity": s, "code": c, "count": n} for (s, c), n in report.counts.items()],
                "problems": [asdict(one) for one in report.problems],
                "assumed": report.assumed,
            }
        )
    else:
        _print_report(report, path, task, expected.template, edition, verdict)
    if not report.valid:
        raise click.exceptions.Exit(1)


def _print_report(
    report: Report, path: Path, task: str | None, template: Path | None, edition: int | None, verdict: str
) -> None:
    for one in sorted(report.problems, key=lambda p: (p.where, p.line, p.column)):
        click.echo(str(one))
    for (severity, code), n in report.counts.items():
        if n > SHOWN_PER_KIND:
            click.echo(f"{path}: {severity} [{code}] {n:,} in all, the first {SHOWN_PER_KIND} shown")
    for text in shown_notes(report.assumed):
        click.echo(f"note: {text}")
    if report.tables < 2 and (
        not report.valid or any(code in SPELLINGS or code == "file-name" for _, code in report.counts)
    ):
        for text in shown_notes([_mending(path, task, template, edition)]):
            click.echo(f"note: {text}")
    warnings = sum(report.counts.values()) - report.n_errors
    verdict = verdict if report.valid else f"{verdict}, {counted(report.n_errors, 'error')}"
    if warnings:
        verdict += f" ({counted(warnings, 'warning')})" if report.valid else f", {counted(warnings, 'warning')}"
    click.echo(f"{path}: {verdict}; {report.format}, {report.size}")


def _mending(path: Path, task: str | None, template: Path | None, edition: int | None) -> str:
    """Return a sentence on the changes that `abaw repair` would make; they are made in memory to know them."""
    from harness.files.repair import plan

    try:
        done = plan(path, task=task, edition=edition, template=template)
    except AbawError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        return f"abaw repair can't mend this: {' '.join(lines[: 2 if lines[0].endswith(':') else 1])}"
    if not done.changes:
        return "abaw repair changes nothing here" + "".join(f"; {text}" for text in done.remaining)
    flags = {"--task": task, "--template": template, "--edition": edition}
    options = " ".join(f"{flag} {shlex.quote(str(value))}" for flag, value in flags.items() if value is not None)
    changes = ", ".join(f"{change} ({n:,})" for change, n in done.changes.items())
    command = f"abaw repair {shlex.quote(str(path))} OUT {options}".rstrip()
    if done.remaining:
        return f"to mend a part of it: {command}   ({changes}); {'; '.join(done.remaining)}"
    return f"to mend it: {command}   ({changes})"


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--task", type=_TASKS, help="What it is meant to be.  [default: found out from the file]")
@click.option("--template", type=click.Path(path_type=Path), help="The organisers' rows, whose order is then taken.")
@click.option("--labels", type=click.Path(path_type=Path), help="Instead: labels, whose videos and lengths are taken.")
@click.option("--edition", type=click.IntRange(3, 11), help="Of the competition, where formats differ.")
@click.option("--shift", type=int, default=0, help="Add this to every frame number, such as -1.")
@click.option("--trust-numbers", is_flag=True, help="Frame numbers are right: fill ends, drop what is beyond.")
@click.option("--clip", is_flag=True, help="Put values that are out of range on the nearest end of it.")
@click.option("--force", is_flag=True, help="Replace OUT.")
@json_option
def repair(
    path: Path,
    out: Path,
    task: str | None,
    template: Path | None,
    labels: Path | None,
    edition: int | None,
    shift: int,
    trust_numbers: bool,
    clip: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write a mended copy of PATH to OUT.

    The command mends spelling, order, and a few missing frames, and never invents a prediction. PATH is a file, or a
    folder or zip of files. Each change is printed with its count; the values of all other rows keep their text. Values
    out of range, videos without any row and systematic differences are refused. Exit code 1 if OUT is written but still
    not valid.

    \b
    Example: abaw repair predictions.txt mended.txt --template CVPR_6th_ABAW_Expr_test_set_example.txt
             abaw repair predictions.txt mended.txt --labels EXPR_Recognition_Challenge/Validation_Set
    """
    from harness.files.repair import Options
    from harness.files.repair import repair as mend

    if template is not None and labels is not None:
        raise click.UsageError("--template and --labels both say which rows there must be: give one.")
    done = mend(
        path,
        out,
        task=task,
        edition=edition,
        template=template,
        labels=labels,
        options=Options(shift, trust_numbers, clip),
        force=force,
    )
    if as_json:
        print_json({"out": str(out), "rows": done.rows, "changes": done.changes, "remaining": done.remaining})
    else:
        for change, n in done.changes.items():
            click.echo(f"{n:>9,}  {change}")
        nothing = "; nothing that is wrong could be mended" if done.remaining else "; nothing had to be mended"
        click.echo(f"{out}: {counted(done.rows, 'row')}" + ("" if done.changes else nothing))
        for text in done.remaining:
            click.echo(f"{out}: still NOT valid, {text}")
    if done.remaining:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--task", type=_TASKS, help="What it is.  [default: found out from the file]")
@click.option(
    "--labels",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of label files, or a table; or the data set's folder, whose labels of --split are taken.",
)
@click.option("--template", type=click.Path(path_type=Path), help="The organisers' rows, to be checked too.")
@click.option("--variants", "with_variants", is_flag=True, help="Also what other definitions in circulation give.")
@click.option(
    "--data",
    "root",
    type=click.Path(path_type=Path),
    help="With --variants: the data set, to leave out frames without crop.",
)
@click.option("--by-video", is_flag=True, help="Also the official score of each video alone, the lowest first.")
@click.option("--record", is_flag=True, help="Keep a copy and put it on the board.")
@click.option("--name", default="", help="What to call it on the board.")
@click.option("--split", type=click.Choice(SPLITS), help="Of the labels.  [default: told by their folder; val]")
@click.option("--note", default="", help="What you want to remember of it.")
@out_options
@json_option
def score(
    path: Path,
    task: str | None,
    labels: Path,
    template: Path | None,
    with_variants: bool,
    root: Path | None,
    by_video: bool,
    record: bool,
    name: str,
    split: str | None,
    note: str,
    out: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Score a submission against labels.

    The official metric with its 95 % interval by video, or by person (AH, AHV). PATH is a file, a folder of files, a
    zip, or a run (its folder, id, short id, or SOLUTION[@SEED]). The file is checked on the way: one that
    `abaw validate` refuses is not scored.

    \b
    Example: abaw score predictions.txt --labels EXPR_Recognition_Challenge/Validation_Set
             abaw score predictions.txt --labels EXPR_Recognition_Challenge/Validation_Set --record --name our-cnn
    """
    from harness.cli.official import labels_of, official_path
    from harness.files.score import score_submission

    place = labels_of(labels, split or "val")
    if not record and (name or note or (split and place is labels)):
        raise click.UsageError("--name, --split and --note go with --record.")
    if root and not with_variants:
        raise click.UsageError("--data goes with --variants.")
    path = official_path(path, split=split or "val")
    finished = None
    with contextlib.ExitStack() as stack:
        facts = None
        if record:
            from harness.runs.file_facts import finding_facts

            facts = stack.enter_context(finding_facts(path))
        scored = score_submission(path, place, task=task, template=template)
        if record:
            from harness.runs.external import record_scored  # with the store, whose memory the parsing can use first
            from harness.settings import load_settings

            settings = load_settings(out=out, store=store)
            finished = record_scored(
                scored, path, scored.labels, settings, name=name, split=split, note=note, facts=facts
            )
    card = scored.card
    others: Sequence[Variant] = ()
    if with_variants:
        from harness.metrics.variants import variants

        others = [*variants(card.task, card.statistics), *([_without_crops(scored, root)] if root else [])]
    if as_json:
        print_json(
            {
                "task": card.task.name,
                "scores": [asdict(s) for s in card.scores],
                "constant": {"name": card.constant[0], "value": card.constant[1]},
                **({"constants": dict(card.constants)} if card.constants else {}),
                **({"persons": card.units.number} if card.groups else {}),
                "frames": card.n_frames,
                "videos": list(card.videos),
                **({"by_video": _by_video(card)} if by_video else {}),
                "labels": str(scored.labels),
                "notes": scored.notes,
                **({"variants": [asdict(v) for v in others]} if with_variants else {}),
                **({"run": finished.record.run_id, "folder": str(finished.folder)} if finished else {}),
            }
        )
        return
    _print_card(card)
    of_labels = [f"labels of {scored.labels}"] if scored.labels != labels else []
    for text in shown_notes([*of_labels, *scored.notes]):
        click.echo(f"note: {text}")
    if by_video:
        rows, width = _by_video(card), max(map(len, card.videos))
        if any("error" in row for row in rows):
            click.echo("\neach video alone, the worst first: its mean absolute error, as one video has no Pearson")
        else:
            click.echo("\neach video alone, the worst first: its score, what perfect predictions get there, frames")
        for row in rows:
            if "error" in row:
                error = "–" if row["error"] is None else f"{row['error']:.3f}"
                click.echo(f"  {row['video']:{width}s}  {error}")
                continue
            possible = "    –" if row["possible"] is None else f"{row['possible']:.3f}"
            click.echo(f"  {row['video']:{width}s}  {row['score']:.3f} of {possible}  {row['frames']:,}")
    if others:
        click.echo("\nother definitions of the score, with the difference and who uses them:")
    width = max((len(v.name) for v in others), default=0)
    for v in others:
        click.echo(f"  {v.name:{width}s}  {v.value:.3f} {v.difference:+.3f}  {v.who}")
    if finished:
        click.echo(f"recorded as {finished.record.run_id} in {finished.folder}")


def _without_crops(scored: Scored, root: Path) -> Variant:
    """Return the score on frames with a crop alone."""
    import numpy as np

    from harness.datasets.open import open_dataset
    from harness.metrics.variants import without_uncropped_frames
    from harness.settings import load_settings

    data = open_dataset(root, scored.card.task, ignore_lengths=True, cache=load_settings().cache)
    cropped = {}
    for video in (video for videos in data.splits.values() for video in videos if video.name in scored.truth.labels):
        mask = np.zeros(max(video.n_frames, len(scored.truth.labels[video.name])), bool)
        frames = video.images.frames
        mask[frames[frames <= len(mask)] - 1] = True
        cropped[video.name] = mask
    return without_uncropped_frames(scored.card.task, scored.truth.labels, scored.decisions, cropped)


def _by_video(card: ScoreCard) -> list[dict[str, Any]]:
    """Return the official score of each video alone, the worst first, as on the leaderboard's page of a run."""
    alone = card.by_video()
    undefined = any(map(math.isfinite, alone.error.tolist()))
    return [
        {
            "video": card.videos[k],
            "score": _finite(alone.score[k]),
            "possible": _finite(alone.possible[k]),
            "frames": int(alone.frames[k]),
            **({"error": _finite(alone.error[k])} if undefined else {}),
        }
        for k in alone.worst_first(card.videos)
    ]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _print_card(card: ScoreCard) -> None:
    from harness.metrics.titles import interval_text, score_title

    titles = {s: score_title(s.metric, s.target) for s in card.scores}
    width = max(map(len, [*titles.values(), *(f"always {name}" for name, _ in card.constants)]), default=0)
    for s, title in titles.items():
        click.echo(f"{title:{width}s}  {interval_text(s.value, s.low, s.high)}")
    click.echo(f"{'constant':{width}s}  {card.constant[1]:.3f} (always {card.constant[0]})")
    for name, value in card.constants:
        click.echo(f"{f'always {name}':{width}s}  {value:.3f}")
    units = card.units
    of = f" of {counted(units.number, units.noun)}" if units.noun != "video" else ""
    counts = f"{counted(card.n_frames, card.task.label_noun)} of {counted(len(card.videos), 'video')}{of}"
    click.echo(f"{counts}; in brackets 95 %, bootstrap over {units.noun}s")
