"""Check an official file line by line: every problem, where it is, what was found and expected."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import SubmissionError, problem
from harness.submission.rows import DECIMAL, LOCATION, Rows, plain_values, split_rows
from harness.submission.template import Template, task_of_header
from harness.tasks import Task

SHOWN_PER_KIND = 5
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what kind, what was found and expected."""

    path: Path
    line: int
    column: int
    code: str
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.severity} [{self.code}] {self.message}"


@dataclass
class Report:
    """What a check found. At most :data:`SHOWN_PER_KIND` problems of a kind are kept; all are counted."""

    path: Path
    task: Task
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: int = 0
    videos: int = 0
    assumed: list[str] = field(default_factory=list)

    def add(self, line: int, column: int, code: str, message: str, severity: str = "error") -> None:
        """Count a problem, and keep it if it is among the first of its kind."""
        self.counts[severity, code] += 1
        if self.counts[severity, code] <= SHOWN_PER_KIND:
            self.problems.append(Problem(self.path, line, column, code, message, severity))

    @property
    def errors(self) -> list[Problem]:
        """Errors that were kept, in file order."""
        return sorted((p for p in self.problems if p.severity == "error"), key=lambda p: (p.line, p.column))

    @property
    def n_errors(self) -> int:
        """All errors, those that were not kept included."""
        return sum(n for (severity, _), n in self.counts.items() if severity == "error")

    @property
    def valid(self) -> bool:
        """No error; warnings may be there."""
        return self.n_errors == 0


def validate_one_file(path: Path, task: Task, template: Template | None = None) -> Report:
    """Check a one-file submission against its format and, if there is one, its template.

    Raises:
        SubmissionError: the file can't be opened at all.
    """
    return check_one_file(path, task, template)[0]


def check_one_file(path: Path, task: Task, template: Template | None = None) -> tuple[Report, Rows]:
    """As :func:`validate_one_file`, and the rows that were read; the value of a row that is wrong is ``None``."""
    report = Report(path, task)
    text = _text(path, report)
    header, _, body = text.partition("\n")
    first = _check_header(header, report)
    if first == 1:
        body = text
    rows = _rows_at_once(body, first, task)
    if rows is None:
        rows = _rows_by_line(body, first, report)
    report.rows = _count_lines(body)
    report.videos = len(rows.videos)
    if not report.rows:
        report.add(1, 1, "empty", "no rows")
    if template is None:
        report.assumed.append("no template given: which rows must be there, and in what order, was not checked")
        _check_numbering(rows, report)
    else:
        _check_against(template, rows, body, report)
    return report, rows


def _rows_at_once(body: str, first: int, task: Task) -> Rows | None:
    """The rows, if nothing at all is wrong with any of them."""
    rows = split_rows(body, first)
    if rows is None or rows.repeated():
        return None
    values = plain_values(list(rows.values), task)
    return None if values is None else replace(rows, values=values)


def _rows_by_line(body: str, first: int, report: Report) -> Rows:
    """The rows that can be told apart, and a report of everything that is wrong with any line."""
    names: dict[str, int] = {}
    places: dict[str, int] = {}
    video, frame, values = [], [], []
    for number, line in enumerate(body.split("\n")[: _count_lines(body)], start=first):
        location, comma, text = line.partition(",")
        match = LOCATION.fullmatch(location)
        if not match:
            _explain_location(number, line, report)
            continue
        if location in places:
            report.add(number, 1, "duplicate", f"{location} has a row already, in line {places[location]}")
            continue
        places[location] = number
        video.append(names.setdefault(match[1], len(names)))
        frame.append(int(match[2]))
        if not comma:
            report.add(number, len(line) + 1, "columns", f"no value after {location}")
        values.append(_value(number, len(location) + 2, text, report) if comma else None)
    lines = np.fromiter(places.values(), np.int64, len(places))
    return Rows(tuple(names), np.array(video, np.int32), np.array(frame, np.int32), lines, values)


def _count_lines(body: str) -> int:
    return body.count("\n") + bool(body and not body.endswith("\n"))


def _text(path: Path, report: Report) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SubmissionError(problem("can't read the file", where=path, found=error.strerror)) from None
    if data.startswith(b"\xef\xbb\xbf"):
        report.add(1, 1, "bom", "the file begins with a byte-order mark; expected plain UTF-8")
        data = data[3:]
    if b"\r" in data:
        report.add(*_position(data, data.index(b"\r")), "crlf", "lines end in CR LF; expected LF only")
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line, column = _position(data, error.start)
        found = f"byte {data[error.start]:#04x}"
        raise SubmissionError(
            problem("not a text file", where=f"{path}:{line}:{column}", found=found, expected="UTF-8")
        ) from None


def _position(data: bytes, at: int) -> tuple[int, int]:
    """Line and column of a byte."""
    return data.count(b"\n", 0, at) + 1, at - data.rfind(b"\n", 0, at)


def _check_header(header: str, report: Report) -> int:
    """Check the first line. Returns the number of the first line that is a row."""
    expected = report.task.submission_header
    if header == expected:
        return 2
    other = task_of_header(header)
    if LOCATION.fullmatch(header.partition(",")[0]):
        report.add(1, 1, "header", f"no header, the rows begin at once; expected {expected!r}")
        return 1
    if other and other is not report.task:
        report.add(1, 1, "task", f"this is a file for {other.name}, expected {report.task.name}")
    elif header.replace('"', "") == expected:
        report.add(1, 1, "quoted", f"the header is in quotes, expected {expected!r} without")
    elif header.startswith(expected):
        report.add(1, len(expected) + 1, "header", f"something after the header: {header[len(expected) :][:60]!r}")
    else:
        report.add(1, 1, "header", f"found {header[:60]!r}, expected {expected!r}")
    return 2


def _explain_location(number: int, line: str, report: Report) -> None:
    if not line.strip():
        report.add(number, 1, "blank", "blank line")
    elif line.startswith('"'):
        report.add(number, 1, "quoted", f"found {line[:60]!r}, expected no quotes")
    else:
        report.add(number, 1, "location", f"found {line[:60]!r}, expected '<video>/<NNNNN>.jpg,…'")


def _value(number: int, column: int, text: str, report: Report) -> Any:
    """The value of a row, or ``None`` if it was reported as wrong."""
    task = report.task
    stripped = text.rstrip(",")
    if not stripped.strip():
        report.add(number, column, "blank-value", "no value; the template's row was left as it was")
        return None
    if stripped != text:
        report.add(number, column + len(stripped), "trailing-comma", f"{len(text) - len(stripped)} trailing commas")
    fields = stripped.split(",")
    width = 1 if task.kind == "classes" else task.n_outputs
    if len(fields) != width:
        report.add(number, column, "columns", f"found {len(fields)} values, expected {width}")
        return None
    values = []
    for part in fields:
        values.append(_number(number, column, part, report))
        column += len(part) + 1
    if None in values:
        return None
    return values[0] if width == 1 else values


def _number(number: int, column: int, text: str, report: Report) -> int | float | None:
    task = report.task
    whole = task.kind != "values"
    low, high = (0, task.n_outputs - 1 if task.kind == "classes" else 1) if whole else (-1, 1)
    bare = text.strip()
    if bare != text:
        report.add(number, column, "space", f"found {text[:20]!r}, expected no space around it", severity="warning")
    if not DECIMAL.fullmatch(bare):
        report.add(number, column, "not-a-number", f"found {bare[:20]!r}, expected a number from {low} to {high}")
        return None
    if whole and not _WHOLE.fullmatch(bare):
        report.add(number, column, "not-whole", f"found {bare[:20]!r}, expected a whole number from {low} to {high}")
        return None
    value: int | float = int(bare) if whole else float(bare)
    if not low <= value <= high:
        marker = " (the mark of a frame that nobody annotated is no prediction)" if value == task.invalid else ""
        report.add(number, column, "range", f"found {bare[:20]}, expected {low} to {high}{marker}")
        return None
    return value


def _check_numbering(rows: Rows, report: Report) -> None:
    """What can be said without a template: frames run from 1 without a gap."""
    for name, places in rows.by_video():
        numbers, lines = rows.frame[places], rows.line[places]
        last = int(numbers.max())
        missing = last - len(numbers)
        if not numbers.all():
            line = int(lines[numbers == 0][0])
            report.add(line, 1, "zero-based", f"{name}/00000.jpg: frames are numbered from 1")
        elif missing:
            message = f"{name}: {missing} of frames 1 to {last} have no row"
            report.add(int(lines[0]), 1, "gaps", message, severity="warning")


def _check_against(template: Template, rows: Rows, body: str, report: Report) -> None:
    if not rows.same_places(template):
        _explain_difference(template, rows, report)
    elif len(set(template.values)) == 1 and template.values[0].strip(","):
        dummy = template.values[0]
        if f"{body}\n".count(f".jpg,{dummy}\n") == report.rows:
            report.add(2, 1, "dummy", f"every value is the template's own, {dummy!r}: nothing was filled in", "warning")


def _explain_difference(template: Template, rows: Rows, report: Report) -> None:
    places = dict(zip(rows.locations(), rows.line.tolist(), strict=True))
    wanted = dict(zip(template.locations(), template.line.tolist(), strict=True))
    for location, line in places.items():
        if location not in wanted:
            shown = report.counts["error", "extra"] < SHOWN_PER_KIND  # a guess looks at every video
            report.add(
                line, 1, "extra", f"{location} is not in the template{_guess(location, template) if shown else ''}"
            )
    for location, line in wanted.items():
        if location not in places:
            report.add(line, 1, "missing", f"no row for {location}, which is line {line} of {template.path}")
    given = [location for location in places if location in wanted]
    right = [location for location in wanted if location in places]
    for found, instead in zip(given, right, strict=True):
        if found != instead:
            report.add(places[found], 1, "order", f"found {found}, the template has {instead} here")


def _guess(location: str, template: Template) -> str:
    """Why a row may be extra, as far as that can be told."""
    name, _, file = location.rpartition("/")
    counts = template.n_frames
    if int(file[:-4]) == 0:
        return "; frames are numbered from 1"
    if name in counts:
        return f"; {name} has {counts[name]} frames"
    sides = [other for other in counts if other.startswith(name + "_") or name.startswith(other + "_")]
    return f"; did you mean {' or '.join(sides[:2])}?" if sides else "; there is no such video"
