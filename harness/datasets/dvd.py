"""DVD, the violence data set: ``Training|Validation|Test/{videos,annotations,frames}``.

The layout is the one that public code of participants reads (kdtsypliakova/ABAW-10-Violence-Detection, cells 7 to 11 of
its notebook): each split has a folder, annotation files are ``<video>.csv`` with frames numbered from 1, and images are
``frames/<video>/<number>.jpg``. Test videos have no annotations; the files in ``Expected_Output_Files`` list the rows
of a submission.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video, check_disjoint, contents_of, count_frames, looking_into
from harness.datasets.identity import dvd_name
from harness.datasets.images.folders import match_folders, subfolders, with_images
from harness.datasets.video_files.capture import SUFFIXES, undecodable
from harness.datasets.video_files.images import Film
from harness.errors import DataError, SubmissionError
from harness.files.formats import FORMATS
from harness.files.labels.by_frame import read_frame_labels
from harness.files.template import Template
from harness.files.video_names import known_as
from harness.files.video_templates import joined, read_video_templates
from harness.system.counts import counted, some, verb_for
from harness.system.groups import grouped
from harness.tasks import VD

SPLIT_FOLDERS = {"train": "Training", "val": "Validation", "test": "Test"}
_ALSO = {"train": "train", "validation": "val", "training": "train", "val": "val", "valid": "val", "test": "test"}
LEFT_OUT = "left out: "
"""Beginning of the note on a video without labels whose images are unreadable."""

_PARTS = {
    "videos": ("videos", "video", "films"),
    "annotations": ("annotations", "annotation", "labels"),
    "frames": ("frames", "frame", "images"),
}
_BATCHES = 3  # levels of folders between frames/ and a video's
_TEMPLATES = re.compile(r"expected[ _-]*output[ _-]*files(\.zip)?", re.IGNORECASE)


@dataclass
class SplitFiles:
    """Files in a split's folder, by video.

    Attributes:
        labels: annotation files.
        frames: folders of images that are not empty.
        elsewhere: folders of images outside of the folder of frames.
        unknown: files in the folder of videos whose ending is not that of a video file.
        cache: folder of all caches, where the lengths of video files are stored.
    """

    folder: Path
    labels: dict[str, Path] = field(default_factory=dict)
    frames: dict[str, Path] = field(default_factory=dict)
    films: dict[str, Path] = field(default_factory=dict)
    """Video files, such as mp4."""
    elsewhere: list[Path] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)
    cache: Path | None = None

    @property
    def names(self) -> list[str]:
        """Videos with at least one file, in alphabetical order."""
        return sorted({*self.labels, *self.frames, *self.films})

    def video(self, name: str, n_frames: int, labels: npt.NDArray[Any] | None = None) -> Video:
        """Return a video with the source of its images: its folder of frames, or else its video file."""
        films, frames = self.films.get(name), self.frames.get(name)
        return Video(name, n_frames, labels, frames, film=films, noun=VD.noun, cache=self.cache)


@dataclass(frozen=True)
class DvdLayout:
    """Splits and templates below the root of a data set.

    Attributes:
        templates: folders or zips of ``Expected_Output_Files``, the one nearest to the root first.
    """

    root: Path
    splits: Mapping[str, SplitFiles]
    templates: tuple[Path, ...]


def find_dvd(root: Path, cache: Path | None = None) -> DvdLayout:
    """Find splits and templates in ``root`` or in one of its folders.

    Args:
        root: folder of the data set.
        cache: folder of all caches, where the lengths of video files are stored; ``None`` to store them in memory.

    Raises:
        DataError: ``root`` is missing, is a file, or lacks the layout of DVD; a split has two folders, or a video has
            two video files.
    """
    with looking_into(root, "the folder that holds Training/ and Validation/"):
        children = subfolders(root)
        homes = [home for home in (root, *children) if _split_folders(home)]
        split_folders = _one_each(homes[0] if homes else root)
        near = [root, *children, *(folder for home in homes for _, folder in _split_folders(home))]
        paths = (path for folder in (*near, *split_folders.values()) for path in sorted(folder.iterdir()))
        templates = [path for path in paths if _TEMPLATES.fullmatch(path.name)]
        splits = {split: _files(folder, cache) for split, folder in split_folders.items()}
        if not splits and not templates:
            raise DataError(
                "no violence data here",
                where=root,
                found=contents_of(root),
                expected="Training/annotations/<video>.csv, Training/frames/<video>/00001.jpg or "
                "Training/videos/<video>.mp4, and so for Validation and Test",
                do="Give the folder above these; `abaw data synth OUT --layout dvd` makes a small data set to look at",
            )
    return DvdLayout(root, splits, tuple(dict.fromkeys(templates)))


def has_dvd(root: Path) -> bool:
    """Return True where DVD's layout lies in ``root`` or in one of its folders.

    Raises:
        DataError: a split has two folders for one part of it.
    """
    try:
        return root.is_dir() and any(_split_folders(home) for home in (root, *subfolders(root)))
    except OSError:  # open_dvd reports it
        return False


def _split_folders(home: Path) -> list[tuple[str, Path]]:
    """Return the folders that have a split's name and hold videos, annotations or frames, each after its split."""
    named = ((_ALSO.get(p.name.casefold()), p) for p in subfolders(home))
    return [(split, p) for split, p in named if split and any(_part(p, part) for part in _PARTS)]


def _part(folder: Path, part: str) -> Path | None:
    """Return the folder of a split's videos, annotations or frames in any spelling; ``None`` if it is missing.

    Raises:
        DataError: there are two such folders.
    """
    candidates = [child for child in subfolders(folder) if child.name.casefold() in _PARTS[part]]
    exact = [child for child in candidates if child.name == part]
    if len(candidates) > 1 and not exact:
        names = " and ".join(child.name for child in candidates)
        raise DataError(f"two folders of {part}", where=folder, found=names, do="Keep one of them")
    return next(iter(exact or candidates), None)


def _one_each(home: Path) -> dict[str, Path]:
    folder_of: dict[str, Path] = {}
    for split, folder in _split_folders(home):
        if split in folder_of:
            what, pair = f"two folders for {split}", f"{folder_of[split].name} and {folder.name}"
            raise DataError(what, where=home, found=pair, do="Keep one of them")
        folder_of[split] = folder
    for folder in subfolders(home) if folder_of else ():  # named like a split: its contents get a note
        split = _ALSO.get(folder.name.casefold(), "")
        if split and split not in folder_of and any(not _TEMPLATES.fullmatch(p.name) for p in _visible(folder)):
            folder_of[split] = folder
    return {split: folder_of[split] for split in SPLIT_FOLDERS if split in folder_of}


def _files(folder: Path, cache: Path | None) -> SplitFiles:
    files = SplitFiles(folder, cache=cache)
    for path in _visible(_part(folder, "annotations")):
        if path.suffix.lower() == ".csv":
            files.labels[path.stem] = path
    frames = _part(folder, "frames")
    for path in with_images(frames, _BATCHES) if frames is not None else ():
        if next(path.iterdir(), None) is None:
            continue
        if path.name in files.frames:
            pair = f"{files.frames[path.name]} and {path}"
            raise DataError("two folders of frames for one video", where=frames, found=pair, do="Keep one")
        files.frames[path.name] = path
    parts = [_part(folder, part) for part in _PARTS]
    for child in (child for child in subfolders(folder) if child not in parts):
        files.elsewhere += [path for path in with_images(child, _BATCHES) if next(path.iterdir(), None) is not None]
    for path in _visible(_part(folder, "videos")):
        if path.suffix.lower() in SUFFIXES:
            if path.stem in files.films:
                pair = f"{files.films[path.stem].name} and {path.name}"
                raise DataError("two films for one video", where=path.parent, found=pair, do="Keep one")
            files.films[path.stem] = path
        elif path.is_file():
            files.unknown.append(path)
    return files


def _visible(folder: Path | None) -> Iterator[Path]:
    if folder is None or not folder.is_dir():
        return iter(())
    return (p for p in sorted(folder.iterdir()) if not p.name.startswith("."))


def open_dvd(root: Path, *, template: Path | None = None, cache: Path | None = None) -> Dataset:
    """Open a data set in DVD's layout for violence detection.

    The length of a video is its highest annotated frame number; of a test video, the length in its template, else the
    number of its last image. Images of a video file are the frames that its decoder returns, whatever its header says.

    Args:
        root: folder of the data set.
        template: folder or zip of a ``<video>.csv`` for each test video; by default ``Expected_Output_Files``.
        cache: folder of all caches, where the lengths of video files are stored; ``None`` to store them in memory.

    Raises:
        DataError: something is missing or wrong; the message names the file and the line.
        SubmissionError: ``template`` has another form than the expected output files.
    """
    layout = find_dvd(root, cache)
    notes: list[str] = []
    splits: dict[str, tuple[Video, ...]] = dict.fromkeys(SPLIT_FOLDERS, ())
    for split, files in layout.splits.items():
        splits[split] = tuple(_videos(files, notes))
        if files.unknown:
            names = some([path.name for path in files.unknown])
            notes.append(
                f"{files.folder.name}: {counted(len(files.unknown), 'file')} in videos/ "
                f"{'is no film by its name' if len(files.unknown) == 1 else 'are no films by their name'}: {names}"
            )
        if files.elsewhere:
            parents = ", ".join(dict.fromkeys(str(path.parent) for path in files.elsewhere))
            count = len(files.elsewhere)
            notes.append(
                f"{files.folder.name}: {counted(count, 'folder')} of images outside of frames/ "
                f"{verb_for(count, 'are')} left out: {parents}"
            )
        elif not files.names:
            there = ", ".join(path.name for path in [*_visible(files.folder)][:5])
            notes.append(
                f"{files.folder.name}: holds nothing that is known as videos/, annotations/ or frames/: {there}"
            )
    rows = _template(layout, template, notes)
    if rows is not None:
        splits["test"] = tuple(_in_order_of(rows, layout.splits.get("test"), splits["test"], notes))
    elif splits["test"]:
        notes.append("no Expected_Output_Files: a test video is taken to end with its last picture")
    check_disjoint(root, splits, SPLIT_FOLDERS)
    filmed = sum(
        video.image_folder is None and video.film is not None for videos in splits.values() for video in videos
    )
    if filmed:
        notes.append(f"{counted(filmed, 'video', 'have')} no folder of frames; their pictures come out of their films")
    elsewhere: dict[str, Path] = {}
    for split, files in layout.splits.items():
        bare = {video.name for video in splits[split] if video.image_folder is None and video.film is None}
        elsewhere |= match_folders(grouped((path.name, path) for path in files.elsewhere), bare).folders
    return Dataset(dvd_name(root, splits), root, VD, splits, rows, tuple(notes), elsewhere=elsewhere)


def open_dvd_split(root: Path, split: str, cache: Path | None = None) -> Sequence[Video]:
    """Return the videos of one split with labels and images; annotations of other splits stay closed.

    Args:
        root: folder of the data set.
        split: train, val or test.
        cache: see :func:`open_dvd`.

    Returns:
        The annotated videos. In a split without annotations, all videos, of 0 frames, as templates stay closed.

    Raises:
        DataError: the layout is missing, or an annotation file can't be read.
    """
    files = find_dvd(root, cache).splits.get(split)
    if files is None:
        return []
    if not files.labels:
        return [files.video(name, 0) for name in files.names]
    labels = {name: read_frame_labels(path) for name, path in files.labels.items()}
    return [files.video(name, len(values), values) for name, values in labels.items()]


def _videos(files: SplitFiles, notes: list[str]) -> Iterator[Video]:
    """Yield the annotated videos of a split; in a split without annotations, all videos that have images."""
    pictured = {*files.frames, *files.films}
    if files.labels:
        others = known_as(set(files.labels) - pictured, pictured - set(files.labels))
        if others:
            pairs = [f"{files.labels[name].name} for {video}" for name, video in sorted(others.items())]
            _note_spelled(notes, files, "annotation", pairs)
            files.labels = {others.get(name, name): path for name, path in files.labels.items()}
        for name, path in files.labels.items():
            labels = read_frame_labels(path)
            yield files.video(name, len(labels), labels)
        _note_left_out(notes, files, "annotations", set(files.names) - set(files.labels))
        return
    videos = [files.video(name, 0) for name in files.names]
    count_frames(videos)
    for video in videos:
        try:
            pictures = video.images
        except DataError as error:  # runs may not need this video, so this is a note for `abaw data check`
            notes.append(f"{LEFT_OUT}{error}")
            continue
        if isinstance(pictures, Film) and not pictures.count.frames:
            notes.append(f"{LEFT_OUT}{undecodable(pictures.path)}")
        elif len(pictures):
            yield files.video(video.name, int(pictures.frames[-1]))


def _in_order_of(
    template: Template, files: SplitFiles | None, videos: Iterable[Video], notes: list[str]
) -> Iterator[Video]:
    """Yield the template's videos, each as long as the template says."""
    known = {video.name: video for video in videos}
    files = files or SplitFiles(Path())
    official = set(template.n_frames)
    others = known_as(set(files.names) - official, official - set(files.names))
    if others:
        _note_spelled(notes, files, "video", [f"{name} for {video}" for name, video in sorted(others.items())])
        files.frames, files.films, files.labels = (
            {others.get(name, name): path for name, path in part.items()}
            for part in (files.frames, files.films, files.labels)
        )
        known = {others.get(name, name): video for name, video in known.items()}
    for name, n in template.n_frames.items():
        labels = known[name].labels if name in known else None
        if labels is not None and len(labels) > n:
            what = f"{name} has labels beyond the end that its template gives it"
            raise DataError(what, where=files.labels[name], found=counted(len(labels), "frame"), expected=n)
        if labels is not None:
            labels = np.concatenate([labels, np.full(n - len(labels), VD.invalid)])
        yield files.video(name, n, labels)
    _note_left_out(notes, files, "template", set(files.names) - set(template.n_frames))


def _note_spelled(notes: list[str], files: SplitFiles, what: str, pairs: Sequence[str]) -> None:
    taken = f"{counted(len(pairs), what)} with names in another spelling {verb_for(len(pairs), 'are')} taken"
    notes.append(f"{files.folder.name}: {taken}: {some(pairs)}")


def _note_left_out(notes: list[str], files: SplitFiles, what: str, names: set[str]) -> None:
    if names:
        notes.append(
            f"{files.folder.name}: {counted(len(names), 'video')} without {what} "
            f"{verb_for(len(names), 'are')} left out: {some(sorted(names))}"
        )


def _template(layout: DvdLayout, path: Path | None, notes: list[str]) -> Template | None:
    if path is None and not layout.templates:
        return None
    chosen = path or layout.templates[0]
    if path is None and layout.templates[1:]:
        notes.append(f"{counted(len(layout.templates), 'folder')} of expected output files; took {chosen}")
    try:
        return joined(read_video_templates(chosen, FORMATS["VD"]), chosen, FORMATS["VD"])
    except SubmissionError as error:
        if path is not None:
            raise
        raise DataError(str(error)) from None
