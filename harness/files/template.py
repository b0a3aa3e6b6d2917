"""Rows that a submission must have: those of the organisers' template, or those known of the real test sets."""

from __future__ import annotations

import csv
import functools
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import SubmissionError
from harness.files.format import FRAME, Format
from harness.files.formats import format_named
from harness.files.parsing.blocks import Rows, cut_template, write_names
from harness.files.parsing.lines import read_lines
from harness.files.report import Report
from harness.files.spelling import NAME_CODES, is_plain
from harness.files.video_names import known_as
from harness.system.regular import read_or_refuse
from harness.tasks import TASKS, Task

_TEST_COUNTS = {"EXPR": "expr_test_n", "VA": "va_test_n", "AU": "au_test_n"}


@dataclass(frozen=True, kw_only=True)
class Template(Rows):
    """Rows that a submission must have.

    Attributes:
        where: file that the rows were read from, or their other origin in words.
        format: format of the file.
        dummy: text behind the name in every row, such as organisers' dummy values or ``""``; ``None`` if rows differ.
        ordered: True if the order of the rows is known.
        headers: header by video, for files per video whose header differs from the format's.
        assembled: True if the rows follow from a list of videos; ``where`` is then that list.
    """

    where: str
    format: Format
    dummy: str | None = None
    ordered: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    assembled: bool = False

    @property
    def path(self) -> Path | None:
        """File or folder for ``--template``; ``None`` if the rows come from elsewhere, such as EMI's test folder."""
        if self.assembled:
            return None
        place = Path(self.where)
        return place if place.is_file() or (self.format.per_video and place.exists()) else None

    @cached_property
    def n_frames(self) -> dict[str, int]:
        """Official frame count of each video: its highest frame number."""
        return self.counts()

    def names(self) -> list[str]:
        """Return the first field of each row, in order."""
        return write_names(self.videos, self.video, self.frame, self.format)

    def places(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return the place of each row of a file in this template, int64 ``(len(rows),)``; -1 for an unknown row."""
        known = {name: k for k, name in enumerate(self.videos)}
        video = np.array([known.get(name, -1) for name in rows.videos], np.int64)[rows.video]
        key = np.where(video >= 0, video << 32 | rows.frame, -1)
        keys = self.key()
        order = np.argsort(keys, kind="stable")
        at = np.minimum(np.searchsorted(keys, key, sorter=order), len(keys) - 1)
        return np.where(keys[order[at]] == key, order[at], -1)

    def fingerprint(self) -> str:
        """Return a hash of the rows' names and order, and of headers that differ; dummy values are left out."""
        if self.format.per_video:
            digest = hashlib.sha256(repr((self.videos, sorted(self.headers.items()))).encode())
            digest.update(self.key().tobytes())
            return digest.hexdigest()
        return hashlib.sha256("\n".join(self.names()).encode()).hexdigest()


def task_of_header(line: str) -> Task | None:
    """Return the task that has this line as the header of its one-file format, or ``None``."""
    header = line.strip().lstrip("\ufeff")
    return next((task for task in TASKS.values() if task.header and task.submission_header == header), None)


STRUCTURAL = NAME_CODES | {"location", "duplicate", "control", "quoted-comma", "quotes"}
"""Codes of problems that a template may not have, as submissions are compared with its rows."""


@functools.cache
def test_set_counts(task: str) -> Mapping[str, int]:
    """Return the official frame count of each video of the real test set, by name; empty for a task without known ones.

    Source: outputs printed in public notebooks of the HSEmotion team (EmotiEffLib, ABAW 3 to 8).
    """
    column = _TEST_COUNTS.get(task)
    return {row["name"]: int(row[column]) for row in affwild2_table() if row[column]} if column else {}


@functools.cache
def affwild2_videos() -> frozenset[str]:
    """Return the names of all videos of Aff-Wild2, including videos of persons at the left and the right.

    Source: see :func:`test_set_counts`.
    """
    return frozenset(row["name"] for row in affwild2_table())


def affwild2_table() -> list[dict[str, str]]:
    """Return the rows of the table of Aff-Wild2's videos; frame counts are texts."""
    text = (resources.files("harness") / "reference" / "affwild2_frame_counts.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def known_names(names: Collection[str], format: Format) -> frozenset[str]:
    """Return the known names of a format's videos: those of Aff-Wild2.

    The set is empty if at most half of ``names`` fit a known name: they may belong to another data set.
    """
    known = affwild2_videos()
    if format.row not in (FRAME, None) or format.task == "CE":  # compound expressions have a data set of their own
        return frozenset()
    read = known_as(names, known)
    return known if 2 * sum(read.get(name, name) in known for name in names) > len(names) else frozenset()


def known_test_set(format: Format) -> Template | None:
    """Return the known rows of the real test set: names and frame counts, in unknown order; ``None`` if unknown."""
    counts = test_set_counts(format.task)
    if not counts or format.row is not FRAME:
        return None
    return dense_template(counts, format, f"the table of {format.task}'s real test set")


def dense_template(counts: Mapping[str, int], format: Format, where: str, *, ordered: bool = False) -> Template:
    """Return a template with a row per frame of each video, or a row per clip in formats without frame numbers.

    Args:
        counts: frames by video; 1 for a clip.
        format: format of the file.
        where: origin of the rows, for messages.
        ordered: True if the rows have the order that a file must have.
    """
    first = (format.row.first if format.row else 1) or 0
    sizes = np.array(list(counts.values()), np.int64)
    return Template(
        videos=tuple(counts),
        video=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        frame=np.concatenate([np.empty(0, np.int32), *(np.arange(first, first + n, dtype=np.int32) for n in sizes)]),
        values=np.empty(0, np.int64),
        where=where,
        format=format,
        ordered=ordered,
        assembled=True,
    )


def read_template(path: Path, task: Task | Format) -> Template:
    """Read a template (5th edition: blank values; 6th on: dummy values).

    Raises:
        SubmissionError: the file is no template of ``task``; the message names the line.
    """
    format = format_named(task.name) if isinstance(task, Task) else task
    data = read_or_refuse(path, "can't read the template", SubmissionError)
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    at = 0
    if format.header:
        header, at = data[: data.index(b"\n")].strip(), data.index(b"\n") + 1
        if header.decode(errors="replace") not in (format.header, *format.also):
            other = task_of_header(header.decode(errors="replace"))
            raise SubmissionError(
                f"not a template for {format.name}",
                where=f"{path}:1:1",
                found=f"the header of {other.name}" if other else repr(header[:80].decode(errors="replace")),
                expected=repr(format.header),
                do=f"Give the template that the organisers released for {format.task}",
            )
    if at == len(data) or not data.strip():
        raise SubmissionError("the template has no rows", where=path)
    cut_rows = cut_template(data, at, test_set_counts(format.task)) if format.row is FRAME else None
    if (
        cut_rows
        and cut_rows[0].frame.all()
        and not cut_rows[0].repeated()
        and all(is_plain(v, format) for v in cut_rows[0].videos)
    ):
        return Template(**vars(cut_rows[0]), where=str(path), format=format, dummy=cut_rows[1])
    return _line_by_line(path, data[at:], 2 if at else 1, format)


def _line_by_line(path: Path, body: bytes, first: int, format: Format) -> Template:
    """Read a template line by line; slower than :func:`cut_template`, for every format, and errors name the line."""
    where = str(path)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise SubmissionError("not a text file", where=path, found=error, expected="UTF-8") from None
    report = Report(where, format.name)
    rows = read_lines(text, first, format, report, video=path.stem)
    structural = [p for p in report.problems if p.code in STRUCTURAL]
    low = format.row.first if format.row else None
    zero = np.flatnonzero(rows.frame < low) if low is not None else np.empty(0, np.intp)
    if structural or len(zero):
        line = structural[0].line if structural else rows.line_of(int(zero[0]))
        raise SubmissionError(
            "not a row of a template",
            where=f"{path}:{line}:1",
            found=repr(text.split("\n")[line - first][:80]),
            expected=f"'{format.row_example}'" + (f", frames numbered from {low}" if low is not None else ""),
        )
    values = {line.partition(",")[2] for line in text.split("\n") if line} if format.row else set()
    dummy = values.pop() if len(values) == 1 else None
    return Template(**vars(rows), where=where, format=format, dummy=dummy)
