"""Rows that other tools wrote for a video, with the frames or times that the tools give them.

Tables of OpenFace, LibreFace and py-feat number frames; tables of opensmile and transcripts of Whisper (``.json``,
``.srt``, ``.vtt``, ``.tsv``) have times. The values of features are not read, only the places of rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.feature_tools import FeatureTool, tool_of
from harness.datasets.images.folders import files_below, plain_name
from harness.datasets.video_files.capture import SUFFIXES
from harness.errors import DataError
from harness.system.groups import grouped
from harness.system.regular import open_file, read_text

ENDINGS = (".csv", ".json", ".srt", ".vtt", ".tsv")
"""Endings of the files that are looked at, in small letters."""

_MOST_BYTES = 1 << 28
_MOST_FRAMES = 1 << 53  # float64 holds whole numbers up to here
_NUMBERED = FeatureTool("numbered rows", ("frame",), "frame", 1, "", "", re.compile(r".*"))
_TIMES = ("start", "end", "frameTime", "frameIndex", "name", "file")
_EXPECTED = "columns of OpenFace, LibreFace, py-feat or opensmile, or a transcript of Whisper"
_STAMP = r"(?:(?P<{0}h>\d+):)?(?P<{0}m>\d{{1,2}}):(?P<{0}s>\d{{1,2}})[.,](?P<{0}f>\d{{1,3}})"
_LINE = re.compile(_STAMP.format("a") + r"\s*-->\s*" + _STAMP.format("b"))


@dataclass(frozen=True)
class FeatureRows:
    """The rows of one file.

    Attributes:
        tool: name of the tool that wrote them.
        path: the file.
        numbers: int64 ``(n,)``, increasing 1-based numbers of the frames that have rows; ``None`` where rows have times
            alone.
        seconds: float64 ``(n,)``, time of each row as its file says; ``None`` where rows have numbers alone.
        end: seconds at which the last row ends, for rows of audio and lines of transcripts.
        dense: each frame, or all of the audio, has a row.
    """

    tool: str
    path: Path
    numbers: npt.NDArray[np.int64] | None
    seconds: npt.NDArray[np.float64] | None
    end: float
    dense: bool

    @property
    def of_audio(self) -> bool:
        """True for rows that a tool made of audio."""
        return self.numbers is None


def match_files(folder: Path, names: Sequence[str]) -> tuple[Mapping[str, list[Path]], list[Path]]:
    """Find the files of each video in a folder and below, by their names.

    Args:
        folder: the user's folder of features.
        names: names of videos; a name that holds a folder matches a file in a folder of that name, or else by its last
            part.

    Returns:
        Files by video, and files that belong to no video.

    Raises:
        DataError: the folder is missing, or lacks files of a known ending.
    """
    if not folder.is_dir():
        what = "not a folder of features" if folder.exists() else "no such folder of features"
        raise DataError(what, where=folder, do="Check the path given as --features")
    files = files_below(folder, ENDINGS)
    if not files:
        raise DataError("no features here", where=folder, expected=f"<video>{', <video>'.join(ENDINGS)}")
    by_path = {_plain_path(name): name for name in names}
    by_stem = grouped((_plain_path(name).rpartition("/")[2], name) for name in names)
    matched: dict[str, list[Path]] = {}
    strangers = []
    for path in files:
        relative = path.relative_to(folder).with_suffix("").as_posix()
        candidates = by_stem.get(plain_name(path.stem), [])
        name = by_path.get(_plain_path(relative)) or (candidates[0] if len(candidates) == 1 else None)
        if name is None:
            strangers.append(path)
        else:
            matched.setdefault(name, []).append(path)
    return matched, strangers


def _plain_path(name: str) -> str:
    path = PurePosixPath(name)
    path = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
    return "/".join([*(part.casefold() for part in path.parts[:-1]), plain_name(path.name)])


def read_rows(path: Path) -> FeatureRows:
    """Read the frames or times that the rows of a file belong to.

    Raises:
        DataError: the file is unreadable, or has another form than the files of known tools.
    """
    ending = path.suffix.lower()
    try:
        if ending == ".csv":
            return _from_table(path)
        text = read_text(path, _MOST_BYTES)
        if ending == ".json":
            return _spoken(path, _json_spans(json.loads(text)))
        return _spoken(path, _tsv_spans(text) if ending == ".tsv" else _stamped_spans(text))
    except RecursionError:
        raise _unreadable(path, "nested too deeply") from None
    except (OSError, ValueError, TypeError, LookupError, OverflowError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or error) from None


def _unreadable(path: Path, finding: object) -> DataError:
    return DataError("features that can't be placed", where=path, found=str(finding)[:200], expected=_EXPECTED)


def _from_table(path: Path) -> FeatureRows:
    import pandas as pd

    with open_file(path) as stream:
        first = stream.readline(1 << 20).decode("utf-8-sig", "replace")
        separator = ";" if first.count(";") > first.count(",") else ","
        columns = [column.strip().strip('"') for column in first.strip().split(separator)]
        tool = tool_of(columns) or (_NUMBERED if columns[0] == "frame" else None)
        usable = {tool.frame, tool.time} if tool is not None else {*_TIMES}
        stream.seek(0)
        table = pd.read_csv(
            stream, sep=separator, skipinitialspace=True, usecols=lambda name: str(name).strip() in usable
        )
    table.columns = [str(name).strip() for name in table.columns]
    if tool is not None:
        return _numbered(path, table, tool)
    if {"start", "end"} <= {*table.columns}:
        starts, ends = (pd.to_timedelta(table[name]).dt.total_seconds().to_numpy() for name in ("start", "end"))
    elif "frameTime" in table.columns:
        starts = ends = table["frameTime"].to_numpy(np.float64)
    else:
        raise ValueError(f"columns {', '.join(columns[:4])}")
    if not len(starts):
        raise ValueError("no rows")
    if not (np.isfinite(starts).all() and np.isfinite(ends).all()):
        raise ValueError("rows without a time")
    return FeatureRows("opensmile", path, None, np.asarray(starts, np.float64), float(np.max(ends)), True)


def _numbered(path: Path, table: Any, tool: FeatureTool) -> FeatureRows:
    values = table[tool.frame].to_numpy(np.float64)
    if not len(values):
        raise ValueError("no rows")
    if not ((np.abs(values) < _MOST_FRAMES) & (values == np.floor(values))).all():
        raise ValueError(f"numbers in the column {tool.frame} that are not whole")
    numbers, at = np.unique(values.astype(np.int64), return_index=True)  # several faces share a frame
    seconds = None
    if tool.time in table.columns:
        seconds = _in_seconds(table[tool.time].to_numpy(np.float64)[at], numbers)
    dense = bool(tool.detected) or tool is _NUMBERED
    return FeatureRows(tool.name, path, numbers + (1 - tool.first), seconds, 0.0, dense)


def _in_seconds(times: npt.NDArray[np.float64], numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64] | None:
    """Return times in seconds from a column in seconds or milliseconds; ``None`` for a column without times."""
    if len(times) < 2 or not np.isfinite(times).all() or times[-1] <= times[0]:
        return None
    step = float((times[-1] - times[0]) / (numbers[-1] - numbers[0]))  # 1 s per frame is slow, 1 ms is fast
    return times / 1000 if step >= 1 else times


def _json_spans(content: Any) -> list[tuple[float, float]]:
    """Return start and end of each segment, from JSON of openai-whisper or Transformers, or from a list of segments."""
    parts = content
    if isinstance(content, dict):
        parts = content["segments"] if "segments" in content else content["chunks"]
    spans = []
    for part in parts:
        start, end = part["timestamp"] if "timestamp" in part else (part["start"], part["end"])
        start = 0.0 if start is None else float(start)
        spans.append((start, start if end is None else float(end)))
    return spans


def _stamped_spans(text: str) -> list[tuple[float, float]]:
    """Return start and end of each cue of SubRip or WebVTT."""
    return [(_stamp(match, "a"), _stamp(match, "b")) for match in _LINE.finditer(text)]


def _stamp(match: re.Match[str], side: str) -> float:
    hours, minutes, seconds = (int(match[side + unit] or 0) for unit in "hms")
    return 3600 * hours + 60 * minutes + seconds + int(match[f"{side}f"]) / 1000


def _tsv_spans(text: str) -> list[tuple[float, float]]:
    """Return start and end of each line of openai-whisper's table, which has milliseconds."""
    rows = [line.split("\t") for line in text.splitlines() if line.strip()]
    if rows[0][:2] != ["start", "end"]:
        raise ValueError(f"columns {', '.join(rows[0][:4])}")
    return [(int(row[0]) / 1000, int(row[1]) / 1000) for row in rows[1:]]


def _spoken(path: Path, spans: Iterable[tuple[float, float]]) -> FeatureRows:
    listed = [*spans]
    if not listed:
        raise ValueError("no lines with times")
    seconds = np.array(listed, np.float64)
    if not np.isfinite(seconds).all():
        raise ValueError("lines whose times are no numbers")
    return FeatureRows("transcript", path, None, seconds[:, 0], float(seconds[:, 1].max()), False)
