"""Which rows a submission must have: the organisers' template, or what is known of the real test sets."""

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
    """The rows that a submission must have.

    Attributes:
        where: the file that they were read from, or what else they come from.
        format: of the file.
        dummy: what stands behind every name, if that is the same everywhere: organisers' dummy values, or nothing.
        ordered: whether the order of the rows is known.
        headers: by video, of files a video each, where the file spells it in another way than the format.
        assembled: the rows follow from a list of videos; ``where`` is that list, and no template.
    """

    where: str
    format: Format
    dummy: str | None = None
    ordered: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    assembled: bool = False

    @property
    def path(self) -> Path | None:
        """File or folder for ``--template``; ``None`` where rows come from elsewhere, as those of EMI's test folder."""
        if self.assembled:
            return None
        place = Path(self.where)
        return place if place.is_file() or (self.format.per_video and place.exists()) else None

    @cached_property
    def n_frames(self) -> dict[str, int]:
        """Official frame count of each video: its highest frame number."""
        return self.counts()

    def names(self) -> list[str]:
        """First field of each row, in order."""
        return write_names(self.videos, self.video, self.frame, self.format)

    def places(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Where in this template each row of a file belongs, ``(len(rows),)``; -1 where it does not."""
        known = {name: k for k, name in enumerate(self.videos)}
        video = np.array([known.get(name, -1) for name in rows.videos], np.int64)[rows.video]
        key = np.where(video >= 0, video << 32 | rows.frame, -1)
        wanted = self.key()
        order = np.argsort(wanted, kind="stable")
        at = np.minimum(np.searchsorted(wanted, key, sorter=order), len(wanted) - 1)
        return np.where(wanted[order[at]] == key, order[at], -1)

    def fingerprint(self) -> str:
        """Hash of the rows' names and order, and of headers that differ; dummy values don't count."""
        if self.format.per_video:
            digest = hashlib.sha256(repr((self.videos, sorted(self.headers.items()))).encode())
            digest.update(self.key().tobytes())
            return digest.hexdigest()
        return hashlib.sha256("\n".join(self.names()).encode()).hexdigest()


def task_of_header(line: str) -> Task | None:
    """The task whose one-file header ``line`` is, or ``None``."""
    header = line.strip().lstrip("\ufeff")
    return next((task for task in TASKS.values() if task.header and task.submission_header == header), None)


STRUCTURAL = NAME_CODES | {"location", "duplicate", "control", "quoted-comma", "quotes"}
"""Kinds of problems that a template may not have: its rows are what a submission is held against."""


@functools.cache
def test_set_counts(task: str) -> Mapping[str, int]:
    """Official frame count of each video of the real test set, by name; empty for a task of which none are known.

    Source: outputs printed in public notebooks of the HSEmotion team (EmotiEffLib, ABAW 3 to 8).
    """
    column = _TEST_COUNTS.get(task)
    return {row["name"]: int(row[column]) for row in affwild2_table() if row[column]} if column else {}


@functools.cache
def affwild2_videos() -> frozenset[str]:
    """Names of all videos of Aff-Wild2, those of people at the left and the right included.

    Source: as of :func:`test_set_counts`.
    """
    return frozenset(row["name"] for row in affwild2_table())


def affwild2_table() -> list[dict[str, str]]:
    """Return the rows of the table of Aff-Wild2's videos, with their frame counts as texts."""
    text = (resources.files("harness") / "reference" / "affwild2_frame_counts.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def known_names(names: Collection[str], format: Format) -> frozenset[str]:
    """Return the names that videos of a format have, where these are known: those of Aff-Wild2.

    Empty where at most half of ``names`` can be read as such: they may belong to another data set.
    """
    known = affwild2_videos()
    if format.row not in (FRAME, None) or format.task == "CE":  # compound expressions have a data set of their own
        return frozenset()
    read = known_as(names, known)
    return known if 2 * sum(read.get(name, name) in known for name in names) > len(names) else frozenset()


def known_test_set(format: Format) -> Template | None:
    """The rows of the real test set as far as they are known: names and counts, not their order."""
    counts = test_set_counts(format.task)
    if not counts or format.row is not FRAME:
        return None
    return dense_template(counts, format, f"the table of {format.task}'s real test set")


def dense_template(counts: Mapping[str, int], format: Format, where: str, *, ordered: bool = False) -> Template:
    """Return a row per frame of these videos; of clips, whose rows have no numbers, one each.

    Args:
        counts: frames by video; 1 for a clip.
        format: of the file.
        where: the rows come from.
        ordered: whether they are in the order that a file must have.
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
        SubmissionError: not a template of ``task``; the message gives the line.
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
    found = cut_template(data, at, test_set_counts(format.task)) if format.row is FRAME else None
    if found and found[0].frame.all() and not found[0].repeated() and all(is_plain(v, format) for v in found[0].videos):
        return Template(**vars(found[0]), where=str(path), format=format, dummy=found[1])
    return _line_by_line(path, data[at:], 2 if at else 1, format)


def _line_by_line(path: Path, body: bytes, first: int, format: Format) -> Template:
    """As :func:`cut_template`, for every format, and exact about the line that is wrong."""
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
