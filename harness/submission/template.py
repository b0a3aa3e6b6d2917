"""The organisers' list of rows that a submission must have, in order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.errors import SubmissionError, problem
from harness.submission.rows import LOCATION, Rows, split_rows
from harness.tasks import TASKS, Task


@dataclass(frozen=True, kw_only=True)
class Template(Rows):
    """Rows of a one-file template; their values are organisers' dummy values as text, if any.

    Attributes:
        path: the file that it was read from.
    """

    path: Path
    task: Task

    @cached_property
    def n_frames(self) -> dict[str, int]:
        """Official frame count of each video: its highest frame number."""
        highest = np.zeros(len(self.videos), np.int64)
        np.maximum.at(highest, self.video, self.frame)
        return dict(zip(self.videos, highest.tolist(), strict=True))

    def fingerprint(self) -> str:
        """Hash of the rows' names and order; dummy values don't count."""
        return hashlib.sha256("\n".join(self.locations()).encode()).hexdigest()


def task_of_header(line: str) -> Task | None:
    """The task whose one-file header ``line`` is, or ``None``."""
    header = line.strip().lstrip("\ufeff")
    return next((task for task in TASKS.values() if task.submission_header == header), None)


def read_template(path: Path, task: Task) -> Template:
    """Read a template of the one-file format (5th edition on: blank values; 6th on: dummy values).

    Raises:
        SubmissionError: not a template of ``task``; the message gives the line.
    """
    try:
        header, _, body = path.read_text(encoding="utf-8-sig").partition("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SubmissionError(problem("can't read the template", where=path, found=error)) from None
    if header.strip() != task.submission_header:
        other = task_of_header(header)
        raise SubmissionError(
            problem(
                f"not a template for {task.name}",
                where=f"{path}:1:1",
                found=f"the header of {other.name}" if other else repr(header[:80]),
                expected=repr(task.submission_header),
                do=f"Give the template that the organisers released for {task.name}",
            )
        )
    rows = split_rows(body.rstrip("\n"), 2)
    if rows is None or not rows.frame.all():
        rows = _line_by_line(path, body)
    if not len(rows):
        raise SubmissionError(problem("the template has no rows", where=path))
    return Template(rows.videos, rows.video, rows.frame, rows.line, tuple(rows.values), path=path, task=task)


def _line_by_line(path: Path, body: str) -> Rows:
    """As :func:`split_rows`, and exact about the line that is wrong."""
    lines = body.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    names: dict[str, int] = {}
    video, frame, values = [], [], []
    for number, line in enumerate(lines, start=2):
        location, _, value = line.partition(",")
        match = LOCATION.fullmatch(location)
        if not match or int(match[2]) == 0:
            raise SubmissionError(
                problem(
                    "not a row of a template",
                    where=f"{path}:{number}:1",
                    found=repr(line[:80]),
                    expected="'<video>/<NNNNN>.jpg,…', frames numbered from 00001",
                )
            )
        video.append(names.setdefault(match[1], len(names)))
        frame.append(int(match[2]))
        values.append(value)
    return Rows(
        tuple(names), np.array(video, np.int32), np.array(frame, np.int32), np.arange(2, 2 + len(frame)), values
    )
