"""Aff-Wild2 as teams have it on disk, in every edition's spelling.

Editions and downloads differ (competition's own releases and participants' public notebooks):
annotation folders called ``Third ABAW Annotations``, ``6th_ABAW_Annotations`` or ``9th ABAW Annotations``;
``EXPR_Classification_Challenge`` up to the 5th edition, ``EXPR_Recognition_Challenge`` after; crops in ``cropped`` or
``cropped_aligned``, or in batches; templates called ``…_test_set_sample.txt`` or ``…_test_set_example.txt``. The
functions below therefore search for folder names, note each choice, and raise an error where a choice is open.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video, base_name, contents_of, looking_into
from harness.datasets.identity import affwild2_name
from harness.datasets.images.folders import (
    KINDS,
    Identity,
    ImageFolders,
    Matched,
    find_image_folders,
    identity,
    match_folders,
    plain_name,
    subfolders,
)
from harness.datasets.video_files.capture import SUFFIXES
from harness.errors import DataError, SubmissionError, problem
from harness.files.labels.text import count_rows, read_labels
from harness.files.template import Template, read_template, task_of_header
from harness.system.counts import counted
from harness.system.groups import grouped
from harness.system.regular import read_file, read_or_refuse
from harness.tasks import AU, EXPR, VA, Task

FRAME_TASKS = (EXPR, VA, AU)
SPLIT_FOLDERS = {
    "train": ("train_set", "training_set", "train", "training"),
    "val": ("validation_set", "val_set", "valid_set", "validation", "val", "valid"),
}
_ORDINALS = {"third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10}
_SEARCH_DEPTH = 3
_LONGEST_HEADER = 4096
# organisers' training material never lies below these; they hold millions of files
_CROP_FOLDER = re.compile(r"crop|align", re.IGNORECASE)
_AUDIO_SUFFIXES = (".wav", ".flac")  # the first is taken where there are both
_AUDIO_FOLDER = re.compile(r"(new_vids_)?audios?", re.IGNORECASE)
_TEMPLATE = re.compile(r".*test_set_(example|sample)\.txt", re.IGNORECASE)


@dataclass
class Layout:
    """Annotation folders, images, audio and templates below the root of a data set.

    Attributes:
        annotations: per task, label folders with their edition (0 if it is unknown), newest edition first.
        images: folders of images.
        audio: audio file by its name without the ending.
        doubled: audio files whose name an audio file in an earlier folder has, too.
        other_audio: files in the folders of audio that are in another format than ``.wav``, ``.flac`` or video.
        templates: candidate template files.
    """

    root: Path
    annotations: dict[str, list[tuple[int, Path]]] = field(default_factory=dict)
    images: ImageFolders = field(default_factory=ImageFolders)
    audio: dict[str, Path] = field(default_factory=dict)
    doubled: list[Path] = field(default_factory=list)
    other_audio: list[Path] = field(default_factory=list)
    films: dict[str, Path] = field(default_factory=dict)
    """Raw video file by base name, where there are any."""
    templates: list[Path] = field(default_factory=list)

    def label_files(self, task: Task, split: str) -> list[Path]:
        """Return the label files of a split in the newest edition, in alphabetical order."""
        for _, folder in self.annotations.get(task.name, [])[:1]:
            return split_files(folder, split)
        return []


def split_files(folder: Path, split: str) -> list[Path]:
    """Return the label files of a split in a task's annotation folder, in alphabetical order."""
    for name in SPLIT_FOLDERS[split]:
        for child in sorted(folder.iterdir()):
            if child.is_dir() and _plain(child.name) == name:
                return sorted(p for p in child.glob("*.txt") if not p.name.startswith("."))
    return []


def _plain(name: str) -> str:
    """Return a folder name in lower case, with spaces, hyphens and underscores alike."""
    return re.sub(r"[ _-]+", "_", name.strip()).lower()


def _edition(path: Path, root: Path) -> int:
    """Return the edition in a path (``6th_ABAW_Annotations``, ``Third ABAW Annotations``, ``ABAW10th``), else 0."""
    for part in reversed(path.relative_to(root.parent).parts if path.is_relative_to(root.parent) else path.parts):
        plain = _plain(part)
        if match := re.search(r"(?<![0-9])(\d{1,2})(st|nd|rd|th)(?![a-z0-9])", plain) if "abaw" in plain else None:
            return int(match[1])
        if match := re.search(r"abaw_?(\d{1,2})(st|nd|rd|th)?(?![0-9])", plain):
            return int(match[1])
        if match := re.match(r"([a-z]+)_abaw", plain):
            return _ORDINALS.get(match[1], 0)
    return 0


def _folders(root: Path, depth: int, above: frozenset[Identity] = frozenset()) -> Iterator[Path]:
    above |= {identity(root)}
    for child in subfolders(root):
        yield child
        # folders of videos' crops or label sets need no deeper look
        deeper = depth > 1 and not _CROP_FOLDER.search(child.name) and not _plain(child.name).endswith("_set")
        if deeper and identity(child) not in above:
            yield from _folders(child, depth - 1, above)


def find_layout(root: Path) -> Layout:
    """Find annotation folders, crops, audio and templates below ``root``.

    Raises:
        DataError: ``root`` is missing, is a file, is empty, or lacks both annotations and templates of Aff-Wild2.
    """
    layout = Layout(root)
    with looking_into(root, "the folder that holds cropped/ and the annotations"):
        _search(layout)
        if not layout.annotations and not layout.templates:
            raise DataError(
                "no Aff-Wild2 annotations here",
                where=root,
                found=contents_of(root),
                expected="a folder such as '6th_ABAW_Annotations/EXPR_Recognition_Challenge' (or, of DVD, "
                "'Training/annotations'; of Hume-Vidmimic2, 'train_split.csv'; of BAH, 'annotation.yml' or 'split')",
                do="Give the folder above it; for video files alone: abaw data align ROOT; `abaw data synth OUT` makes "
                "a small data set to look at",
            )
    return layout


def has_affwild2(root: Path) -> bool:
    """Return True where annotations or templates of Aff-Wild2 lie below ``root``."""
    try:
        find_layout(root)
    except DataError:
        return False
    return True


def _search(layout: Layout) -> None:
    task_by_folder = {_plain(name): task for task in FRAME_TASKS for name in task.annotation_folders}
    for folder in [layout.root, *_folders(layout.root, _SEARCH_DEPTH)]:
        name = _plain(folder.name)
        if name in task_by_folder and folder.parent.name != "held_out":
            task = task_by_folder[name]
            layout.annotations.setdefault(task.name, []).append((_edition(folder, layout.root), folder))
        else:
            files = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
            layout.films.update({p.stem: p for p in files if p.suffix.lower() in SUFFIXES})
            if any(_AUDIO_FOLDER.fullmatch(part) for part in (folder.name, *folder.relative_to(layout.root).parts)):
                for audio in (p for suffix in _AUDIO_SUFFIXES for p in files if p.suffix.lower() == suffix):
                    if layout.audio.setdefault(audio.stem, audio) != audio:
                        layout.doubled.append(audio)
                known = (*_AUDIO_SUFFIXES, *SUFFIXES)
                layout.other_audio += [p for p in files if p.suffix.lower() not in known and p.is_file()]
        layout.templates += _template_files(folder)
    for candidates in layout.annotations.values():
        candidates.sort(key=lambda pair: (-pair[0], str(pair[1])))
    layout.images = find_image_folders(layout.root)


def open_affwild2(
    root: Path,
    task: Task,
    *,
    crops: str | None = None,
    template: Path | None = None,
    annotations: Path | None = None,
    ignore_lengths: bool = False,
) -> Dataset:
    """Open a data set in Aff-Wild2's layout for one task.

    Args:
        root: folder of the data set.
        task: EXPR, VA or AU.
        crops: ``cropped`` or ``cropped_aligned``; by default ``cropped``, as the papers use, if it is there.
        template: template file; by default that of the newest edition for the task below ``root``.
        annotations: folder to take where there are several; by default that of the newest edition.
        ignore_lengths: take label files as they are, even where the tasks disagree on a video's length.

    Raises:
        DataError: something is missing, wrong or ambiguous; the message names the file and the line.
        SubmissionError: the template belongs to another task.
    """
    if task not in FRAME_TASKS:
        raise DataError(f"{task.name} is not annotated in Aff-Wild2", where=root)
    layout = find_layout(root)
    notes: list[str] = []
    _choose_annotations(layout, task, annotations, notes)
    candidates = layout.annotations.get(task.name, [])
    labels = {
        split: {path.stem: read_labels(path, task) for path in layout.label_files(task, split)}
        for split in SPLIT_FOLDERS
    }
    rows, unclear = _find_template(layout, task, template, notes)
    names = {*labels["train"], *labels["val"], *(rows.videos if rows else ())}
    matched, elsewhere = _chosen_crops(layout, crops, names, notes)
    sounds = match_sounds(layout, {base_name(name) for name in names}, notes)

    def video(name: str, n_frames: int, values: npt.NDArray[Any] | None = None) -> Video:
        return Video(name, n_frames, values, matched.folders.get(name), sounds.get(base_name(name)))

    splits = {split: tuple(video(name, len(rows), rows) for name, rows in labels[split].items()) for split in labels}
    disagreements = list(length_disagreements(layout, task, splits))
    if disagreements and not ignore_lengths:
        more = f" (and {counted(len(disagreements) - 1, 'more video')})" if len(disagreements) > 1 else ""
        raise DataError(disagreements[0] + more)
    notes += disagreements
    splits["test"] = tuple(video(name, n) for name, n in rows.n_frames.items()) if rows else ()
    both = {v.name for v in splits["train"]} & {v.name for v in splits["val"]}
    if both:
        raise DataError("videos in both Train_Set and Validation_Set", where=candidates[0][1], found=sorted(both)[:5])
    name = affwild2_name(root, task, splits)
    return Dataset(name, root, task, splits, rows, tuple(notes), unclear, matched.strangers, elsewhere)


def open_affwild2_split(root: Path, task: Task, split: str, crops: str | None = None) -> Sequence[Video]:
    """Return the videos of one split with labels and images; the rest of the data set stays closed.

    Args:
        root: folder of the data set.
        task: EXPR, VA or AU.
        split: train, val or test.
        crops: see :func:`open_affwild2`.

    Returns:
        The split's videos. For ``test``, one video of 0 frames per folder of images, as the lists of test videos stay
        closed, too.

    Raises:
        DataError: annotations are missing, or a label file is unreadable.
    """
    layout = find_layout(root)
    folders = layout.images.crops.get(crops or "cropped") or layout.images.crops.get("cropped_aligned") or {}
    if split == "test":
        return [Video(name, 0, None, paths[0]) for name, paths in folders.items()]
    labels = {path.stem: read_labels(path, task) for path in layout.label_files(task, split)}
    images = match_folders(folders, labels).folders
    return [Video(name, len(values), values, images.get(name)) for name, values in labels.items()]


def _choose_annotations(layout: Layout, task: Task, chosen: Path | None, notes: list[str]) -> None:
    """Put the annotation folder to use first in the layout.

    Raises:
        DataError: the chosen folder lacks annotations for the task, or the newest of several folders is unknown.
    """
    if chosen is not None:
        below = {
            name: [pair for pair in pairs if pair[1].resolve().is_relative_to(chosen.resolve())]
            for name, pairs in layout.annotations.items()
        }
        if not below.get(task.name):
            there = ", ".join(str(folder) for _, folder in layout.annotations.get(task.name, [])) or "none"
            what = f"no annotations for {task.name} in the folder that was named"
            raise DataError(what, where=chosen, found=f"below {layout.root}: {there}")
        layout.annotations = {name: pairs for name, pairs in below.items() if pairs}
    candidates = layout.annotations.get(task.name, [])
    if len(candidates) < 2:
        return
    digests = [_digest_of_labels(folder) for _, folder in candidates]
    first, folder = candidates[0]
    if len(set(digests)) == 1:
        notes.append(
            f"{counted(len(candidates), 'annotation folder')} for {task.name} with the same labels; took {folder}"
        )
        return
    others = [edition for (edition, _), digest in zip(candidates, digests, strict=True) if digest != digests[0]]
    if first and all(0 < edition < first for edition in others):
        notes.append(
            f"{counted(len(candidates), 'annotation folder')} for {task.name}; took that of edition {first}, "
            f"as its name says: {folder}"
        )
        return
    raise DataError(
        f"{counted(len(candidates), 'folder')} of {task.name} annotations with different labels; "
        "the newest can't be told",
        where=layout.root,
        found="; ".join(_with_edition(edition, path) for edition, path in candidates),
        do="Name the one to take with --annotations FOLDER",
    )


def _with_edition(edition: int, path: Path) -> str:
    return f"{path} ({f'edition {edition}' if edition else 'no edition in its name'})"


def _digest_of_labels(folder: Path) -> str:
    digest = hashlib.sha256()
    for split in SPLIT_FOLDERS:
        for path in split_files(folder, split):
            digest.update(f"\n{split} {path.name}\n".encode())
            digest.update(read_or_refuse(path, "can't read the label file"))
    return digest.hexdigest()


def match_sounds(layout: Layout, bases: Collection[str], notes: list[str]) -> dict[str, Path]:
    """Return each recording's audio file: the one of its name, or else the only one of the same :func:`plain_name`."""
    plain = grouped((plain_name(name), path) for name, path in layout.audio.items() if name not in bases)
    sounds = {}
    for base in sorted(bases):
        close = [layout.audio[base]] if base in layout.audio else plain.get(plain_name(base), [])
        if len(close) != 1:
            continue
        sounds[base] = close[0]
        if base not in layout.audio:
            notes.append(f"{base}: took the audio in {close[0]}, whose name is another")
        others = [str(path) for path in layout.doubled if path.stem == close[0].stem]
        notes += [f"{base} has several audio files; took {close[0]}, not {', '.join(others)}"] if others else []
    return sounds


def _chosen_crops(
    layout: Layout, chosen: str | None, names: Collection[str], notes: list[str]
) -> tuple[Matched, dict[str, Path]]:
    """Return the folder of crops of each video, and folders elsewhere that are named after videos without crops."""
    folders_by_kind = layout.images.crops
    if chosen is None:
        chosen = next((kind for kind in KINDS if folders_by_kind.get(kind)), "cropped")
    if not folders_by_kind.get(chosen):
        raise DataError(
            f"no {chosen}/<video>/<NNNNN>.jpg",
            where=layout.root,
            found=_images_found(layout, names),
            do="Put the organisers' cropped images below a folder called cropped or cropped_aligned here; a folder "
            "of crops with another name can be renamed",
        )
    matched = match_folders(folders_by_kind[chosen], names)
    notes += matched.notes
    if len(folders_by_kind) > 1:
        other = next(kind for kind in folders_by_kind if kind != chosen)
        only = sorted(set(match_folders(folders_by_kind[other], names).folders) - set(matched.folders))
        more = f", which alone has {counted(len(only), 'video')}, such as {only[0]}" if only else ""
        notes.append(f"crops: took {chosen}; also there: {other}{more}")
    crops = (pair for kind in set(folders_by_kind) - {chosen} for pair in folders_by_kind[kind].items())
    elsewhere = [(name, path) for name, paths in crops for path in paths]
    elsewhere += [(name, parent / name) for parent, folders in layout.images.others.items() for name in folders]
    return matched, dict(match_folders(grouped(elsewhere), set(names) - set(matched.folders)).folders)


def _images_found(layout: Layout, names: Collection[str]) -> str:
    """Return a description of the image folders below the root."""
    texts = [f"{counted(len(folders), 'folder')} of {kind}" for kind, folders in layout.images.crops.items()]
    for parent, folders in sorted(layout.images.others.items(), key=lambda pair: -len(pair[1]))[:3]:
        named = sum(name in names for name in folders)
        whose = f", {named} of them named after videos of the labels" if named else ""
        texts.append(f"{parent} with {counted(len(folders), 'folder')} of images such as {folders[0]}{whose}")
    return "; ".join(texts) or "no crops at all"


def length_disagreements(layout: Layout, task: Task, splits: Mapping[str, Sequence[Video]]) -> Iterator[str]:
    """Yield a message for each video whose label files of two tasks differ in length, though a video has one length."""
    label_files = {path.stem: path for split in SPLIT_FOLDERS for path in layout.label_files(task, split)}
    pairs = [(split, other) for split in SPLIT_FOLDERS for other in FRAME_TASKS if other is not task]
    others = grouped((path.stem, path) for split, other in pairs for path in layout.label_files(other, split))
    for video in (v for members in splits.values() for v in members):
        lengths = ((other, count_rows(other)) for other in others.get(video.name, ()))
        other, n = next((pair for pair in lengths if pair[1] != video.n_frames), (None, 0))
        if other:
            path = label_files[video.name]
            longer, shorter = (path, other) if n < video.n_frames else (other, path)
            yield problem(
                "this label file is longer than its video, or the other one was cut short",
                where=f"{longer}:{min(n, video.n_frames) + 2}:1",
                found=f"{counted(max(n, video.n_frames), 'frame')} here",
                expected=f"{min(n, video.n_frames)}, as in {shorter}",
                do="Unpack the organisers' annotations again, or go on with --ignore-lengths",
            )


def find_templates(root: Path, task: Task) -> Path | None:
    """Return the template of the newest edition for a task below ``root``; ``None`` where it is missing.

    Raises:
        DataError: ``root`` is unreadable, or several templates may be the newest.
    """
    layout = Layout(root)
    with looking_into(root, "the folder that holds the organisers' templates"):
        for folder in [root, *_folders(root, _SEARCH_DEPTH)]:
            layout.templates += _template_files(folder)
    rows, unclear = _find_template(layout, task, None, [])
    if unclear:
        raise DataError(unclear["test"])
    return rows.path if rows else None


def labels_of_split(root: Path, task: Task, split: str) -> Path | None:
    """Return the folder of a split's labels, of the newest edition below ``root``; ``None`` where it is missing.

    Raises:
        DataError: ``root`` lacks annotations of Aff-Wild2, or several folders may be the newest.
    """
    layout = find_layout(root)
    if split not in SPLIT_FOLDERS:
        return None
    _choose_annotations(layout, task, None, [])
    files = layout.label_files(task, split)
    return files[0].parent if files else None


def _template_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.txt")) if _TEMPLATE.fullmatch(path.name)]


def _find_template(
    layout: Layout, task: Task, path: Path | None, notes: list[str]
) -> tuple[Template | None, dict[str, str]]:
    """Return the template, and by split (``test`` alone) the reason why the template is ambiguous or unreadable."""
    if path is not None:
        return read_template(path, task), {}
    candidates = []
    for candidate in layout.templates:
        try:
            content = read_file(candidate)
        except OSError as error:
            return None, {"test": problem("can't read the template", where=candidate, found=error.strerror)}
        header = re.split("[\r\n]", content[:_LONGEST_HEADER].decode("utf-8-sig", "replace"), maxsplit=1)[0]
        if task_of_header(header) is task:
            edition = _template_edition(candidate, layout.root)
            candidates.append((edition, candidate, hashlib.sha256(content).hexdigest()))
    if not candidates:
        return None, {}
    candidates.sort(key=lambda template: (-template[0], str(template[1])))
    edition, chosen, digest = candidates[0]
    others = [other for other, _, content in candidates if content != digest]
    if others and not (edition and all(0 < other < edition for other in others)):
        several = counted(len(candidates), "template")
        what = f"{several} for {task.name} with different rows, and which is the newest can't be told"
        listed = "; ".join(_with_edition(other, candidate) for other, candidate, _ in candidates)
        do = "Name the one to take with --template FILE"
        return None, {"test": problem(what, where=layout.root, found=listed, do=do)}
    if others:
        notes.append(
            f"{counted(len(candidates), 'template')} for {task.name}; took that of edition {edition}, "
            f"as its name says: {chosen}"
        )
    try:
        return read_template(chosen, task), {}
    except SubmissionError as error:
        raise DataError(str(error)) from None


def _template_edition(path: Path, root: Path) -> int:
    match = re.search(r"(\d+)(st|nd|rd|th)", path.name)
    return int(match[1]) if match else _edition(path.parent, root)
