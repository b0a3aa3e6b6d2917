"""Check of a small file that is right at first sight, without NumPy, whose import takes longer than all the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness.files.format import FRAME, Format
from harness.files.formats import detect
from harness.files.report import Report
from harness.files.spelling import is_plain
from harness.files.video_names import known_as, under_several
from harness.system.regular import read_file

_LARGEST = 1 << 20  # bytes; a larger file is read faster with NumPy
_IMAGE = re.compile(r"(?!00000)[0-9]{5}\.jpg")
_WHOLE, _REAL = re.compile(r"[0-9]|[1-9][0-9]"), re.compile(r"-?[0-9](\.[0-9]+)?")


def report_at_sight(
    path: Path, template: Path, *, task: str | None = None, edition: int | None = None
) -> Report | None:
    """Return the report of :func:`harness.files.checking.submission.validate` on a file without any problem.

    Args:
        path: the file.
        template: file with the organisers' rows.
        task: short name of the task; by default recognised from the file.
        edition: number of the competition's edition, for formats that differ between editions.

    Returns:
        The report; ``None`` for a file that must be checked in full: it is large, it is no table of frames, a row
        differs from the template's or is written in an unusual way, or all values are the same.
    """
    lines, rows = _lines(path), _lines(template)
    if path.suffix.lower() == ".zip" or len(lines) < 2 or len(lines) != len(rows) or lines[0] != rows[0]:
        return None
    format = detect(lines[0], per_video=False, task=task, edition=edition)
    if format is None or format.header != lines[0] or format.row is not FRAME or format.sums_to_one:
        return None
    names = [row.partition(",")[0] for row in rows[1:]]
    texts = _behind(names, lines[1:])
    dummies = _behind(names, rows[1:])
    values = {_values(text, format) for text in texts}
    if None in values or len(values) < 2 or not (len(dummies) == 1 or all(_values(text, format) for text in dummies)):
        return None
    videos = _videos(names, format)
    if not videos:
        return None
    report = Report(str(path), format.name, rows=len(names), videos=len(videos))
    if task is None:
        report.assumed.append(format.taken_for)
    return report


def _behind(names: Sequence[str], lines: Sequence[str]) -> set[str]:
    """Return the different texts behind the names of rows and their commas; none if a row has another name."""
    pairs = list(zip(names, lines, strict=True))
    same = all(line.startswith(f"{name},") for name, line in pairs)
    return {line[len(name) + 1 :] for name, line in pairs} if same else set()


def _lines(path: Path) -> Sequence[str]:
    """Return the lines of a small file; none for any other file."""
    try:
        text = read_file(path, _LARGEST).decode()
    except (OSError, UnicodeDecodeError):
        return ()
    return () if "\0" in text or "\r" in text else text.removesuffix("\n").split("\n")


def _videos(names: Sequence[str], format: Format) -> Sequence[str]:
    """Return the videos that names of rows name; none if a name is unusual, or occurs twice."""
    parts = [name.rpartition("/") for name in names]
    if len(set(names)) < len(names) or not all(_IMAGE.fullmatch(image) for _, _, image in parts):
        return ()
    videos = list(dict.fromkeys(video for video, _, _ in parts))
    unusual = any(not video.isprintable() or '"' in video or not is_plain(video, format) for video in videos)
    if unusual or not all(videos) or known_as(videos, videos) or under_several(videos, videos):
        return ()
    return videos


def _values(text: str, format: Format) -> tuple[float, ...] | None:
    """Return the values of a row; ``None`` if one is out of range, or written in an unusual way."""
    fields = text.split(",")
    if len(fields) != len(format.columns):
        return None
    for field, column in zip(fields, format.columns, strict=True):
        form = _WHOLE if column.whole else _REAL
        if not form.fullmatch(field) or not column.low <= float(field) <= column.high:
            return None
    return tuple(map(float, fields))
