"""BAH, the data set of ambivalence and hesitancy: by frame in edition 8, by video in editions 10 and 11.

Edition 8 comes in two packs: of train and val with ``annotation.yml`` and ``default-split/{train,val}.txt``, and of
test with ``submissions/trial-*.txt``. Later editions have ``split/{train,val,test}.txt`` and begin names with
``Videos/``. All have ``cropped-aligned-faces/<name>/frame-<k>.jpg`` and transcripts, in
``transcription/<name>/<stem>.yml`` or as the third field of a list of a split. A video's name is the path of its video
file as the lists write it, spaces included.

Assumptions:

* ``frame-<k>.jpg`` is frame k + 1 here, as files count from 0: row k of the labels and of the official file.
* The organisers made a crop for each frame: where they found no face, it is the crop before, or the whole frame. A
  frame whose file is missing all the same counts as without a crop. A video that lacks its folder of crops has no
  images; its video file is never used instead.
* A video plays at 24 frames per second. Audio is ``audio/<name without .mp4>.wav`` (or ``.flac``, ``.mp3``) where a
  user made one, else the audio inside the video file.
* The person is the first folder of a name, after ``Videos/``. Splits share no person: to find one in two splits is an
  error, since packs of different editions split persons in different ways.
* ``meta_data.yml`` and ``bah-video.csv`` describe persons and are never opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.dataset import Dataset, Video, contents_of, looking_into, uncounted
from harness.datasets.identity import BAH_8, bah_name
from harness.datasets.images.folders import subfolders
from harness.datasets.images.numbered import Numbering
from harness.datasets.transcripts import Transcript, read_transcript
from harness.errors import DataError, SubmissionError
from harness.files.formats import FORMATS
from harness.files.labels.ambivalence import (
    FRAME_NAME,
    Annotation,
    ListedVideo,
    find_annotations,
    read_annotations,
    read_split_list,
    require_video_labels,
)
from harness.files.persons import person_of_name
from harness.files.template import Template, dense_template, read_template
from harness.system.counts import counted, some
from harness.system.regular import is_taken
from harness.tasks import AH, SPLITS, Task

FPS = 24.0
"""Frames per second of every video."""

LIST_FOLDERS = {8: "default-split", 10: "split"}
"""Folder of the lists of splits, by the edition that introduced it."""

CROPS, TRANSCRIPTS, AUDIO = "cropped-aligned-faces", "transcription", "audio"
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3")
NUMBERING = Numbering(FRAME_NAME, 0, "frame-<k>.jpg, where k counts from 0")
PREFIX = "Videos/"
_VIDEO_FOLDERS = ("", "videos", "Videos")
_TRIALS = re.compile(r"trial-[0-9]+\.txt")


@dataclass(frozen=True)
class BahPack:
    """One pack of data: that of editions 10 and 11, or the two packs of edition 8 together.

    Attributes:
        edition: 8, or 10 for editions 10 and 11.
        home: the folder that holds the lists of splits.
        test_home: the folder of the test pack; ``None`` if the test pack is missing.
        lists: file with the list of each split.
        trials: templates of edition 8, in alphabetical order.
        annotations: the annotation file; ``None`` if it is missing.
    """

    edition: int
    home: Path
    test_home: Path | None
    lists: Mapping[str, Path]
    trials: tuple[Path, ...]
    annotations: Path | None

    def folder(self, split: str) -> Path:
        """Return the folder that holds a split's crops, videos and transcripts."""
        return self.test_home if split == "test" and self.test_home is not None else self.home


@dataclass(frozen=True)
class BahLayout:
    """Packs below a root, by edition."""

    root: Path
    packs: Mapping[int, BahPack]

    def pack(self, task: Task) -> BahPack:
        """Return the pack that holds a task's labels.

        Raises:
            DataError: the pack is missing.
        """
        if task is not AH:
            return self.packs.get(10) or self.packs[8]
        if 8 not in self.packs:
            raise DataError(
                "these are packs of edition 10 or 11, which score videos; AH is edition 8's task on frames",
                where=self.root,
                found=str(self.packs[10].home / LIST_FOLDERS[10]),
                expected=f"annotation.yml and {LIST_FOLDERS[8]}/",
                do="Open these data for the task AHV: solutions whose names begin with ahv/",
            )
        return self.packs[8]


def has_bah(root: Path) -> bool:
    """Return True where lists of BAH's splits lie in ``root`` or in one of its folders."""
    try:
        return root.is_dir() and bool(_homes(root))
    except OSError:  # open_bah reports it
        return False


def find_bah(root: Path) -> BahLayout:
    """Find the packs in ``root`` or in one of its folders, without reading their files.

    Raises:
        DataError: ``root`` is missing, is a file, or lacks lists of splits; or two folders hold the same edition.
    """
    with looking_into(
        root, f"the folder that holds {LIST_FOLDERS[8]}/ or {LIST_FOLDERS[10]}/, or the packs with these"
    ):
        homes = _homes(root)
        if not homes:
            raise DataError(
                "no BAH data here",
                where=root,
                found=contents_of(root),
                expected=f"annotation.yml and {LIST_FOLDERS[8]}/train.txt, or {LIST_FOLDERS[10]}/train.txt",
                do="Give the folder above these; `abaw data synth OUT --layout bah` makes a small data set",
            )
        trials = {home: templates for home in _near(root) if (templates := _trials(home))}
        packs = {}
        for edition in LIST_FOLDERS:
            listing = [home for home, editions in homes.items() if edition in editions]
            if listing[1:]:
                pair, do = " and ".join(map(str, listing[:2])), "Name one of them"
                raise DataError("two folders with lists of one edition", where=root, found=pair, do=do)
            if listing:
                packs[edition] = _pack(edition, listing[0], trials)
    return BahLayout(root, packs)


def _near(root: Path) -> Iterator[Path]:
    yield root
    yield from (child for child in subfolders(root) if child.name not in ("held_out", PREFIX.rstrip("/"), CROPS))


def _homes(root: Path) -> dict[Path, list[int]]:
    """Return the folders with lists of splits, and their editions."""
    homes = {home: [edition for edition in LIST_FOLDERS if _lists(home, edition)] for home in _near(root)}
    return {home: editions for home, editions in homes.items() if editions}


def _lists(home: Path, edition: int) -> dict[str, Path]:
    folder = home / LIST_FOLDERS[edition]
    return {split: path for split in SPLITS if is_taken(path := folder / f"{split}.txt")}


def _trials(home: Path) -> tuple[Path, ...]:
    folder = home / "submissions"
    return tuple(sorted(p for p in folder.iterdir() if _TRIALS.fullmatch(p.name))) if folder.is_dir() else ()


def _pack(edition: int, home: Path, trials: Mapping[Path, tuple[Path, ...]]) -> BahPack:
    lists = _lists(home, edition)
    if edition != 8:
        return BahPack(edition, home, home, lists, (), find_annotations(home))
    test_home = home if home in trials else next(iter(trials), None)
    templates = trials[test_home] if test_home is not None else ()
    return BahPack(edition, home, test_home, lists, templates, find_annotations(home))


def open_bah(root: Path, task: Task, *, template: Path | None = None) -> Dataset:
    """Open BAH for ambivalence and hesitancy by frame (AH, edition 8) or by video (AHV).

    AHV takes the packs of editions 10 and 11. Where ``root`` holds edition 8 alone, AHV takes its labels of videos, a
    variant without published results.

    Args:
        root: folder of the data set.
        task: AH or AHV.
        template: rows that a test submission must have; by default ``submissions/trial-*.txt`` of edition 8's test
            pack, or the videos of ``split/test.txt``.

    Raises:
        DataError: something is missing or wrong; the message names the file and the line.
        SubmissionError: ``template`` is in another form than a template of the task.
    """
    layout = find_bah(root)
    pack = layout.pack(task)
    notes: list[str] = []
    rows = {split: read_split_list(path) for split, path in pack.lists.items()}
    for split, path in pack.lists.items():
        if split != "test":
            require_video_labels(rows[split], path)
    _require_one_edition(pack, rows)
    annotations = _annotations(pack, rows) if task is AH else {}
    lookup = _Lookup(pack, notes)
    template_rows = _test_rows(pack, task, template, rows.get("test", []))
    splits = {
        split: _split(lookup, task, split, rows.get(split, []), annotations, template_rows if split == "test" else None)
        for split in SPLITS
    }
    _require_disjoint(root, splits)
    notes += _assumptions(layout, pack, task, splits)
    return Dataset(bah_name(root, splits), root, task, splits, template_rows, tuple(notes))


def open_bah_split(root: Path, task: Task, split: str) -> Sequence[Video]:
    """Return the videos of one split; lists and transcripts of other splits stay closed.

    Raises:
        DataError: see :func:`open_bah`.
    """
    pack = find_bah(root).pack(task)
    rows = read_split_list(pack.lists[split]) if split in pack.lists else []
    if split == "test":
        return _split(_Lookup(pack, []), task, split, rows, {}, _test_rows(pack, task, None, rows))
    if rows:
        require_video_labels(rows, pack.lists[split])
    annotations = _annotations(pack, {split: rows}) if task is AH and rows else {}
    return _split(_Lookup(pack, []), task, split, rows, annotations, None)


def bah_test_rows(root: Path, task: Task) -> Template | None:
    """Return the rows of a test submission; ``None`` without a test pack.

    Raises:
        DataError: the layout is missing, or its template or list can't be read.
    """
    pack = find_bah(root).pack(task)
    return _test_rows(pack, task, None, read_split_list(pack.lists["test"]) if "test" in pack.lists else [])


def _split(
    lookup: _Lookup,
    task: Task,
    split: str,
    rows: Sequence[ListedVideo],
    annotations: Mapping[str, Annotation],
    template: Template | None,
) -> tuple[Video, ...]:
    if split != "test":
        return tuple(lookup.video(task, split, row, annotations) for row in rows)
    if template is None:
        return ()
    listed = {row.name: row for row in rows}
    last_frames = template.counts() if task is AH else {}
    lengths = {name: last + 1 for name, last in last_frames.items()}  # frames count from 0
    return tuple(
        lookup.video(task, split, listed.get(name) or ListedVideo(name, None, None, 0), {}, lengths.get(name))
        for name in template.videos
    )


def _require_one_edition(pack: BahPack, rows: Mapping[str, Sequence[ListedVideo]]) -> None:
    """Raise an error where the lists of one folder write names in the ways of two editions.

    Raises:
        DataError: some names begin with ``Videos/``, and some don't.
    """
    names = [(path, row) for split, path in pack.lists.items() for row in rows[split]]
    odd = {row.name.startswith(PREFIX): (path, row) for path, row in names}
    if len(odd) > 1:
        (first, with_prefix), (second, plain) = odd[True], odd[False]
        raise DataError(
            "lists of two editions are mixed, whose splits share persons",
            where=f"{first}:{with_prefix.line}:1",
            found=f"{with_prefix.name} here, and {plain.name} in {second}:{plain.line}",
            expected=f"names that all begin with {PREFIX}, or none",
            do="Keep the packs of each edition in a folder of their own",
        )


def _annotations(pack: BahPack, rows: Mapping[str, Sequence[ListedVideo]]) -> Mapping[str, Annotation]:
    """Return the frame labels of all listed videos.

    Raises:
        DataError: the annotation file is missing, or lacks a video from the lists of train and val.
    """
    if pack.annotations is None:
        expected = "annotation.yml beside the lists of splits"
        raise DataError("no labels of frames", where=pack.home, found="no annotation file", expected=expected)
    annotations = read_annotations(pack.annotations)
    for split in ("train", "val"):
        missing = [row for row in rows.get(split, ()) if row.name not in annotations]
        if missing:
            more = f" and {len(missing) - 1} more" if missing[1:] else ""
            raise DataError(
                "videos of a split without labels of frames",
                where=f"{pack.lists[split]}:{missing[0].line}:1",
                found=missing[0].name + more,
                expected=f"an entry in {pack.annotations}",
                do="Take the lists and the annotation file of one edition's pack",
            )
    return annotations


class _Lookup:
    """The crops, audio and transcripts of videos, searched by name."""

    def __init__(self, pack: BahPack, notes: list[str]) -> None:
        self.pack, self.notes, self.respelled = pack, notes, 0
        homes = {pack.home, *([pack.test_home] if pack.test_home is not None else ())}
        self.has_audio = {home: (home / AUDIO).is_dir() for home in homes}
        self.has_transcripts = {home: (home / TRANSCRIPTS).is_dir() for home in homes}

    def video(
        self,
        task: Task,
        split: str,
        row: ListedVideo,
        annotations: Mapping[str, Annotation],
        n_frames: int | None = None,
    ) -> Video:
        home, name = self.pack.folder(split), row.name
        crops = self._path(home / CROPS, name)
        attributes: dict[str, Any] = {
            "image_folder": crops if crops is not None and crops.is_dir() else None,
            "audio": self._audio(home, name),
            "person": person_of_name(name),
            "transcript": self._transcript(home, row),
            "numbering": NUMBERING,
            "fps": FPS,
            "video_label": row.label,
        }
        if task is not AH:
            labels = None if row.label is None else np.array([row.label], np.int64)
            return uncounted(name, labels=labels, **attributes)
        frames = annotations[name].frames if name in annotations else None
        n = len(frames) if frames is not None else n_frames or 0
        return Video(name, n, frames, **attributes)

    def _path(self, folder: Path, name: str) -> Path | None:
        """Return a path below a folder: the name as it is, without ``Videos/``, or with ``_`` in place of spaces."""
        for candidate in dict.fromkeys((name, name.removeprefix(PREFIX))):
            if (folder / candidate).exists():
                return folder / candidate
        plain = name.replace(" ", "_")
        if plain != name and (folder / plain).exists():
            self.respelled += 1
            if self.respelled == 1:
                self.notes.append(f"{name}: took {folder / plain}, whose name has no spaces; likewise for others")
            return folder / plain
        return None

    def video_file(self, home: Path, name: str) -> Path | None:
        """Return the video file of a video."""
        paths = (self._path(home / folder, name) for folder in _VIDEO_FOLDERS if (home / folder).is_dir())
        return next((path for path in paths if path is not None and path.is_file()), None)

    def _audio(self, home: Path, name: str) -> Path | None:
        if self.has_audio[home]:
            for suffix in AUDIO_SUFFIXES:
                path = self._path(home / AUDIO, f"{name[:-4]}{suffix}")
                if path is not None:
                    return path
        return self.video_file(home, name)

    def _transcript(self, home: Path, row: ListedVideo) -> Transcript | None:
        if self.has_transcripts[home]:
            stem = row.name.rpartition("/")[2][:-4]
            folder = self._path(home / TRANSCRIPTS, row.name)
            path = self._path(folder, f"{stem}.yml") if folder is not None else None
            if path is not None:
                return read_transcript(path, path.relative_to(home).as_posix())
        if row.transcript is None:
            return None
        return Transcript(row.transcript, source="the list of its split")


def bah_video_file(pack: BahPack, split: str, name: str) -> Path | None:
    """Return the video file of a video; ``None`` where it is missing.

    Args:
        pack: the pack that holds the video.
        split: train, val or test.
        name: name of the video, as the lists of splits write it.
    """
    return _Lookup(pack, []).video_file(pack.folder(split), name)


def _test_rows(pack: BahPack, task: Task, path: Path | None, rows: Sequence[ListedVideo]) -> Template | None:
    """Return the rows of a test submission.

    Raises:
        DataError: a template of edition 8 can't be read.
        SubmissionError: ``path`` is in another form than a template of the task.
    """
    by_frame, by_video = FORMATS["AH-frames"], FORMATS["AH-labels"]
    if path is not None:
        return read_template(path, by_frame if task is AH else by_video)
    names: Sequence[str] = [row.name for row in rows]
    where = pack.lists.get("test")
    if pack.trials:
        try:
            template = read_template(pack.trials[0], by_frame)
        except SubmissionError as error:
            raise DataError(str(error)) from None
        if task is AH:
            return template
        names, where = template.videos, pack.trials[0]
    if not names or task is AH:
        return None
    return dense_template(dict.fromkeys(names, 1), by_video, str(where), ordered=True)


def _require_disjoint(root: Path, splits: Mapping[str, Sequence[Video]]) -> None:
    """Raise an error where a video or a person is in two splits.

    Raises:
        DataError: two splits share a video or a person.
    """
    first: dict[str, tuple[str, str]] = {}
    for split, videos in splits.items():
        for video in videos:
            before, name = first.setdefault(video.group, (split, video.name))
            if before != split:
                raise DataError(
                    f"a person is in both {before} and {split}, so that a score on one says nothing about new persons",
                    where=root,
                    found=f"{video.group}, with {name} and {video.name}",
                    expected="each person in one split, as in the pack of one edition",
                    do="Take all lists from the same pack",
                )


def _assumptions(layout: BahLayout, pack: BahPack, task: Task, splits: Mapping[str, Sequence[Video]]) -> list[str]:
    notes = [
        "files count frames from 0: frame-0.jpg is frame 1 here, and the first row of an official file; "
        f"{FPS:g} frames per second",
        "a crop may be that of a frame before, or a whole frame, where the organisers found no face",
    ]
    if task is not AH and pack.edition == 8:
        notes.append(
            f"{BAH_8}: labels of videos from its lists of splits, a variant that editions 10 and 11 don't score"
        )
    others = [other for other in layout.packs.values() if other is not pack]
    notes += [f"left out: {other.home}, whose splits are another edition's" for other in others]
    if pack.trials[1:]:
        notes.append(f"{counted(len(pack.trials), 'template')} in {pack.trials[0].parent}; took {pack.trials[0].name}")
    for split, videos in splits.items():
        bare = [video.name for video in videos if video.image_folder is None]
        if bare:
            notes.append(
                f"{split}: {counted(len(bare), 'video', 'have')} no folder in {CROPS}, so no images: {some(bare)}"
            )
        silent = [video.name for video in videos if video.transcript is None]
        if silent:
            notes.append(f"{split}: {counted(len(silent), 'video', 'have')} no transcript: {some(silent)}")
        empty = [video.name for video in videos if video.transcript is not None and video.transcript.is_empty]
        if empty:
            notes.append(f"{split}: {counted(len(empty), 'video', 'have')} an empty transcript: {some(empty)}")
    if not splits["test"]:
        notes.append(
            "no list of test videos: " + ("submissions/trial-0.txt" if pack.edition == 8 else "split/test.txt")
        )
    return notes
