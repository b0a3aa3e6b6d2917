"""Score a submission against labels."""

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
from harness.tasks import OTHER_TASKS, TASKS, valid_rows


@dataclass(frozen=True)
class Scored:
    """A submission's score.

    Attributes:
        decisions: of each labelled video, as they were scored.
        notes: what was left out, what was assumed.
        labels: where the labels were read from.
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
        labels: see :func:`harness.files.labels.truth.read_truth`; or a function that names them for a task.
        task: short name; found out from the file where it can be.
        template: the organisers' rows, if these are to be checked too.

    Raises:
        DataError: no labels, or some that can't be read.
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
    notes += [str(found) for found in submission.report.problems if found.code == "file-name"]
    notes += truth.notes
    own = (TASKS | OTHER_TASKS)[truth.task]
    statistics = video_statistics(own, metric_for(own), truth.labels, decisions)
    persons = persons_by_name(own.name, truth.labels)
    card = score_card(own, tuple(truth.labels), statistics, persons)
    return Scored(card, truth, submission, decisions, tuple(notes), place)


def _refuse_other_level(submission: Submission, truth: Truth, path: Path, labels: Path) -> None:
    """Refuse rows of frames beside labels of videos, and the reverse."""
    if submission.format.task != truth.task:
        level = (TASKS | OTHER_TASKS)[truth.task].level
        what = f"{labels} has labels of {truth.task}, a row per {level}"
        expected = f"a file of {truth.task}"
        raise SubmissionError(what, where=path, found=f"a file of {submission.format.name}", expected=expected)


def _refuse_names(submission: Submission, path: Path, labels: Path) -> None:
    """Refuse names of videos that are spelled otherwise than those of the labels."""
    report = submission.report
    if ("error", "name") in report.counts:
        first = next(found for found in report.errors if found.code == "name")
        command = f"abaw repair {shlex.quote(str(path))} OUT --labels {shlex.quote(str(labels))}"
        do = f"Write them as the labels have them: {command}"
        what = f"{report.counts['error', 'name']} names of videos are spelled otherwise"
        raise SubmissionError(what, where=path, found=str(first), do=do)


def score_file(path: Path, task: object, labels: Path) -> tuple[ScoreCard, list[str]]:
    """Score a file of a task; see :func:`score_submission`."""
    scored = score_submission(path, labels, task=getattr(task, "name", str(task)))
    return scored.card, list(scored.notes)


def _decisions(submission: Submission, truth: Truth) -> tuple[Mapping[str, npt.NDArray[Any]], list[str]]:
    """What was predicted for each labelled video, and notes on what was left out."""
    table = _joined(submission)
    first = (submission.format.row.first if submission.format.row else 1) or 0
    notes: list[str] = []
    unlabelled = [name for name in table.frames if name not in truth.labels]
    if unlabelled:
        notes.append(f"{len(unlabelled)} videos of the file have no labels and were left out: {sorted(unlabelled)[:3]}")
    report = submission.report
    if n := report.counts["error", "range"]:
        notes.append(
            f"{n} values are out of range and were scored as they are; the file is not valid: {report.errors[0]}"
        )
    if truth.rows is None:
        counts = truth.n_frames
        longer = [name for name, own in table.frames.items() if name in counts and own.max() > counts[name]]
        if longer:
            notes.append(f"{len(longer)} videos have rows beyond their last label, left out: {longer[:3]}")
        counted = {name: valid_rows(values, TASKS[truth.task]) for name, values in truth.labels.items()}
        gaps = [name for name, n in counts.items() if name in table.frames and _fewer(table.frames[name], n, first)]
        decisions = table.dense(counts, counted)
        if gaps:
            what = f"{len(gaps)} videos have no row for some frames that nobody annotated"
            notes.append(f"{what}, which count nowhere: {gaps[:3]}")
        return decisions, notes
    return _in_rows_of(truth, submission), notes


def _fewer(frames: npt.NDArray[np.int32], n: int, first: int) -> bool:
    """Whether some of a video's n frames have no row."""
    return int(((frames >= first) & (frames < first + n)).sum()) < n


def _joined(submission: Submission) -> PredictionTable:
    """All parts of a submission as one table by video.

    Raises:
        SubmissionError: a part is malformed, or there are several trials.
    """
    despite = () if submission.format.whole else ("range",)  # real values out of range are as good as any
    require_valid(submission.report, despite)
    parts = [table_of(checked, despite=despite) for checked in submission.parts.values()]
    if len(parts) > 1 and not submission.format.per_video:
        raise SubmissionError(
            f"several {submission.report.noun}",
            where=submission.report.where,
            found=", ".join(submission.parts),
            do="Score one file",
        )
    frames = {name: own for part in parts for name, own in part.frames.items()}
    values = {name: own for part in parts for name, own in part.values.items()}
    return PredictionTable(submission.format, frames, values, submission.report)


def _in_rows_of(truth: Truth, submission: Submission) -> Mapping[str, npt.NDArray[Any]]:
    """Decisions for the rows that have labels, by video."""
    checked = next(iter(submission.parts.values()))
    wanted, rows = truth.rows, checked.rows
    if wanted is None:
        return {}
    place = wanted.places(rows)
    found = np.full(len(wanted), -1)
    found[place[place >= 0]] = np.flatnonzero(place >= 0)
    if (found < 0).any():
        k = int(np.flatnonzero(found < 0)[0])
        name = write_names(wanted.videos, wanted.video[k : k + 1], wanted.frame[k : k + 1], wanted.format)[0]
        raise SubmissionError(
            f"{checked.report.where}: {int((found < 0).sum())} of {len(wanted)} labelled rows have no prediction, the "
            f"first is {name}. Give the labels of the predicted split alone: those here are of {wanted.where}."
        )
    values = rows.values[found]
    return {name: values[places] for name, places in wanted.by_video()}
