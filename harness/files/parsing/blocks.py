"""Rows of an official file as columns.

A file has a row for each of a million frames, and in nearly every file each row is well formed. Such a file is cut up
as one block of bytes, in a few passes of NumPy. One that holds anything else is for :mod:`harness.files.parsing.lines`,
which is slower and exact about the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.files.format import FRAME, Format
from harness.files.parsing.numbers import (
    KEEP,
    LONGEST,
    Bytes,
    Index,
    Words,
    last_decimals,
    numbers,
    pairs,
    read_digits,
    windows,
    words,
)

_NEWLINE, _COMMA, _SLASH, _ZERO, _MINUS = b"\n,/0-"
_COMMA_MINUS = _COMMA | _MINUS << 8
_BELOW_MINUS = 45  # both marks, and little else that a plain file has
_TAIL = 10  # of a row's name: "/00001.jpg"
_WORD = 8
_SHORTEST_ROW = len("v/00001.jpg,0\n")
_LONGEST_NAME = 200
_SHORTEST, _LONGEST_EVEN = 3, 8  # characters of numbers that are read from their end
_MOST_EVEN = 8  # such numbers in a row: those before a word then lie in the file
_PIECE = 1 << 18  # bytes of a file that are cut at once
_CHUNK = 1 << 16  # rows processed together, whose arrays fit the processor's cache


@dataclass(frozen=True)
class Rows:
    """Rows of a submission or template.

    Attributes:
        videos: names of videos or clips, in order of first appearance.
        video: int32 ``(rows,)``, index into ``videos``.
        frame: int32 ``(rows,)``, frame number; 0 where a row stands for a whole clip.
        values: official values of each row, of the format's dtype and shape; rows that were reported as wrong hold 0.
        line: int64 ``(rows,)``, line of the file, from 1; empty where line k follows line k - 1 from ``first``.
        first: line of the first row.
        wrong: bool ``(rows,)``, rows whose value was reported; empty where there is none.
    """

    videos: tuple[str, ...]
    video: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    values: npt.NDArray[Any]
    line: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    first: int = 2
    wrong: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def line_of(self, row: int) -> int:
        """Return the line of the file that holds a row."""
        return int(self.line[row]) if len(self.line) else self.first + row

    def key(self) -> npt.NDArray[np.int64]:
        """Return int64 ``(rows,)``: one number per video and frame, which increases with video, then frame."""
        return self.video.astype(np.int64) << 32 | self.frame

    def by_video(self) -> Iterator[tuple[str, Index | slice]]:
        """Yield each video with the places of its rows, in the file's order; a slice for rows that stand together."""
        if not len(self):
            return
        starts = np.concatenate([[0], np.flatnonzero(self.video[1:] != self.video[:-1]) + 1])
        if len(starts) == len(self.videos):
            for name, start, end in zip(self.videos, starts.tolist(), [*starts[1:].tolist(), len(self)], strict=True):
                yield name, slice(start, end)
            return
        order, start = np.argsort(self.video, kind="stable"), 0
        for name, n in zip(self.videos, np.bincount(self.video, minlength=len(self.videos)).tolist(), strict=True):
            yield name, order[start : start + n]
            start += n

    def counts(self) -> dict[str, int]:
        """Return the highest frame number of each video."""
        highest = np.zeros(len(self.videos), np.int64)
        np.maximum.at(highest, self.video, self.frame)
        return dict(zip(self.videos, highest.tolist(), strict=True))

    def same_places(self, other: Rows) -> bool:
        """Tell if both have the same frames of the same videos in the same order."""
        return (
            self.videos == other.videos
            and np.array_equal(self.video, other.video)
            and np.array_equal(self.frame, other.frame)
        )

    def repeated(self) -> bool:
        """Tell if a frame has two rows."""
        onward = (self.video[1:] == self.video[:-1]) & (self.frame[1:] > self.frame[:-1])
        if (onward | (self.video[1:] > self.video[:-1])).all():
            return False
        key = self.key()
        key.sort()
        return bool((key[1:] == key[:-1]).any())


@dataclass(frozen=True)
class _Names:
    """Names of rows.

    Attributes:
        videos, video, frame: see :class:`Rows`.
    """

    videos: tuple[str, ...]
    video: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]


@dataclass(frozen=True)
class _Cut:
    """File cut into rows, with the names read.

    Attributes:
        block: the bytes of the rows, and bytes behind them.
        comma: place in ``block`` of the comma behind each row's name.
        marks: places of each row's commas and its end, ``(n, width + 1)``; ``None`` if the values have a fixed length.
        names: names of the rows.
    """

    block: Bytes
    comma: Index
    marks: Index | None
    names: _Names


def cut(data: bytes, at: int, format: Format, *, counts: Mapping[str, int] | None = None) -> Rows | None:
    """Cut all rows at once.

    Args:
        data: the file's bytes.
        at: place of the first row in ``data``.
        format: official format of the file.
        counts: expected number of frames by video; a file with these counts takes a third of the time.

    Returns:
        The rows; ``None`` if any of them differs from ``<video>/<NNNNN>.jpg`` with plainly written values in range, or
        if the format's rows are named in another way.
    """
    digits = format.whole and all(column.low == 0 and column.high <= 9 for column in format.columns)
    if b"\0" in data:  # names are read with NUL as padding
        return None
    if format.row is not FRAME or not (digits or not any(column.whole for column in format.columns)):
        return None
    width = len(format.columns)
    if digits and counts and (foreseen := _cut_foreseen(data, at, 2 * width, counts)):
        rows, text = foreseen
        known = _digits(text, format)
        return None if known is None else replace(rows, values=known)
    return _cut_pieces(data, at, format, digits, _Foreseen(counts or {}))


def _cut_pieces(data: bytes, at: int, format: Format, digits: bool, foreseen: _Foreseen) -> Rows | None:
    """Cut the file a piece at a time, so that arrays made of a piece stay in the processor's cache."""
    block = np.frombuffer(data, np.uint8)
    n = (len(data) - at) // _SHORTEST_ROW + 1  # at most; memory that no row needs is never touched
    values: npt.NDArray[Any] = np.empty(format.shape(n), format.dtype)
    frame, video = np.empty(n, np.int32), np.empty(n, np.int32)
    places: dict[str, int] = {}
    row = 0
    while at < len(data):
        end = data.find(b"\n", at + _PIECE) + 1 or len(data)
        piece = None if digits else _cut_even(block[:end], at, format, foreseen)
        piece = piece or _cut_piece(data[at:end], format, digits)
        if piece is None:
            return None
        names, table = piece
        part = slice(row, row + len(table))
        place = np.array([places.setdefault(name, len(places)) for name in names.videos], np.int32)
        values[part], frame[part], video[part] = table, names.frame, place[names.video]
        row, at = part.stop, end
    return Rows(tuple(places), video[:row], frame[:row], values[:row]) if row else None


def _cut_piece(data: bytes, format: Format, digits: bool) -> tuple[_Names, npt.NDArray[Any]] | None:
    """Cut rows whose values are written in any way, or are single digits."""
    width = len(format.columns)
    cut = _cut_names(data, 0, width, 2 * width if digits else 0)
    if cut is None:
        return None
    table: npt.NDArray[Any] | None = _digits_behind(cut, width, format) if digits else _numbers(cut, format)
    return None if table is None else (cut.names, table)


def _cut_even(
    block: Bytes, at: int, format: Format, foreseen: _Foreseen
) -> tuple[_Names, npt.NDArray[np.float64]] | None:
    """Cut rows whose numbers all have the same length but for their signs, such as ``0.250000,-0.500000``.

    The places of a row's numbers follow from the row's end, so that only line ends are searched for.

    Args:
        block: the file's bytes; the last row ends at its end.
        at: place of the first row in ``block``.
        format: official format of the file.
        foreseen: reader of the names, used as long as they are as expected.

    Returns:
        Names and values of the rows; ``None`` if any row is written in another way, or a value is out of range.
    """
    width = len(format.columns)
    end = np.flatnonzero(block[at:] == _NEWLINE)
    if not len(end) or at + end[-1] != len(block) - 1:
        return None
    end += at
    length = end[0] - 1 - at - block[at : end[0]].tobytes().rfind(b",")
    length -= block[end[0] - length] == _MINUS
    start = np.concatenate([[at], end[:-1] + 1])
    if not (_SHORTEST <= length <= _LONGEST_EVEN and width <= _MOST_EVEN):
        return None
    if (end - start).min() < 1 + _TAIL + width * (1 + length):
        return None
    values, text, pair = np.empty((len(end), width)), words(block), pairs(block)
    for k in reversed(range(width)):
        column = format.columns[k]
        before = pair[end - (length + 2)]  # the comma and a sign, or a character and the comma
        minus = before == _COMMA_MINUS
        numbers = last_decimals(text, end, length, minus)
        if numbers is None or numbers.min() < column.low or numbers.max() > column.high:
            return None
        if not (minus | (before >> 8 == _COMMA)).all():
            return None
        values[:, k] = numbers
        end = end - (length + 1) - minus
    names = foreseen.read(block, start, end) or _names_before(block, start, end)
    return None if names is None else (names, values)


class _Foreseen:
    """Reader of the names in a file in which each video has exactly the expected frames, in order.

    Names are compared with the expected text, eight characters at a time, which is faster than reading them.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        """Read the first row of a file next.

        Args:
            counts: expected number of frames by video; empty if unknown.
        """
        self._left = {name: n for name, n in counts.items() if 0 < n < 100_000 and _is_name(name)}
        self._name, self._read, self._frames = "", 0, 0
        most = max(self._left.values(), default=0)
        frame = np.arange(1, most + 1, dtype=np.uint64)
        self._digits = np.zeros(most, np.uint64)
        for place, power in enumerate((10_000, 1_000, 100, 10, 1)):
            self._digits |= (frame // np.uint64(power) % np.uint64(10) + np.uint64(_ZERO)) << np.uint64(8 * place)

    def read(self, block: Bytes, start: Index, comma: Index) -> _Names | None:
        """Return the names of the next rows; ``None``, then and for all later rows, if any is not as expected.

        Args:
            block: the file's bytes.
            start: place at which each row begins.
            comma: place behind each row's name.
        """
        text, row = words(block), 0
        names = list[str]()
        video, frame = np.empty(len(start), np.int32), np.empty(len(start), np.int32)
        while row < len(start):
            if self._read == self._frames:
                self._name = block[start[row] : max(comma[row] - _TAIL, 0)].tobytes().decode(errors="replace")
                self._read, self._frames = 0, self._left.pop(self._name, 0)
            part = slice(row, row + self._frames - self._read)
            part = slice(row, min(part.stop, len(start)))
            numbers = slice(self._read, self._read + part.stop - row)
            if not (self._frames and self._has_names(text, start[part], comma[part], self._digits[numbers])):
                self._left, self._read, self._frames = {}, 0, 0
                return None
            video[part], frame[part] = len(names), np.arange(numbers.start + 1, numbers.stop + 1)
            names.append(self._name)
            row, self._read = part.stop, numbers.stop
        return _Names(tuple(names), video, frame)

    def _has_names(self, text: Words, start: Index, comma: Index, digits: Words) -> bool:
        """Return True if rows are named after the video and frames with these digits."""
        name = f"{self._name}/".encode()
        length = len(name) + len("00001.jpg")
        if not (comma - start == length).all():
            return False
        around = name + b"\0" * len("00001") + b".jpg"
        for at in {*range(0, length - _WORD, _WORD), length - _WORD}:
            expected: Words | np.uint64 = np.uint64(int.from_bytes(around[at : at + _WORD], "little"))
            before = len(name) - at  # characters of this word before the digits
            if before < _WORD:
                expected |= digits << np.uint64(8 * before) if before >= 0 else digits >> np.uint64(-8 * before)
            if not (text[start + at] == expected).all():
                return False
        return True


def cut_template(data: bytes, at: int, counts: Mapping[str, int]) -> tuple[Rows, str | None] | None:
    """Cut all rows of a template, as :func:`cut` does, but skip the values, which are blank or dummies.

    Returns:
        Rows without values, and the text behind each name; ``None`` in place of the text if it differs between rows.
        ``None`` alone if any name differs from ``<video>/<NNNNN>.jpg``.
    """
    if b"\0" in data:
        return None
    line = data[at : data.find(b"\n", at) + 1] or data[at:]
    value = line[line.find(b",") + 1 :].rstrip(b"\n")
    if foreseen := _cut_foreseen(data, at, len(value) + 1, counts):
        rows, text = foreseen
        if (text == np.frombuffer(value, np.uint8)).all():
            return rows, value.decode(errors="replace")
    names = _cut_names(data, at, value.count(b",") + 1, len(value) + 1)
    same = names is not None and bool(
        (windows(names.block, names.comma + 1, len(value)) == np.frombuffer(value, np.uint8)).all()
    )
    if not same:
        names = _cut_names(data, at, value.count(b",") + 1, 0)
    if names is None:
        return None
    rows = Rows(**vars(names.names), values=np.empty(0, np.int64))
    return rows, value.decode(errors="replace") if same else None


def _cut_foreseen(data: bytes, at: int, after_name: int, counts: Mapping[str, int]) -> tuple[Rows, Bytes] | None:
    """Return the rows of a file in which each video has exactly the expected frames, in order.

    All rows of a video must have the same length. Such a file is compared with the expected rows as a whole, which is
    faster than reading it row by row.

    Args:
        data: the file's bytes.
        at: place of the first row in ``data``.
        after_name: bytes from a name's end to its row's end.
        counts: expected number of frames by video.

    Returns:
        Rows without values, and the bytes between each name's comma and the line's end; ``None`` if anything differs.
    """
    if not data.endswith(b"\n"):
        data += b"\n"
    block = np.frombuffer(data, np.uint8)
    most = min(max(counts.values(), default=0), data.count(b"\n", at))  # frames of a video that this file can have
    if not 0 < most < 100_000:
        return None
    numbers = np.frombuffer("".join(f"{k:05d}.jpg," for k in range(1, most + 1)).encode(), np.uint8).reshape(most, -1)
    videos: dict[str, int] = {}
    texts = []
    while at < len(data):
        end = data.find(b"\n", at) + 1
        prefix = data[at : end - after_name - _TAIL]  # with its slash
        name = prefix[:-1].decode(errors="replace")
        n, length = counts.get(name, 0), end - at
        if not 0 < n <= most or name in videos or at + n * length > len(data) or not prefix.endswith(b"/"):
            return None
        rows = block[at : at + n * length].reshape(n, length)
        behind = len(prefix) + _TAIL
        if not (
            (rows[:, : len(prefix)] == np.frombuffer(prefix, np.uint8)).all()
            and (rows[:, len(prefix) : behind] == numbers[:n]).all()
            and (rows[:, -1] == _NEWLINE).all()
        ):
            return None
        videos[name] = n
        texts.append(rows[:, behind:-1])
        at += n * length
    sizes = np.array(list(videos.values()))
    frame = np.concatenate([np.arange(1, n + 1, dtype=np.int32) for n in sizes.tolist()])
    video = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return Rows(tuple(videos), video, frame, np.empty(0, np.int64)), np.concatenate(texts)


def _cut_names(data: bytes, at: int, width: int, after_name: int) -> _Cut | None:
    """Cut the rows, and read each row's name.

    Args:
        data: the bytes of the rows.
        at: place of the first row in ``data``.
        width: values in a row.
        after_name: bytes from a name's end to its row's end if all rows agree in it, 0 if unknown.
    """
    end_of_file = b"" if data.endswith(b"\n") else b"\n"
    block = np.frombuffer(b"".join([data, end_of_file, b"\0" * LONGEST]), np.uint8)
    rows = block[at:-LONGEST]
    marks = None
    if after_name:
        end = np.flatnonzero(rows == _NEWLINE) + at
        comma = end - after_name
    else:
        marks = _marks(rows, width)
        if marks is None:
            return None
        marks += at
        end, comma = marks[:, -1], np.ascontiguousarray(marks[:, 0])
    start = np.concatenate([[at], end[:-1] + 1])
    names = _names_before(block, start, comma)
    return None if names is None else _Cut(block, comma, marks, names)


def _names_before(block: Bytes, start: Index, comma: Index) -> _Names | None:
    """Return the names between places and the commas behind them; ``None`` for other names, or without a comma."""
    length = comma - start - _TAIL
    if not (length.min() >= 1 and length.max() <= _LONGEST_NAME - _TAIL and (block[comma] == _COMMA).all()):
        return None
    return _read_names(block, start, length)


def _marks(rows: Bytes, width: int) -> Index | None:
    """Return the places of each row's commas and its end, ``(n, width + 1)``; ``None`` if a row has another number."""
    marks = np.flatnonzero(rows < _BELOW_MINUS)
    kinds = rows[marks]
    is_mark = (kinds == _NEWLINE) | (kinds == _COMMA)
    if not is_mark.all():
        marks, kinds = marks[is_mark], kinds[is_mark]
    if len(marks) % (width + 1):
        return None
    expected = np.frombuffer(b"," * width + b"\n", np.uint8)
    return marks.reshape(-1, width + 1) if (kinds.reshape(-1, width + 1) == expected).all() else None


_SLASH_PLACE, _EXTENSION = np.uint64(0xFF), np.uint64(int.from_bytes(b".jpg", "little"))
_FIVE_DIGITS, _THREE_NOUGHTS = np.uint64(24), np.uint64(int.from_bytes(b"000", "little"))


def _read_names(block: Bytes, start: Index, length: Index) -> _Names | None:
    """Return videos, and video and frame of each row; ``None`` for other names.

    Args:
        block: the rows, and bytes behind them.
        start: place at which each row begins.
        length: characters of each row's video.
    """
    n, last, text = len(start), len(block) - 8, words(block)
    frame, video = np.empty(n, np.int32), np.empty(n, np.int32)
    places: dict[bytes, int] = {}
    for low in range(0, n, _CHUNK):
        part = slice(low, low + _CHUNK)
        slash = start[part] + length[part]
        tail = text[slash]
        numbers, digits = read_digits((tail >> np.uint64(8) << _FIVE_DIGITS) | _THREE_NOUGHTS)
        slashes, extensions = tail & _SLASH_PLACE == _SLASH, text[slash + 2] >> np.uint64(32) == _EXTENSION
        if not (digits and slashes.all() and extensions.all()):
            return None
        frame[part] = numbers
        before = slice(max(low - 1, 0), low + _CHUNK)  # with the last row of the chunk before
        runs = _changes(text, start[before], length[before], last) + before.start
        if not low:
            runs = np.concatenate([[0], runs])
        indices = [places.setdefault(_name(block, start[k], length[k]), len(places)) for k in runs.tolist()]
        if low and not (len(runs) and runs[0] == low):  # goes on with the video of the chunk before
            runs, indices = np.concatenate([[low], runs]), [int(video[low - 1]), *indices]
        video[part] = np.repeat(np.array(indices, np.int32), np.diff(np.append(runs, low + len(slash))))
    try:
        videos = tuple(name.decode() for name in places)
    except UnicodeDecodeError:
        return None
    if not all(map(_is_name, videos)):
        return None
    return _Names(videos, video, frame)


def _is_name(video: str) -> bool:
    return video.isprintable() and not any(mark in video for mark in '\0\r\n,"')


def _name(block: Bytes, start: int, length: int) -> bytes:
    return block[start : start + length].tobytes()


def _changes(text: Words, start: Index, length: Index, last: int) -> Index:
    """Return rows whose video is not that of the row before, from 1; eight characters are compared at a time.

    Args:
        text: words of the file.
        start: place at which each row begins.
        length: characters of each row's video.
        last: the last place at which a word begins.
    """
    changed = length[1:] != length[:-1]
    for at in range(0, int(length.max()), 8):
        part = text[np.minimum(start + at, last)] & KEEP[np.clip(length - at, 0, 8)]
        changed |= part[1:] != part[:-1]
    return np.flatnonzero(changed) + 1


def _digits(text: Bytes, format: Format) -> npt.NDArray[np.int64] | None:
    """Return values of one digit each, with commas between; ``None`` for other text."""
    values = text[:, ::2] - _ZERO
    highest = np.array([column.high for column in format.columns])
    if not ((text[:, 1::2] == _COMMA).all() and (values <= highest).all()):
        return None
    return values.astype(np.int64).reshape(format.shape(len(values)))


def _digits_behind(cut: _Cut, width: int, format: Format) -> npt.NDArray[np.int64] | None:
    return _digits(windows(cut.block, cut.comma + 1, 2 * width - 1), format)


def _numbers(cut: _Cut, format: Format) -> npt.NDArray[np.float64] | None:
    if cut.marks is None:
        return None
    values = np.empty((len(cut.marks), len(format.columns)))
    for k, column in enumerate(format.columns):
        column_values = numbers(cut.block, cut.marks[:, k] + 1, cut.marks[:, k + 1])
        if column_values is None or not ((column_values >= column.low) & (column_values <= column.high)).all():
            return None
        values[:, k] = column_values
    return values


def write_names(
    videos: Sequence[str], video: npt.NDArray[np.int32], frame: npt.NDArray[np.int32], format: Format
) -> list[str]:
    """Return the first field of each row; an empty list for formats without it."""
    if format.row is None:
        return []
    files = {k: format.row.name("\0", k) for k in np.unique(frame).tolist()}  # most numbers occur once per video
    return [files[k].replace("\0", videos[v], 1) for v, k in zip(video.tolist(), frame.tolist(), strict=True)]
