"""Formats of official files, as data: the header, the names of rows, and the values in a row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

MOST_FRAMES = 10_000_000
"""Highest frame number, about four days of video. Higher numbers are errors, and listing all frames takes long."""


@dataclass(frozen=True)
class Column:
    """Column of an official file: one value of a row.

    Attributes:
        name: the value's name, for messages.
        low: smallest official value.
        high: largest official value.
        whole: True for a class index or a bit, written without a decimal point.
    """

    name: str
    low: float
    high: float
    whole: bool = False

    @property
    def expected(self) -> str:
        """Official values of the column, in words."""
        return f"a {'whole number' if self.whole else 'number'} from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class RowName:
    """Form of a row's first field, which names a frame or a video.

    Attributes:
        pattern: expression with a group ``of`` (the video or clip), or ``frame`` (its number), or both.
        text: template of the field for :meth:`str.format`.
        example: example of the field, for messages.
        first: number of a video's first frame; ``None`` if a row stands for a whole clip.
    """

    pattern: re.Pattern[str]
    text: str
    example: str
    first: int | None

    def parse(self, field: str) -> tuple[str, int] | None:
        """Return the video and the frame that ``field`` names; ``None`` for any other text.

        The video is ``""``, or the frame 0, if the format's rows lack it.
        """
        match = self.pattern.fullmatch(field)
        if not match:
            return None
        groups = match.groupdict()
        return groups.get("of", ""), int(groups.get("frame", 0))

    def name(self, of: str, frame: int) -> str:
        """Return the field for a frame of a video."""
        return self.text.format(of=of, frame=frame)


# five digits, and more only from frame 100,000 on: then a frame has a single spelling
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
    """Official file format.

    Attributes:
        name: unique name, such as ``EXPR`` or ``VD``.
        task: the task's short name.
        editions: editions of the competition that used the format, increasing.
        header: first line; empty if the file begins with a row.
        columns: values of a row.
        row: form of a row's name; ``None`` if line k is frame k.
        also: other headers that organisers used; a file with one is accepted, with a note.
        sparse: True if only some frames of a video have a row.
        per_video: True for one file per video, in a folder or an archive.
        suffix: file name suffix of files per video.
        sums_to_one: True if the first two columns are probabilities that must add up to exactly 1.0 in float64.
        source: origin of the knowledge about the format.
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
        """True if every value is whole; then arrays of values are int64, else float64."""
        return all(column.whole for column in self.columns)

    @property
    def dtype(self) -> type:
        """Data type of arrays of values: int64 or float64."""
        import numpy as np  # late: small files are checked without it

        return np.int64 if self.whole else np.float64

    def shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of an array of values: ``(rows,)`` for one column, else ``(rows, columns)``."""
        return (rows,) if len(self.columns) == 1 else (rows, len(self.columns))

    @property
    def in_words(self) -> str:
        """Name of the format with the editions that used it."""
        last, first = self.editions[-1], self.editions[0]
        return f"{self.name} (edition {first})" if last == first else f"{self.name} (editions {first} to {last})"

    @property
    def taken_for(self) -> str:
        """Note in a report that the format was recognised."""
        return f"taken for {self.in_words}, from its first line"

    @property
    def row_example(self) -> str:
        """Example of a row, for messages."""
        values = ",".join(f"<{column.name}>" for column in self.columns[:3]) + (",…" if len(self.columns) > 3 else "")
        return f"{self.row.example},{values}" if self.row else values
