"""Labels to score a submission against, as the organisers ship them for each task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.files.checking.table import check_table
from harness.files.format import Format
from harness.files.formats import FORMATS, detect, is_of_task
from harness.files.labels.by_frame import read_frame_labels
from harness.files.labels.text import read_labels
from harness.files.report import Report
from harness.files.template import Template, dense_template
from harness.system.regular import broken_link, read_or_refuse
from harness.tasks import AH, OTHER_TASKS, TASKS, Task

_MARKERS = {"valence": -5, "arousal": -5}
_LABEL_TABLES = ("CE", "MTL", "EMI", "AH-frames", "AH-labels")
_LONGEST_ROW = 1 << 16
_BY_FRAME, _BY_VIDEO = "AH-frames", "AH-labels"


@dataclass(frozen=True)
class Truth:
    """Labels of a set of videos.

    Attributes:
        task: short name of the labels' task: AHV if a reader of AH got labels of videos.
        labels: by video, official values of the frames that have a row.
        rows: rows of a submission that the labels belong to, in the order of ``labels``; ``None`` if row k of each
            video's labels belongs to frame k + 1.
        notes: assumptions of the reader, in words.
    """

    task: str
    labels: Mapping[str, npt.NDArray[Any]]
    rows: Template | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def n_frames(self) -> dict[str, int]:
        """Number of labels of each video."""
        return {name: len(values) for name, values in self.labels.items()}


def read_truth(path: Path, task: str) -> Truth:
    """Read labels.

    Args:
        path: for EXPR, VA, AU a folder of ``<video>.txt``; for VD a folder of ``<video>.csv``; for CE, MTL, EMI, AH
            and AHV a table in the format of the submissions. For AH and AHV also BAH's annotation file, whose videos
            are of all splits, or the list of a split, ``default-split/val.txt`` or ``split/val.txt``; AH then takes
            the frames of its videos from the annotation file in the folder above.
        task: short name.

    Raises:
        DataError: labels are missing or unreadable; the message names ``file:line:column``.
    """
    known_task = (TASKS | OTHER_TASKS)[task]
    by_video = bool(known_task.annotation_folders)
    if not path.exists():
        raise DataError("no such folder" if by_video else "no such file", where=path, found=broken_link(path))
    if by_video:
        files = _files(path, ".csv" if task == "VD" else ".txt")
        if not files:
            example = "<video>.csv files" if task == "VD" else f"<video>.txt files, as in …/{_example(known_task)}"
            raise DataError("no label files", where=path, expected=example)
        read = read_frame_labels if task == "VD" else lambda file: read_labels(file, known_task)
        return Truth(task, {file.stem: read(file) for file in files})
    if path.is_dir():
        raise DataError(f"the labels of {task} are one table", where=path, found="a folder", do="Name the file")
    if task in ("AH", "AHV") and (truth := read_ambivalence(path, task)) is not None:
        return truth
    return _table(path, task)


def read_ambivalence(path: Path, task: str) -> Truth | None:
    """Read labels of BAH as the organisers ship them; ``None`` for a table in the format of the submissions.

    Args:
        path: the annotation file of a pack, or the list of a split.
        task: ``AH`` for labels of frames, ``AHV`` for those of videos.

    Raises:
        DataError: labels are missing or unreadable; the message names ``file:line:column``.
    """
    from harness.files.labels.ambivalence import (  # PyYAML, which other labels do without
        ANNOTATION_NAMES,
        find_annotations,
        labels_by_video,
        read_annotations,
        read_split_list,
        require_video_labels,
    )

    if path.name in ANNOTATION_NAMES or path.suffix.lower() in (".yml", ".yaml"):
        annotations = read_annotations(path)
        if task == "AH":
            return _of_frames(path, {name: entry.frames for name, entry in annotations.items()})
        bare = [name for name, entry in annotations.items() if entry.video is None]
        if bare:
            raise DataError("videos without global_ah", where=path, found=", ".join(bare[:3]))
        videos = {name: np.array([entry.video], np.int64) for name, entry in annotations.items()}
        return _of_videos(path, videos)
    if not _is_split_list(path):
        return None
    rows = read_split_list(path)
    if task == "AHV":
        require_video_labels(rows, path)
        return _of_videos(path, labels_by_video(rows))
    home = path.resolve().parent.parent
    file = find_annotations(home)
    if file is None:
        raise DataError("no labels of frames beside this list", where=home, expected=" or ".join(ANNOTATION_NAMES))
    annotations = read_annotations(file)
    missing = [row for row in rows if row.name not in annotations]
    if missing:
        where = f"{path}:{missing[0].line}:1"
        raise DataError(f"this video has no labels in {file}", where=where, found=missing[0].name)
    return _of_frames(path, {row.name: annotations[row.name].frames for row in rows})


def _is_split_list(path: Path) -> bool:
    """Tell the list of a split, ``<video>.mp4,<label>,<transcript>``, from a table that has no transcript.

    A list without transcripts has the form of a table of videos; its folder's name tells it.
    """
    start = read_or_refuse(path, "can't read the labels")[:_LONGEST_ROW].decode("utf-8-sig", "replace")
    name, *fields = start.partition("\n")[0].split(",", 2)
    listed = name.strip().lower().endswith(".mp4")
    return listed and (len(fields) != 1 or path.resolve().parent.name in ("split", "default-split"))


def _of_frames(path: Path, labels: Mapping[str, npt.NDArray[Any]]) -> Truth:
    """Return labels of frames; frames that the annotation file leaves out get no row."""
    counted = {name: np.flatnonzero(values != AH.invalid) for name, values in labels.items()}
    sizes = [len(frames) for frames in counted.values()]
    rows = Template(
        videos=tuple(labels),
        video=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        frame=np.concatenate([np.empty(0, np.int64), *counted.values()]).astype(np.int32),
        values=np.concatenate([np.empty(0, np.int64), *(labels[name][frames] for name, frames in counted.items())]),
        where=str(path),
        format=FORMATS[_BY_FRAME],
    )
    return Truth("AH", {name: values[counted[name]] for name, values in labels.items()}, rows)


def _of_videos(path: Path, labels: Mapping[str, npt.NDArray[Any]]) -> Truth:
    rows = dense_template(dict.fromkeys(labels, 1), FORMATS[_BY_VIDEO], str(path), ordered=True)
    values = np.concatenate([np.empty(0, np.int64), *labels.values()])
    return Truth("AHV", labels, replace(rows, values=values))


def _files(folder: Path, suffix: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.glob(f"*{suffix}") if not p.name.startswith("."))


def _example(task: Task) -> str:
    return f"{task.annotation_folders[0]}/Validation_Set"


def _with_markers(format: Format) -> Format:
    """Return the format with the markers of frames without annotation as valid values."""
    columns = tuple(replace(c, low=min(c.low, _MARKERS.get(c.name, -1 if c.whole else c.low))) for c in format.columns)
    return replace(format, columns=columns)


def _table(path: Path, task: str) -> Truth:
    data = read_or_refuse(path, "can't read the labels")
    first = data[:4096].decode("utf-8-sig", errors="replace").partition("\n")[0]
    format = detect(first, per_video=False, task=task)
    if format is None or format.name not in _LABEL_TABLES:
        raise DataError(
            f"not a table of {task} labels",
            where=f"{path}:1:1",
            found=repr(first[:80]),
            expected=" or ".join(repr(f.header or f.row_example) for f in FORMATS.values() if is_of_task(f, task)),
        )
    checked = check_table(data, str(path), _with_markers(format), known=False)
    # in labels these spellings do no harm
    errors = [entry for entry in checked.report.errors if entry.code not in ("crlf", "bom", "trailing-comma")]
    if errors:
        raise DataError("\n".join(map(str, errors)))
    rows = checked.rows
    order = np.argsort(rows.video, kind="stable")
    template = Template(
        videos=rows.videos,
        video=rows.video[order],
        frame=rows.frame[order],
        values=rows.values[order],
        where=str(path),
        format=format,
    )
    labels = {name: template.values[places] for name, places in template.by_video()}
    return Truth(format.task, labels, template, tuple(_respelled(checked.report)))


def _respelled(report: Report) -> Iterator[str]:
    """Yield a note on names that were read in another spelling: numbers of clips without their zeros."""
    if n := report.counts["warning", "padding"]:
        first = next(entry for entry in report.problems if entry.code == "padding")
        what = f"{n:,} numbers in names lack their leading zeros and were read with them"
        yield f"{report.where}: {what}; {first.message}"
