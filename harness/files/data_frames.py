"""Predictions in a data frame, a row per frame or video, as the arrays that the public functions take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.system.counts import counted
from harness.system.groups import grouped
from harness.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

_LOCATIONS = ("image_location", "image")
_VIDEOS = ("video", "video_id", "filename", "name")
_FRAMES = ("frame", "frame_number", "frame_num")
_IMAGE = re.compile(r"(?P<video>.+)/[^/]*?(?P<frame>[0-9]+)\.[A-Za-z]+")


def is_data_frame(values: Any) -> bool:
    """Tell if an object is a pandas data frame, without an import of pandas."""
    return hasattr(values, "columns") and hasattr(values, "to_numpy")


def arrays_of(values: pd.DataFrame, task: Task, first: int = 1) -> dict[str, npt.NDArray[Any]]:
    """Return the values of each video of a data frame, in order of the frame numbers.

    Args:
        values: data frame with a column ``image_location`` (``video/00001.jpg``), or columns ``video`` and ``frame``,
            or, for a task of level ``video``, ``video`` alone; in any case and order. All other columns are values:
            those of the task's targets by name, or a single one.
        task: task of the values.
        first: number of a video's first frame.

    Raises:
        DataError: a column is missing, a frame is missing or has two rows, or a value is empty.
    """
    by_name = {str(column).strip().casefold(): column for column in values.columns}
    location = next((by_name[name] for name in _LOCATIONS if name in by_name), None)
    video = next((by_name[name] for name in _VIDEOS if name in by_name), None)
    number = next((by_name[name] for name in _FRAMES if name in by_name), None)
    of_frames = task.level == "frame"
    if location is None and (video is None or (of_frames and number is None)):
        expected = "a column 'image_location', or columns 'video' and 'frame'" if of_frames else "a column 'video'"
        present = ", ".join(map(str, values.columns)) or "no columns"
        raise DataError("the data frame lacks the columns that identify its rows", found=present, expected=expected)
    keys = {location} if location is not None else {video, number}
    table = _values_of(values, [column for column in values.columns if column not in keys], task)
    names, frames = _named(values, location, video, number if of_frames else None, of_frames)
    arrays = {}
    for name, places in grouped(zip(names, range(len(names)), strict=True)).items():
        rows = np.array(places, np.intp)
        if of_frames:
            rows = rows[np.argsort(frames[rows], kind="stable")]
            _require_all_frames(str(name), frames[rows], first)
        elif len(rows) > 1:
            raise DataError(f"video {name} has {counted(len(rows), 'row')}", expected="one row per video")
        arrays[str(name)] = table[rows]
    return arrays


def _named(
    values: pd.DataFrame, location: Any, video: Any, number: Any, of_frames: bool
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]:
    """Return the video and the frame number of each row; 0 for rows of whole videos."""
    if location is None:
        names = np.array([str(name) for name in values[video]], object)
        return names, np.zeros(len(names), np.int64) if number is None else _whole(values[number])
    if not of_frames:
        return np.array([str(name) for name in values[location]], object), np.zeros(len(values), np.int64)
    parsed = [_IMAGE.fullmatch(str(text)) for text in values[location]]
    wrong = next((k for k, match in enumerate(parsed) if match is None), None)
    if wrong is not None:
        present = repr(values[location].iloc[wrong])
        raise DataError(f"row {wrong} names no image", found=present, expected="'video/00001.jpg'")
    names = np.array([match["video"] for match in parsed if match], object)
    return names, np.array([int(match["frame"]) for match in parsed if match], np.int64)


def _whole(column: pd.Series[Any]) -> npt.NDArray[np.int64]:
    numbers = np.asarray(column, np.float64)
    if not np.array_equal(numbers, np.floor(numbers)):  # an empty one, too
        raise DataError("frame numbers that are not whole", found=str(column.name), expected="1, 2, 3, …")
    return numbers.astype(np.int64)


def _values_of(values: pd.DataFrame, columns: list[Any], task: Task) -> npt.NDArray[Any]:
    """Return the values of each row, ``(n,)`` for one column."""
    targets = {target.casefold(): target for target in task.targets}
    by_target = {targets[str(column).strip().casefold()]: column for column in columns if _is_in(column, targets)}
    if task.kind != "classes" and len(by_target) == len(targets):
        chosen = [by_target[target] for target in task.targets]
    elif task.kind == "classes" and len(columns) == 1:
        chosen = columns
    else:
        expected = "one column with the class" if task.kind == "classes" else f"columns {', '.join(task.targets)}"
        present = ", ".join(map(str, columns)) or "no column of values"
        raise DataError(f"values of {task.name}", found=present, expected=expected)
    table = values[chosen].to_numpy()
    missing = values[chosen].isna().to_numpy().any(axis=1)
    if missing.any():
        raise DataError(f"{counted(int(missing.sum()), 'row')} without a value", found=f"row {int(missing.argmax())}")
    return table[:, 0] if task.kind == "classes" else table


def _is_in(column: Any, targets: dict[str, str]) -> bool:
    return str(column).strip().casefold() in targets


def _require_all_frames(name: str, frames: npt.NDArray[np.int64], first: int) -> None:
    """Make sure that a video's frames are all there, each once.

    Raises:
        DataError: one is missing, or there twice.
    """
    wrong = np.flatnonzero(frames != np.arange(first, first + len(frames)))
    if not len(wrong):
        return
    at, expected = int(frames[wrong[0]]), first + int(wrong[0])
    what = f"frame {at} is there twice" if at < expected and wrong[0] else f"frame {expected} is missing"
    do = "Give a value for each frame of the video: what you leave out can't be told from what you forgot"
    raise DataError(f"video {name}: {what}", found=counted(len(frames), "row"), do=do)
