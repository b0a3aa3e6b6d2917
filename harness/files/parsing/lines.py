"""Reader of an official file line by line: slower than :mod:`harness.files.parsing.blocks`, exact about problems."""

from __future__ import annotations

import math
import re
from collections.abc import Container

import numpy as np

from harness.files.format import MOST_FRAMES, Column, Format
from harness.files.parsing.blocks import Rows
from harness.files.report import Report
from harness.files.spelling import NO_ROWS, SPELLINGS, is_plain, plain_line, shown
from harness.system.counts import counted
from harness.tasks import TASKS

DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_MARKERS = {name: task.invalid for name, task in TASKS.items()} | {"MTL": -5}
_CLEAN_WHOLE = re.compile(r"[-+0-9eE]+(,[-+0-9eE]+)*")  # values that can't be spelled more plainly
_CLEAN = re.compile(r"[-+.0-9eE]+(,[-+.0-9eE]+)*")


def read_lines(
    body: str, first: int, format: Format, report: Report, *, video: str = "", names: Container[str] = ()
) -> Rows:
    """Return the rows with a readable name, and report every problem of every line.

    Args:
        body: text behind the header.
        first: line of the file on which ``body`` begins.
        format: official format of the file.
        report: takes the problems.
        video: the video that the file belongs to, in formats with one file per video; else ``""``.
        names: names of videos, such as the template's, which are right in any spelling.
    """
    known: dict[str, int] = {}
    places: dict[tuple[str, int], int] = {}
    right: dict[str, list[float]] = {}  # values without a problem, by their text: most texts recur
    plain: dict[str, bool] = {}  # names of videos that need no respelling
    clean = _CLEAN_WHOLE if any(column.whole for column in format.columns) else _CLEAN
    index, frames, values, lines, wrong = [], [], [], [], []
    rows = body.split("\n")
    if rows and not rows[-1]:
        rows.pop()
    for number, line in enumerate(rows, start=first):
        name, comma, text = line.partition(",") if format.row is not None else ("", "", line)
        parsed = format.row.parse(name) if format.row is not None else (video, number - first + 1)
        if parsed is not None and parsed[0] not in plain:
            plain[parsed[0]] = parsed[0] in names or is_plain(parsed[0], format)
        if parsed is None or not plain[parsed[0]] or not (text in right or clean.fullmatch(text)):
            respelled = plain_line(line, format, names)
            for spelling in respelled.notes:
                severity = _severity(spelling.code, format)
                report.add(number, spelling.column, spelling.code, spelling.message, severity)
            if respelled.text is None and format.row is not None:
                continue
            line = respelled.text or ""
            name, comma, text = line.partition(",") if format.row is not None else ("", "", line)
            parsed = format.row.parse(name) if format.row is not None else parsed
            if parsed is not None and not (parsed[0] in names or is_plain(parsed[0], format)):
                parsed = None  # a name that would lead out of a folder
        if parsed is not None and parsed[1] > MOST_FRAMES:
            text = f"found frame {parsed[1]:,}, expected at most {MOST_FRAMES:,}: no video is as long"
            report.add(number, 1, "location", text)
            continue
        if parsed is None:
            report.add(number, 1, "location", f"found {line[:60]!r}, expected '{format.row_example}'")
            continue
        place, column = (parsed[0] or video, parsed[1]), len(name) + 2 if format.row is not None else 1
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
    """Return the severity of a spelling. In formats whose line k is frame k, a line that is no row is an error."""
    if code not in SPELLINGS or (format.row is None and code in NO_ROWS):
        return "error"
    return SPELLINGS[code].severity


def _values(number: int, column: int, text: str, format: Format, report: Report) -> list[float] | None:
    """Return the values of a row, or ``None`` if one is unreadable; report every problem."""
    if not text.strip(" \t,"):
        report.add(number, column, "blank-value", "no value; was the template's row left as it was?")
        return None
    fields, width = text.split(","), len(format.columns)
    if len(fields) != width:
        names = ",".join(c.name for c in format.columns[:4]) + (",…" if width > 4 else "")
        report.add(number, column, "columns", f"found {counted(len(fields), 'value')}, expected {width}: {names}")
        return None
    values: list[float] = []
    begin = column
    for field, official in zip(fields, format.columns, strict=True):
        value = _number(number, column, field, official, format, report)
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


def _number(number: int, column: int, text: str, official: Column, format: Format, report: Report) -> float | None:
    """Return the number of a field; report a problem.

    A real number out of range is reported and returned; for other problems the result is ``None``.
    """
    if not DECIMAL.fullmatch(text):
        report.add(number, column, "not-a-number", f"found {shown(text)}, expected {official.expected}")
        return None
    if official.whole and not WHOLE.fullmatch(text):
        report.add(number, column, "not-whole", f"found {shown(text)}, expected {official.expected}")
        return None
    value = float(text)
    if not official.low <= value <= official.high:
        marker = ""
        if value in (-1, _MARKERS.get(format.task)) and not (value == -1 and official.low == -1):
            marker = " (the mark of a frame that nobody annotated is no prediction)"
        report.add(number, column, "range", f"found {text[:20]}, expected {official.expected}{marker}")
        return None if official.whole or not math.isfinite(value) else value
    return value
