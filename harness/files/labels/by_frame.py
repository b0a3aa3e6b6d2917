"""Label files of violence detection: one file per video, with a row per annotated frame, named by its number."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.files.checking.table import check_table
from harness.files.format import MOST_FRAMES, Format
from harness.files.formats import FORMATS, plain_header
from harness.system.names import require_name
from harness.system.regular import read_or_refuse
from harness.tasks import VD

_POINT_ZERO = re.compile(rb"(,-?[01])\.0+(?=\n)")  # as pandas writes a column in which a label is missing
_UNLABELLED = "blank-value"


def read_frame_labels(path: Path) -> npt.NDArray[np.int64]:
    """Read ``Frame_Number,Label`` (or ``Frame_Num``, in any case); 0 is non-violent, 1 violent.

    Returns:
        int64 ``(n,)``, where n is the highest frame number; row k is frame k + 1. -1 marks a frame whose row or label
        is missing.

    Raises:
        DataError: a row is malformed, with ``file:line:column``; or the file's name is unfit for a video.
    """
    require_name(path.stem, "video", where=path, do="Rename this label file")
    data = read_or_refuse(path, "can't read the labels")
    # in labels a byte-order mark and other line ends do no harm
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").rstrip() + b"\n"
    data = _POINT_ZERO.sub(rb"\1", data) if b"." in data else data
    checked = check_table(data, str(path), _label_format(path, data), video=path.stem, known=False)
    errors = [problem for problem in checked.report.errors if problem.code != _UNLABELLED]
    if errors:
        more = checked.report.n_errors - checked.report.counts["error", _UNLABELLED] - 1
        raise DataError(str(errors[0]) + (f" (and {more} more)" if more else ""))
    rows = checked.rows
    last = int(rows.frame.max())
    if last > MOST_FRAMES:
        line = rows.line_of(int(rows.frame.argmax()))
        what = "a frame number is too large for a video"
        raise DataError(what, where=f"{path}:{line}:1", found=last, expected=f"at most {MOST_FRAMES:,}")
    labels = np.full(last, VD.invalid, np.int64)
    labels[rows.frame - 1] = np.where(rows.wrong, VD.invalid, rows.values) if len(rows.wrong) else rows.values
    return labels


def _label_format(path: Path, data: bytes) -> Format:
    """Return the submissions' format with the marker -1 as a valid value, and with this file's header."""
    format = FORMATS["VD"]
    header = data.partition(b"\n")[0].decode(errors="replace")
    if plain_header(header) not in map(plain_header, (format.header, *format.also)):
        raise DataError(
            "not a label file for VD",
            where=f"{path}:1:1",
            found=repr(header[:80]),
            expected=" or ".join(map(repr, (format.header, *format.also))),
        )
    columns = tuple(replace(column, low=VD.invalid) for column in format.columns)
    return replace(format, header=header, columns=columns)
