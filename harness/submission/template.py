"""The organisers' list of rows that a submission must have, in order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import SubmissionError, problem
from harness.tasks import TASKS, Task

# five digits, more only where a video has 100,000 frames: so that a frame has one spelling
LOCATION = re.compile(r'([^"]+)/([0-9]{5}|[1-9][0-9]{5,8})\.jpg')


@dataclass(frozen=True)
class Template:
    """Rows of a one-file template.

    Attributes:
        path: the file that it was read from.
        videos: names, in order of first appearance.
        video: int32 ``(rows,)``, index into ``videos``.
        frame: int32 ``(rows,)``, 1-based frame number.
        values: what stood after the first comma of each row, organisers' dummy values included.
    """

    path: Path
    task: Task
    videos: tuple[str, ...]
    video: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    values: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def n_frames(self) -> dict[str, int]:
        """Official frame count of each video: its highest frame number."""
        highest = np.zeros(len(self.videos), np.int64)
        np.maximum.at(highest, self.video, self.frame)
        return dict(zip(self.videos, highest.tolist(), strict=True))

    def locations(self) -> Iterator[str]:
        """``<video>/<NNNNN>.jpg`` of each row, in order."""
        for video, frame in zip(self.video.tolist(), self.frame.tolist(), strict=True):
            yield f"{self.videos[video]}/{frame:05d}.jpg"

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
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SubmissionError(problem("can't read the template", where=path, found=error)) from None
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    header = lines[0]
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
    names: dict[str, int] = {}
    video, frame, values = [], [], []
    for number, line in enumerate(lines[1:], start=2):
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
    if not frame:
        raise SubmissionError(problem("the template has no rows", where=path))
    return Template(path, task, tuple(names), np.array(video, np.int32), np.array(frame, np.int32), tuple(values))
