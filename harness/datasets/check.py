"""What a data set holds, for every task, and what is wrong with it: all of it, not the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.affwild2 import (
    FRAME_TASKS,
    SPLIT_FOLDERS,
    Layout,
    crops_beyond_the_end,
    find_layout,
    open_affwild2,
)
from harness.datasets.dataset import Crops, Dataset, Video
from harness.datasets.labels import read_labels, valid_rows
from harness.errors import AbawError, DataError, problem
from harness.tasks import Task


@dataclass(frozen=True)
class SplitCounts:
    """One row of the overview. ``labelled`` is ``None`` for a split without labels."""

    task: str
    split: str
    videos: int
    frames: int
    labelled: int | None
    without_crop: int
    with_sound: int


@dataclass
class DataReport:
    """What ``abaw data check`` prints.

    Attributes:
        label_counts: by task and split: frames by class (EXPR), frames with the unit (AU), mean and deviation (VA).
        problems: what would stop or spoil a run.
        notes: what was assumed.
    """

    name: str
    root: Path
    splits: list[SplitCounts] = field(default_factory=list)
    label_counts: dict[str, dict[str, dict[str, int | float]]] = field(default_factory=dict)
    count_meaning: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {**asdict(self), "root": str(self.root)}


_MEANING = {"classes": "labelled frames by class", "binaries": "frames that show the unit", "values": "of the labels"}


def check_affwild2(root: Path, *, crops: str | None = None) -> DataReport:
    """Look at everything below ``root``.

    Raises:
        DataError: there is nothing of Aff-Wild2 at all.
    """
    layout = find_layout(root)
    report = DataReport("", root)
    opened = 0
    listed: dict[Path, Crops] = {}
    for task in FRAME_TASKS:
        try:
            data = open_affwild2(root, task, crops=crops, ignore_lengths=True)
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
        _add(report, data, task, listed)
    report.problems = list(dict.fromkeys(report.problems))
    if not opened and report.problems:
        raise DataError("\n".join(report.problems))
    return report


def _bad_labels(layout: Layout, task: Task) -> list[str]:
    """A message for each label file that can't be read: opening stops at the first."""
    messages = []
    for path in (path for split in SPLIT_FOLDERS for path in layout.label_files(task, split)):
        try:
            read_labels(path, task)
        except DataError as error:
            messages.append(str(error))
    return messages


def _with_readable_crops(report: DataReport, video: Video, listed: dict[Path, Crops]) -> Video:
    """The video, without its crops if these can't be listed, which is then reported.

    Args:
        listed: crops of each folder seen so far. Tasks share most videos, and listing millions of files takes longest.
    """
    if video.crop_folder is None:
        return video
    if video.crop_folder in listed:
        vars(video)["crops"] = listed[video.crop_folder]  # where the cached property keeps them
        return video
    try:
        listed[video.crop_folder] = video.crops
    except DataError as error:
        report.problems.append(str(error))
        return replace(video, crop_folder=None)
    return video


def _add(report: DataReport, data: Dataset, task: Task, listed: dict[Path, Crops]) -> None:
    for split, members in data.splits.items():
        videos = [_with_readable_crops(report, video, listed) for video in members]
        if not videos:
            what = "no template: test submissions need one" if split == "test" else f"no {split} videos"
            report.notes.append(f"{task.name}: {what}")
            continue
        report.splits.append(_counts(task, split, videos))
        if any(video.labels is not None for video in videos):
            report.label_counts.setdefault(task.name, {})[split] = _label_counts(task, videos)
            report.count_meaning[task.name] = _MEANING[task.kind]
        bare = [video.name for video in videos if not len(video.crops)]
        if bare:
            report.problems.append(
                problem(
                    f"{task.name} {split}: {len(bare)} videos have no crop at all",
                    found=", ".join(bare[:5]) + (" …" if len(bare) > 5 else ""),
                    do="They get the training set's class frequencies; unpack the missing crops if you have them",
                )
            )
        for name, last in crops_beyond_the_end(videos).items():
            length = next(video.n_frames for video in videos if video.name == name)
            report.notes.append(f"{task.name} {split}: {name} has {length} official frames, but a crop numbered {last}")
    both = {v.name for v in data.splits.get("train", ())} & {v.name for v in data.splits.get("test", ())}
    if both:
        report.problems.append(f"{task.name}: videos in both train and test: {sorted(both)[:5]}")


def _counts(task: Task, split: str, videos: Sequence[Video]) -> SplitCounts:
    frames = sum(video.n_frames for video in videos)
    cropped = sum(int((video.crops.frames <= video.n_frames).sum()) for video in videos)
    labels = [video.labels for video in videos if video.labels is not None]
    return SplitCounts(
        task.name,
        split,
        len(videos),
        frames,
        sum(int(valid_rows(values, task).sum()) for values in labels) if labels else None,
        frames - cropped,
        sum(video.audio is not None for video in videos),
    )


def _label_counts(task: Task, videos: Sequence[Video]) -> dict[str, int | float]:
    parts = [video.labels[valid_rows(video.labels, task)] for video in videos if video.labels is not None]
    values = np.concatenate(parts)
    if task.kind == "classes":
        counts = np.bincount(values, minlength=task.n_outputs)
        return dict(zip(task.targets, counts.tolist(), strict=True))
    if task.kind == "binaries":
        return dict(zip(task.targets, values.sum(0).tolist(), strict=True))
    if not len(values):
        return {}
    out: dict[str, int | float] = {}
    for k, target in enumerate(task.targets):
        out[f"{target} mean"], out[f"{target} deviation"] = float(values[:, k].mean()), float(values[:, k].std())
    return out
