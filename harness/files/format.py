"""What an official file looks like, as data: its header, what names a row, which values stand in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

MOST_FRAMES = 10_000_000
"""Frames of a video: four days of film. A higher number is no frame's, and lists of all before it would take long."""


@dataclass(frozen=True)
class Column:
    """One value of a row.

    Attributes:
        whole: a class index or a bit, written without a decimal point.
    """

    name: str
    low: float
    high: float
    whole: bool = False

    @property
    def expected(self) -> str:
        """What belongs here, in words."""
        return f"a {'whole number' if self.whole else 'number'} from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class RowName:
    """How the first field of a row says what the row is about.

    Attributes:
        pattern: with a group ``of`` (the video or clip), or ``frame`` (its number), or both.
        text: the field, for :meth:`str.format`.
        example: for messages.
        first: number of a video's first frame; ``None`` where a row stands for a whole clip.
    """

    pattern: re.Pattern[str]
    text: str
    example: str
    first: int | None

    def parse(self, field: str) -> tuple[str, int] | None:
        """Video and frame (0 where a row has none) that ``field`` names, or ``None`` if it is not a name."""
        match = self.pattern.fullmatch(field)
        if not match:
            return None
        groups = match.groupdict()
        return groups.get("of", ""), int(groups.get("frame", 0))

    def name(self, of: str, frame: int) -> str:
        """The field for a frame of a video."""
        return self.text.format(of=of, frame=frame)


# five digits, more only where a video has 100,000 frames: so that a frame has one spelling
FRAME = RowName(
    re.compile(r'(?P<of>[^"]+)/(?P<frame>[0-9]{5}|[1-9][0-9]{5,8})\.jpg'),
    "{of}/{frame:05d}.jpg",
    "<video>/<NNNNN>.jpg",
    1,
)
FRAME_FROM_ZERO = RowName(
    re.compile(r'(?P<of>[^"]+\.mp4)/frame-(?P<frame>0|[1-9][0-9]{0,8})\.jpg'),
    "{of}/frame-{frame}.jpg",
    "<person>/<visit>/<file>.mp4/frame-<N>.jpg",
    0,
)
FRAME_NUMBER = RowName(re.compile(r"(?P<frame>0|[1-9][0-9]{0,8})"), "{frame}", "<frame>", 1)
CLIP_FILE = RowName(re.compile(r'(?P<of>[^"]+\.mp4)'), "{of}", "Videos/<person>/<visit>/<file>.mp4", None)
CLIP_NUMBER = RowName(re.compile(r"(?P<of>[0-9]{5})"), "{of}", "<5 digits>", None)


@dataclass(frozen=True)
class Format:
    """An official file format.

    Attributes:
        name: unique, such as ``EXPR`` or ``VD``.
        task: the task's short name.
        editions: of the competition that used it.
        header: first line; empty where rows begin at once.
        also: other headers that organisers used; read, and said to be assumed.
        row: how rows are named; ``None`` where line k is frame k.
        columns: the values of a row.
        sparse: only some frames of a video have a row.
        per_video: one file a video, in a folder or an archive.
        suffix: of such files.
        sums_to_one: the first two columns are probabilities that must add up to exactly 1.0 in float64.
        source: where the format is known from.
    """

    name: str
    task: str
    editions: tuple[int, ...]
    header: str
    columns: tuple[Column, ...]
    row: RowName | None = FRAME
    also: tuple[str, ...] = ()
    sparse: bool = False
    per_video: bool = False
    suffix: str = ".txt"
    sums_to_one: bool = False
    source: str = ""

    @cached_property
    def whole(self) -> bool:
        """Whether every value is whole; then arrays are int64, else float64."""
        return all(column.whole for column in self.columns)

    @property
    def dtype(self) -> type:
        """Of the arrays that hold values."""
        return np.int64 if self.whole else np.float64

    def shape(self, rows: int) -> tuple[int, ...]:
        """Of the arrays that hold values: one column is flat."""
        return (rows,) if len(self.columns) == 1 else (rows, len(self.columns))

    @property
    def row_example(self) -> str:
        """A row in words, for messages."""
        values = ",".join(f"<{column.name}>" for column in self.columns[:3]) + (",…" if len(self.columns) > 3 else "")
        return f"{self.row.example},{values}" if self.row else values
