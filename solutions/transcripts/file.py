"""Transcripts in a table that the user brings: a CSV file with the columns ``name`` and ``text``."""

from __future__ import annotations

import csv
from pathlib import Path

from harness.errors import DataError
from harness.system.regular import read_text

_MOST = 1 << 30  # bytes
_COLUMNS = ("name", "text")


def read_transcripts(path: Path) -> dict[str, str]:
    """Return the texts by the videos' names, as they are written; other columns are left out.

    Raises:
        DataError: the file is unreadable, lacks a column or a name, or names a video twice.
    """
    try:
        content = read_text(path, _MOST)
    except (OSError, UnicodeDecodeError) as error:
        finding = getattr(error, "strerror", None) or error
        raise DataError("can't read the transcripts", where=path, found=finding, expected="UTF-8") from None
    rows = csv.DictReader(content.removeprefix("\ufeff").splitlines(keepends=True), strict=True)
    texts: dict[str, str] = {}
    csv.field_size_limit(_MOST)
    try:
        header = rows.fieldnames or []
        if any(column not in header for column in _COLUMNS):
            finding = ", ".join(map(str, header[:5])) or "an empty file"
            expected = "a header with the columns name and text"
            raise DataError("no table of transcripts", where=f"{path}:1", found=finding, expected=expected)
        for row in rows:
            name, text = row["name"], row["text"]
            where = f"{path}:{rows.line_num}"
            if not name or text is None or None in row:
                finding = "too few or too many columns" if name else "no name"
                do = 'Put quotes around texts with commas: name,"one, two"'
                raise DataError("a row that can't be read", where=where, found=finding, do=do)
            if name in texts:
                raise DataError("a video that is there twice", where=where, found=name, do="Remove one row")
            texts[name] = text
    except csv.Error as error:
        raise DataError("not readable as CSV", where=f"{path}:{rows.line_num}", found=error) from None
    return texts
