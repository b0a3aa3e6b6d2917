"""Unofficial spellings with a certain meaning: ``abaw validate`` names them, ``abaw repair`` mends them.

A spelling that every reader understands is a warning. A spelling that the organisers' reader may refuse or misread is
an error. Spellings with two meanings are left out of this list: a quoted ``"-1,0"`` may be one number or two, and a
control character may replace any text.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

from harness.files.format import CLIP_FILE, CLIP_NUMBER, FRAME, FRAME_FROM_ZERO, FRAME_NUMBER, Format
from harness.files.video_names import FILM, difference
from harness.system.names import unusable

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Spelling:
    """Spelling that differs from the official one.

    Attributes:
        severity: severity of the problem in a report.
        mended: the change by ``abaw repair`` in words, counted by line.
    """

    severity: Severity
    mended: str


SPELLINGS: dict[str, Spelling] = {
    "encoding": Spelling("error", "written as UTF-8"),
    "bom": Spelling("error", "byte-order mark removed"),
    "crlf": Spelling("error", "line ends made LF"),
    "separator": Spelling("error", "fields parted by commas"),
    "index": Spelling("error", "column with the numbers of rows removed"),
    "header": Spelling("error", "header written as it belongs"),
    "column-order": Spelling("error", "values put in the order of the columns"),
    "repeated-header": Spelling("warning", "repeated headers removed"),
    "blank": Spelling("warning", "blank lines removed"),
    "quoted": Spelling("error", "quotes removed"),
    "trailing-comma": Spelling("error", "trailing commas removed"),
    "space": Spelling("warning", "spaces removed"),
    "backslash": Spelling("warning", "backslashes in names made /"),
    "extension": Spelling("warning", "extensions in names written as they belong"),
    "padding": Spelling("warning", "numbers in names written with their zeros"),
    "frame-name": Spelling("error", "names of images written as the numbers of frames"),
    "name": Spelling("error", "names of videos written as they belong"),
    "not-whole": Spelling("error", "whole numbers written without a decimal point"),
    "boolean": Spelling("warning", "True and False written as 1 and 0"),
    "duplicate": Spelling("error", "second rows for a frame, with the same value, removed"),
}

NAME_CODES = frozenset(
    {"backslash", "extension", "padding", "frame-name", "name", "quoted", "blank", "space", "repeated-header"}
)
"""Codes of spellings of a row's name and of lines that are no rows: a template may contain none."""

NO_ROWS = frozenset({"blank", "repeated-header"})
"""Codes of lines that are no rows. They are errors in formats whose line k is frame k, as they move later frames."""

_VIDEO_FILE = re.compile(rf"{FILM}$", re.IGNORECASE)
_IMAGE = r"\.(?P<extension>jpe?g|png|webp|bmp)"
_LOOSE = {
    FRAME: re.compile(
        # OpenFace writes frame_det_00_000001.bmp; scripts write frame_00001.jpg, 00001, or repeat the video's name
        r"(?P<of>(?:.*/)?(?P<last>[^/]+))/(?P<word>(?:frame|img|image)_?|frame_det_00_|(?P=last)_)?"
        rf"(?P<frame>[0-9]{{1,9}})(?:{_IMAGE})?",
        re.IGNORECASE,
    ),
    FRAME_FROM_ZERO: re.compile(rf"(?P<of>.+\.mp4)/frame-(?P<frame>[0-9]{{1,9}}){_IMAGE}", re.IGNORECASE),
    FRAME_NUMBER: re.compile(r"(?P<frame>[0-9]{1,9})(?P<point>\.0*)?"),
    CLIP_FILE: re.compile(  # any words may be a name without an extension, unless folders are before it
        rf"(?P<of>.+(?={FILM}$)|(?:[^/]+/){{2,}}[^/.]+(?=$))(?P<extension>{FILM})?", re.IGNORECASE
    ),
    CLIP_NUMBER: re.compile(rf"(?P<above>.*/)?(?P<of>[0-9]{{1,5}})(?P<extension>\.0*|{FILM})?", re.IGNORECASE),
}
_PARTS_OF_A_FRAME = 3  # <person>/<visit>/<file>.mp4
_WHOLE_AS_REAL = re.compile(r"([+-]?[0-9]+)\.0*")
_WITH_EXPONENT = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]{1,3}")
_SHOWN = 40  # characters of a field that a message shows
_BLANKS = " \t"


@dataclass(frozen=True)
class Found:
    """Note on the spelling of a line: its kind, its column, from 1, and the message."""

    code: str
    column: int
    message: str


@dataclass(frozen=True)
class Plain:
    """Line in its plainest spelling.

    Attributes:
        text: name and values; ``None`` for a line with two meanings, or for a line between rows, such as a blank one.
        notes: notes on each change, or on the reason why ``text`` is ``None``.
    """

    text: str | None
    notes: tuple[Found, ...] = ()


def plain_name(of: str) -> str:
    """Return the name of a video, with folders before it and the extension of a video file removed."""
    base = of.rstrip("/").rpartition("/")[2].strip(_BLANKS)
    return _VIDEO_FILE.sub("", base) or of


def is_plain(of: str, format: Format) -> bool:
    """Tell if a video's name in a row is in its plainest spelling already."""
    if of and unusable(of):
        return False  # it would lead out of a folder, or can't be a file's
    if format.row is FRAME:
        return "/" not in of and not _VIDEO_FILE.search(of)
    if format.row is FRAME_FROM_ZERO:
        return of.count("/") < _PARTS_OF_A_FRAME
    if format.row is CLIP_FILE:
        return "/Videos/" not in of
    return True


def is_row_name(field: str, format: Format) -> bool:
    """Tell if a field names a row of the format, in any spelling."""
    row = format.row
    return row is not None and _LOOSE[row].fullmatch(field.replace("\\", "/")) is not None


def shown(text: str) -> str:
    """Return a field for a message, quoted, with ``…`` where it is cut."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def _whole(text: str) -> str | None:
    """Return the digits of a whole number written as a real one, as by NumPy's savetxt; ``None`` for other text."""
    if match := _WHOLE_AS_REAL.fullmatch(text):
        return match[1]
    if not _WITH_EXPONENT.fullmatch(text):
        return None
    value = float(text)
    return str(int(value)) if value.is_integer() and abs(value) < 1e9 else None


def plain_line(line: str, format: Format, names: Container[str] = ()) -> Plain:
    """Return one line in its plainest spelling.

    Args:
        line: the line, without its end.
        format: official format of the file.
        names: names of videos, such as the template's, which stay unchanged in any spelling.
    """
    if not line.isprintable():
        strange = next((k for k, c in enumerate(line) if not (c.isprintable() or c == "\t")), -1)
        if strange >= 0:
            return _strange(line, strange)
    if not line.strip(_BLANKS):
        return Plain(None, (Found("blank", 1, "blank line"),))
    if format.header and _bare(line) == _bare(format.header):
        return Plain(None, (Found("repeated-header", 1, "the header again; expected a row"),))
    notes: list[Found] = []
    text = _without_quotes(line, format, notes)
    if text is None:
        return Plain(None, tuple(notes))
    text = _without_blanks(_without_trailing_commas(text, format, notes), notes)
    if format.row is None:
        return Plain(_plain_values(text, 1, format, notes), tuple(notes))
    if "\t" in text:  # inside a name or a value
        return _strange(line, line.index("\t"))
    name, comma, values = text.partition(",")
    name = _plain_row_name(name, format, names, notes)
    return Plain(name + comma + _plain_values(values, len(name) + 2, format, notes), tuple(notes))


def _strange(line: str, at: int) -> Plain:
    name = unicodedata.name(line[at], "a control character")
    message = f"found U+{ord(line[at]):04X}, {name}; expected no character that can't be seen"
    return Plain(None, (Found("control", at + 1, message),))


def _bare(line: str) -> str:
    return "".join(line.replace('"', "").split()).rstrip(",").casefold()


def _without_quotes(line: str, format: Format, notes: list[Found]) -> str | None:
    """Return the line without quotes; ``None`` if quotes enclose a comma that may be a decimal one."""
    if '"' not in line:
        return line
    at = line.index('"') + 1
    whole = line.strip(_BLANKS)
    if format.row is not None and len(whole) > 1 and whole[0] == whole[-1] == '"' and whole.count('"') == 2:
        fields = [whole[1:-1]]
    else:
        try:
            fields = next(csv.reader([line], strict=True, skipinitialspace=True))
        except (csv.Error, StopIteration):
            fields = ['"']
        if any("," in field for field in fields):
            message = f"found {line[:60]!r}: the comma inside the quotes may part two values or be a decimal comma"
            notes.append(Found("quoted-comma", at, message))
            return None
    if any('"' in field for field in fields):
        notes.append(Found("quotes", at, f"found {line[:60]!r}, expected no quotes"))
        return None
    notes.append(Found("quoted", at, f"found {line[:60]!r}, expected no quotes"))
    return ",".join(fields)


def _without_trailing_commas(text: str, format: Format, notes: list[Found]) -> str:
    bare = text.rstrip(_BLANKS)
    stripped = bare.rstrip(",")
    if stripped == bare or not stripped or (format.row is not None and "," not in stripped):
        return text
    n = len(bare) - len(stripped)
    notes.append(Found("trailing-comma", len(stripped) + 1, f"{n} trailing commas"))
    return stripped


def _without_blanks(text: str, notes: list[Found]) -> str:
    fields = text.split(",")
    bare = [field.strip(_BLANKS) for field in fields]
    column = 1
    for field, plain in zip(fields, bare, strict=True):
        if plain and field != plain:
            notes.append(Found("space", column, f"found {shown(field)}, expected no space around it"))
        column += len(field) + 1
    return ",".join(bare)


def _plain_row_name(name: str, format: Format, names: Container[str], notes: list[Found]) -> str:
    """Return the first field in its plainest spelling; unchanged if it names no row."""
    row = format.row
    if row is None:
        return name
    parsed = row.parse(name)
    if parsed and (is_plain(parsed[0], format) or parsed[0] in names):
        return name
    text, before = name.replace("\\", "/"), len(notes)
    if row is FRAME_NUMBER and _WITH_EXPONENT.fullmatch(text):
        text = f"{_whole(text) or text}."
    match = _LOOSE[row].fullmatch(text)
    if match is None:
        return name
    parts = match.groupdict()
    of = (parts.get("of") or "").strip(_BLANKS)
    if parts.get("of") != of and "of" in parts:
        notes.append(Found("space", 1, f"found {parts['of'][:40]!r}, expected no space around it"))
    if "\\" in name:
        notes.append(Found("backslash", name.index("\\") + 1, f"found {name[:60]!r}, expected / between the parts"))
    respelled = row.name(_plain_of(of, parts, format, names, notes), int(parts.get("frame") or 0))
    if row is FRAME_NUMBER and parts["point"] is not None:
        notes.append(Found("not-whole", 1, f"found {shown(name)}, expected {int(parts['frame'])}"))
    elif row is FRAME and (parts["word"] or not parts["extension"]):
        notes.append(Found("frame-name", 1, f"found {name[:60]!r}, expected {respelled!r}"))
    elif row in (FRAME, FRAME_FROM_ZERO) and parts["extension"] != "jpg":
        notes.append(Found("extension", 1, f"found .{parts['extension']!s}, expected .jpg"))
    elif row is CLIP_FILE and (parts["extension"] or "").casefold() != ".mp4":
        notes.append(Found("name", 1, f"found {name[:80]!r}, expected {respelled!r}"))
    elif row is CLIP_FILE and parts["extension"] != ".mp4":
        notes.append(Found("extension", 1, f"found {parts['extension']}, expected .mp4"))
    digits = parts["of"] if row is CLIP_NUMBER else parts.get("frame")
    if digits and digits != (respelled if row is CLIP_NUMBER else row.name("", int(digits)).strip("/frame-.jpg")):
        notes.append(Found("padding", 1, f"found {name[:60]!r}, expected {respelled!r}"))
    if respelled != name and len(notes) == before:
        notes.append(Found("padding", 1, f"found {name[:60]!r}, expected {respelled!r}"))
    return respelled


def _plain_of(of: str, parts: dict[str, str | None], format: Format, names: Container[str], notes: list[Found]) -> str:
    row, plain, extra = format.row, of, ""
    if of in names and row is not CLIP_NUMBER:  # ``of`` lacks the folder and the extension of these
        return of
    if row is FRAME:
        plain = plain_name(of)
    elif row is FRAME_FROM_ZERO:
        plain = "/".join([part for part in of.split("/") if part][-_PARTS_OF_A_FRAME:])
    elif row is CLIP_FILE:
        below = of.rpartition("/Videos/")[2]
        plain = (f"Videos/{below}" if "/Videos/" in of else of.lstrip("/")) + ".mp4"
        of += ".mp4"
    elif row is CLIP_NUMBER:
        plain, extra = of.zfill(5), (parts["above"] or "") + (parts["extension"] or "")
        if set(extra) <= {".", "0"}:  # 3.0 for 3, as pandas writes a column with a gap
            extra = ""
    if (plain != of and row is not CLIP_NUMBER) or extra:
        whole = of if not extra else f"{parts['above'] or ''}{of}{parts['extension'] or ''}"
        notes.append(Found("name", 1, difference(whole, plain)))
    return plain


def _plain_values(text: str, column: int, format: Format, notes: list[Found]) -> str:
    fields = text.split(",")
    if len(fields) != len(format.columns):
        return text
    for k, (field, official) in enumerate(zip(fields, format.columns, strict=True)):
        if official.whole and (digits := _whole(field)) is not None:
            notes.append(Found("not-whole", column, f"found {shown(field)}, expected {official.expected}"))
            fields[k] = digits
        elif official.whole and (official.low, official.high) == (0, 1) and field.casefold() in ("true", "false"):
            notes.append(Found("boolean", column, f"found {field!r}, expected 1 or 0"))
            fields[k] = "1" if field.casefold() == "true" else "0"
        column += len(field) + 1
    return ",".join(fields)
