"""Rows of an official file line by line: slower than :mod:`harness.submission.rows`, and exact about what is wrong."""

from __future__ import annotations

import re

import numpy as np

from harness.submission.format import Column, Format
from harness.submission.report import Report
from harness.submission.rows import Rows
from harness.tasks import TASKS

DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_MARKERS = {name: task.invalid for name, task in TASKS.items()} | {"MTL": -5}
_LONGEST_FRAME = 2**31 - 1


def read_lines(body: str, first: int, format: Format, report: Report, *, video: str = "") -> Rows:
    """The rows that can be told apart, and a report of everything that is wrong with any line.

    Args:
        body: what follows the header.
        first: line of the file on which that begins.
        video: whose file this is, where each video has its own.
    """
    names: dict[str, int] = {}
    places: dict[tuple[str, int], int] = {}
    right: dict[str, list[float]] = {}  # values without a problem, by their text: most come again and again
    index, frames, values, lines, wrong = [], [], [], [], []
    rows = body.split("\n")
    if rows and not rows[-1]:
        rows.pop()
    for number, line in enumerate(rows, start=first):
        if format.row is None:
            place, column, text = (video, number - first + 1), 1, line
            if not line.strip():
                report.add(number, 1, "blank", "blank line")
        else:
            name, comma, text = line.partition(",")
            found = format.row.parse(name)
            if found is None or found[1] > _LONGEST_FRAME:
                _explain_name(number, line, format, report)
                continue
            place, column = (found[0] or video, found[1]), len(name) + 2
            if place in places:
                report.add(number, 1, "duplicate", f"{name} has a row already, in line {places[place]}")
                continue
            if not comma:
                report.add(number, len(line) + 1, "columns", f"no value after {name}")
        value = right.get(text)
        if value is None and (text.strip() or (format.row and comma)):
            before = report.counts.total()
            value = _values(number, column, text, format, report)
            if value is not None and report.counts.total() == before:
                right[text] = value
        places[place] = number
        index.append(names.setdefault(place[0], len(names)))
        frames.append(place[1])
        values.append(value if value is not None else [0.0] * len(format.columns))
        lines.append(number)
        wrong.append(value is None)
    table = np.array(values, np.float64).reshape(len(values), len(format.columns))
    return Rows(
        tuple(names),
        np.array(index, np.int32),
        np.array(frames, np.int32),
        table.astype(format.dtype).reshape(format.shape(len(table))),
        np.array(lines, np.int64),
        first,
        np.array(wrong, bool),
    )


def _explain_name(number: int, line: str, format: Format, report: Report) -> None:
    if not line.strip():
        report.add(number, 1, "blank", "blank line")
    elif line.startswith('"'):
        report.add(number, 1, "quoted", f"found {line[:60]!r}, expected no quotes")
    elif format.row is not None:
        report.add(number, 1, "location", f"found {line[:60]!r}, expected '{format.row.example},…'")


def _values(number: int, column: int, text: str, format: Format, report: Report) -> list[float] | None:
    """The values of a row, or ``None`` if something was reported as wrong."""
    stripped = text.rstrip(",")
    if not stripped.strip():
        report.add(number, column, "blank-value", "no value; the template's row was left as it was")
        return None
    if stripped != text:
        report.add(number, column + len(stripped), "trailing-comma", f"{len(text) - len(stripped)} trailing commas")
    fields, width = stripped.split(","), len(format.columns)
    if len(fields) != width:
        names = ",".join(c.name for c in format.columns[:4]) + (",…" if width > 4 else "")
        report.add(number, column, "columns", f"found {len(fields)} values, expected {width}: {names}")
        return None
    values: list[float] = []
    begin = column
    for field, wanted in zip(fields, format.columns, strict=True):
        value = _number(number, column, field, wanted, format, report)
        if value is not None:
            values.append(value)
        column += len(field) + 1
    if len(values) < width:
        return None
    if format.sums_to_one and values[0] + values[1] != 1.0:
        total = values[0] + values[1]
        report.add(number, begin, "sum", f"p0 + p1 is {total!r}, expected exactly 1.0 (write p0 as 1 - p1, both with "
                   "the same number of decimals)")  # fmt: skip
        return None
    return values


def _number(number: int, column: int, text: str, wanted: Column, format: Format, report: Report) -> float | None:
    bare = text.strip()
    if bare != text:
        report.add(number, column, "space", f"found {text[:20]!r}, expected no space around it", severity="warning")
    if not DECIMAL.fullmatch(bare):
        report.add(number, column, "not-a-number", f"found {bare[:20]!r}, expected {wanted.expected}")
        return None
    if wanted.whole and not WHOLE.fullmatch(bare):
        report.add(number, column, "not-whole", f"found {bare[:20]!r}, expected {wanted.expected}")
        return None
    value = float(bare)
    if not wanted.low <= value <= wanted.high:
        marker = ""
        if value in (-1, _MARKERS.get(format.task)) and not (value == -1 and wanted.low == -1):
            marker = " (the mark of a frame that nobody annotated is no prediction)"
        report.add(number, column, "range", f"found {bare[:20]}, expected {wanted.expected}{marker}")
        return None
    return value
