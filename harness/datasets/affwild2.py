"""Aff-Wild2 as teams have it on disk, in every edition's spelling.

What differs between editions and downloads (competition's own releases and participants' public notebooks):
annotation folders called ``Third ABAW Annotations``, ``6th_ABAW_Annotations`` or ``9th ABAW Annotations``;
``EXPR_Classification_Challenge`` up to the 5th edition, ``EXPR_Recognition_Challenge`` after; crops in ``cropped`` or
``cropped_aligned``, the latter sometimes in two nested folders; templates called ``…_test_set_sample.txt`` or
``…_test_set_example.txt``. Folder names are therefore found, not assumed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from harness.datasets.capture import SUFFIXES
from harness.datasets.dataset import Dataset, Video, base_name
from harness.datasets.identity import affwild2_name
from harness.datasets.labels import count_rows, read_labels
from harness.errors import DataError, SubmissionError, problem
from harness.submission.template import Template, read_template, task_of_header
from harness.tasks import AU, EXPR, VA, Task

FRAME_TASKS = (EXPR, VA, AU)
SPLIT_FOLDERS = {"train": "train_set", "val": "validation_set"}
_ORDINALS = {"third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10}
_SEARCH_DEPTH = 3
# organisers' training material never lies below these; they hold millions of files
_CROP_FOLDER = re.compile(r"cropped(_aligned)?(_.*)?", re.IGNORECASE)
_AUDIO_FOLDER = re.compile(r"(new_vids_)?audios?", re.IGNORECASE)
_TEMPLATE = re.compile(r".*test_set_(example|sample)\.txt", re.IGNORECASE)


@dataclass
class Layout:
    """What was found below a root.

    Attributes:
        annotations: per task, label folders with their edition, newest edition first.
        crops: folder that holds a video's crops, by video, for ``cropped`` and ``cropped_aligned`` apart.
        audio: sound file by base name.
        films: raw video file by base name, where there are any.
        templates: candidate template files.
    """

    root: Path
    annotations: dict[str, list[tuple[int, Path]]] = field(default_factory=dict)
    crops: dict[str, dict[str, Path]] = field(default_factory=dict)
    audio: dict[str, Path] = field(default_factory=dict)
    films: dict[str, Path] = field(default_factory=dict)
    templates: list[Path] = field(default_factory=list)

    def label_files(self, task: Task, split: str) -> list[Path]:
        """Label files of the newest edition, in alphabetical order."""
        for _, folder in self.annotations.get(task.name, [])[:1]:
            for child in sorted(folder.iterdir()):
                if child.is_dir() and _plain(child.name) == SPLIT_FOLDERS[split]:
                    return sorted(p for p in child.glob("*.txt") if not p.name.startswith("."))
        return []


def _plain(name: str) -> str:
    """Folder names with spaces and underscores alike, in lower case."""
    return re.sub(r"[ _-]+", "_", name.strip()).lower()


def _edition(path: Path) -> int:
    """Edition that a path names (``6th_ABAW_Annotations``, ``Third ABAW Annotations``), 0 if none."""
    for part in reversed(path.parts):
        if match := re.match(r"(\d+)(st|nd|rd|th)_abaw", _plain(part)):
            return int(match[1])
        if match := re.match(r"([a-z]+)_abaw", _plain(part)):
            return _ORDINALS.get(match[1], 0)
    return 0


def _folders(root: Path, depth: int) -> Iterator[Path]:
    for child in sorted(root.iterdir()):
        # a disk's lost+found, say, is nobody's to read, not even whether it is a folder
        if os.access(child, os.R_OK | os.X_OK) and child.is_dir() and not child.name.startswith("."):
            yield child
            # folders of videos' crops or label sets need no deeper look
            if depth > 1 and not _CROP_FOLDER.fullmatch(child.name) and not _plain(child.name).endswith("_set"):
                yield from _folders(child, depth - 1)


def find_layout(root: Path) -> Layout:
    """Find annotation folders, crops, sound and templates below ``root``.

    Raises:
        DataError: ``root`` is missing, not a folder, empty, or holds nothing of Aff-Wild2.
    """
    if not root.is_dir():
        raise DataError(
            problem(
                "no such folder" if not root.exists() else "not a folder",
                where=root,
                expected="the folder that holds cropped/ and the annotations",
                do="Check the path given as --data or ABAW_DATA",
            )
        )
    layout = Layout(root)
    try:
        _search(layout)
    except OSError as error:
        raise DataError(problem("can't be looked into", where=error.filename or root, found=error.strerror)) from None
    if not layout.annotations and not layout.templates:
        raise DataError(
            problem(
                "no Aff-Wild2 annotations here",
                where=root,
                found=", ".join(sorted(p.name for p in root.iterdir())[:8]) or "an empty folder",
                expected="a folder such as '6th_ABAW_Annotations/EXPR_Recognition_Challenge' (or, of DVD, "
                "'Training/annotations')",
                do="Give the folder above it; `abaw data synth OUT` makes a small data set to look at",
            )
        )
    return layout


def has_affwild2(root: Path) -> bool:
    """Whether something of Aff-Wild2 lies below ``root``."""
    try:
        find_layout(root)
    except DataError:
        return False
    return True


def _search(layout: Layout) -> None:
    wanted = {_plain(name): task for task in FRAME_TASKS for name in task.annotation_folders}
    for folder in [layout.root, *_folders(layout.root, _SEARCH_DEPTH)]:
        name = _plain(folder.name)
        if name in wanted and folder.parent.name != "held_out":
            task = wanted[name]
            layout.annotations.setdefault(task.name, []).append((_edition(folder), folder))
        elif _CROP_FOLDER.fullmatch(folder.name):
            kind = "cropped_aligned" if "aligned" in name else "cropped"
            layout.crops.setdefault(kind, {}).update(_video_folders(folder))
        else:
            if _AUDIO_FOLDER.fullmatch(folder.name):
                layout.audio.update({p.stem: p for p in sorted(folder.glob("*.wav"))})
            layout.films.update({p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in SUFFIXES})
        layout.templates += [p for p in sorted(folder.glob("*.txt")) if _TEMPLATE.fullmatch(p.name)]
    for found in layout.annotations.values():
        found.sort(key=lambda pair: (-pair[0], str(pair[1])))


def _video_folders(folder: Path) -> dict[str, Path]:
    """Folders of crops by video; one level of nesting (``cropped_aligned/cropped_aligned_new_50_vids``) is opened."""
    found: dict[str, Path] = {}
    for child in sorted(folder.iterdir()):
        if child.is_dir():
            found.update(_video_folders(child) if _CROP_FOLDER.fullmatch(child.name) else {child.name: child})
    return found


def open_affwild2(
    root: Path,
    task: Task,
    *,
    crops: str | None = None,
    template: Path | None = None,
    ignore_lengths: bool = False,
) -> Dataset:
    """Open a data set in Aff-Wild2's layout for one task.

    Args:
        crops: ``cropped`` or ``cropped_aligned``; by default ``cropped``, as the papers use, if it is there.
        template: template file; by default the newest one for the task below ``root``.
        ignore_lengths: take label files as they are, even where the tasks disagree on a video's length.

    Raises:
        DataError: something is missing or wrong; the message names the file and the line.
        SubmissionError: the template is not one for the task.
    """
    if task not in FRAME_TASKS:
        raise DataError(problem(f"{task.name} is not annotated in Aff-Wild2", where=root))
    layout = find_layout(root)
    notes: list[str] = []
    folders = _chosen_crops(layout, crops, notes)
    found = layout.annotations.get(task.name, [])
    if len(found) > 1:
        notes.append(f"{len(found)} annotation folders for {task.name}; took the newest, {found[0][1]}")

    def video(name: str, n_frames: int, labels: npt.NDArray[Any] | None = None) -> Video:
        return Video(name, n_frames, labels, folders.get(name), layout.audio.get(base_name(name)))

    def labelled(path: Path) -> Video:
        labels = read_labels(path, task)
        return video(path.stem, len(labels), labels)

    splits = {split: tuple(map(labelled, layout.label_files(task, split))) for split in SPLIT_FOLDERS}
    disagreements = length_disagreements(layout, task, splits)
    if disagreements and not ignore_lengths:
        more = f" (and {len(disagreements) - 1} more videos)" if len(disagreements) > 1 else ""
        raise DataError(disagreements[0] + more)
    notes += disagreements
    rows = _find_template(layout, task, template, notes)
    splits["test"] = tuple(video(name, n) for name, n in rows.n_frames.items()) if rows else ()
    both = {v.name for v in splits["train"]} & {v.name for v in splits["val"]}
    if both:
        what = "videos in both Train_Set and Validation_Set"
        raise DataError(problem(what, where=found[0][1], found=sorted(both)[:5]))
    return Dataset(affwild2_name(root, task, splits), root, task, splits, rows, tuple(notes))


def _chosen_crops(layout: Layout, wanted: str | None, notes: list[str]) -> dict[str, Path]:
    if wanted is None:
        wanted = next((kind for kind in ("cropped", "cropped_aligned") if layout.crops.get(kind)), "cropped")
    if not layout.crops.get(wanted):
        raise DataError(
            problem(
                f"no {wanted}/<video>/<NNNNN>.jpg",
                where=layout.root,
                found=", ".join(k for k, v in layout.crops.items() if v) or "no crops at all",
                do="Unpack the organisers' cropped images below this folder",
            )
        )
    if len(layout.crops) > 1:
        notes.append(f"crops: took {wanted}/ (also there: {', '.join(sorted(set(layout.crops) - {wanted}))})")
    return layout.crops[wanted]


def length_disagreements(layout: Layout, task: Task, splits: Mapping[str, Sequence[Video]]) -> list[str]:
    """One video has one length, whichever task its label file is for: a message for each video where that fails."""
    own = {path.stem: path for split in SPLIT_FOLDERS for path in layout.label_files(task, split)}
    others: dict[str, list[Path]] = {}
    for split in SPLIT_FOLDERS:
        for path in (p for other in FRAME_TASKS if other is not task for p in layout.label_files(other, split)):
            others.setdefault(path.stem, []).append(path)
    messages = []
    for video in (v for members in splits.values() for v in members):
        lengths = ((other, count_rows(other)) for other in others.get(video.name, ()))
        other, n = next((pair for pair in lengths if pair[1] != video.n_frames), (None, 0))
        if other:
            longer, shorter = (own[video.name], other) if n < video.n_frames else (other, own[video.name])
            messages.append(
                problem(
                    "this label file is longer than its video, or the other one was cut short",
                    where=f"{longer}:{min(n, video.n_frames) + 2}:1",
                    found=f"{max(n, video.n_frames)} frames here",
                    expected=f"{min(n, video.n_frames)}, as in {shorter}",
                    do="Unpack the organisers' annotations again, or go on with --ignore-lengths",
                )
            )
    return messages


def _find_template(layout: Layout, task: Task, path: Path | None, notes: list[str]) -> Template | None:
    if path is not None:
        return read_template(path, task)
    own = []
    for candidate in layout.templates:
        with candidate.open(encoding="utf-8-sig", errors="replace") as stream:
            if task_of_header(stream.readline()) is task:
                own.append(candidate)
    if not own:
        return None
    own.sort(key=lambda p: (-_template_edition(p), str(p)))
    if len(own) > 1:
        notes.append(f"{len(own)} templates for {task.name}; took {own[0]}")
    try:
        return read_template(own[0], task)
    except SubmissionError as error:
        raise DataError(str(error)) from None


def _template_edition(path: Path) -> int:
    match = re.search(r"(\d+)(st|nd|rd|th)", path.name)
    return int(match[1]) if match else _edition(path.parent)
