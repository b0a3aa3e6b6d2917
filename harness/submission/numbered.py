"""Rows that begin with a frame's number, as in a file of one video: all of them at once, as columns."""

from __future__ import annotations

import numpy as np

from harness.submission.format import Format
from harness.submission.numbers import LONGEST, numbers
from harness.submission.rows import Rows

_NEWLINE, _COMMA, _ZERO = b"\n,0"
_LONGEST_FRAME = 9  # digits
_BYTES = np.zeros(256, bool)
_BYTES[list(b"-0123456789,\n")] = True


def cut_numbered(data: bytes, at: int, format: Format, video: str) -> Rows | None:
    """Read the rows of one video's file.

    Args:
        at: where the first row begins.

    Returns:
        The rows; ``None`` if any of them isn't a frame's number and whole values in range, plainly written.
    """
    body = data[at:] if data.endswith(b"\n") else data[at:] + b"\n"
    block = np.frombuffer(body + b"\n" * LONGEST, np.uint8)
    width = len(format.columns) + 1
    ends = np.flatnonzero((block[: len(body)] == _COMMA) | (block[: len(body)] == _NEWLINE))
    if not format.whole or not len(ends) or len(ends) % width or not _BYTES[block].all():
        return None
    marks = block[ends].reshape(-1, width)
    starts = np.concatenate([[0], ends[:-1] + 1])
    first, length = starts[::width], (ends - starts)[::width]
    plain = (length >= 1) & (length <= _LONGEST_FRAME) & ((block[first] > _ZERO) | (length == 1))
    if not ((marks[:, :-1] == _COMMA).all() and (marks[:, -1] == _NEWLINE).all() and plain.all()):
        return None
    values = numbers(block, starts, ends)
    if values is None:
        return None
    table = values.reshape(-1, width)
    low, high = ([getattr(column, end) for column in format.columns] for end in ("low", "high"))
    if not ((table[:, 1:] >= low) & (table[:, 1:] <= high)).all():
        return None
    n = len(table)
    rows = table[:, 1:].astype(np.int64).reshape(format.shape(n))
    return Rows((video,), np.zeros(n, np.int32), table[:, 0].astype(np.int32), rows)
