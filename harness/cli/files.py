"""``abaw validate`` and ``abaw score``: official files, ours or anybody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from harness.cli.options import json_option, out_options, print_json
from harness.metrics.scoring import ScoreCard
from harness.metrics.titles import interval_text, score_title
from harness.submission.formats import FORMATS
from harness.submission.report import SHOWN_PER_KIND, Report
from harness.tasks import SPLITS

if TYPE_CHECKING:
    from harness.metrics.variants import Variant
    from harness.submission.score import Scored

_TASKS = click.Choice(sorted({format.task for format in FORMATS.values()}), case_sensitive=False)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--task", type=_TASKS, help="What it is meant to be.  [default: found out from the file]")
@click.option("--template", type=click.Path(path_type=Path), help="The organisers' rows: a file, or a folder of files.")
@click.option("--edition", type=click.IntRange(3, 11), help="Of the competition, where formats differ.")
@json_option
def validate(path: Path, task: str | None, template: Path | None, edition: int | None, as_json: bool) -> None:
    """Check a submission line by line: a file, a folder of files, or a zip. Exit code 1 if there are errors.

    Without a template, a file for a real test set is held against the names and counts that this program knows.

    \b
    Example: abaw validate predictions.txt --template CVPR_6th_ABAW_Expr_test_set_example.txt
    """
    from harness.submission.validate import validate as check

    report = check(path, task=task, template=template, edition=edition)
    if as_json:
        print_json(
            {
                "valid": report.valid,
                "format": report.format,
                "rows": report.rows,
                "videos": report.videos,
                "counts": [{"severity": s, "code": c, "count": n} for (s, c), n in report.counts.items()],
                "problems": [asdict(found) for found in report.problems],
                "assumed": report.assumed,
            }
        )
    else:
        _print_report(report, path)
    if not report.valid:
        raise click.exceptions.Exit(1)


def _print_report(report: Report, path: Path) -> None:
    from harness.submission.repair import MENDABLE

    for found in sorted(report.problems, key=lambda p: (p.where, p.line, p.column)):
        click.echo(str(found))
    for (severity, code), n in report.counts.items():
        if n > SHOWN_PER_KIND:
            click.echo(f"{path}: {severity} [{code}] {n:,} in all, the first {SHOWN_PER_KIND} shown")
    for text in report.assumed:
        click.echo(f"note: {text}")
    warnings = sum(report.counts.values()) - report.n_errors
    errors = {code for severity, code in report.counts if severity == "error"}
    if errors and errors <= MENDABLE and path.is_file() and path.suffix != ".zip":
        click.echo(
            f"note: all of this may be mended: abaw repair {path} OUT (it says what it changed, or why it can't)"
        )
    verdict = "valid" if report.valid else f"NOT valid, {report.n_errors:,} errors"
    if warnings:
        verdict += f" ({warnings:,} warnings)" if report.valid else f", {warnings:,} warnings"
    click.echo(f"{path}: {verdict}; {report.format}, {report.rows:,} rows, {report.videos} videos")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--task", type=_TASKS, help="What it is meant to be.  [default: found out from the file]")
@click.option("--template", type=click.Path(path_type=Path), help="The organisers' rows, whose order is then taken.")
def repair(path: Path, out: Path, task: str | None, template: Path | None) -> None:
    """Write a mended copy of PATH to OUT: spelling, order, a few missing frames. Never a prediction made up.

    What changed is printed with its count. Values out of range, videos without any row and the like are refused.

    \b
    Example: abaw repair predictions.txt mended.txt --template CVPR_6th_ABAW_Expr_test_set_example.txt
    """
    from harness.submission.repair import repair as mend

    done = mend(path, out, task=task, template=template)
    for change, n in done.changes.items():
        click.echo(f"{n:>9,}  {change}")
    click.echo(f"{out}: {done.rows:,} rows" + ("" if done.changes else "; nothing had to be mended"))


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--task", type=_TASKS, help="What it is.  [default: found out from the file]")
@click.option("--labels", required=True, type=click.Path(path_type=Path), help="Folder of label files, or a table.")
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
@click.option("--split", type=click.Choice(SPLITS), help="Of the labels.  [default: told from their folder's name]")
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
    """Score a submission against labels: the official metric with its 95 % interval by video.

    The file is checked on the way: one that `abaw validate` refuses is not scored.

    \b
    Example: abaw score predictions.txt --labels EXPR_Recognition_Challenge/Validation_Set
             abaw score predictions.txt --labels EXPR_Recognition_Challenge/Validation_Set --record --name our-cnn
    """
    from harness.submission.score import score_submission

    if not record and (name or split or note):
        raise click.UsageError("--name, --split and --note go with --record.")
    if root and not with_variants:
        raise click.UsageError("--data goes with --variants.")
    scored = score_submission(path, labels, task=task, template=template)
    card, finished = scored.card, None
    others: Sequence[Variant] = ()
    if with_variants:
        from harness.metrics.variants import variants

        others = [*variants(card.task, card.statistics), *([_without_crops(scored, root)] if root else [])]
    if record:
        from harness.scored_run import record_scored
        from harness.settings import load_settings

        settings = load_settings(out=out, store=store)
        finished = record_scored(scored, path, labels, settings, name=name, split=split, note=note)
    if as_json:
        print_json(
            {
                "task": card.task.name,
                "scores": [asdict(s) for s in card.scores],
                "constant": {"name": card.constant[0], "value": card.constant[1]},
                "frames": card.n_frames,
                "videos": dict(_videos(card)) if by_video else list(card.videos),
                "notes": scored.notes,
                **({"variants": [asdict(v) for v in others]} if with_variants else {}),
                **({"run": finished.record.run_id, "folder": str(finished.folder)} if finished else {}),
            }
        )
        return
    _print_card(card)
    for text in scored.notes:
        click.echo(f"note: {text}")
    if by_video:
        click.echo("\neach video alone: to see where it fails, not to average")
        width = max(map(len, card.videos))
        for name, value in sorted(_videos(card), key=lambda pair: pair[1]):
            click.echo(f"  {name:{width}s}  {value:.3f}")
    if others:
        click.echo("\nother definitions of the score, with the difference and who uses them:")
    width = max((len(v.name) for v in others), default=0)
    for v in others:
        click.echo(f"  {v.name:{width}s}  {v.value:.3f} {v.difference:+.3f}  {v.who}")
    if finished:
        click.echo(f"recorded as {finished.record.run_id} in {finished.folder}")


def _without_crops(scored: Scored, root: Path) -> Variant:
    """The score on frames with a crop alone."""
    from harness.datasets.open import open_dataset
    from harness.metrics.variants import without_uncropped_frames

    data = open_dataset(root, scored.card.task, ignore_lengths=True)
    cropped = {}
    for video in (video for videos in data.splits.values() for video in videos if video.name in scored.truth.labels):
        mask = np.zeros(max(video.n_frames, len(scored.truth.labels[video.name])), bool)
        frames = video.crops.frames
        mask[frames[frames <= len(mask)] - 1] = True
        cropped[video.name] = mask
    return without_uncropped_frames(scored.card.task, scored.truth.labels, scored.decisions, cropped)


def _videos(card: ScoreCard) -> list[tuple[str, float]]:
    """The official score of each video alone; 0 for one without a labelled frame."""
    head = card.headline
    return list(zip(card.videos, card.per_video()[head.metric, head.target].tolist(), strict=True))


def _print_card(card: ScoreCard) -> None:
    titles = {s: score_title(s.metric, s.target) for s in card.scores}
    width = max(map(len, titles.values()), default=0)
    for s, title in titles.items():
        click.echo(f"{title:{width}s}  {interval_text(s.value, s.low, s.high)}")
    click.echo(f"{'constant':{width}s}  {card.constant[1]:.3f} (always {card.constant[0]})")
    click.echo(
        f"{card.n_frames:,} labelled frames of {len(card.videos)} videos; in brackets 95 %, bootstrap over videos"
    )
