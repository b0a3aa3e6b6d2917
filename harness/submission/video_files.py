"""Formats with a file a video: the 3rd edition's EXPR, VA and AU, and violence detection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from harness.atomic import atomic_folder, write_text
from harness.errors import SubmissionError, problem
from harness.submission.format import Format
from harness.submission.one_file import format_rows


def write_videos(
    folder: Path, format: Format, decisions: Mapping[str, npt.NDArray[Any]], *, replace: bool = False
) -> list[Path]:
    """Write ``<video>.txt`` or ``.csv`` for each video, all or none.

    Args:
        folder: made anew; refused if it holds something, unless ``replace``.
        decisions: official values of each video, frames 1 to n.

    Returns:
        The files, in the order of ``decisions``.

    Raises:
        SubmissionError: the format has one file for all videos, a name is no file name, or a value is not official.
        StorageError: the folder is taken or can't be written.
    """
    if not format.per_video:
        raise SubmissionError(f"{format.name} is written into one file")
    names = []
    with atomic_folder(folder, replace=replace) as temporary:
        for video, values in decisions.items():
            name = f"{video}{format.suffix}"
            if Path(name).name != name:
                raise SubmissionError(problem("not the name of a video", found=repr(video)))
            write_text(temporary / name, video_text(format, values))
            names.append(folder / name)
    return names


def video_text(format: Format, values: npt.NDArray[Any]) -> str:
    """Content of one video's file.

    Raises:
        SubmissionError: a value is not official.
    """
    rows = format_rows(format, values)
    if format.row is not None:
        rows = [f"{format.row.name('', frame)},{row}" for frame, row in enumerate(rows, start=format.row.first or 0)]
    return "\n".join([format.header, *rows, ""])
