"""Versioned JSON documents: one reader, one writer, one rule for versions, one form of message.

A document's member ``format`` counts its versions; a document without this member is of format 1. A document of a
higher format than this version knows is refused, whatever else it holds. Members that a type does not name are ignored,
so that documents of later versions of one format load. Values are checked against the type and never converted to
another kind: the text ``"1"`` is refused as a number.

JSON is read as Python reads it, with ``NaN`` and ``Infinity``: a choice without a valid score holds them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, cast

import msgspec
from msgspec import Meta

from harness.errors import DataError, problem
from harness.system.atomic import write_text
from harness.system.regular import read_text

T = TypeVar("T")

_MOST, _LARGEST = 2**63 - 1, sys.float_info.max
Whole = Annotated[int, Meta(ge=-_MOST - 1, le=_MOST)]
"""An integer that a column of the store can hold."""
Count = Annotated[int, Meta(ge=0, le=_MOST)]
Number = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
"""A finite number."""
Moment = Annotated[datetime, Meta(tz=True)]
"""A time in ISO 8601 with its offset."""

_FAULT = re.compile(
    r"(?s)(?:Expected (?P<expected>.*?)(?:, got (?P<found>`.*?`))?|(?P<other>.*?))(?: - at `(?P<place>.*)`)?"
)

DEEPEST = 100
"""Largest number of nested levels in a document: code that shows or stores it recurses once per level."""

_LONGEST = 1000
"""Largest number of characters of a msgspec message that is parsed; a longer one quotes a text of the document."""


class _Version(msgspec.Struct):
    format: int = 1


@dataclass(frozen=True)
class Document(Generic[T]):
    """One kind of document.

    Attributes:
        kind: type of the content: a dataclass, a ``TypedDict``, a ``dict[...]``.
        what: first words of the message on an unreadable document.
        do: the user's remedy for such a document.
        format: newest format that this version reads.
        indent: spaces per level, for documents that people read; ``None`` for one line.
        as_written: return the checked content as it was written, including members that the type lacks.
    """

    kind: Any
    what: str
    do: str | None = None
    format: int = 1
    indent: int | None = 2
    as_written: bool = False

    def read(self, path: Path) -> T:
        """Return the content of a document.

        Raises:
            DataError: the file is missing, unreadable, of a newer version, or another document; the message names the
                place in the document.
        """
        try:
            plain = load_json(path, levels=DEEPEST)
            version = msgspec.convert(plain, _Version).format
            if version <= self.format:
                content: T = msgspec.convert(plain, self.kind)
                return cast(T, plain) if self.as_written else content
        except (OSError, ValueError) as error:
            raise DataError(problem(self.what, where=path, **fault(error), do=self.do)) from error
        what, expected = "written by a newer version", f"at most {self.format}"
        raise DataError(what, where=path, found=f"format {version}", expected=expected, do="Update abaw-harness")

    def find(self, path: Path) -> T | None:
        """Return the content as :meth:`read` does, but ``None`` for a missing file.

        Raises:
            DataError: the file is unreadable, of a newer version, or another document.
        """
        try:
            return self.read(path)
        except DataError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def write(self, path: Path, content: Mapping[str, Any], *, durable: bool = True) -> None:
        """Write a document atomically, in place of an earlier one.

        Args:
            path: path of the document.
            content: members of the document.
            durable: see :func:`harness.system.atomic.atomic_file`.

        Raises:
            StorageError: the file can't be written.
        """
        write_text(path, json_text(content, self.indent) + "\n", durable=durable)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the documents of this kind.

        ``docs/run.schema.json`` is written by ``RUN.write(Path("docs/run.schema.json"), RUN.schema())``.
        """
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(self.kind)}


def nested_deeper(content: Any, levels: int) -> bool:
    """Return True for plain data that are nested deeper than so many levels."""
    containers = [content]  # numbers and texts, which are nearly all of the content, are skipped
    for _ in range(levels - 1):
        inside = (outer.values() if isinstance(outer, dict) else outer for outer in containers)
        containers = [inner for values in inside for inner in values if isinstance(inner, dict | list)]
        if not containers:
            return False
    return any(containers)


def fault(error: Exception) -> dict[str, str | None]:
    """Return ``found``, with its place in the document, and ``expected``, for :func:`harness.errors.problem`.

    Args:
        error: error of an unreadable file, or of msgspec, which knows the place in the document.
    """
    text = str(error)
    parts = _FAULT.fullmatch(text) if isinstance(error, msgspec.ValidationError) and len(text) < _LONGEST else None
    if parts is None:
        return {"found": text}
    value = parts["found"] or parts["other"] or "another value"
    place = f" at {parts['place']}" if parts["place"] else ""
    expected = re.sub(r"`float` [<>]= \S+e\+308", "a finite number", parts["expected"] or "") or None
    return {"found": f"{value}{place}", "expected": expected}


def now() -> str:
    """Return the time as documents hold it: ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def in_utc(text: str) -> str:
    """Return a time in ISO 8601 as the same time in UTC, without its offset; a time without an offset is in UTC.

    Raises:
        ValueError: the text is malformed, or the time lies outside of the years of UTC.
    """
    moment = datetime.fromisoformat(text)
    try:
        return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None).isoformat()
    except OverflowError as error:
        raise ValueError(f"{text}: {error}") from None


def load_json(path: Path, most: int | None = None, levels: int | None = None) -> Any:
    """Return the content of a JSON file.

    Args:
        path: path of the file.
        most: largest size in bytes; ``None`` for any size.
        levels: largest number of nested levels; ``None`` for as many as Python can read.

    Raises:
        OSError: the file is missing, too large, a special file such as a pipe, or unreadable for this user.
        ValueError: the content is not JSON in UTF-8, or is nested too deeply.
    """
    try:
        content = json.loads(text := read_text(path, most))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    # each level opens a bracket: a long list of frames has few, and is not searched
    if levels is not None and text.count("[") + text.count("{") > levels and nested_deeper(content, levels):
        raise ValueError(f"nested too deeply: more than {levels} levels")
    return content


def json_text(content: Any, indent: int | None = None) -> str:
    """Return plain data as JSON: on one line in ASCII, or indented in any script.

    Half a surrogate pair, as in a file name with bytes outside of UTF-8, makes the whole text ASCII.
    """
    if indent is None:
        return json.dumps(content, separators=(",", ":"))
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, indent=indent)
    return text
