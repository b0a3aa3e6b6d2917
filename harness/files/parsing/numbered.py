"""Fast reader of rows that begin with a frame's number, as in a file of one video."""

from __future__ import annotations

import numpy as np

from harness.files.format import MOST_FRAMES, Format
from harness.files.parsing.blocks import Rows

_NEWLINE, _COMMA, _ZERO = b"\n,0"
_LONGEST = 9  # digits, and a sign
_END, _SIGN, _DIGIT = 1, 2, 3
_KINDS = np.zeros(256, np.uint8)
_KINDS[list(b",\n")], _KINDS[list(b"-")], _KINDS[list(b"0123456789")] = _END, _SIGN, _DIGIT


def cut_numbered(data: bytes, at: int, format: Format, video: str) -> Rows | None:
    """Read the rows of one video's file.

    Args:
        data: the file's bytes.
        at: place of the first row in ``data``.
        format: official format of the file.
        video: name of the video.

    Returns:
        The rows; ``None`` unless each of them is a frame's number and whole values in range, plainly written.
    """
    body = data[at:] if data.endswith(b"\n") else data[at:] + b"\n"
    block = np.frombuffer(body, np.uint8)
    width = len(format.columns) + 1
    kind = _KINDS[block]
    ends = np.flatnonzero(kind == _END)
    if not format.whole or not len(ends) or len(ends) % width or not kind.all():
        return None
    marks = block[ends].reshape(-1, width)
    starts = np.concatenate([[0], ends[:-1] + 1])
    length = ends - starts
    first, digits = starts[::width], length[::width]
    plain = (block[first] > _ZERO) | (digits == 1)
    minus = np.flatnonzero(kind == _SIGN)
    if not (
        (marks[:, :-1] == _COMMA).all()
        and (marks[:, -1] == _NEWLINE).all()
        and length.min() >= 1
        and length.max() <= _LONGEST
        and plain.all()
        and (kind[first] == _DIGIT).all()
        # a sign begins a field, and a digit follows it
        and (kind[minus - 1] == _END).all()
        and (kind[minus + 1] == _DIGIT).all()
    ):
        return None
    table = np.fromstring(body.replace(b"\n", b","), np.int64, sep=",").reshape(-1, width)
    low, high = (np.array([getattr(column, end) for column in format.columns]) for end in ("low", "high"))
    if not ((table[:, 1:] >= low) & (table[:, 1:] <= high)).all() or table[:, 0].max() > MOST_FRAMES:
        return None
    n = len(table)
    return Rows((video,), np.zeros(n, np.int32), table[:, 0].astype(np.int32), table[:, 1:].reshape(format.shape(n)))
