"""``abaw validate`` and ``abaw score``: official files, ours or anybody's."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from harness.cli.options import json_option, print_json
from harness.submission.template import read_template
from harness.submission.validate import SHOWN_PER_KIND, validate_one_file
from harness.tasks import task_named

_FRAME_TASKS = click.Choice(["EXPR", "VA", "AU"], case_sensitive=False)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--task", required=True, type=_FRAME_TASKS)
@click.option("--template", type=click.Path(path_type=Path), help="The organisers' list of rows for the test set.")
@json_option
def validate(path: Path, task: str, template: Path | None, as_json: bool) -> None:
    """Check a one-file submission (5th edition on) line by line. Exit code 1 if there are errors.

    \b
    Example: abaw validate predictions.txt --task EXPR --template CVPR_6th_ABAW_Expr_test_set_example.txt
    """
    wanted = task_named(task)
    report = validate_one_file(path, wanted, read_template(template, wanted) if template else None)
    if as_json:
        counts = [{"severity": s, "code": c, "count": n} for (s, c), n in report.counts.items()]
        shown = [{**asdict(p), "path": str(p.path)} for p in report.problems]
        print_json(
            {"valid": report.valid, "rows": report.rows, "videos": report.videos, "counts": counts,
             "problems": shown, "assumed": report.assumed}
        )  # fmt: skip
    else:
        for found in sorted(report.problems, key=lambda p: (p.line, p.column)):
            click.echo(str(found))
        for (severity, code), n in report.counts.items():
            if n > SHOWN_PER_KIND:
                click.echo(f"{path}: {severity} [{code}] {n:,} in all, the first {SHOWN_PER_KIND} shown")
        for text in report.assumed:
            click.echo(f"note: {text}")
        verdict = "valid" if report.valid else f"NOT valid, {report.n_errors:,} errors"
        click.echo(f"{path}: {verdict}; {report.rows:,} rows, {report.videos} videos")
    if not report.valid:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--task", required=True, type=click.Choice(["EXPR"], case_sensitive=False))
@click.option("--labels", required=True, type=click.Path(path_type=Path), help="Folder of <video>.txt label files.")
@json_option
def score(path: Path, task: str, labels: Path, as_json: bool) -> None:
    """Score an official file against label files: macro-F1 with its 95 % interval by video.

    \b
    Example: abaw score predictions.txt --task EXPR --labels EXPR_Recognition_Challenge/Validation_Set
    """
    from harness.cli.report import METRIC_TITLES, interval_text
    from harness.submission.score import score_file

    card, notes = score_file(path, task_named(task), labels)
    if as_json:
        print_json(
            {
                "scores": [asdict(s) for s in card.scores],
                "constant": {"name": card.constant[0], "value": card.constant[1]},
                "frames": card.n_frames,
                "videos": list(card.videos),
                "notes": notes,
            }
        )
        return
    for s in card.scores:
        name = METRIC_TITLES.get(s.metric, s.metric) + ("" if s.target == "all" else f" {s.target}")
        click.echo(f"{name:16s} {interval_text(s.value, s.low, s.high)}")
    click.echo(f"{'constant':16s} {card.constant[1]:.3f} (always {card.constant[0]})")
    click.echo(
        f"{card.n_frames:,} labelled frames of {len(card.videos)} videos; in brackets 95 %, bootstrap over videos"
    )
    for note in notes:
        click.echo(f"note: {note}")
