"""Mend a malformed submission where that takes no skill: spelling, order, a few missing frames.

What is mended: byte-order mark, CR LF, UTF-16, quotes, the header, trailing commas, spaces, ``3.0`` for ``3``, the
order of rows, rows that the template does not have, and missing frames of a video that has others: values are
interpolated, classes and bits taken from the nearest frame.

What is refused: a value out of range or missing in a row, a video without any row, two rows for a frame that disagree,
frames counted from 0. These are predictions, and not ours to make.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SubmissionError, problem
from harness.submission.check import check_table
from harness.submission.format import Format
from harness.submission.formats import detect, no_format
from harness.submission.one_file import validate_one_file, write_one_file
from harness.submission.report import Problem
from harness.submission.rows import Rows
from harness.submission.template import Template, read_template

MOST_FILLED = 0.05
"""Share of a video's frames that may be filled. More than that is not a gap, it is a lost part."""

MENDABLE = frozenset(
    {"bom", "crlf", "header", "quoted", "trailing-comma", "space", "blank", "not-whole", "extra", "missing", "order"}
)
"""Kinds of problems that may be mended; whether they can be depends on what the file holds."""

_SPELLING = {
    "bom": "byte-order mark removed",
    "crlf": "line ends made LF",
    "encoding": "written as UTF-8",
    "header": "header written as it belongs",
    "quoted": "quotes removed",
    "trailing-comma": "trailing commas removed",
    "space": "spaces removed",
    "blank": "blank lines removed",
    "not-whole": "whole numbers written without a decimal point",
    "duplicate": "second rows for a frame, with the same value, removed",
}
_WHOLE_AS_REAL = re.compile(r"([+-]?[0-9]+)\.0*(?=,|$)")


@dataclass(frozen=True)
class Repair:
    """What was mended: the change in words, and how often."""

    changes: Mapping[str, int]
    rows: int


def repair(path: Path, out: Path, *, task: str | None = None, template: Path | None = None) -> Repair:
    """Write a mended copy of a one-table submission.

    Args:
        task: short name; found out from the file where it can be.
        template: the organisers' rows. Without it, rows are only put in the order of their first appearance by video.

    Raises:
        SubmissionError: something is wrong that can't be mended without making up predictions, or ``out`` is ``path``.
    """
    if out.resolve() == path.resolve():
        raise SubmissionError(problem("the file to mend is kept", where=path, do="Name another file to write to"))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SubmissionError(problem("can't read the file", where=path, found=error.strerror)) from None
    text, changes = _plain_text(data)
    first = text.partition("\n")[0]
    format = detect(first, per_video=False, task=task)
    if format is None or format.row is None:
        raise no_format(str(path), first)
    text = _respelled(text, format, changes)
    rows_wanted = read_template(template, format) if template else None
    checked = check_table(text.encode(), str(path), format, known=False)
    _refuse(checked.report.errors, checked.report.n_errors, path)
    rows = checked.rows
    order, values = _placed(rows, format, rows_wanted, path, changes)
    write_one_file(out, format, values, order)
    report = validate_one_file(out, format, rows_wanted)
    if not report.valid:
        out.unlink()
        raise SubmissionError("could not be mended:\n" + "\n".join(map(str, report.errors)))
    return Repair(dict(changes), report.rows)


def _plain_text(data: bytes) -> tuple[str, Counter[str]]:
    """UTF-8 text with LF, and what that took."""
    changes: Counter[str] = Counter()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        changes[_SPELLING["encoding"]] += 1
        text = data.decode("utf-16", errors="replace")
    else:
        if data.startswith(b"\xef\xbb\xbf"):
            changes[_SPELLING["bom"]] += 1
        text = data.decode("utf-8-sig", errors="replace")
    if "\r" in text:
        changes[_SPELLING["crlf"]] += text.count("\r")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, changes


def _respelled(text: str, format: Format, changes: Counter[str]) -> str:
    """Every line in the plainest spelling."""
    header, _, body = text.partition("\n")
    if format.header and format.row is not None and format.row.parse(header.split(",")[0].strip('" ')):
        body = text  # rows begin at once
        changes[_SPELLING["header"]] += 1
    elif format.header and header != format.header:
        changes[_SPELLING["header"]] += 1
    elif not format.header:
        body = text
    whole = format.whole
    lines: list[str] = []
    seen: dict[str, str] = {}
    for line in body.rstrip("\n").split("\n"):
        plain = _counted(line, line.replace('"', ""), "quoted", changes)
        plain = (
            _counted(plain, plain.rstrip().rstrip(","), "trailing-comma", changes)
            if plain.rstrip().endswith(",")
            else plain
        )
        plain = _counted(plain, ",".join(part.strip() for part in plain.split(",")), "space", changes)
        if not plain:
            changes[_SPELLING["blank"]] += 1
            continue
        if whole:
            name, comma, rest = plain.partition(",")
            plain = _counted(plain, name + comma + _WHOLE_AS_REAL.sub(r"\1", rest), "not-whole", changes)
        name, _, rest = plain.partition(",")
        if seen.get(name) == rest:
            changes[_SPELLING["duplicate"]] += 1
            continue
        seen.setdefault(name, rest)
        lines.append(plain)
    return "\n".join([*([format.header] if format.header else []), *lines, ""])


def _counted(before: str, after: str, kind: str, changes: Counter[str]) -> str:
    if before != after:
        changes[_SPELLING[kind]] += 1
    return after


def _refuse(errors: Sequence[Problem], n: int, path: Path) -> None:
    if errors:
        shown = "\n".join(f"  {found}" for found in errors[:5])
        raise SubmissionError(f"{path}: {n} problems that can't be mended without making up predictions:\n{shown}")


def _placed(
    rows: Rows, format: Format, template: Template | None, path: Path, changes: Counter[str]
) -> tuple[Template | list[str], dict[str, npt.NDArray[Any]]]:
    """Values of each video from its first frame on, and the order to write them in."""
    first = (format.row.first if format.row else None) or 0
    own = dict(rows.by_video())
    counts = (
        template.n_frames if template is not None else {name: int(rows.frame[at].max()) for name, at in own.items()}
    )
    if template is not None:
        place = template.places(rows)
        if extra := int((place < 0).sum()):
            changes["rows that the template does not have removed"] += extra
        place = place[place >= 0]
        if (moved := int((place != np.sort(place)).sum())) > 0:
            changes["rows put in the template's order"] += moved
    values = {}
    for name, n in counts.items():
        places = own.get(name)
        length = n - first + 1
        if places is None:
            raise SubmissionError(
                problem(
                    f"no row for any frame of {name}", where=path, do="Predict it: nothing is there to fill it from"
                )
            )
        frames, given = rows.frame[places] - first, rows.values[places]
        inside = (frames >= 0) & (frames < length)
        values[name] = _filled(frames[inside], given[inside], length, name, format, path, changes)
    return (template if template is not None else list(own)), values


def _filled(
    frames: npt.NDArray[Any],
    given: npt.NDArray[Any],
    length: int,
    name: str,
    format: Format,
    path: Path,
    changes: Counter[str],
) -> npt.NDArray[Any]:
    order = np.argsort(frames, kind="stable")
    frames, given = frames[order], given[order]
    gaps = length - len(frames)
    if not gaps:
        return given
    if not len(frames) or gaps > max(1, MOST_FILLED * length):
        raise SubmissionError(
            problem(
                f"{gaps} of {length} frames of {name} have no row",
                where=path,
                expected=f"at most {MOST_FILLED:.0%} to fill",
                do="Predict them: that many can't be filled without making up predictions",
            )
        )
    every = np.arange(length)
    if format.whole:
        changes["missing frames taken from the nearest"] += gaps
        right = np.minimum(np.searchsorted(frames, every), len(frames) - 1)
        left = np.maximum(right - 1, 0)
        nearest = np.where(np.abs(frames[left] - every) <= np.abs(frames[right] - every), left, right)
        return np.asarray(given[nearest])
    changes["missing frames interpolated"] += gaps
    columns = given.reshape(len(given), -1)
    filled = np.stack([np.interp(every, frames, columns[:, k]) for k in range(columns.shape[1])], 1)
    whole = [column.whole for column in format.columns]
    filled[:, whole] = np.round(filled[:, whole])
    out: npt.NDArray[Any] = filled.reshape(format.shape(length))
    return out
