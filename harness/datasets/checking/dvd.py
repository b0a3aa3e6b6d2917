"""Check of a data set in DVD's layout: its contents and its problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.datasets.checking.doubts import note_doubts
from harness.datasets.checking.report import DataReport, add_splits, unreadable
from harness.datasets.dataset import Video
from harness.datasets.dvd import LEFT_OUT, find_dvd, open_dvd
from harness.datasets.images.numbered import ImageFiles, list_images
from harness.datasets.video_files.capture import undecodable
from harness.datasets.video_files.counts import FilmCount, count_film, count_films, lost_frames, wrong_header
from harness.errors import AbawError, DataError, problem
from harness.files.labels.by_frame import read_frame_labels
from harness.system.counts import counted

_SHOWN = 5


def check_dvd(root: Path, *, cache: Path | None = None) -> DataReport:
    """Check everything in DVD's layout below ``root``; decode video files without a stored count to count their frames.

    Args:
        root: folder of the data set.
        cache: folder of all caches, where the lengths of video files are stored; ``None`` to store them in memory.

    Raises:
        DataError: ``root`` lacks the layout of DVD, or can't be opened; then the message names every unreadable label
            file.
    """
    layout = find_dvd(root)
    paths = [film for files in layout.splits.values() for film in files.films.values()]
    count_films(paths, cache)
    try:
        data = open_dvd(root, cache=cache)
    except AbawError as error:
        labels = (path for files in layout.splits.values() for path in files.labels.values())
        raise DataError("\n".join(unreadable(read_frame_labels, labels)) or str(error)) from None
    films = {path: _look_at(path, cache) for path in paths}
    problems = [note.removeprefix(LEFT_OUT) for note in data.notes if note.startswith(LEFT_OUT)]
    problems += [film.problem for film in films.values() if film.problem]
    notes = [note for note in data.notes if not note.startswith(LEFT_OUT)]
    notes += [film.note for film in films.values() if film.note]
    report = DataReport(data.name, root, problems=problems, notes=notes)
    for videos in data.splits.values():
        for video in videos:
            _note_film(report, video, films)
    add_splits(report, data, {})
    for split, videos in data.splits.items():
        _note_gaps(report, split, videos)
    note_doubts(report, [video for videos in data.splits.values() for video in videos], "picture")
    report.problems = list(dict.fromkeys(report.problems))
    return report


@dataclass(frozen=True)
class _Looked:
    """The result of reading a video file.

    Attributes:
        count: its length; ``None`` where nothing of it can be read.
        problem: the reason why it is unreadable, or unreadable from some frame on; empty if it is whole.
        note: a difference between its header and its frames; empty if they agree.
    """

    count: FilmCount | None
    problem: str = ""
    note: str = ""


def _look_at(path: Path, cache: Path | None) -> _Looked:
    try:
        count = count_film(path, cache)
        if not count.frames:
            return _Looked(None, undecodable(path))
    except DataError as error:
        return _Looked(None, str(error))
    damage = lost_frames(path, count)
    return _Looked(count, damage, "" if damage else wrong_header(path, count))


def _note_film(report: DataReport, video: Video, films: Mapping[Path, _Looked]) -> None:
    """Compare a video file with its video's length, or with the folder of frames that was made from it."""
    if video.film is None:
        return
    count = films[video.film].count
    if count is None:
        if video.image_folder is None:
            vars(video)["images"] = list_images(None, video.noun)  # where the cached property keeps them
        return
    if video.image_folder is not None:
        try:
            n = len(video.images)
        except DataError:
            return
        if n != count.frames:
            report.notes.append(
                f"{video.image_folder} holds {counted(n, 'frame')}, its film {video.film.name} {count.frames}"
            )
        return
    if count.frames < video.n_frames:
        report.problems.append(
            problem(
                "this film is shorter than its video's labels or template",
                where=video.film,
                found=counted(count.frames, "frame"),
                expected=video.n_frames,
                do="The rest counts as without a picture; see whether this is the film that was annotated",
            )
        )


def _note_gaps(report: DataReport, split: str, videos: Sequence[Video]) -> None:
    """Add a note on numbers that are missing among the image files of a split's videos."""
    texts = []
    for video in videos:
        try:
            pictures = video.images
        except DataError:
            continue
        if not isinstance(pictures, ImageFiles) or not len(pictures):
            continue
        missing = np.setdiff1d(np.arange(1, video.n_frames + 1), pictures.frames)
        if len(missing):
            texts.append(f"{video.name} lacks {len(missing)} of {video.n_frames}, the first is {missing[0]}")
    if texts:
        more = f"; and {counted(len(texts) - _SHOWN, 'more video')}" if len(texts) > _SHOWN else ""
        report.notes.append(f"VD {split}: frames without a picture: {'; '.join(texts[:_SHOWN])}{more}")
