"""Scores of a submission against labels."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SubmissionError
from harness.files.checking.submission import Submission, open_submission
from harness.files.labels.truth import Truth, read_truth
from harness.files.one_file import PredictionTable, require_valid, table_of
from harness.files.parsing.blocks import write_names
from harness.files.persons import persons_by_name
from harness.files.video_names import known_as, under_several
from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.system.counts import counted, verb_for
from harness.tasks import OTHER_TASKS, TASKS, valid_rows


@dataclass(frozen=True)
class Scored:
    """A submission's score.

    Attributes:
        card: the scores.
        truth: the labels.
        submission: the checked submission.
        decisions: scored decisions of each labelled video.
        notes: videos and rows left out, and assumptions, in words.
        labels: file or folder that the labels come from.
    """

    card: ScoreCard
    truth: Truth
    submission: Submission
    decisions: Mapping[str, npt.NDArray[Any]]
    notes: tuple[str, ...]
    labels: Path


def score_submission(
    path: Path,
    labels: Path | Callable[[str], Path],
    *,
    task: str | None = None,
    edition: int | None = None,
    template: Path | None = None,
) -> Scored:
    """Check a file, folder or zip, join it with labels by video and frame, and score it.

    Args:
        path: the file, folder or zip.
        labels: file or folder for :func:`harness.files.labels.truth.read_truth`, or a function from a task's short name
            to it.
        task: short name of the task; by default recognised from the file.
        edition: number of the competition's edition, for formats that differ between editions.
        template: the organisers' rows, to check the submission against them too.

    Raises:
        DataError: labels are missing or unreadable.
        SubmissionError: the submission is malformed, or has no row for a frame with a label.
    """
    place_of: Callable[[str], Path] = functools.cache(labels) if callable(labels) else lambda _: labels
    truth = read_truth(place_of(task), task) if task else None
    counts = truth.n_frames if truth is not None and truth.rows is None else None
    submission = open_submission(path, task=task, edition=edition, template=template, known=False, counts=counts)
    own_task = task or submission.format.task
    place = place_of(own_task)
    truth = truth or read_truth(place, own_task)
    _refuse_other_level(submission, truth, path, place)
    names = [name for part in submission.parts.values() for name in part.rows.videos]
    if template is None and (known_as(names, truth.labels) or under_several(names, truth.labels)):
        submission = open_submission(path, task=task, edition=edition, known=False, videos=tuple(truth.labels))
    _refuse_names(submission, path, place)
    decisions, notes = _decisions(submission, truth)
    notes += [str(problem) for problem in submission.report.problems if problem.code == "file-name"]
    notes += truth.notes
    scored_task = (TASKS | OTHER_TASKS)[truth.task]
    statistics = video_statistics(scored_task, metric_for(scored_task), truth.labels, decisions)
    persons = persons_by_name(scored_task.name, truth.labels)
    card = score_card(scored_task, tuple(truth.labels), statistics, persons)
    return Scored(card, truth, submission, decisions, tuple(notes), place)


def _refuse_other_level(submission: Submission, truth: Truth, path: Path, labels: Path) -> None:
    """Raise an error for rows of frames with labels of videos, or the reverse."""
    if submission.format.task != truth.task:
        level = (TASKS | OTHER_TASKS)[truth.task].level
        what = f"{labels} has labels of {truth.task}, a row per {level}"
        expected = f"a file of {truth.task}"
        raise SubmissionError(what, where=path, found=f"a file of {submission.format.name}", expected=expected)


def _refuse_names(submission: Submission, path: Path, labels: Path) -> None:
    """Raise an error for names of videos in another spelling than in the labels."""
    report = submission.report
    if ("error", "name") in report.counts:
        first = next(problem for problem in report.errors if problem.code == "name")
        command = f"abaw repair {shlex.quote(str(path))} OUT --labels {shlex.quote(str(labels))}"
        do = f"Write them as the labels have them: {command}"
        what = f"{report.counts['error', 'name']} names of videos are spelled otherwise"
        raise SubmissionError(what, where=path, found=str(first), do=do)


def score_file(path: Path, task: object, labels: Path) -> tuple[ScoreCard, list[str]]:
    """Score a file of a task; see :func:`score_submission`."""
    scored = score_submission(path, labels, task=getattr(task, "name", str(task)))
    return scored.card, list(scored.notes)


def _decisions(submission: Submission, truth: Truth) -> tuple[Mapping[str, npt.NDArray[Any]], list[str]]:
    """Return the decisions for each labelled video, and notes on the rows and videos left out."""
    table = _joined(submission)
    first = (submission.format.row.first if submission.format.row else 1) or 0
    notes: list[str] = []
    unlabelled = [name for name in table.frames if name not in truth.labels]
    if unlabelled:
        n = len(unlabelled)
        what = f"{counted(n, 'video')} of the file {verb_for(n, 'have')} no labels and {verb_for(n, 'were')} left out"
        notes.append(f"{what}: {sorted(unlabelled)[:3]}")
    report = submission.report
    if n := report.counts["error", "range"]:
        notes.append(
            f"{counted(n, 'value', 'are')} out of range and {verb_for(n, 'were')} scored as written; the file is not "
            f"valid: {report.errors[0]}"
        )
    if truth.rows is None:
        counts = truth.n_frames
        longer = [name for name, numbers in table.frames.items() if name in counts and numbers.max() > counts[name]]
        if longer:
            notes.append(
                f"{counted(len(longer), 'video', 'have')} rows beyond their last label, left out: {longer[:3]}"
            )
        labelled = {name: valid_rows(values, TASKS[truth.task]) for name, values in truth.labels.items()}
        gaps = [name for name, n in counts.items() if name in table.frames and _fewer(table.frames[name], n, first)]
        decisions = table.dense(counts, labelled)
        if gaps:
            what = f"{counted(len(gaps), 'video', 'have')} no row for some frames that nobody annotated"
            notes.append(f"{what}, which count nowhere: {gaps[:3]}")
        return decisions, notes
    return _in_rows_of(truth, submission), notes


def _fewer(frames: npt.NDArray[np.int32], n: int, first: int) -> bool:
    """Tell if some of a video's n frames have no row."""
    return int(((frames >= first) & (frames < first + n)).sum()) < n


def _joined(submission: Submission) -> PredictionTable:
    """Return all parts of a submission as one table by video.

    Raises:
        SubmissionError: a part is malformed, or there are several trials.
    """
    despite = () if submission.format.whole else ("range",)  # real values out of range can be scored
    require_valid(submission.report, despite)
    parts = [table_of(checked, despite=despite) for checked in submission.parts.values()]
    if len(parts) > 1 and not submission.format.per_video:
        raise SubmissionError(
            f"several {submission.report.noun}",
            where=submission.report.where,
            found=", ".join(submission.parts),
            do="Score one file",
        )
    frames = {name: arrays for part in parts for name, arrays in part.frames.items()}
    values = {name: arrays for part in parts for name, arrays in part.values.items()}
    return PredictionTable(submission.format, frames, values, submission.report)


def _in_rows_of(truth: Truth, submission: Submission) -> Mapping[str, npt.NDArray[Any]]:
    """Return the decisions for the labelled rows, by video."""
    checked = next(iter(submission.parts.values()))
    labelled, rows = truth.rows, checked.rows
    if labelled is None:
        return {}
    place = labelled.places(rows)
    row_of_label = np.full(len(labelled), -1)
    row_of_label[place[place >= 0]] = np.flatnonzero(place >= 0)
    if (row_of_label < 0).any():
        k = int(np.flatnonzero(row_of_label < 0)[0])
        name = write_names(labelled.videos, labelled.video[k : k + 1], labelled.frame[k : k + 1], labelled.format)[0]
        raise SubmissionError(
            f"{checked.report.where}: {int((row_of_label < 0).sum())} of {len(labelled)} labelled rows have no "
            f"prediction, the first is {name}. Give the labels of the predicted split alone: those here are "
            f"of {labelled.where}."
        )
    values = rows.values[row_of_label]
    return {name: values[places] for name, places in labelled.by_video()}
