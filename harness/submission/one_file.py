"""The one-file format of the 5th edition on: ``image_location`` header, then a row for each frame of each video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.atomic import atomic_file
from harness.errors import SubmissionError
from harness.submission.template import Template
from harness.submission.validate import Report, check_one_file
from harness.tasks import Task

FILE_NAME = "predictions.txt"


def format_rows(task: Task, decisions: npt.NDArray[Any]) -> list[str]:
    """Official text of decisions: an index, ``v,a`` with up to six decimals, or twelve 0/1."""
    if task.kind == "classes":
        return [str(value) for value in decisions.tolist()]
    if task.kind == "binaries":
        return [",".join(map(str, row)) for row in decisions.tolist()]
    return [",".join(f"{value:.6f}" for value in row) for row in decisions.tolist()]


def write_one_file(
    path: Path,
    task: Task,
    decisions: Mapping[str, npt.NDArray[Any]],
    order: Template | Sequence[str],
) -> int:
    """Write a submission, atomically.

    Args:
        decisions: official values of each video, frames 1 to n.
        order: the template whose rows to write, or, where a split has none, the videos to write frame by frame.

    Returns:
        Rows written, the header left out.

    Raises:
        SubmissionError: the template asks for a frame that has no decision.
        StorageError: the file can't be written.
    """
    text = {name: format_rows(task, values) for name, values in decisions.items()}
    if isinstance(order, Template):
        rows = list(_template_rows(order, text))
    else:
        rows = [f"{name}/{k:05d}.jpg,{value}" for name in order for k, value in enumerate(text[name], start=1)]
    with atomic_file(path) as stream:
        stream.write("\n".join([task.submission_header, *rows, ""]).encode())
    return len(rows)


def _template_rows(template: Template, text: Mapping[str, list[str]]) -> Iterable[str]:
    values = [text.get(name, []) for name in template.videos]
    for location, video, frame in zip(
        template.locations(), template.video.tolist(), template.frame.tolist(), strict=True
    ):
        if not 1 <= frame <= len(values[video]):
            raise SubmissionError(f"{template.path}: no prediction for {location}")
        yield f"{location},{values[video][frame - 1]}"


@dataclass(frozen=True)
class PredictionTable:
    """Rows of a submission file, by video in order of first appearance.

    Attributes:
        frames: int64 ``(rows_of_video,)`` for each video, as in the file.
        values: official values of the same rows, ``(rows,)`` for classes, ``(rows, targets)`` otherwise.
        report: what the check of the file said.
    """

    task: Task
    frames: Mapping[str, npt.NDArray[np.int64]]
    values: Mapping[str, npt.NDArray[Any]]
    report: Report

    def dense(self, n_frames: Mapping[str, int]) -> dict[str, npt.NDArray[Any]]:
        """Values of frames 1 to n of the videos asked for.

        Raises:
            SubmissionError: a frame has no row.
        """
        out = {}
        for name, n in n_frames.items():
            frames = self.frames.get(name)
            if frames is None:
                raise SubmissionError(f"{self.report.path}: no rows for video {name}, which has labels")
            inside = (frames >= 1) & (frames <= n)
            present = np.zeros(n + 1, bool)
            present[frames[inside]] = True
            if not present[1:].all():
                gap = int(np.flatnonzero(~present[1:])[0]) + 1
                raise SubmissionError(
                    f"{self.report.path}: {int((~present[1:]).sum())} of the {n} frames of {name} have no row, "
                    f"the first is {name}/{gap:05d}.jpg. Every frame of a video with labels must be predicted"
                )
            values = np.empty((n, *self.values[name].shape[1:]), self.values[name].dtype)
            values[frames[inside] - 1] = self.values[name][inside]
            out[name] = values
        return out


def read_one_file(path: Path, task: Task) -> PredictionTable:
    """Read a submission to score it; what ``abaw validate`` calls an error is one here too.

    Raises:
        SubmissionError: the first problems, with their lines.
    """
    report, rows = check_one_file(path, task)
    if report.errors:
        shown = "\n".join(f"  {p}" for p in report.errors[:5])
        raise SubmissionError(f"{path}: {report.n_errors} errors; see all with: abaw validate {path}\n{shown}")
    values = np.asarray(rows.values, np.float64 if task.kind == "values" else np.int64)
    own = dict(rows.by_video())
    return PredictionTable(
        task,
        {name: rows.frame[places].astype(np.int64) for name, places in own.items()},
        {name: values[places] for name, places in own.items()},
        report,
    )
