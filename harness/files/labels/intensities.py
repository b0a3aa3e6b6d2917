"""Labels of emotional mimicry: a table with six intensities per video."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError, problem
from harness.files.formats import FORMATS, plain_header
from harness.system.regular import read_file
from harness.tasks import EMI

_DIGITS = 5
_MOST_BYTES = 1 << 27
_NAME = re.compile(r"[0-9]{1,5}")
_ALSO = re.compile(r"\.(mp4|mp3|wav)$", re.IGNORECASE)
_SHOWN = 3


@dataclass(frozen=True)
class Intensities:
    """A table of labels.

    Attributes:
        names: of the videos, five digits each, in the file's order.
        values: float64 ``(n, 6)`` in [0, 1], in the official order of the targets.
        lines: of the file, from 1, of each row.
        notes: what was assumed.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    lines: tuple[int, ...]
    notes: tuple[str, ...]


def read_intensities(path: Path) -> Intensities:
    """Read ``Filename,Admiration,…``: one row per video.

    Columns may stand in any order. A name is five digits. A program that read the column as numbers dropped its zeros;
    such names are filled up again, with a note.

    Raises:
        DataError: another header, a name that is no number, a value outside of [0, 1], or a video with two rows; names
            ``file:line:column``.
    """
    try:
        text = read_file(path, _MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise DataError(problem("can't read the labels", where=path, found=error.strerror)) from None
    except UnicodeDecodeError as error:
        raise DataError(problem("can't read the labels", where=path, found=error, expected="UTF-8")) from None
    header, *body = text.replace("\r\n", "\n").split("\n")
    columns, official = plain_header(header).split(","), plain_header(FORMATS["EMI"].header).split(",")
    if columns[0] != official[0] or sorted(columns) != sorted(official):
        raise DataError(
            problem(
                "not a label file for EMI",
                where=f"{path}:1:1",
                found=repr(header[:100]),
                expected=repr(FORMATS["EMI"].header),
                do="Keep names in the first column, as text, and no index before it",
            )
        )
    lines_by_name: dict[str, int] = {}
    rows, padded = [], []
    for line, row in enumerate(body, 2):
        if not row.strip():
            continue
        name, *fields = row.split(",")
        name = _ALSO.sub("", name.strip().strip('"'))
        if not _NAME.fullmatch(name):
            expected = f"{_DIGITS} digits"
            raise DataError(
                problem("not the name of a video", where=f"{path}:{line}:1", found=repr(row[:60]), expected=expected)
            )
        if len(name) < _DIGITS:
            padded.append(name)
        name = name.zfill(_DIGITS)
        if name in lines_by_name:
            first = f"line {lines_by_name[name]} has it, too"
            raise DataError(problem("a video with two rows", where=f"{path}:{line}:1", found=name, expected=first))
        lines_by_name[name] = line
        rows.append(_values(path, line, row, fields))
    if not rows:
        raise DataError(problem("a label file without rows", where=path))
    notes = []
    if padded:
        some = ", ".join(f"{name} for {name.zfill(_DIGITS)}" for name in padded[:_SHOWN])
        notes.append(
            f"{path}: {len(padded)} names lack their leading zeros, which a program that reads them as numbers drops; "
            f"taken: {some}" + (" …" if len(padded) > _SHOWN else "")
        )
    order = [columns.index(column) - 1 for column in official[1:]]
    values = np.array(rows, np.float64)[:, order]
    return Intensities(tuple(lines_by_name), values, tuple(lines_by_name.values()), tuple(notes))


def _values(path: Path, line: int, row: str, fields: list[str]) -> list[float]:
    values: list[Any] = []
    for field in fields:
        try:
            values.append(float(field))
        except ValueError:
            break
    if len(values) != EMI.n_outputs or not all(EMI.low <= value <= EMI.high for value in values):
        raise DataError(
            problem(
                "not a label for EMI",
                where=f"{path}:{line}:{row.find(',') + 2}",
                found=repr(row[:80]),
                expected=f"a name and {EMI.n_outputs} numbers from {EMI.low:g} to {EMI.high:g}",
            )
        )
    return values
