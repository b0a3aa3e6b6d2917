"""Official files that hold a row per frame or clip of all videos in one table: writing, reading and checking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SubmissionError
from harness.files.checking.patterns import find_pattern
from harness.files.checking.table import Checked, check_table
from harness.files.format import Format
from harness.files.formats import format_named
from harness.files.parsing.blocks import Rows, write_names
from harness.files.report import Report
from harness.files.template import Template, dense_template
from harness.system.atomic import atomic_file
from harness.system.counts import counted
from harness.system.regular import read_or_refuse
from harness.tasks import Task

FILE_NAME = "predictions.txt"
DECIMALS = 6
"""Decimals of a written value: a file holds values rounded to this number."""


def format_of(task: Task | Format) -> Format:
    """Return the one-file format of a task in its newest edition; for AHV, the format with a label alone."""
    return task if isinstance(task, Format) else format_named(task.name)


def require_official(values: Mapping[str, npt.NDArray[Any]], format: Format) -> None:
    """Raise an error if a value is not official; the message names the video and the row.

    Args:
        values: values of each video, as :func:`format_rows` takes them.
        format: format of the file.

    Raises:
        SubmissionError: a video's values have another shape, or a value is out of range or not whole.
    """
    for name, array in values.items():
        try:
            _checked(format, array)
        except SubmissionError as error:
            raise SubmissionError(f"video {name}: {error}") from None


def format_rows(task: Task | Format, values: npt.NDArray[Any]) -> list[str]:
    """Return the official text of each row's values.

    Args:
        task: a task, whose newest format is used, or a format.
        values: array of the format's shape: ``(n,)`` for one column, ``(n, columns)`` otherwise.

    Raises:
        SubmissionError: the array has another shape, or a value is out of range, or not whole in a column of whole
            numbers.
    """
    format = format_of(task)
    table = _checked(format, values)
    if format.whole:
        return _digits(table, format)
    if format.sums_to_one:  # exactly, in float64: both sides are written with the same number of decimals
        table = np.array(table, np.float64)
        table[:, 0] = 1 - table[:, 1].round(DECIMALS)
    marks = ",".join("%d" if column.whole else f"%.{DECIMALS}f" for column in format.columns)
    return [marks % tuple(row) for row in table.tolist()]


def _checked(format: Format, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return official values as a table; errors as in :func:`format_rows`."""
    table = np.asarray(values)
    if table.shape != format.shape(len(table)):
        raise SubmissionError(
            f"values for {format.name}", found=f"shape {table.shape}", expected=str(format.shape(len(table)))
        )
    table = table.reshape(len(table), len(format.columns))
    for k, column in enumerate(format.columns):
        column_values = table[:, k]
        if not ((column_values >= column.low) & (column_values <= column.high)).all() or (
            column.whole and (column_values != np.floor(column_values)).any()
        ):
            wrong = ~(
                (column_values >= column.low)
                & (column_values <= column.high)
                & (not column.whole or column_values == np.floor(column_values))
            )
            at = f"{column.name} of {format.name}, row {int(wrong.argmax()) + 1}"
            raise SubmissionError(at, found=column_values[wrong][0], expected=column.expected)
    return table


def _digits(table: npt.NDArray[Any], format: Format) -> list[str]:
    if len(format.columns) == 1:
        return [str(value) for value in table[:, 0].astype(np.int64).tolist()]
    return [",".join(map(str, row)) for row in table.astype(np.int64).tolist()]


def write_one_file(
    path: Path,
    task: Task | Format,
    decisions: Mapping[str, npt.NDArray[Any]],
    order: Template | Sequence[str],
) -> int:
    """Write a submission, atomically.

    Args:
        path: the file to write.
        task: a task, whose newest format is used, or a format.
        decisions: official values of each video, frames 1 to n (for a format that counts from 0: 0 to n - 1); of each
            clip, one row.
        order: the template whose rows to write; for a split without template, the videos to write frame by frame.

    Returns:
        Number of rows written, without the header.

    Raises:
        SubmissionError: a frame of the template has no decision, or a value is out of the official ones.
        StorageError: the file can't be written.
    """
    format = format_of(task)
    if format.row is None or format.per_video:
        raise SubmissionError(f"{format.name} is not written into one file")
    first = format.row.first
    if isinstance(order, Template):
        rows: Rows = order
        values = _in_order(order, decisions, first)
    else:
        rows = dense_template({name: len(decisions[name]) for name in order}, format, str(path))
        values = np.concatenate([np.asarray(decisions[name]) for name in order]) if order else np.empty(0)
    names = write_names(rows.videos, rows.video, rows.frame, format)
    lines = [f"{name},{value}" for name, value in zip(names, format_rows(format, values), strict=True)]
    with atomic_file(path) as stream:
        stream.write("\n".join([*([format.header] if format.header else []), *lines, ""]).encode())
    return len(lines)


def _in_order(template: Template, decisions: Mapping[str, npt.NDArray[Any]], first: int | None) -> npt.NDArray[Any]:
    """Return the values of each row of a template, in its order."""
    parts, places = [], []
    for name, rows_of_video in template.by_video():
        places.append(np.arange(len(template))[rows_of_video])
        index = template.frame[rows_of_video] - (first or 0)
        predicted: npt.NDArray[Any] = np.asarray(decisions.get(name, ()))
        bad = np.flatnonzero((index < 0) | (index >= len(predicted)))
        if len(bad):
            frame = int(template.frame[rows_of_video][bad[0]])
            name = write_names((name,), np.zeros(1, np.int32), np.array([frame], np.int32), template.format)[0]
            raise SubmissionError(f"{template.where}: no prediction for {name}")
        parts.append(predicted[index])
    values = np.concatenate(parts)
    out = np.empty_like(values)
    out[np.concatenate(places)] = values
    return np.asarray(out)


@dataclass(frozen=True)
class PredictionTable:
    """Rows of a submission file, by video in order of first appearance.

    Attributes:
        format: format of the file.
        frames: int32 ``(rows_of_video,)`` frame numbers of each video, as in the file.
        values: official values of these rows, ``(rows_of_video,)`` for one column, ``(rows_of_video, columns)``
            otherwise.
        report: problems that the check of the file reported.
    """

    format: Format
    frames: Mapping[str, npt.NDArray[np.int32]]
    values: Mapping[str, npt.NDArray[Any]]
    report: Report

    def dense(
        self, n_frames: Mapping[str, int], required: Mapping[str, npt.NDArray[np.bool_]] | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the values of frames 1 to n (or 0 to n - 1) of some videos.

        Args:
            n_frames: number n of frames of each video.
            required: bool ``(n,)`` per video, frames that must have a row; by default all. Other frames without a row
                get the value of the video's first row.

        Raises:
            SubmissionError: a frame that must have a row has none; the message describes the gaps.
        """
        first = (self.format.row.first if self.format.row else 1) or 0
        required_by_video = required or {}
        values, gaps = {}, list[str]()
        for name, n in n_frames.items():
            must_have_rows = name not in required_by_video or required_by_video[name].any()
            if name not in self.frames and must_have_rows:
                others = [other for other in self.frames if other not in n_frames]
                number = counted(len(others), "video", "have")
                hint = f"; {number} rows but no labels, the first is {others[0]!r}" if others else ""
                raise SubmissionError(f"{self.report.where}: no rows for video {name}, which has labels{hint}")
            values[name], gap = self._dense(name, n, first, required_by_video.get(name))
            gaps += [gap] if gap else []
        if gaps:
            must = {name: np.arange(first, first + n) for name, n in n_frames.items()}
            pattern = find_pattern(
                {name: np.sort(numbers) for name, numbers in self.frames.items() if name in must}, must
            )
            more = f" (and {len(gaps) - 1} more videos)" if gaps[1:] else ""
            way_on = (
                f"{pattern.message}. {pattern.way_on}" if pattern else "Every frame that has a label must be predicted"
            )
            raise SubmissionError(f"{self.report.where}: {gaps[0]}{more}. {_sentence(way_on)}")
        return values

    def _dense(
        self, name: str, n: int, first: int, required: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[Any], str]:
        """Return the values of a video's n frames, and a message about missing rows, ``""`` if all are there."""
        frames = self.frames.get(name)
        if frames is None:
            return np.zeros(self.format.shape(n), self.format.dtype), ""
        if len(frames) >= n and np.array_equal(frames[:n], np.arange(first, first + n)):
            return np.asarray(self.values[name][:n]), ""
        inside = (frames >= first) & (frames < first + n)
        present = np.zeros(n, bool)
        present[frames[inside] - first] = True
        values = np.resize(self.values[name][:1], (n, *self.values[name].shape[1:]))
        values[frames[inside] - first] = self.values[name][inside]
        missing = ~present if required is None else ~present & required
        if not missing.any():
            return values, ""
        gap = int(np.flatnonzero(missing)[0]) + first
        label = self.format.row.name(name, gap) if self.format.row else f"frame {gap} of {name}"
        which = "frames" if required is None else "labelled frames"
        total = n if required is None else int(required.sum())
        return values, f"{int(missing.sum())} of the {total} {which} of {name} have no row, the first is {label}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def check_one_file(
    path: Path,
    task: Task | Format,
    template: Template | None = None,
    *,
    known: bool = True,
    counts: Mapping[str, int] | None = None,
) -> Checked:
    """Read and check a file; arguments as for :func:`~harness.files.checking.table.check_table`.

    Raises:
        SubmissionError: the file can't be opened at all.
    """
    data = read_or_refuse(path, "can't read the file", SubmissionError)
    return check_table(data, str(path), format_of(task), template, known=known, counts=counts)


def validate_one_file(path: Path, task: Task | Format, template: Template | None = None) -> Report:
    """Check a one-file submission against its format and, if there is one, its template.

    Raises:
        SubmissionError: the file can't be opened at all.
    """
    return check_one_file(path, task, template).report


def read_one_file(
    path: Path,
    task: Task | Format,
    template: Template | None = None,
    *,
    counts: Mapping[str, int] | None = None,
) -> PredictionTable:
    """Read a submission to score it; each error of ``abaw validate`` is raised.

    Args:
        path: the file.
        task: a task, whose newest format is used, or a format.
        template: rows that the file must have, if known.
        counts: frames of each video, if known: reading is faster for a file with these counts.

    Raises:
        SubmissionError: the file has errors; the message shows the first ones with their lines.
    """
    return table_of(check_one_file(path, task, template, known=False, counts=counts))


def table_of(checked: Checked, *, despite: Collection[str] = ()) -> PredictionTable:
    """Return the predictions of a checked file.

    Args:
        checked: the file.
        despite: codes of errors that are accepted.

    Raises:
        SubmissionError: the file has other errors; the message shows the first ones with their lines.
    """
    report, rows = checked.report, checked.rows
    require_valid(report, despite)
    places_by_video = dict(rows.by_video())
    return PredictionTable(
        checked.format,
        {name: rows.frame[places] for name, places in places_by_video.items()},
        {name: rows.values[places] for name, places in places_by_video.items()},
        report,
    )


def require_valid(report: Report, despite: Collection[str]) -> None:
    """Raise an error if a report holds errors, except those of the accepted codes ``despite``.

    Raises:
        SubmissionError: the report holds other errors; the message shows the first ones with their lines.
    """
    if any(severity == "error" and code not in despite for severity, code in report.counts):
        shown = "\n".join(f"  {problem}" for problem in report.errors[:5])
        raise SubmissionError(
            f"{report.where}: {counted(report.n_errors, 'error')}; see all with: abaw validate {report.where}\n{shown}"
        )
