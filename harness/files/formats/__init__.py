"""All official formats, one module per family, and the recognition of a file's format."""

from __future__ import annotations

import re

from harness.errors import SubmissionError, UnknownNameError
from harness.files.format import Format
from harness.files.formats.ah import AH_FRAMES, AH_LABELS, AH_TRIALS
from harness.files.formats.emi import EMI
from harness.files.formats.frames import AU, CE, EXPR, MTL, VA
from harness.files.formats.videos import AU_VIDEOS, EXPR_VIDEOS, VA_VIDEOS, VD
from harness.files.spelling import is_row_name

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        EXPR, VA, AU, CE, MTL, EXPR_VIDEOS, VA_VIDEOS, AU_VIDEOS, VD, EMI, AH_FRAMES, AH_LABELS, AH_TRIALS,
    )
}  # fmt: skip

_OF_TASKS = {"AH": AH_FRAMES, "AHV": AH_LABELS}
"""First format of each task that has no format of its own name."""

_NO_LETTERS = re.compile(r"[\W_]+")
_ZERO_OF_A_UNIT = re.compile(r"^au0+(?=[0-9])")


def format_named(name: str) -> Format:
    """Return the format with this name, or the first format of the task with this name, in any case.

    Raises:
        UnknownNameError: the name is unknown.
    """
    for key, format in (FORMATS | _OF_TASKS).items():
        if key.casefold() == name.casefold():
            return format
    raise UnknownNameError("format", name, FORMATS | _OF_TASKS)


def format_of_values(name: str, width: int) -> Format:
    """Return the format with this name, or the format of the task with this name that has ``width`` values per row.

    Args:
        name: name of a format or task, in any case.
        width: values per row; for a task without such a format, its first one is returned.

    Raises:
        UnknownNameError: the name is unknown.
    """
    format = format_named(name)
    if name.upper() not in _OF_TASKS:
        return format
    return next((f for f in FORMATS.values() if f.task == name.upper() and len(f.columns) == width), format)


def is_of_task(format: Format, task: str | None) -> bool:
    """Tell if a format may be meant by a task's short name; ``None`` stands for any task.

    The organisers call both AH and AHV by one name, so AH may mean either: names of rows tell frames from videos.
    """
    return task in (None, format.task) or (task == "AH" and format.task == "AHV")


def plain_header(line: str) -> str:
    """Return a header in small letters and digits, for comparison.

    A byte-order mark, NumPy's ``#``, quotes, blanks, ``_``, trailing commas, and the zero of ``AU01`` are removed.
    """
    fields = line.strip().lstrip("\ufeff# ").replace('"', "").rstrip(",").casefold().split(",")
    return ",".join(_ZERO_OF_A_UNIT.sub("au", _NO_LETTERS.sub("", field)) for field in fields)


def detect(first_line: str, *, per_video: bool, task: str | None = None, edition: int | None = None) -> Format | None:
    """Return the format of a file by its first line, or ``None``.

    Args:
        first_line: the file's first line.
        per_video: True if the file is one of several, each named after a video.
        task: short name of the task, if known.
        edition: number of the competition's edition, if known.
    """
    candidates = [
        f
        for f in FORMATS.values()
        if f.per_video == per_video and is_of_task(f, task) and (edition is None or edition in f.editions)
    ]
    header = plain_header(first_line)
    for format in candidates:
        if header in map(plain_header, (format.header, *format.also)) and header:
            return format
    for format in candidates:
        if format.header and sorted(header.split(",")) == sorted(plain_header(format.header).split(",")):
            return format  # its columns in another order
    fields = first_line.strip().rstrip(",").split(",")
    name = fields[0].strip('" ')
    rowed = [f for f in candidates if f.row and f.row.parse(name)] or [f for f in candidates if is_row_name(name, f)]
    return next((f for f in rowed if len(fields) - 1 == len(f.columns)), rowed[0] if len(rowed) == 1 else None)


def no_format(where: str, first_line: str, task: str | None = None) -> SubmissionError:
    """Return the error for a file in an unknown format.

    Args:
        where: the file, for the message.
        first_line: the file's first line.
        task: short name of the task, if the user named it.
    """
    candidates = [f for f in FORMATS.values() if is_of_task(f, task)]
    known = "\n  ".join(f"{f.name}: {f.header or f.row_example}" for f in candidates)
    return SubmissionError(
        "can't tell what this file is meant to be",
        where=f"{where}:1:1",
        found=repr(first_line[:80]),
        do=("Name it with --task." if task is None else f"For {task} a file begins otherwise.")
        + f" First lines that are known:\n  {known}",
    )
