"""Check of all that lies below a folder, for every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.datasets.affwild2 import FRAME_TASKS, SPLIT_FOLDERS, Layout, find_layout, has_affwild2, open_affwild2
from harness.datasets.bah import has_bah
from harness.datasets.checking.audio_lengths import audio_lengths
from harness.datasets.checking.audio_start import audio_problem
from harness.datasets.checking.bah import check_bah
from harness.datasets.checking.doubts import doubts_of_sound, note_doubts
from harness.datasets.checking.dvd import check_dvd
from harness.datasets.checking.report import DataReport, add_splits, merged, unreadable
from harness.datasets.checking.vidmimic import check_vidmimic
from harness.datasets.dataset import Dataset, Video
from harness.datasets.dvd import has_dvd
from harness.datasets.images.folders import plain_name
from harness.datasets.images.sources import Pictures
from harness.datasets.vidmimic import has_vidmimic
from harness.errors import AbawError, DataError
from harness.files.labels.text import read_labels
from harness.system.counts import counted, some, verb_for


def check_data(
    root: Path, *, crops: str | None = None, annotations: Path | None = None, cache: Path | None = None
) -> DataReport:
    """Check everything below ``root``, in each layout that lies there.

    Args:
        root: folder of the data set.
        crops: the kind of Aff-Wild2's crops to count.
        annotations: see :func:`~harness.datasets.affwild2.open_affwild2`.
        cache: folder of all caches, where the lengths of video files are stored; ``None`` to store them in memory.

    Raises:
        DataError: no layout lies below ``root``.
    """
    reports = [check_vidmimic(root, cache=cache)] if has_vidmimic(root) else []
    reports += [check_bah(root, cache=cache)] if has_bah(root) else []
    reports += [check_dvd(root, cache=cache)] if has_dvd(root) else []
    if not reports or has_affwild2(root):
        reports.insert(0, check_affwild2(root, crops=crops, annotations=annotations))
    return _joined(root, reports)


def _joined(root: Path, reports: Sequence[DataReport]) -> DataReport:
    """Return the reports on a root's layouts as one."""
    joined = DataReport(" and ".join(dict.fromkeys(report.name for report in reports)), root)
    for report in reports:
        joined.splits += report.splits
        joined.label_counts |= report.label_counts
        joined.count_meaning |= report.count_meaning
        joined.problems += report.problems
        joined.notes += report.notes
    return joined


def check_affwild2(root: Path, *, crops: str | None = None, annotations: Path | None = None) -> DataReport:
    """Check everything of Aff-Wild2 below ``root``.

    Raises:
        DataError: ``root`` lacks the layout of Aff-Wild2, or no task could be opened.
    """
    layout = find_layout(root)
    report = DataReport("", root)
    opened: list[Dataset] = []
    for task in FRAME_TASKS:
        try:
            data = open_affwild2(root, task, crops=crops, annotations=annotations, ignore_lengths=True)
        except AbawError as error:
            files = (path for split in SPLIT_FOLDERS for path in layout.label_files(task, split))
            report.problems += unreadable(partial(read_labels, task=task), files) or [str(error)]
            continue
        if task.name not in layout.annotations:
            report.notes.append(f"no annotations for {task.name}")
            if not data.splits["test"]:
                continue
        opened.append(data)
    everybody = [video for data in opened for members in data.splits.values() for video in members]
    sounds = audio_lengths(everybody)
    mute = [path for path, (seconds, _) in sounds.items() if not seconds]
    listed: dict[Path, Pictures] = {}
    used = {video.image_folder.name for video in everybody if video.image_folder is not None}
    for data in opened:
        report.name = data.name
        lengths = [note for note in data.notes if "longer than its video" in note]
        report.problems += [note for note in lengths if note not in report.problems]
        report.notes += [note for note in data.notes if note not in lengths and note not in report.notes]
        report.problems += data.unclear.values()
        strangers = [name for name in data.strangers if name not in used]  # videos of another task are known
        add_splits(report, replace(data, strangers=strangers), listed, mute=mute)
    note_doubts(report, everybody, "crop")
    _note_sound(report, layout, everybody, sounds)
    films = {plain_name(name): path for name, path in layout.films.items()} | layout.films
    held = ((wav, films.get(name) or films.get(plain_name(name))) for name, wav in layout.audio.items())
    report.problems += [text for wav, film in held if film is not None and (text := audio_problem(wav, film))]
    report.problems = merged(report.problems, FRAME_TASKS)
    report.notes = merged(report.notes, FRAME_TASKS)
    if not opened and report.problems:
        raise DataError("\n".join(report.problems))
    return report


def _note_sound(
    report: DataReport, layout: Layout, videos: Sequence[Video], sounds: Mapping[Path, tuple[float, str]]
) -> None:
    """Report audio files that are unreadable, differ in length from their videos, or belong to no video."""
    report.problems += [why for _, why in sounds.values() if why]
    seconds = {path: length for path, (length, _) in sounds.items()}
    report.problems += doubts_of_sound(list({video.name: video for video in videos}.values()), seconds)
    silent = sorted({video.base for video in videos if video.audio is None})
    unclaimed = sorted(path.name for path in layout.audio.values() if path not in sounds)
    if silent and unclaimed:
        report.notes.append(
            f"{counted(len(silent), 'recording', 'have')} no audio ({some(silent)}), and "
            f"{counted(len(unclaimed), 'audio file', 'are')} no video's: {some(unclaimed)}"
        )
    if layout.other_audio:
        first, n_others = layout.other_audio[0], len(layout.other_audio)
        report.notes.append(
            f"{first.parent}: {counted(n_others, 'file', 'are')} no .wav or .flac and "
            f"{verb_for(n_others, 'were')} left out: {first.name}"
        )
