"""Writer of formats with one file per video: the 3rd edition's EXPR, VA and AU, and violence detection."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SubmissionError
from harness.files.format import Format
from harness.files.one_file import format_rows
from harness.files.template import Template
from harness.system.atomic import atomic_folder, write_text

FOLDER_NAME = "predictions"
"""Name of the folder for these files in a run folder."""


def write_videos(
    folder: Path,
    format: Format,
    decisions: Mapping[str, npt.NDArray[Any]],
    *,
    template: Template | None = None,
    replace: bool = False,
) -> list[Path]:
    """Write ``<video>.txt`` or ``.csv`` for each video; after an error none is left.

    Args:
        folder: folder to create.
        format: format with one file per video.
        decisions: official values of each video, frames 1 to n.
        template: the videos and rows to write, in its order, under each file's own header; by default every video,
            every frame.
        replace: replace a folder that holds files; otherwise such a folder is an error.

    Returns:
        The files, in the order of the template or of ``decisions``.

    Raises:
        SubmissionError: the format has one file for all videos, a name is unfit for a file, a value is out of range, or
            the template has a frame without decision.
        StorageError: the folder holds files already or can't be written.
    """
    if not format.per_video:
        raise SubmissionError(f"{format.name} is written into one file")
    names = []
    with atomic_folder(folder, replace=replace) as temporary:
        for video, text in _texts(format, decisions, template):
            name = f"{video}{format.suffix}"
            if Path(name).name != name:
                raise SubmissionError("not the name of a video", found=repr(video))
            write_text(temporary / name, text)
            names.append(folder / name)
    return names


def _texts(
    format: Format, decisions: Mapping[str, npt.NDArray[Any]], template: Template | None
) -> Iterator[tuple[str, str]]:
    if template is None:
        for video, values in decisions.items():
            yield video, video_text(format, values)
        return
    for video, places in template.by_video():
        frames, predicted = template.frame[places], np.asarray(decisions.get(video, ()))
        first = (format.row.first if format.row else 1) or 0
        beyond = frames[(frames < first) | (frames - first >= len(predicted))]
        if len(beyond):
            what = f"no prediction for frame {beyond[0]} of {video}"
            raise SubmissionError(what, where=template.where, found=f"{len(predicted)} predictions")
        spelled_format = dataclasses.replace(format, header=template.headers.get(video, format.header))
        yield video, video_text(spelled_format, predicted[frames - first], frames)


def video_text(format: Format, values: npt.NDArray[Any], frames: npt.NDArray[np.int32] | None = None) -> str:
    """Return the content of one video's file.

    Args:
        format: format of the file.
        values: official values of the rows, of the format's shape.
        frames: frame numbers of the rows; by default they count from the format's first.

    Raises:
        SubmissionError: a value is not official.
    """
    rows = format_rows(format, values)
    if format.row is not None:
        first = format.row.first or 0
        numbers = range(first, first + len(rows)) if frames is None else frames.tolist()
        rows = [f"{format.row.name('', frame)},{row}" for frame, row in zip(numbers, rows, strict=True)]
    return "\n".join([format.header, *rows, ""])
