"""What a data set in DVD's layout holds, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.datasets.crops import Crops
from harness.datasets.dataset import Video
from harness.datasets.doubts import note_doubts
from harness.datasets.dvd import LEFT_OUT, DvdLayout, find_dvd, open_dvd
from harness.datasets.film import Film, count_packets, open_film
from harness.datasets.frame_labels import read_frame_labels
from harness.datasets.pictures import UnreadablePictures
from harness.datasets.report import DataReport, add_splits
from harness.errors import AbawError, DataError, problem
from harness.progress import progress

_SHOWN = 5


def check_dvd(root: Path) -> DataReport:
    """Look at everything in DVD's layout below ``root``. Films are read, to count their frames, and hardly decoded.

    Raises:
        DataError: there is nothing of DVD at all, or it can't be opened; then every label file that can't be read is
            named.
    """
    layout = find_dvd(root)
    try:
        data = open_dvd(root)
    except AbawError as error:
        raise DataError("\n".join(_bad_labels(layout)) or str(error)) from None
    films = _look_at_films([film for files in layout.splits.values() for film in files.films.values()])
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


def _bad_labels(layout: DvdLayout) -> list[str]:
    """A message for each label file that can't be read: opening stops at the first."""
    messages = []
    for path in (path for files in layout.splits.values() for path in files.labels.values()):
        try:
            read_frame_labels(path)
        except DataError as error:
            messages.append(str(error))
    return messages


@dataclass(frozen=True)
class _Looked:
    """A film.

    Attributes:
        film: as its header has it; ``None`` where it can't be opened.
        frames: that are in the file.
        problem: why it can't be read.
        note: what is odd about it.
    """

    film: Film | None
    frames: int
    problem: str = ""
    note: str = ""


def _look_at_films(paths: Sequence[Path]) -> dict[Path, _Looked]:
    if not paths:
        return {}
    with (
        progress(f"counting frames of {len(paths)} films", len(paths), "films") as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        found = {}
        for path, looked in zip(paths, pool.map(_look_at, paths), strict=True):
            found[path] = looked
            advance(1)
        return found


def _look_at(path: Path) -> _Looked:
    try:
        film = open_film(path)
        frames = count_packets(path)
        with film.reader() as reader:
            reader.read([0])
    except DataError as error:
        return _Looked(None, 0, str(error))
    except UnreadablePictures as error:
        return _Looked(film, frames, error.messages[0])
    if frames != len(film):
        found, expected = f"{frames} frames", f"{len(film)}, as its header says"
        note = problem("damaged, cut short, or an odd header", where=path, found=found, expected=expected)
        return _Looked(film, frames, note=note)
    return _Looked(film, frames)


def _note_film(report: DataReport, video: Video, films: Mapping[Path, _Looked]) -> None:
    """Hold a film against its video's length, or against the folder of frames that was made from it."""
    if video.film is None:
        return
    looked = films[video.film]
    if looked.film is None:
        return
    if video.crop_folder is not None:
        try:
            n = len(video.crops)
        except DataError:
            return
        if n != looked.frames:
            report.notes.append(f"{video.crop_folder} holds {n} frames, its film {video.film.name} {looked.frames}")
        return
    if looked.frames < len(looked.film):
        kept = replace(looked.film, frames=looked.film.frames[: looked.frames])
        vars(video)["crops"] = kept  # where the cached property keeps them
    if looked.frames < video.n_frames:
        report.problems.append(
            problem(
                "this film is shorter than its video's labels or template",
                where=video.film,
                found=f"{looked.frames} frames",
                expected=video.n_frames,
                do="The rest counts as without a picture; see whether this is the film that was annotated",
            )
        )


def _note_gaps(report: DataReport, split: str, videos: Sequence[Video]) -> None:
    """Missing numbers among those of a folder's files."""
    texts = []
    for video in videos:
        try:
            pictures = video.crops
        except DataError:
            continue
        if not isinstance(pictures, Crops) or not len(pictures):
            continue
        missing = np.setdiff1d(np.arange(1, video.n_frames + 1), pictures.frames)
        if len(missing):
            texts.append(f"{video.name} lacks {len(missing)} of {video.n_frames}, the first is {missing[0]}")
    if texts:
        more = f"; and {len(texts) - _SHOWN} more videos" if len(texts) > _SHOWN else ""
        report.notes.append(f"VD {split}: frames without a picture: {'; '.join(texts[:_SHOWN])}{more}")
