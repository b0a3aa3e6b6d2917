"""Score an official file against a folder of label files."""

from __future__ import annotations

from pathlib import Path

from harness.datasets.labels import read_labels
from harness.errors import DataError, problem
from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.submission.one_file import read_one_file
from harness.tasks import Task


def score_file(path: Path, task: Task, labels: Path) -> tuple[ScoreCard, list[str]]:
    """Join predictions and labels by video and frame, and score.

    Args:
        labels: folder of ``<video>.txt`` label files.

    Returns:
        The score card, and notes on what was left out.

    Raises:
        DataError: no label files, or one that can't be read.
        SubmissionError: the file is malformed, or has no row for a labelled frame.
    """
    metric = metric_for(task)
    files = sorted(p for p in labels.glob("*.txt") if not p.name.startswith(".")) if labels.is_dir() else []
    if not files:
        raise DataError(
            problem(
                "no label files" if labels.is_dir() else "no such folder",
                where=labels,
                expected="<video>.txt files, as in …/EXPR_Recognition_Challenge/Validation_Set",
            )
        )
    truth = {p.stem: read_labels(p, task) for p in files}
    table = read_one_file(path, task)
    notes = []
    unlabelled = sorted(set(table.frames) - set(truth))
    if unlabelled:
        notes.append(f"{len(unlabelled)} videos of the file have no labels and were left out: {unlabelled[:3]}")
    longer = [name for name, frames in table.frames.items() if name in truth and frames.max() > len(truth[name])]
    if longer:
        notes.append(f"{len(longer)} videos have rows beyond their last label, left out: {longer[:3]}")
    decisions = table.dense({name: len(values) for name, values in truth.items()})
    statistics = video_statistics(task, metric, truth, decisions)
    return score_card(task, tuple(truth), statistics), notes
