"""Rows of an official file line by line: slower than :mod:`harness.files.parsing.blocks`, exact about each problem."""

from __future__ import annotations

import math
import re
from collections.abc import Container

import numpy as np

from harness.files.format import MOST_FRAMES, Column, Format
from harness.files.parsing.blocks import Rows
from harness.files.report import Report
from harness.files.spelling import NO_ROWS, SPELLINGS, is_plain, plain_line, shown
from harness.tasks import TASKS

DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_MARKERS = {name: task.invalid for name, task in TASKS.items()} | {"MTL": -5}
_CLEAN_WHOLE = re.compile(r"[-+0-9eE]+(,[-+0-9eE]+)*")  # values that can't be spelled more plainly
_CLEAN = re.compile(r"[-+.0-9eE]+(,[-+.0-9eE]+)*")


def read_lines(
    body: str, first: int, format: Format, report: Report, *, video: str = "", names: Container[str] = ()
) -> Rows:
    """The rows that can be told apart, and a report of everything that is wrong with any line.

    Args:
        body: what follows the header.
        first: line of the file on which that begins.
        video: whose file this is, where each video has its own.
        names: of videos that are right whatever they look like: the template's.
    """
    known: dict[str, int] = {}
    places: dict[tuple[str, int], int] = {}
    right: dict[str, list[float]] = {}  # values without a problem, by their text: most come again and again
    plain: dict[str, bool] = {}  # names of videos that need no respelling
    clean = _CLEAN_WHOLE if any(column.whole for column in format.columns) else _CLEAN
    index, frames, values, lines, wrong = [], [], [], [], []
    rows = body.split("\n")
    if rows and not rows[-1]:
        rows.pop()
    for number, line in enumerate(rows, start=first):
        name, comma, text = line.partition(",") if format.row is not None else ("", "", line)
        found = format.row.parse(name) if format.row is not None else (video, number - first + 1)
        if found is not None and found[0] not in plain:
            plain[found[0]] = found[0] in names or is_plain(found[0], format)
        if found is None or not plain[found[0]] or not (text in right or clean.fullmatch(text)):
            respelled = plain_line(line, format, names)
            for spelling in respelled.found:
                severity = _severity(spelling.code, format)
                report.add(number, spelling.column, spelling.code, spelling.message, severity)
            if respelled.text is None and format.row is not None:
                continue
            line = respelled.text or ""
            name, comma, text = line.partition(",") if format.row is not None else ("", "", line)
            found = format.row.parse(name) if format.row is not None else found
            if found is not None and not (found[0] in names or is_plain(found[0], format)):
                found = None  # a name that would lead out of a folder
        if found is not None and found[1] > MOST_FRAMES:
            text = f"found frame {found[1]:,}, expected at most {MOST_FRAMES:,}: no video is as long"
            report.add(number, 1, "location", text)
            continue
        if found is None:
            report.add(number, 1, "location", f"found {line[:60]!r}, expected '{format.row_example}'")
            continue
        place, column = (found[0] or video, found[1]), len(name) + 2 if format.row is not None else 1
        if place in places:
            report.add(number, 1, "duplicate", f"{name} has a row already, in line {places[place]}")
            continue
        value, before = right.get(text), report.n_errors
        if not comma and format.row is not None:
            report.add(number, len(line) + 1, "columns", f"no value after {name}")
        if value is None and (text.strip() or (format.row and comma)):
            value = _values(number, column, text, format, report)
            if value is not None and report.n_errors == before:
                right[text] = value
        places[place] = number
        index.append(known.setdefault(place[0], len(known)))
        frames.append(place[1])
        values.append(value if value is not None else [0.0] * len(format.columns))
        lines.append(number)
        wrong.append(value is None or report.n_errors > before)
    table = np.array(values, np.float64).reshape(len(values), len(format.columns))
    return Rows(
        tuple(known),
        np.array(index, np.int32),
        np.array(frames, np.int32),
        table.astype(format.dtype).reshape(format.shape(len(table))),
        np.array(lines, np.int64),
        first,
        np.array(wrong, bool),
    )


def _severity(code: str, format: Format) -> str:
    """Severity of a spelling. Where line k is frame k, a line that is no row moves all that follow."""
    if code not in SPELLINGS or (format.row is None and code in NO_ROWS):
        return "error"
    return SPELLINGS[code].severity


def _values(number: int, column: int, text: str, format: Format, report: Report) -> list[float] | None:
    """The values of a row, or ``None`` if one can't be told; whatever is wrong is reported."""
    if not text.strip(" \t,"):
        report.add(number, column, "blank-value", "no value; was the template's row left as it was?")
        return None
    fields, width = text.split(","), len(format.columns)
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
    """The number, if there is one; a real one out of range is reported and given all the same."""
    if not DECIMAL.fullmatch(text):
        report.add(number, column, "not-a-number", f"found {shown(text)}, expected {wanted.expected}")
        return None
    if wanted.whole and not WHOLE.fullmatch(text):
        report.add(number, column, "not-whole", f"found {shown(text)}, expected {wanted.expected}")
        return None
    value = float(text)
    if not wanted.low <= value <= wanted.high:
        marker = ""
        if value in (-1, _MARKERS.get(format.task)) and not (value == -1 and wanted.low == -1):
            marker = " (the mark of a frame that nobody annotated is no prediction)"
        report.add(number, column, "range", f"found {text[:20]}, expected {wanted.expected}{marker}")
        return None if wanted.whole or not math.isfinite(value) else value
    return value
