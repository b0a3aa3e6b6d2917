"""Checks of one official file: its bytes, its header, each row, and its rows against the required ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.files.checking.patterns import find_pattern
from harness.files.format import FRAME_NUMBER, Format
from harness.files.formats import FORMATS, detect, plain_header
from harness.files.parsing.blocks import Rows, cut, write_names
from harness.files.parsing.fields import plain_fields
from harness.files.parsing.lines import DECIMAL, read_lines
from harness.files.parsing.numbered import cut_numbered
from harness.files.report import SHOWN_PER_KIND, Report
from harness.files.spelling import NO_ROWS, is_plain, is_row_name
from harness.files.template import Template, known_names, known_test_set, test_set_counts
from harness.files.video_names import difference, known_as, under_several
from harness.system.counts import counted

_BOM = b"\xef\xbb\xbf"
_ENOUGH_ROWS = 20


@dataclass(frozen=True)
class Checked:
    """File that was read and checked.

    Attributes:
        report: problems of the file.
        rows: rows whose name could be read.
        format: format that the file was read in.
    """

    report: Report
    rows: Rows
    format: Format


def check_table(
    data: bytes,
    where: str,
    format: Format,
    template: Template | None = None,
    *,
    video: str = "",
    known: bool = True,
    counts: Mapping[str, int] | None = None,
    videos: Collection[str] = (),
) -> Checked:
    """Check a file's bytes.

    Args:
        data: the file's bytes.
        where: the file's name, for messages.
        format: official format of the file.
        template: rows that the file must have, if known.
        video: the video that the file belongs to, in formats with one file per video; else ``""``.
        known: True to compare a file for a real test set with the table of its videos, without a template.
        counts: frames of each video, if known: the check is faster for a file with these counts.
        videos: names that videos may have, such as those of labels, for use without a template.
    """
    report = Report(where, format.name)
    names = template.videos if template is not None else tuple(counts or ())
    rows = _rows_at_once(data, format, template.n_frames if template is not None else counts, video, names)
    if rows is None:
        text, _ = names_first(plain_text(data, report), format, report)
        order = column_order(text.partition("\n")[0], format)
        body, first = _check_header(text, format, report)
        rows = read_lines(body, first, format, report, video=video, names=frozenset(names))
        if order is not None:
            rows = replace(rows, values=np.ascontiguousarray(rows.values[:, order]))
        no_rows = sum(n for pair, n in report.counts.items() if pair in {("warning", code) for code in NO_ROWS})
        report.rows = body.count("\n") + bool(body and not body.endswith("\n")) - no_rows
    else:
        report.rows = len(rows)
    report.videos = len(rows.videos)
    if not report.rows:
        report.add(1, 1, "empty", "no rows")
    if not video:
        rows = _with_known_names(rows, format, names or tuple(videos), known, report)
    _check_rows(rows, format, template, known, report, alone=not video)
    _check_constant(rows, format, report)
    return Checked(report, rows, format)


def _with_known_names(rows: Rows, format: Format, videos: Collection[str], known: bool, report: Report) -> Rows:
    """Return the rows with the known names of their videos; report names in another spelling.

    Args:
        rows: the rows.
        format: official format of the file.
        videos: the known names; if empty, those of Aff-Wild2 are used if ``known``.
        known: True to use the names of Aff-Wild2, see ``videos``.
        report: takes the problems.
    """
    if not videos and known:
        videos = known_names(rows.videos, format)
    read, several = known_as(rows.videos, videos), under_several(rows.videos, videos)
    if not read and not several:
        return rows
    _, first = np.unique(rows.video, return_index=True)
    for video, names in several.items():
        at = rows.line_of(int(first[rows.videos.index(names[-1])]))
        report.add(at, 1, "several-names", f"{video} has rows under several names: {', '.join(map(repr, names))}")
    for k, name in enumerate(rows.videos):
        if name in read:
            report.add(rows.line_of(int(first[k])), 1, "name", difference(name, read[name]))
    return replace(rows, videos=tuple(read.get(name, name) for name in rows.videos))


def _rows_at_once(
    data: bytes, format: Format, counts: Mapping[str, int] | None, video: str, names: Collection[str]
) -> Rows | None:
    """Return the rows by the fast reader; ``None`` if the file has any fault or unusual spelling."""
    header = f"{format.header}\n".encode()
    if not format.header or not data.startswith(header) or len(data) == len(header):
        return None
    if format.row is FRAME_NUMBER:
        rows = cut_numbered(data, len(header), format, video)
    else:
        rows = cut(data, len(header), format, counts=counts or test_set_counts(format.task))
    if rows is None or rows.repeated():
        return None
    return rows if all(name in names or is_plain(name, format) for name in rows.videos) else None


def plain_text(data: bytes, report: Report) -> str:
    """Return a file's text with LF between lines; report unusual bytes."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        report.add(1, 1, "encoding", "the file is in UTF-16; expected plain UTF-8")
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError as error:
            report.add(1, error.start // 2 + 1, "not-text", "not a whole UTF-16 file")
            text = data.decode("utf-16", errors="replace")
        return plain_fields(text.replace("\r\n", "\n"), report)
    if data.startswith(_BOM):
        report.add(1, 1, "bom", "the file begins with a byte-order mark; expected plain UTF-8")
        data = data[len(_BOM) :]
    if b"\r\n" in data:
        report.add(*_position(data, data.index(b"\r\n")), "crlf", "lines end in CR LF; expected LF only")
        data = data.replace(b"\r\n", b"\n")
    elif b"\r" in data and b"\n" not in data:
        report.add(1, data.index(b"\r") + 1, "crlf", "lines end in CR; expected LF")
        data = data.replace(b"\r", b"\n")
    try:
        return plain_fields(data.decode(), report)
    except UnicodeDecodeError as error:
        byte_in_words = f"found byte {data[error.start]:#04x}, expected UTF-8"
        report.add(*_position(data, error.start), "not-text", f"not a text file; {byte_in_words}")
        return data.decode(errors="replace")


def _position(data: bytes, at: int) -> tuple[int, int]:
    """Return line and column of a byte, both from 1."""
    return data.count(b"\n", 0, at) + 1, at - data.rfind(b"\n", 0, at)


def _check_header(text: str, format: Format, report: Report) -> tuple[str, int]:
    """Check the first line. Return the text of the rows, and the number of the line on which they begin."""
    header, _, body = text.partition("\n")
    if not format.header:
        if header.strip() and not _is_row(header, format) and not has_values(header):
            headed = detect(header, per_video=format.per_video)
            what = f"the header of {headed.name}" if headed and headed.header else repr(header[:60])
            report.add(1, 1, "header", f"found {what}, expected a row at once, '{format.row_example}': no header here")
            return body, 2
        return text, 1
    if header == format.header:
        return body, 2
    if header in format.also:
        report.assumed.append(f"header {header!r}, as some editions had it; the newest is {format.header!r}")
        return body, 2
    if (order := column_order(header, format)) is not None:
        names = ", ".join(header.replace('"', "").split(",")[-len(order) :])
        expected = ", ".join(column.name for column in format.columns)
        report.add(1, 1, "column-order", f"the columns are in another order: {names}; expected {expected}")
        return body, 2
    if _is_row(header, format):
        report.add(1, 1, "header", f"no header, the rows begin at once; expected {format.header!r}")
        return text, 1
    other = next((f for f in FORMATS.values() if f.header and f.header == header.strip() and f is not format), None)
    if other and other.task == format.task:
        report.add(
            1,
            1,
            "header",
            f"the header of {other.name} files (edition {other.editions[0]}), expected {format.header!r}",
        )
    elif other:
        report.add(1, 1, "task", f"this is a file for {other.name}, expected {format.name}")
    elif header.replace('"', "") == format.header:
        report.add(1, 1, "quoted", f"the header is in quotes, expected {format.header!r} without")
    elif header.startswith(format.header):
        report.add(
            1, len(format.header) + 1, "header", f"something after the header: {header[len(format.header) :][:60]!r}"
        )
    else:
        column, field, expected = _first_difference(header, format.header)
        report.add(1, column, "header", f"found {field}, expected {expected}")
    return body, 2


def column_order(header: str, format: Format) -> list[int] | None:
    """Return the place of each official column in a header with the same columns in another order; else ``None``.

    Only a header with one column per value is read so: names of classes in another order could mean other class
    numbers, too.
    """
    fields = plain_header(header).split(",")
    official = plain_header(format.header).split(",")
    before = len(official) - len(format.columns)
    if before not in (0, 1) or fields == official or sorted(fields) != sorted(official) or len(format.columns) < 2:
        return None
    if fields[:before] != official[:before] or len(set(official)) < len(official):
        return None
    return [fields[before:].index(name) for name in official[before:]]


def _has_order(parts: Sequence[str], order: Sequence[int], format: Format) -> bool:
    """Tell if a row's name stands in the column that the header gives it."""
    name = parts[order[0]].strip('" \t') if len(parts) == len(order) else ""
    return format.row is not None and is_row_name(name, format)


def has_values(line: str) -> bool:
    """Tell if a line is a row and no header: it has no letters, or one field is a number or a path."""
    if not any(letter.isalpha() for letter in line):
        return True
    fields = [field.strip(' \t"') for field in line.split(",")]
    return any("/" in field or DECIMAL.fullmatch(field) for field in fields)


def names_first(text: str, format: Format, report: Report) -> tuple[str, int]:
    """Put the columns of a file in the official order if its rows begin with another field than their name.

    The change is reported. It is made only if the header has exactly the official columns.

    Returns:
        The text, and the number of changed rows.
    """
    header, _, body = text.partition("\n")
    fields, official = plain_header(header).split(","), plain_header(format.header).split(",")
    named = len(official) == len(format.columns) + 1 and len(set(official)) == len(official)
    if not named or sorted(fields) != sorted(official) or fields[0] == official[0]:
        return text, 0
    order = [fields.index(name) for name in official]
    rows = [line.split(",") for line in body.split("\n")]
    if not all(_has_order(parts, order, format) for parts in rows if parts != [""]):
        return text, 0  # the rows do not follow the header
    columns, official_columns = ", ".join(header.replace('"', "").split(",")), ", ".join(format.header.split(","))
    report.add(1, 1, "column-order", f"the columns are in another order: {columns}; expected {official_columns}")
    changed = sum(parts != [""] for parts in rows)
    lines = [format.header, *(",".join(parts[k] for k in order) if parts != [""] else "" for parts in rows)]
    return "\n".join(lines), changed


def _is_row(line: str, format: Format) -> bool:
    if format.row is not None:
        return is_row_name(line.partition(",")[0].strip('" \t'), format)
    return bool(line) and all(part.strip(" +-.0123456789eE") == "" for part in line.split(","))


def _first_difference(header: str, expected: str) -> tuple[int, str, str]:
    """Return place, field and expected field of the first difference; 1 and the whole headers if little agrees.

    The place is the 1-based number of the character in the line.
    """
    fields, official = header.split(","), expected.split(",")
    same = next(
        (k for k, pair in enumerate(zip(fields, official, strict=False)) if pair[0] != pair[1]),
        min(len(fields), len(official)),
    )
    if 2 * same < len(official) or same >= min(len(fields), len(official)):
        return 1, repr(header[:60]), repr(expected)
    return (
        len(",".join(fields[:same])) + (same > 0) + 1,
        repr(fields[same][:60]),
        f"{official[same]!r} (in {expected!r})",
    )


def _check_rows(
    rows: Rows, format: Format, template: Template | None, known: bool, report: Report, *, alone: bool
) -> None:
    """Check names and frame numbers of rows.

    Args:
        rows: the rows.
        format: official format of the file.
        template: rows that the file must have, if known.
        known: True to use the table of the real test set, without a template.
        report: takes the problems.
        alone: True if the file holds all videos, so that it shows differences that they have in common.
    """
    if template is not None:
        _check_against(template, rows, report, alone)
        return
    names = test_set_counts(format.task).keys() if known else set()
    mostly_known = 2 * len(names & set(rows.videos)) > len(rows.videos)
    test_set = known_test_set(format) if mostly_known else None  # it has half a million rows
    if test_set is not None:
        report.assumed.append(
            "no template given: names and counts were held against the table of the real test set that comes with "
            "this program; the order of the rows was not checked"
        )
        _check_against(test_set, rows, report, alone)
        return
    report.assumed.append("no template given: which rows must be there, and in what order, was not checked")
    if format.row is not None and format.row.first is not None:
        _check_numbering(rows, format.row.first, format.sparse, report)


def _check_constant(rows: Rows, format: Format, report: Report) -> None:
    """Warn about a file in which every row has the same values."""
    if len(rows) < _ENOUGH_ROWS or rows.wrong.any() or ("warning", "dummy") in report.counts or format.per_video:
        return
    values = rows.values.reshape(len(rows), -1)
    if (values == values[0]).all():
        shown = ",".join(f"{value:g}" for value in values[0].tolist())
        text = f"all {counted(len(rows), 'row', 'have')} the same values, {shown}: did the model see any image?"
        report.add(rows.line_of(0), 1, "constant", text, "warning")


def _check_numbering(rows: Rows, first: int, sparse: bool, report: Report) -> None:
    """Report frame numbers below the first one, and gaps, of a file without a template."""
    for name, places in rows.by_video():
        numbers = rows.frame[places]
        row = places.start if isinstance(places, slice) else int(places[0])
        lowest, last = int(numbers.min()), int(numbers.max())
        label = f"{name}: " if name else ""
        if lowest < first:
            at = row + int(np.argmin(numbers)) if isinstance(places, slice) else int(places[np.argmin(numbers)])
            report.add(
                rows.line_of(at), 1, "zero-based", f"{label}frame {lowest}, but frames are numbered from {first}"
            )
        elif last - first + 1 > len(numbers) and not sparse:
            message = f"{label}{last - first + 1 - len(numbers)} of frames {first} to {last} have no row"
            report.add(rows.line_of(row), 1, "gaps", message, "warning")


def _check_against(template: Template, rows: Rows, report: Report, alone: bool) -> None:
    if not len(rows):
        return
    if not rows.same_places(template):
        _explain_difference(template, rows, report, alone)
    elif not rows.wrong.any() and _is_filled_with(_dummy_values(template), rows):
        message = f"every value is the template's own, {template.dummy!r}: nothing was filled in"
        report.add(rows.line_of(0), 1, "dummy", message, "warning")


def _is_filled_with(values: Sequence[float], rows: Rows) -> bool:
    return len(values) == rows.values[0].size and bool((rows.values.reshape(len(rows), -1) == values).all())


def _dummy_values(template: Template) -> list[float]:
    """Return the values that all rows of a template share; an empty list for blanks and other texts."""
    try:
        return [float(text) for text in (template.dummy or "").rstrip(",").split(",")]
    except ValueError:
        return []


def _explain_difference(template: Template, rows: Rows, report: Report, alone: bool) -> None:
    """Report extra, missing and misplaced rows: each kind with its full count, the first few with their names."""
    place = template.places(rows)
    pattern = find_pattern(frames_by_video(rows), frames_by_video(template)) if alone else None
    if pattern is not None:
        line = rows.line_of(int(np.flatnonzero(rows.video == rows.videos.index(pattern.video))[0]))
        report.add(line, 1, "systematic", f"{pattern.message}. {pattern.way_on}")
    source = "the template" if template.ordered else template.where
    extra = np.flatnonzero(place < 0)
    for row, name in zip(extra[:SHOWN_PER_KIND].tolist(), _names(rows, extra, template.format), strict=False):
        report.add(rows.line_of(row), 1, "extra", f"{name} is not in {source}{_guess(rows, row, template)}")
    report.count("extra", len(extra) - SHOWN_PER_KIND)

    present = np.zeros(len(template), bool)
    present[place[place >= 0]] = True
    absent = ~np.isin(template.videos, rows.videos)
    sizes = np.bincount(template.video, minlength=len(template.videos))
    row_name = template.format.row
    of_clips = row_name is not None and row_name.first is None
    for k in np.flatnonzero(absent).tolist():
        frames = "" if of_clips else f"any of the {sizes[k]} frames of "
        report.add(_end(rows), 1, "missing-video", f"no row for {frames}{template.videos[k]}")
    missing = np.flatnonzero(~present & ~absent[template.video])
    for row, name in zip(missing[:SHOWN_PER_KIND].tolist(), _names(template, missing, template.format), strict=False):
        where = f", which is line {template.line_of(row)} of {template.where}" if template.ordered else ""
        report.add(_line_for(template, rows, row), 1, "missing", f"no row for {name}{where}")
    report.count("missing", len(missing) - SHOWN_PER_KIND)

    if template.ordered:
        ordered_places = place[place >= 0]
        right = np.sort(ordered_places)
        wrong = np.flatnonzero(ordered_places != right)
        misplaced = np.flatnonzero(place >= 0)[wrong]
        shown = zip(
            misplaced[:SHOWN_PER_KIND].tolist(),
            _names(rows, misplaced, template.format),
            _names(template, right[wrong], template.format),
            strict=False,
        )
        for row, name_here, name_there in shown:
            report.add(rows.line_of(row), 1, "order", f"found {name_here}, the template has {name_there} here")
        report.count("order", len(wrong) - SHOWN_PER_KIND)


def frames_by_video(rows: Rows) -> dict[str, npt.NDArray[np.int32]]:
    """Return the frame numbers of each video, increasing."""
    return {name: np.sort(rows.frame[places]) for name, places in rows.by_video()}


def _names(rows: Rows, places: npt.NDArray[np.intp], format: Format) -> list[str]:
    """Return the names of the first few of these rows."""
    few = places[:SHOWN_PER_KIND]
    return write_names(rows.videos, rows.video[few], rows.frame[few], format)


def _line_for(template: Template, rows: Rows, row: int) -> int:
    """Return the line of the file where a missing row belongs.

    The line follows the video's frames before it; else it is the video's first line, or the end of the file.
    """
    name = template.videos[template.video[row]]
    if name in rows.videos:
        rows_of_video = np.flatnonzero(rows.video == rows.videos.index(name))
        before = rows_of_video[rows.frame[rows_of_video] < template.frame[row]]
        return rows.line_of(int(before[-1])) + 1 if len(before) else rows.line_of(int(rows_of_video[0]))
    return _end(rows)


def _end(rows: Rows) -> int:
    return rows.line_of(len(rows) - 1) + 1 if len(rows) else 1


def _folded(name: str) -> str:
    return name.replace(" ", "_").replace("-", "_").casefold()


def _guess(rows: Rows, row: int, template: Template) -> str:
    """Return the likely reason for an extra row, to be added to a message."""
    name, frame = rows.videos[rows.video[row]], int(rows.frame[row])
    counts, first = template.n_frames, template.format.row.first if template.format.row else None
    if first is not None and frame < first:
        return f"; frames are numbered from {first}"
    if name in counts:
        return f"; {name or 'this video'} has {counted(counts[name] + (first == 0), 'frame')}"
    sides = [other for other in counts if _folded(other) == _folded(name)]
    sides = sides or [other for other in counts if other.startswith(name + "_") or name.startswith(other + "_")]
    return f"; did you mean {' or '.join(sides[:2])}?" if sides else "; there is no such video"
