"""Files behind a run, read once and cached until they change. Any of them may be missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy.typing as npt
import streamlit as st

from harness.datasets.transcripts import Transcript
from harness.errors import AbawError
from harness.records.run import RunRecord
from harness.records.scores import SCORES_FILE
from harness.settings import load_settings
from harness.tasks import TASKS
from leaderboard.data import frames
from leaderboard.data.files import RunFile, run_files
from leaderboard.data.frames import Answer, Split
from leaderboard.data.reach import data_root, labels_of
from leaderboard.data.timeline import Timeline

FRESH_FOR = 600.0  # seconds until labels and images are read again
T = TypeVar("T")


@dataclass(frozen=True)
class Shown:
    """Timeline of a video, with the parts that could be read.

    Attributes:
        timeline: labels and answers; ``None`` if no frame of the video is known.
        split: videos of the data set; ``None`` if they are unreadable.
        missing: messages about the parts that could not be read.
        words: transcript of the video; ``None`` if unknown.
    """

    timeline: Timeline | None
    split: Split | None
    missing: Sequence[str]
    words: Transcript | None = None


def video_shown(runs: Mapping[str, tuple[RunRecord, Path]], video: str) -> Shown:
    """Return the timeline of a video, with the answers of one or several runs on the same data.

    Args:
        runs: record and folder of each run, by its name in the legend.
        video: name of the video.
    """
    missing: list[str] = []
    tracks = []
    for name, (record, folder) in runs.items():
        scores = _or_missing(missing, lambda r=record, f=folder: video_scores(r, f, video))  # type: ignore[misc]
        decisions = _or_missing(missing, lambda r=record, f=folder: decisions_of(r, f))  # type: ignore[misc]
        tracks.append((name, scores, (decisions or {}).get(video)))
    record, folder = next(iter(runs.values()))
    split = _or_missing(missing, lambda: split_of(record, folder))
    words = _or_missing(missing, lambda: split.transcript(video)) if split is not None else None
    timeline = frames.read_timeline(TASKS[record.task], video, tracks, split, words)
    return Shown(timeline, split, missing, words)


def split_of(record: RunRecord, folder: Path) -> Split:
    """Return labels and images of a run's split.

    Raises:
        AbawError: the data set is unreadable, or another person made the run and the user named no data set.
    """
    return _split(split_key(record, folder), record)


def split_key(record: RunRecord, folder: Path) -> tuple[str, ...]:
    """Return the cache's key for the labels and images of a run's split.

    Raises:
        AbawError: see :func:`split_of`.
    """
    root = data_root(record, folder, load_settings().data)
    data = (str(record.data.get(key)) for key in ("name", "fingerprint"))
    labels = labels_of(record, folder)
    return record.task, record.split, str(record.options.get("crops")), str(root), str(labels or ""), *data


def decisions_of(record: RunRecord, folder: Path) -> Answer:
    """Return the official values in a run's official file, by video.

    Raises:
        AbawError: the file is missing or unreadable.
    """
    return _decisions(str(folder), signature(folder, record.files), record)


def video_scores(record: RunRecord, folder: Path, video: str) -> npt.NDArray[Any] | None:
    """Return a run's scores of a video; ``None`` for a run without scores, such as an imported official file.

    Raises:
        AbawError: the scores are unreadable.
    """
    if SCORES_FILE not in record.files:
        return None
    return _scores(str(folder), signature(folder, [SCORES_FILE]), video, record)


def files_of(record: RunRecord, folder: Path) -> list[RunFile]:
    """Return the run's files, compared with its record."""
    return _files(str(folder), signature(folder, record.files), record)


def _or_missing(missing: list[str], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except AbawError as error:
        if str(error) not in missing:
            missing.append(str(error))
        return None


def signature(folder: Path, names: Sequence[str] | Mapping[str, Any]) -> tuple[tuple[str, int, int], ...]:
    """Return names, times and sizes of the files, which change whenever a file does; a missing file has size -1."""
    files = []
    for name in names:
        try:
            stat = (folder / name).stat()
            files.append((name, stat.st_mtime_ns, stat.st_size))
        except (OSError, ValueError):
            files.append((name, 0, -1))
    return tuple(files)


# cached arrays are shared, because nobody writes to them; arguments that begin with _ are no part of the key. Runs that
# saw the same labels share them
@st.cache_resource(max_entries=4, ttl=FRESH_FOR, show_spinner="Reading the labels …")
def _split(key: tuple[str, ...], _record: RunRecord) -> Split:
    return frames.read_split(_record, Path(key[3]), load_settings().cache, Path(key[4]) if key[4] else None)


@st.cache_resource(max_entries=4, show_spinner="Reading the official file …")
def _decisions(folder: str, signature: tuple[Any, ...], _record: RunRecord) -> Answer:
    return frames.read_decisions(_record, Path(folder))


@st.cache_resource(max_entries=16, show_spinner=False)
def _scores(folder: str, signature: tuple[Any, ...], video: str, _record: RunRecord) -> npt.NDArray[Any] | None:
    return frames.video_scores(_record, Path(folder), video)


@st.cache_resource(max_entries=64, show_spinner=False)
def _files(folder: str, signature: tuple[Any, ...], _record: RunRecord) -> list[RunFile]:
    return run_files(_record, Path(folder))
