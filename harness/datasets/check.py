"""Look at all that lies below a folder, for every task."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.datasets.affwild2 import FRAME_TASKS, SPLIT_FOLDERS, Layout, find_layout, has_affwild2, open_affwild2
from harness.datasets.audio_start import audio_problem
from harness.datasets.check_dvd import check_dvd
from harness.datasets.dataset import Video
from harness.datasets.doubts import doubts_of_sound, note_doubts, sound_seconds
from harness.datasets.dvd import has_dvd
from harness.datasets.labels import read_labels
from harness.datasets.pictures import Pictures
from harness.datasets.report import DataReport, add_splits
from harness.errors import AbawError, DataError
from harness.tasks import Task


def check_data(
    root: Path, *, crops: str | None = None, annotations: Path | None = None, cache: Path | None = None
) -> DataReport:
    """Look at everything below ``root``, in the layout of Aff-Wild2, of DVD, or of both.

    Args:
        root: folder of the data set.
        crops: which of Aff-Wild2's crops to count.
        cache: folder of all caches, where the lengths of films are kept; ``None`` for in memory.

    Raises:
        DataError: there is nothing of either.
    """
    if not has_dvd(root):
        return check_affwild2(root, crops=crops, annotations=annotations)
    violence = check_dvd(root, cache=cache)
    if not has_affwild2(root):
        return violence
    faces = check_affwild2(root, crops=crops, annotations=annotations)
    return DataReport(
        f"{faces.name} and {violence.name}" if faces.name != violence.name else faces.name,
        root,
        [*faces.splits, *violence.splits],
        faces.label_counts | violence.label_counts,
        faces.count_meaning | violence.count_meaning,
        [*faces.problems, *violence.problems],
        [*faces.notes, *violence.notes],
    )


def check_affwild2(root: Path, *, crops: str | None = None, annotations: Path | None = None) -> DataReport:
    """Look at everything below ``root``.

    Raises:
        DataError: there is nothing of Aff-Wild2 at all.
    """
    layout = find_layout(root)
    report = DataReport("", root)
    opened = 0
    listed: dict[Path, Pictures] = {}
    everybody: list[Video] = []
    for task in FRAME_TASKS:
        try:
            data = open_affwild2(root, task, crops=crops, annotations=annotations, ignore_lengths=True)
        except AbawError as error:
            report.problems += _bad_labels(layout, task) or [str(error)]
            continue
        if task.name not in layout.annotations:
            report.notes.append(f"no annotations for {task.name}")
            if not data.splits["test"]:
                continue
        opened += 1
        report.name = data.name
        lengths = [note for note in data.notes if "longer than its video" in note]
        report.problems += [note for note in lengths if note not in report.problems]
        report.notes += [note for note in data.notes if note not in lengths and note not in report.notes]
        report.problems += data.unclear.values()
        add_splits(report, data, listed)
        everybody += [video for members in data.splits.values() for video in members]
    _note_doubts(report, layout, everybody)
    held = (audio_problem(wav, layout.films[name]) for name, wav in layout.audio.items() if name in layout.films)
    report.problems += [message for message in held if message]
    report.problems = list(dict.fromkeys(report.problems))
    if not opened and report.problems:
        raise DataError("\n".join(report.problems))
    return report


def _note_doubts(report: DataReport, layout: Layout, everybody: Sequence[Video]) -> None:
    """What is odd about the videos of all tasks, each of them once."""
    videos = list({video.name: video for video in everybody}.values())
    note_doubts(report, videos, "crop")
    if sounds := sorted({video.audio for video in videos if video.audio is not None}):
        with ThreadPoolExecutor() as pool:
            seconds = dict(zip(sounds, pool.map(sound_seconds, sounds), strict=True))
        report.problems += doubts_of_sound(videos, seconds)
    if layout.other_audio:
        first = layout.other_audio[0]
        report.notes.append(
            f"{first.parent}: {len(layout.other_audio)} files are no .wav and were left out: {first.name}"
        )


def _bad_labels(layout: Layout, task: Task) -> list[str]:
    """A message for each label file that can't be read: opening stops at the first."""
    messages = []
    for path in (path for split in SPLIT_FOLDERS for path in layout.label_files(task, split)):
        try:
            read_labels(path, task)
        except DataError as error:
            messages.append(str(error))
    return messages
