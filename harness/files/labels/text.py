"""Label files with a header and one line per frame: parsed as a whole, with the exact place of an error."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.files.parsing.numbers import LONGEST, numbers
from harness.system.names import require_name
from harness.system.regular import read_or_refuse
from harness.tasks import Task

_EXPECTED = {
    "EXPR": "one whole number from 0 to 7, or -1 where nobody annotated",
    "VA": "'valence,arousal', each from -1 to 1, or '-5,-5' where nobody annotated",
    "AU": "12 comma-separated values, each 0, 1, or -1 where nobody annotated",
}


def read_labels(path: Path, task: Task) -> npt.NDArray[Any]:
    """Read a label file of the 3rd edition or later.

    Returns:
        int64 ``(n,)`` for EXPR, float64 ``(n, 2)`` for VA, int64 ``(n, 12)`` for AU; row k is frame k + 1; frames that
        nobody annotated hold the task's invalid marker.

    Raises:
        DataError: a row is malformed, with ``file:line:column``; or the file's name is unfit for a video.
    """
    require_name(path.stem, "video", where=path, do="Rename this label file")
    data = read_or_refuse(path, "can't read the label file")
    values = _at_once(data, task)
    if values is not None:
        return values
    try:
        # not splitlines(): it also breaks at form feeds and the like, which no editor counts as lines
        lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig").read().split("\n")
    except UnicodeDecodeError as error:
        raise DataError("can't read the label file", where=path, found=error) from None
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError("the label file is empty", where=path, expected=f"the header {task.header!r}")
    if "".join(lines[0].split()) != task.header:
        raise DataError(
            f"not a label file for {task.name}",
            where=f"{path}:1:1",
            found=repr(lines[0][:80]),
            expected=repr(task.header),
        )
    return _parse(path, task, lines[1:])


def _at_once(data: bytes, task: Task) -> npt.NDArray[Any] | None:
    """Return the labels of a file in which each line has the plainest spelling, else ``None``."""
    header = f"{task.header}\n".encode()
    if not data.startswith(header) or len(data) == len(header):
        return None
    end = b"" if data.endswith(b"\n") else b"\n"
    if task.kind == "values":
        return _numbers(b"".join([data, end, b"\n" * LONGEST]), len(header), task)
    return _digits(b"".join([data[len(header) :], end]), task)


def _digits(body: bytes, task: Task) -> npt.NDArray[np.int64] | None:
    """Return the labels in lines of single digits; ``None`` for other lines.

    The marker -1 is replaced by a digit that no label has, so that all lines have one length.
    """
    width = 1 if task.kind == "classes" else task.n_outputs
    spare = task.n_outputs if task.kind == "classes" else 2
    if task.invalid != -1 or spare > 9 or b"%d" % spare in body:
        return None
    text = body.replace(b"-1", b"%d" % spare)
    if len(text) % (2 * width):
        return None
    block = np.frombuffer(text, np.uint8).reshape(-1, 2 * width)
    values = block[:, ::2] - ord("0")
    between = np.frombuffer(b"," * (width - 1) + b"\n", np.uint8)
    if not ((block[:, 1::2] == between).all() and (values <= spare).all()):
        return None
    labels = values.astype(np.int64)
    labels[values == spare] = task.invalid
    return labels[:, 0] if task.kind == "classes" else labels


def _numbers(data: bytes, at: int, task: Task) -> npt.NDArray[np.float64] | None:
    """Return the labels in lines of real numbers; ``None`` if a line is malformed.

    Args:
        data: the file, with :data:`LONGEST` bytes behind it.
        at: place of the first line in ``data``.
        task: task of the labels.
    """
    width = task.n_outputs
    block = np.frombuffer(data, np.uint8)
    body = block[at:-LONGEST]
    ends = np.flatnonzero(body < ord("-"))  # commas and line ends, and little that a plain file has
    ends += at
    if len(ends) % width:
        return None
    # commas inside each line, a line end behind it
    lines = block[ends].reshape(-1, width)
    if not ((lines[:, :-1] == ord(",")).all() and (lines[:, -1] == ord("\n")).all()):
        return None
    values = numbers(block, np.concatenate([[at], ends[:-1] + 1]), ends)
    if values is None:
        return None
    return values.reshape(-1, width) if _is_official(values, task).all() else None


def _parse(path: Path, task: Task, rows: list[str]) -> npt.NDArray[Any]:
    width = 1 if task.kind == "classes" else task.n_outputs
    number: type = np.float64 if task.kind == "values" else np.int64
    fields = ",".join(rows).split(",") if rows else []
    try:
        values: npt.NDArray[Any] = np.array(fields, dtype=number).reshape(len(rows), width)
    except (ValueError, OverflowError):
        raise _first_bad_row(path, task, rows, width) from None
    wrong = ~_acceptable(values, task)
    if wrong.any() or any(row.count(",") != width - 1 for row in rows):
        raise _first_bad_row(path, task, rows, width)
    return values[:, 0] if task.kind == "classes" else values


def _acceptable(values: npt.NDArray[Any], task: Task) -> npt.NDArray[np.bool_]:
    """Return True for rows in which each value is official."""
    fine = _is_official(values, task)
    return np.asarray(fine.all(1) if fine.ndim > 1 else fine)


def _is_official(values: npt.NDArray[Any], task: Task) -> npt.NDArray[np.bool_]:
    low, high = task.range
    return np.asarray(((values >= low) & (values <= high)) | (values == task.invalid))


def _first_bad_row(path: Path, task: Task, rows: list[str], width: int) -> DataError:
    """Return the error for the first malformed row; the caller knows that one exists."""
    for line, row in enumerate(rows, start=2):
        fields = row.split(",")
        column = 1
        for field in fields:
            try:
                value = np.array([[float(field) if task.kind == "values" else int(field)]])
                fine = len(fields) == width and bool(_acceptable(value, task)[0])
            except (ValueError, OverflowError):
                fine = False
            if not fine:
                return DataError(
                    "not a label",
                    where=f"{path}:{line}:{column}",
                    found=repr(row[:60]),
                    expected=_EXPECTED[task.name],
                )
            column += len(field) + 1
    return DataError("not a readable label file", where=path)


def count_rows(path: Path) -> int:
    """Return the number of a label file's rows, unparsed: lines after the header, except blank ones at the end.

    Raises:
        DataError: the file can't be read.
    """
    data = read_or_refuse(path, "can't read the label file").rstrip()
    return data.count(b"\n") or data.count(b"\r")
