"""Transcripts: the words of a video, with times where they are known, from BAH's files or a user's table."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.system.counts import counted
from harness.system.names import require_name
from harness.system.regular import read_or_refuse

_MOST_BYTES = 1 << 24  # of one video's transcript
_MOST_TABLE = 1 << 28
_DIGITS = 5  # of a name of Hume-Vidmimic2
NAME_COLUMNS, TEXT_COLUMN = ("Filename", "name"), "text"
"""Columns of a table of transcripts; that of names has two spellings."""


@dataclass(frozen=True)
class TranscriptLine:
    """A stretch of speech.

    Attributes:
        start: seconds from the start of the audio; ``None`` where unknown.
        end: seconds from the start of the audio; ``None`` where unknown.
    """

    text: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class Transcript:
    """The words of a video.

    Attributes:
        text: the whole text; empty where nothing is said.
        lines: parts of it with times, in order; empty where no times are known.
        source: the file, or the speech recogniser with its version.
    """

    text: str
    lines: tuple[TranscriptLine, ...] = ()
    source: str = ""

    @property
    def is_empty(self) -> bool:
        """True where the text holds no word."""
        return not self.text.strip()


def read_transcript(path: Path, source: str = "") -> Transcript:
    """Read one of BAH's transcripts: ``text``, and ``chunks`` with ``text`` and a ``timestamp`` of two seconds each.

    The recogniser counts times from 0 again about every 30 s. Where a start falls below the one before, the end of the
    chunk before (its start, if it has no end) is added to all times from there on. That is close: the silence at the
    end of each such part is not in the file.

    Args:
        path: the file.
        source: what the transcript names as its source; by default the file's name.

    Raises:
        DataError: the file is no YAML, has another tag than that of tuples, lacks ``text``, or has other timestamps;
            names ``file:line:column``.
    """
    import yaml

    from harness.system.safe_yaml import open_yaml

    with open_yaml(path, "transcript", _MOST_BYTES) as loader:
        root = loader.get_single_node()
        if root is None:
            return Transcript("", source=source or path.name)
        loader.value(root)  # refuses tags wherever they stand
        fields = _fields(root, path)
        text = fields.get("text")
        if text is None:
            raise DataError("the transcript has no text", where=path, expected="text and chunks")
        chunks = fields.get("chunks")
        parts = [] if chunks is None or not isinstance(chunks, yaml.SequenceNode) else chunks.value
        raw = []
        for node in parts:
            part = _fields(node, path)
            stamp = part.get("timestamp")
            times = (None, None) if stamp is None else loader.value(stamp)
            raw.append((_words(part.get("text"), path), *_seconds(times, stamp, path)))
        return Transcript(_words(text, path), tuple(_continued(raw)), source or path.name)


def _fields(node: Any, path: Path) -> dict[str, Any]:
    """Return the nodes of a mapping by key: texts stay as written, so that ``No`` is a word."""
    import yaml

    from harness.system.safe_yaml import place

    if not isinstance(node, yaml.MappingNode):
        what = "not a transcript of BAH"
        raise DataError(what, where=place(path, node), expected="text, and chunks with text and timestamp")
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _words(node: Any, path: Path) -> str:
    import yaml

    from harness.system.safe_yaml import place

    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
        return ""
    if not isinstance(node, yaml.ScalarNode):
        raise DataError("the transcript's field text is not a string", where=place(path, node))
    return str(node.value)


def _seconds(times: Any, node: Any, path: Path) -> tuple[float | None, float | None]:
    from harness.system.safe_yaml import place

    fine = isinstance(times, list | tuple) and len(times) == 2
    if not fine or not all(t is None or (isinstance(t, int | float) and not isinstance(t, bool)) for t in times):
        raise DataError(
            "a timestamp is not a pair of seconds",
            where=place(path, node),
            found=repr(times)[:60],
            expected="start and end, each a number or null",
        )
    start, end = (None if t is None else float(t) for t in times)
    return start, end


def _continued(chunks: Iterable[tuple[str, float | None, float | None]]) -> Iterable[TranscriptLine]:
    """Yield chunks with times that go on where the recogniser began from 0 again."""
    offset = before = last = 0.0
    for text, start, end in chunks:
        if start is not None and start < before:
            offset += last
        before = start if start is not None else before
        last = end if end is not None else before
        yield TranscriptLine(text, None if start is None else offset + start, None if end is None else offset + end)


def read_transcript_table(path: Path) -> Mapping[str, Transcript]:
    """Read a CSV table of a user's own transcripts, one row per video: columns ``Filename`` (or ``name``) and ``text``.

    Other columns are left out. Texts stay as they are written, line breaks inside of quotes included.

    Raises:
        DataError: another header, a row with too few or too many fields, a name that no video may have, or a video
            with two rows; names ``file:line``.
    """
    try:
        text = read_or_refuse(path, "can't read the transcripts", most=_MOST_TABLE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("can't read the transcripts", where=path, found=error, expected="UTF-8") from None
    csv.field_size_limit(_MOST_TABLE)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    transcripts: dict[str, Transcript] = {}
    try:
        header = [field.strip() for field in next(rows, [])]
        of_name, of_text = _columns(header, path)
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                expected = f"{len(header)}, with quotes around a text that holds a comma"
                raise DataError(
                    "a row does not have the header's fields",
                    where=where,
                    found=counted(len(row), "field"),
                    expected=expected,
                )
            name = require_name(row[of_name], "video", where=where)
            if name in transcripts:
                raise DataError("a video has two transcripts", where=where, found=name, do="Remove one of them")
            transcripts[name] = Transcript(row[of_text], source=path.name)
    except csv.Error as error:
        raise DataError("not a table of transcripts", where=f"{path}:{rows.line_num}", found=error) from None
    return transcripts


def _columns(header: Sequence[str], path: Path) -> tuple[int, int]:
    """Return the indices of the columns that hold the names and the texts."""
    names = [header.index(column) for column in NAME_COLUMNS if column in header]
    if len(names) != 1 or TEXT_COLUMN not in header:
        first, expected = repr(",".join(header)[:80]), repr(f"{NAME_COLUMNS[0]},{TEXT_COLUMN}")
        raise DataError("not a table of transcripts", where=f"{path}:1:1", found=first, expected=expected)
    return names[0], header.index(TEXT_COLUMN)


def with_zeros(
    table: Mapping[str, Transcript], path: Path, notes: list[str], known: Collection[str] | None = None
) -> Mapping[str, Transcript]:
    """Return a table whose names have their leading zeros, which some programs drop as they take names for numbers.

    Args:
        table: transcripts by name, from :func:`read_transcript_table`.
        path: path of the table, for messages.
        notes: gets a line where names were changed.
        known: names of the videos; a name gets zeros if it is then in this list. By default any name gets five digits.

    Raises:
        DataError: two rows would belong to one video.
    """
    padded = {name: name.zfill(_DIGITS) if name.isascii() and name.isdigit() else name for name in table}
    if known is not None:
        padded = {name: full if full in known else name for name, full in padded.items()}
    short = [name for name, full in padded.items() if name != full]
    if not short:
        return table
    clash = next((name for name in short if padded[name] in table), None)
    if clash is not None:
        names = f"{clash} and {padded[clash]}"
        raise DataError("a video has two transcripts", where=path, found=names, do="Remove one of them")
    notes.append(f"{path}: {len(short):,} names lack leading zeros, such as {short[0]}, taken for {padded[short[0]]}")
    return {padded[name]: transcript for name, transcript in table.items()}
