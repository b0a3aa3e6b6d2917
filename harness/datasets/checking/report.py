"""The report on a data set: the contents of each split, and all problems instead of the first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.folders import plain_name
from harness.datasets.images.numbered import ImageFiles
from harness.datasets.images.sources import Pictures
from harness.errors import DataError, problem
from harness.system.counts import counted, some
from harness.tasks import VD, Task, valid_rows


@dataclass(frozen=True)
class SplitCounts:
    """One row of the overview.

    Attributes:
        labelled: labelled frames, or videos where a task scores videos; ``None`` for a split without labels.
        without_picture: frames without an image: a crop, or, for VD, the whole frame.
    """

    task: str
    split: str
    videos: int
    frames: int
    labelled: int | None
    without_picture: int
    with_sound: int


@dataclass
class DataReport:
    """The contents of the output of ``abaw data check``.

    Attributes:
        label_counts: by task and split: frames by class (EXPR, VD, AH), videos by class (AHV), frames with the unit
            (AU), mean and deviation (VA, EMI).
        problems: faults that would stop a run or change its score.
        notes: assumptions that were made.
    """

    name: str
    root: Path
    splits: list[SplitCounts] = field(default_factory=list)
    label_counts: dict[str, dict[str, dict[str, int | float]]] = field(default_factory=dict)
    count_meaning: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data, for ``--json``."""
        return {**asdict(self), "root": str(self.root)}


_SHOWN = 5
_OF_VIDEOS = {"classes": "labelled videos by class", "values": "of the labels of videos"}
_MEANING = {"classes": "labelled frames by class", "binaries": "frames that show the unit", "values": "of the labels"}


def add_splits(report: DataReport, data: Dataset, listed: dict[Path, Pictures], *, mute: Collection[Path] = ()) -> None:
    """Count the contents of each split of a data set, and add problems with its images to the report.

    Args:
        report: gets counts, problems and notes.
        data: the data set.
        listed: images that were listed so far, by folder. Tasks share most videos, and listing millions of files takes
            longest.
        mute: unreadable audio files, which don't count.
    """
    task = data.task
    for split, members in data.splits.items():
        videos = [_with_readable_pictures(report, video, listed) for video in members]
        if not videos:
            what = "no template: test submissions need one" if split == "test" else f"no {split} videos"
            if split in data.unclear:
                continue
            report.notes.append(f"{task.name}: {what}")
            continue
        report.splits.append(_counts(task, split, videos, mute))
        if any(video.labels is not None for video in videos):
            report.label_counts.setdefault(task.name, {})[split] = _label_counts(task, videos)
            report.count_meaning[task.name] = (_OF_VIDEOS if task.level == "video" else _MEANING)[task.kind]
        report.problems += _without_images(data, split, members, videos)
        beyond = pictures_beyond_the_end(videos)
        lengths = {video.name: video.n_frames for video in videos}
        report.notes += [
            f"{task.name} {split}: {name} has {counted(lengths[name], 'official frame')}, "
            f"but a {task.noun} numbered {last}"
            for name, last in list(beyond.items())[:_SHOWN]
        ]
        if len(beyond) > _SHOWN:
            more = (
                f"{counted(len(beyond) - _SHOWN, 'more video', 'have')} a {task.noun} numbered beyond their last frame"
            )
            report.notes.append(f"{task.name} {split}: {more}")
    both = {v.name for v in data.splits.get("train", ())} & {v.name for v in data.splits.get("test", ())}
    if both:
        report.problems.append(f"{task.name}: videos in both train and test: {sorted(both)[:5]}")


def _without_images(data: Dataset, split: str, members: Sequence[Video], videos: Sequence[Video]) -> list[str]:
    """Return problems with the videos whose images are all unreadable or missing.

    Args:
        data: the data set.
        split: the split's name.
        members: the split's videos as they are.
        videos: the same videos, without images where listing them failed.
    """
    noun, texts = data.task.noun, []
    empty = [(before, after) for before, after in zip(members, videos, strict=True) if not len(after.images)]
    broken = [before.name for before, after in empty if before.film or before.image_folder != after.image_folder]
    if broken:
        what = f"{data.task.name} {split}: {counted(len(broken), 'video', 'have')} no {noun} that can be read"
        do = "Mend what is named for each of them"
        texts.append(problem(what, found=some(broken), do=do))
    bare = [before.name for before, _ in empty if before.name not in broken]
    if not bare:
        return texts
    listed, do = some(bare), f"unpack the missing {noun}s if you have them"
    if near := elsewhere_words(data, bare):
        listed += f"; and {near}"
        do = f"if these are their {noun}s, {_way_there(data, split)}"
    elif data.strangers:
        listed += f"; and folders of images that are no video's: {some(data.strangers)}"
        do += ", or rename these folders after their videos"
    what = f"{data.task.name} {split}: {counted(len(bare), 'video', 'have')} no {noun} at all"
    if data.task.level == "frame":
        do = f"They get the training set's class frequencies; {do}"
    else:
        do = f"A stream of faces knows nothing of them; {do}"
    return [*texts, problem(what, found=listed, do=do)]


def _way_there(data: Dataset, split: str) -> str:
    """Return the step that moves image folders to the place where they are read, in words."""
    violent = data.task is VD
    videos = data.splits[split] if violent else [video for members in data.splits.values() for video in members]
    usual = (v.image_folder.parent for v in videos if v.image_folder is not None and v.image_folder.name == v.name)
    place = next(usual, None)
    if violent:
        return f"put them into {place}" if place else "rename the folder that holds them to frames"
    return f"of the same kind as the others, put them into {place or data.root / 'cropped'}"


def unreadable(read: Callable[[Path], object], paths: Iterable[Path]) -> list[str]:
    """Return a message for each unreadable label file, as opening a data set stops at the first."""
    messages = []
    for path in paths:
        try:
            read(path)
        except DataError as error:
            messages.append(str(error))
    return messages


def elsewhere_words(data: Dataset, videos: Sequence[str]) -> str:
    """Describe the folders that are named after videos without images but lie elsewhere; empty if there are none."""
    places: dict[Path, list[str]] = {}
    for name, folder in ((name, data.elsewhere[name]) for name in videos if name in data.elsewhere):
        named = folder if plain_name(folder.name) == plain_name(name) else folder.parent
        places.setdefault(named.parent, []).append(str(folder.relative_to(named.parent)))
    texts = [f"{place} ({len(folders)}, such as {folders[0]})" for place, folders in places.items()]
    return f"folders of images named after them in {', '.join(texts[:3])}" if texts else ""


def merged(messages: Sequence[str], tasks: Sequence[Task]) -> list[str]:
    """Return the messages, those that differ only in their task merged into one."""
    names = [task.name for task in tasks]
    concerned: dict[str, list[str]] = {}
    for message in messages:
        task, _, rest = message.partition(" ")
        concerned.setdefault(rest if task in names else message, []).extend([task] if task in names else [])
    return [", ".join(dict.fromkeys(named)) + f" {text}" if named else text for text, named in concerned.items()]


def has_images(video: Video) -> bool:
    """Return True where a video has images that can be listed."""
    try:
        return len(video.images) > 0
    except DataError:
        return False


def _with_readable_pictures(report: DataReport, video: Video, listed: dict[Path, Pictures]) -> Video:
    """Return the video; if its images can't be listed, report the error and return the video bare of images."""
    source = video.image_folder or video.film
    if source is None:
        return video
    if source in listed:
        vars(video)["images"] = listed[source]  # where the cached property keeps them
        return video
    known = vars(video).get("n_frames", 0)  # one that is counted by its images has no number yet
    try:
        listed[source] = video.images
        if isinstance(video.images, ImageFiles) and (text := video.images.no_files_problem()):
            report.problems.append(text)
    except DataError as error:
        report.problems.append(str(error))
        return replace(video, n_frames=known, image_folder=None, film=None)
    return video


def pictures_beyond_the_end(videos: Sequence[Video]) -> dict[str, int]:
    """Return the highest image number of each video whose images go beyond its official length."""
    return {
        video.name: int(video.images.frames[-1])
        for video in videos
        if len(video.images) and video.images.frames[-1] > video.n_frames
    }


def _counts(task: Task, split: str, videos: Sequence[Video], mute: Collection[Path]) -> SplitCounts:
    frames = sum(video.n_frames for video in videos)
    cropped = sum(int((video.images.frames <= video.n_frames).sum()) for video in videos)
    labels = [video.labels for video in videos if video.labels is not None]
    return SplitCounts(
        task.name,
        split,
        len(videos),
        frames,
        sum(int(valid_rows(values, task).sum()) for values in labels) if labels else None,
        frames - cropped,
        sum(video.audio is not None and video.audio not in mute for video in videos),
    )


def _label_counts(task: Task, videos: Sequence[Video]) -> dict[str, int | float]:
    parts = [video.labels[valid_rows(video.labels, task)] for video in videos if video.labels is not None]
    values = np.concatenate(parts)
    if task.kind == "classes":
        counts = np.bincount(values, minlength=task.n_outputs)
        by_class: dict[str, int | float] = dict(zip(task.targets, counts.tolist(), strict=True))
        share = {"violent share": round(float(values.mean()), 4)} if task is VD and len(values) else {}
        return by_class | share
    if task.kind == "binaries":
        return dict(zip(task.targets, values.sum(0).tolist(), strict=True))
    if not len(values):
        return {}
    out: dict[str, int | float] = {}
    for k, target in enumerate(task.targets):
        out[f"{target} mean"], out[f"{target} deviation"] = float(values[:, k].mean()), float(values[:, k].std())
    return out
