"""Check an official file line by line: every problem, where it is, what was found and expected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import SubmissionError, problem
from harness.submission.template import Template, task_of_header
from harness.tasks import Task

SHOWN_PER_KIND = 5
_LOCATION = re.compile(r"(.+)/(\d{5,})\.jpg")
Rows = dict[str, list[tuple[int, Any]]]


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
    """As :func:`validate_one_file`, and the rows that were read: ``(frame, value)`` by video."""
    report = Report(path, task)
    lines = _lines(path, report)
    _check_header(lines, report)
    locations: list[str | None] = []
    rows: Rows = {}
    seen: set[str] = set()
    for number, line in enumerate(lines[1:], start=2):
        location, comma, text = line.partition(",")
        match = _LOCATION.fullmatch(location)
        locations.append(location if match else None)
        if not match:
            _explain_location(number, line, report)
            continue
        if not comma:
            report.add(number, len(line) + 1, "columns", f"no value after {location}")
            continue
        if location in seen:
            report.add(number, 1, "duplicate", f"{location} has a row already")
            continue
        seen.add(location)
        value = _value(number, len(location) + 2, text, report)
        if value is not None:
            rows.setdefault(match[1], []).append((int(match[2]), value))
    report.rows, report.videos = len(locations), len(rows)
    if not locations:
        report.add(1, 1, "empty", "no rows")
    if template is None:
        report.assumed.append("no template given: which rows must be there, and in what order, was not checked")
        _check_numbering(rows, report)
    else:
        _check_against(template, locations, lines, report)
    return report, rows


def _lines(path: Path, report: Report) -> list[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SubmissionError(problem("can't read the file", where=path, found=error.strerror)) from None
    if data.startswith(b"\xef\xbb\xbf"):
        report.add(1, 1, "bom", "the file begins with a byte-order mark; expected plain UTF-8")
        data = data[3:]
    if b"\r" in data:
        at = data[: data.index(b"\r")].count(b"\n") + 1
        report.add(at, 1, "crlf", "lines end in CR LF; expected LF only")
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SubmissionError(
            problem("not a text file", where=f"{path}:{line}:1", found=f"byte {data[error.start]:#04x}", expected="UTF-8")
        ) from None
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines or [""]


def _check_header(lines: Sequence[str], report: Report) -> None:
    header, expected = lines[0], report.task.submission_header
    if header == expected:
        return
    other = task_of_header(header)
    if other:
        report.add(1, 1, "task", f"this is a file for {other.name}, expected {report.task.name}")
    elif header.replace('"', "") == expected:
        report.add(1, 1, "quoted", f"the header is in quotes, expected {expected!r} without")
    elif header.strip().rstrip(",") == expected:
        report.add(1, len(expected) + 1, "header", f"something after the header: {header[len(expected):]!r}")
    else:
        report.add(1, 1, "header", f"found {header[:60]!r}, expected {expected!r}")


def _explain_location(number: int, line: str, report: Report) -> None:
    if not line.strip():
        report.add(number, 1, "blank", "blank line")
    elif line.startswith('"'):
        report.add(number, 1, "quoted", f"found {line[:60]!r}, expected no quotes")
    else:
        report.add(number, 1, "location", f"found {line[:60]!r}, expected '<video>/<NNNNN>.jpg,…'")


def _value(number: int, column: int, text: str, report: Report) -> Any:
    """The value of a row, or ``None`` if it was reported as wrong. Trailing commas are a warning's worth: reported."""
    task = report.task
    stripped = text.rstrip(",")
    if stripped == "":
        report.add(number, column, "blank-value", "no value; the template's row was left as it was")
        return None
    if stripped != text:
        report.add(number, column + len(stripped), "trailing-comma", f"{len(text) - len(stripped)} trailing commas")
    fields = stripped.split(",")
    width = 1 if task.kind == "classes" else task.n_outputs
    if len(fields) != width:
        report.add(number, column, "columns", f"found {len(fields)} values, expected {width}")
        return None
    values = [_number(number, column, field, report) for field in fields]
    if any(value is None for value in values):
        return None
    return values[0] if width == 1 else values


def _number(number: int, column: int, text: str, report: Report) -> int | float | None:
    task = report.task
    integer = task.kind != "values"
    low, high = (0, task.n_outputs - 1 if task.kind == "classes" else 1) if integer else (-1, 1)
    try:
        value: int | float = int(text) if integer else float(text)
    except ValueError:
        try:
            as_float = float(text)
        except ValueError:
            report.add(number, column, "not-a-number", f"found {text[:20]!r}, expected a number from {low} to {high}")
            return None
        report.add(number, column, "not-whole", f"found {text!r}, expected a whole number such as '{as_float:.0f}'")
        return None
    if not low <= value <= high:
        marker = f" ({task.invalid} marks frames without annotation, it is no prediction)" if value == task.invalid else ""
        report.add(number, column, "range", f"found {text}, expected {low} to {high}{marker}")
        return None
    return value


def _check_numbering(rows: Rows, report: Report) -> None:
    """What can be said without a template: frames of a video run from 1 without a gap."""
    for name, members in rows.items():
        frames = sorted(frame for frame, _ in members)
        if frames[0] == 0:
            report.add(1, 1, "zero-based", f"{name} begins at frame 00000; frames are numbered from 1")
        elif frames[0] != 1 or frames[-1] != len(frames):
            missing = frames[-1] - len(frames)
            report.add(
                1, 1, "gaps", f"{name}: {missing} of frames 1 to {frames[-1]} have no row", severity="warning"
            )


def _check_against(
    template: Template, locations: Sequence[str | None], lines: Sequence[str], report: Report
) -> None:
    expected = list(template.locations())
    if list(locations) != expected:
        _explain_difference(template, expected, locations, report)
    elif len(set(template.values)) == 1 and template.values[0].strip(","):
        dummy = template.values[0]
        if all(line.partition(",")[2] == dummy for line in lines[1:]):
            report.add(2, 1, "dummy", f"every value is the template's own, {dummy!r}: nothing was filled in", "warning")


def _explain_difference(
    template: Template, expected: Sequence[str], locations: Sequence[str | None], report: Report
) -> None:
    wanted = set(expected)
    given = {location for location in locations if location}
    for number, location in enumerate(locations, start=2):
        if location and location not in wanted:
            report.add(number, 1, "extra", f"{location} is not in the template{_guess(location, template)}")
    missing = [k for k, location in enumerate(expected) if location not in given]
    for k in missing:
        report.add(k + 2, 1, "missing", f"no row for {expected[k]}, which is line {k + 2} of {template.path}")
    if not missing and given == wanted:
        for number, (location, right) in enumerate(zip(locations, expected, strict=False), start=2):
            if location != right:
                report.add(number, 1, "order", f"found {location}, the template has {right} here")


def _guess(location: str, template: Template) -> str:
    """Why a row may be extra, as far as that can be told."""
    name, _, file = location.rpartition("/")
    frame = int(file.removesuffix(".jpg"))
    counts = template.n_frames
    if frame == 0:
        return "; frames are numbered from 1"
    if name in counts:
        return f"; {name} has {counts[name]} frames"
    sides = [other for other in counts if other.startswith(name + "_") or name.startswith(other + "_")]
    return f"; did you mean {' or '.join(sides[:2])}?" if sides else "; there is no such video"
