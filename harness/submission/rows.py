"""Rows of an official file as columns.

A file has a row for each of a million frames, and in nearly every file each row is well formed. Such a file is cut up
at once. One that holds anything else is for the caller to take line by line, so that the problem gets its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.tasks import Task

# five digits, more only where a video has 100,000 frames: so that a frame has one spelling
_FRAME = "[0-9]{5}|[1-9][0-9]{5,8}"
LOCATION = re.compile(rf'([^"]+)/({_FRAME})\.jpg')
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# names without slash or comma, values made of what numbers are made of: then a row can be cut in one way only
_BODY = re.compile(rf'(?:[^"/,\n]+/(?:{_FRAME})\.jpg,[0-9.,eE+-]*\n)*+')


@dataclass(frozen=True)
class Rows:
    """Rows of a one-file submission or template.

    Attributes:
        videos: names, in order of first appearance.
        video: int32 ``(rows,)``, index into ``videos``.
        frame: int32 ``(rows,)``, frame number.
        line: int64 ``(rows,)``, line of the file, from 1.
        values: what stands after the first comma of each row: text, or official values.
    """

    videos: tuple[str, ...]
    video: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    line: npt.NDArray[np.int64]
    values: Sequence[Any] | npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.frame)

    def locations(self) -> Iterator[str]:
        """``<video>/<NNNNN>.jpg`` of each row, in order."""
        frames = self.frame.tolist()
        files = {frame: f"{frame:05d}.jpg" for frame in set(frames)}  # most numbers come once a video
        for video, frame in zip(self.video.tolist(), frames, strict=True):
            yield f"{self.videos[video]}/{files[frame]}"

    def by_video(self) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
        """Each video with the places of its rows, in the file's order."""
        order, start = np.argsort(self.video, kind="stable"), 0
        for name, n in zip(self.videos, np.bincount(self.video, minlength=len(self.videos)).tolist(), strict=True):
            yield name, order[start : start + n]
            start += n

    def same_places(self, other: Rows) -> bool:
        """Whether both have the same frames of the same videos in the same order."""
        return (
            self.videos == other.videos
            and np.array_equal(self.video, other.video)
            and np.array_equal(self.frame, other.frame)
        )

    def repeated(self) -> bool:
        """Whether a frame has two rows."""
        places = self.video.astype(np.int64) << 32 | self.frame
        return len(np.unique(places)) < len(places)


def split_rows(body: str, first: int) -> Rows | None:
    """Cut all rows at once.

    Args:
        body: lines after the header.
        first: line of the file on which ``body`` begins.

    Returns:
        The rows, their values as text; ``None`` if any line isn't ``<video>/<NNNNN>.jpg,<numbers or nothing>``.
    """
    if body and not body.endswith("\n"):
        body += "\n"
    if not _BODY.fullmatch(body):
        return None
    parts = body.replace(".jpg,", "/").replace("\n", "/").split("/")[:-1]
    names, frames, values = parts[::3], parts[1::3], parts[2::3]
    places = {name: k for k, name in enumerate(dict.fromkeys(names))}
    numbers = {text: int(text) for text in set(frames)}
    n = len(names)
    return Rows(
        tuple(places),
        np.fromiter(map(places.__getitem__, names), np.int32, n),
        np.fromiter(map(numbers.__getitem__, frames), np.int32, n),
        np.arange(first, first + n),
        values,
    )


def plain_values(texts: Sequence[str], task: Task) -> npt.NDArray[Any] | None:
    """Official values of all rows, or ``None`` if any is out of range or not written in the plainest way.

    Args:
        texts: what stands after the first comma of each row.

    Returns:
        int64 ``(rows,)`` for classes, int64 ``(rows, targets)`` for binaries, float64 ``(rows, targets)`` for values.
    """
    width = 1 if task.kind == "classes" else task.n_outputs
    digit = "[01]" if task.kind == "binaries" else f"[0-{task.n_outputs - 1}]"
    number = f"(?:{DECIMAL.pattern})" if task.kind == "values" else digit
    body = "".join(f"{text}\n" for text in texts)
    if not re.fullmatch(rf"(?:{number}(?:,{number}){{{width - 1}}}\n)*+", body):
        return None
    if task.kind == "values":
        numbers = map(float, body.replace("\n", ",").split(",")[:-1])
        points = np.fromiter(numbers, np.float64, len(texts) * width).reshape(-1, width)
        return points if (np.abs(points) <= 1).all() else None
    # a digit, a comma or the line's end, a digit, and so on
    digits = np.frombuffer(body.encode(), np.uint8)[::2].astype(np.int64) - ord("0")
    return digits if task.kind == "classes" else digits.reshape(-1, width)
