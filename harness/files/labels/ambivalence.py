"""Labels of BAH: the annotation file, by frame and by video, and the lists of splits, by video."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from yaml.composer import Composer

from harness.errors import DataError
from harness.files.format import MOST_FRAMES
from harness.system.counts import counted
from harness.system.names import require_name
from harness.system.regular import is_taken, read_or_refuse
from harness.system.safe_yaml import TUPLE_TAG, TupleLoader, open_yaml, place, wrong_tag
from harness.tasks import AH

ANNOTATION_NAMES = (
    "annotation.yml",
    "annotation.yaml",
    "video_annotation_transcript.yaml",
    "video_annotation_transcript.yml",
)
"""Names of the annotation file: of the 8th edition, and of the 10th and 11th."""

FRAME_NAME = re.compile(r"frame-(0|[1-9][0-9]{0,8})\.jpg", re.IGNORECASE)
_MOST_BYTES = 1 << 29  # of an annotation file; that of the 10th edition has 91 million
_MOST_LIST = 1 << 27
_VIDEO = re.compile(r"[^,]+?\.mp4", re.IGNORECASE)
_LABELS = {"0": 0, "1": 1}
_Frames = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Annotation:
    """Labels of one video.

    Attributes:
        frames: int64 ``(n,)``, 0 or 1; row k is ``frame-<k>.jpg``; -1 marks a frame that the file leaves out.
        video: 0 or 1, the label of the whole video; ``None`` if the file lacks it.
        line: line of the annotation file, from 1.
    """

    frames: _Frames
    video: int | None
    line: int


@dataclass(frozen=True)
class ListedVideo:
    """One row of a split's list.

    Attributes:
        label: 0 or 1; ``None`` if the row lacks it.
        transcript: the words; ``None`` if the row lacks a third field.
        line: line of the list, from 1.
    """

    name: str
    label: int | None
    transcript: str | None
    line: int


def find_annotations(home: Path) -> Path | None:
    """Return the annotation file of a pack; ``None`` if it is missing."""
    return next((home / name for name in ANNOTATION_NAMES if is_taken(home / name)), None)


def read_split_list(path: Path) -> list[ListedVideo]:
    """Read ``video,label,transcript`` row by row; only the first two commas of a row part fields.

    Raises:
        DataError: a row names no video, a label is other than 0 and 1, or a video has two rows; names
            ``file:line:column``.
    """
    content = read_or_refuse(path, "can't read the list of a split", most=_MOST_LIST)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("can't read the list of a split", where=path, found=error, expected="UTF-8") from None
    rows: list[ListedVideo] = []
    lines: dict[str, int] = {}
    for line, row in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not row.strip():
            continue
        name, *rest = row.split(",", 2)
        if not _VIDEO.fullmatch(name):
            raise DataError(
                "this row names no video",
                where=f"{path}:{line}:1",
                found=repr(row[:80]),
                expected="'<person>/<visit>/<file>.mp4,<0 or 1>,<transcript>'",
            )
        label = rest[0].strip() if rest else ""
        if label and label not in _LABELS:
            where = f"{path}:{line}:{len(name) + 2}"
            raise DataError("not a label of a video", where=where, found=repr(label[:40]), expected="0 or 1")
        if name in lines:
            first = f"line {lines[name]} has it, too"
            raise DataError("a video has two rows", where=f"{path}:{line}:1", found=name, expected=first)
        lines[name] = line
        require_name(name, "video", where=f"{path}:{line}:1", do="Take the list from the organisers' pack again")
        rows.append(ListedVideo(name, _LABELS.get(label), rest[1] if rest[1:] else None, line))
    return rows


def require_video_labels(rows: Sequence[ListedVideo], path: Path) -> None:
    """Raise an error if a row of a split's list has no label.

    Raises:
        DataError: a row has no label.
    """
    bare = [row for row in rows if row.label is None]
    if bare:
        raise DataError(
            "a split file without labels" if len(bare) == len(rows) else f"{counted(len(bare), 'row')} without a label",
            where=f"{path}:{bare[0].line}:{len(bare[0].name) + 1}",
            found=repr(bare[0].name[:80]),
            expected="'video,label,transcript' with a label of 0 or 1 in each row",
            do="Take the list of this split from the pack with labels",
        )


def read_annotations(path: Path) -> dict[str, Annotation]:
    """Read the annotation file of a pack, one video at a time.

    Of each video ``frame_annotation`` and ``global_ah`` are read; other entries are passed over after a check of
    their tags. Memory holds the file's bytes and the labels: the 10th edition's 91 MB take seconds.

    Raises:
        DataError: the file is another one, a video or frame is there twice, or a label is other than 0 and 1; names
            ``file:line:column``.
    """
    annotations: dict[str, Annotation] = {}
    with open_yaml(path, "annotation file", _MOST_BYTES) as loader:
        for event in (yaml.StreamStartEvent, yaml.DocumentStartEvent):
            if not loader.check_event(event):
                break
            loader.get_event()
        if not loader.check_event(yaml.MappingStartEvent):
            what = "not an annotation file of BAH"
            raise DataError(what, where=path, found="no mapping", expected="<video>: {frame_annotation: …}")
        for name, start in _keys(loader, path):
            if name in annotations:
                first = f"line {annotations[name].line} has it, too"
                raise DataError("a video has two entries", where=place(path, start), found=name, expected=first)
            require_name(name, "video", where=place(path, start), do="Take the file from the organisers' pack again")
            annotations[name] = _annotation(loader, path, name, start)
    return annotations


def _keys(loader: TupleLoader, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each key of the mapping that begins here; the caller reads its value before it asks for the next."""
    start = loader.get_event()
    if not isinstance(start, yaml.MappingStartEvent):
        raise DataError(
            "not an annotation file of BAH", where=place(path, start), expected="a mapping, '<key>: <value>'"
        )
    _plain_tag(start, path)
    while not loader.check_event(yaml.MappingEndEvent):
        key = loader.get_event()
        if not isinstance(key, yaml.ScalarEvent):
            raise DataError("a key is not a text", where=place(path, key), expected="the name of a video")
        _plain_tag(key, path)
        yield key.value, key
    loader.get_event()


def _annotation(loader: TupleLoader, path: Path, name: str, start: Any) -> Annotation:
    frames: _Frames | None = None
    video: int | None = None
    if not loader.check_event(yaml.MappingStartEvent):
        raise DataError(
            "this video's entry is no mapping",
            where=place(path, start),
            found=name,
            expected="frame_annotation and global_ah",
        )
    for key, event in _keys(loader, path):
        if key == "frame_annotation":
            frames = _frame_labels(loader, path, name)
            continue
        node = Composer.compose_node(loader, None, None)
        value = loader.value(node)
        if key == "global_ah":
            if value not in (0, 1):
                raise DataError(f"the label of {name}", where=place(path, event), found=repr(value), expected="0 or 1")
            video = int(value)
    if frames is None:
        raise DataError("this video has no frame_annotation", where=place(path, start), found=name)
    return Annotation(frames, video, start.start_mark.line + 1)


def _frame_labels(loader: TupleLoader, path: Path, name: str) -> _Frames:
    """Return the labels of a list of pairs [frame path, 0 or 1], whose start comes next."""
    start = loader.get_event()
    if not isinstance(start, yaml.SequenceStartEvent):
        what = f"the frames of {name} are no list"
        raise DataError(what, where=place(path, start), expected="a list of [frame path, 0 or 1]")
    _plain_tag(start, path)
    numbers: list[int] = []
    labels: list[int] = []
    begin, next_event = f"{name}/frame-", loader.get_event
    while True:  # hundreds of thousands of times per file
        opening = next_event()
        if type(opening) is yaml.SequenceEndEvent:
            break
        frame, label, closing = next_event(), next_event(), next_event()
        if (
            type(opening) is not yaml.SequenceStartEvent
            or type(frame) is not yaml.ScalarEvent
            or type(label) is not yaml.ScalarEvent
            or type(closing) is not yaml.SequenceEndEvent
        ):
            what = f"a frame of {name} is no pair"
            raise DataError(what, where=place(path, opening), expected="[frame path, 0 or 1]")
        if opening.tag or frame.tag or label.tag:
            for event in (opening, frame, label):
                _plain_tag(event, path)
        text = frame.value
        folder, _, file = text.rpartition("/")
        match = FRAME_NAME.fullmatch(file)
        same = text.startswith(begin) or folder.endswith(f"/{name}") or (folder and name.endswith(f"/{folder}"))
        if match is None or not same or int(match[1]) >= MOST_FRAMES:
            expected = f"{begin}<k>.jpg"
            what = "not a frame of this video"
            raise DataError(what, where=place(path, frame), found=repr(text[:200]), expected=expected)
        if label.value not in _LABELS:
            raise DataError("not a label", where=place(path, label), found=repr(label.value[:40]), expected="0 or 1")
        numbers.append(int(match[1]))
        labels.append(_LABELS[label.value])
    rows = np.full(max(numbers, default=-1) + 1, AH.invalid, np.int64)
    rows[numbers] = labels
    if len(set(numbers)) < len(numbers):
        first = int(np.bincount(numbers).argmax())
        raise DataError(f"a frame of {name} has two labels", where=place(path, start), found=f"frame-{first}.jpg")
    return rows


def _plain_tag(event: Any, path: Path) -> None:
    """Raise an error for an event with a tag that a safe loader would refuse."""
    tag = event.tag
    if tag is not None and tag != TUPLE_TAG and tag not in TupleLoader.yaml_constructors:
        raise wrong_tag(path, "annotation file", event)


def labels_by_video(rows: Sequence[ListedVideo]) -> Mapping[str, _Frames]:
    """Return the label ``(1,)`` of each video of a list; rows without one are left out."""
    return {row.name: np.array([row.label], np.int64) for row in rows if row.label is not None}
