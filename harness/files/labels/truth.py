"""Labels to score a submission against, as the organisers ship them for each task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError, problem
from harness.files.checking.table import check_table
from harness.files.format import Format
from harness.files.formats import FORMATS, detect
from harness.files.labels.by_frame import read_frame_labels
from harness.files.labels.text import read_labels
from harness.files.template import Template
from harness.system.regular import broken_link, read_file
from harness.tasks import TASKS, Task

_MARKERS = {"valence": -5, "arousal": -5}
_LABEL_TABLES = ("CE", "MTL", "EMI", "AH-frames", "AH-labels")


@dataclass(frozen=True)
class Truth:
    """Labels of a set of videos.

    Attributes:
        labels: by video, official values of the frames that have a row.
        rows: which rows of a submission they belong to, in the order of ``labels``; ``None`` where each video's labels
            are those of its frames from the first on.
    """

    task: str
    labels: Mapping[str, npt.NDArray[Any]]
    rows: Template | None = None

    @property
    def n_frames(self) -> dict[str, int]:
        """Labels of each video."""
        return {name: len(values) for name, values in self.labels.items()}


def read_truth(path: Path, task: str) -> Truth:
    """Read labels.

    Args:
        path: for EXPR, VA, AU a folder of ``<video>.txt``; for VD a folder of ``<video>.csv``; for CE, MTL, EMI and AH
            a table in the format of the submissions.
        task: short name.

    Raises:
        DataError: no labels, or some that can't be read; the message names ``file:line:column``.
    """
    if not path.exists():
        raise DataError(
            problem("no such folder" if task in TASKS else "no such file", where=path, found=broken_link(path))
        )
    if task in TASKS:
        own = TASKS[task]
        files = _files(path, ".csv" if task == "VD" else ".txt")
        if not files:
            example = "<video>.csv files" if task == "VD" else f"<video>.txt files, as in …/{_example(own)}"
            raise DataError(problem("no label files", where=path, expected=example))
        read = read_frame_labels if task == "VD" else lambda file: read_labels(file, own)
        return Truth(task, {file.stem: read(file) for file in files})
    if path.is_dir():
        raise DataError(
            problem(f"the labels of {task} are one table", where=path, found="a folder", do="Name the file")
        )
    return _table(path, task)


def _files(folder: Path, suffix: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.glob(f"*{suffix}") if not p.name.startswith("."))


def _example(task: Task) -> str:
    return f"{task.annotation_folders[0]}/Validation_Set"


def _with_markers(format: Format) -> Format:
    """The format with the values that mark what nobody annotated."""
    columns = tuple(replace(c, low=min(c.low, _MARKERS.get(c.name, -1 if c.whole else c.low))) for c in format.columns)
    return replace(format, columns=columns)


def _table(path: Path, task: str) -> Truth:
    try:
        data = read_file(path)
    except OSError as error:
        raise DataError(problem("can't read the labels", where=path, found=error.strerror)) from None
    first = data[:4096].decode("utf-8-sig", errors="replace").partition("\n")[0]
    format = detect(first, per_video=False, task=task)
    if format is None or format.name not in _LABEL_TABLES:
        raise DataError(
            problem(
                f"not a table of {task} labels",
                where=f"{path}:1:1",
                found=repr(first[:80]),
                expected=" or ".join(repr(f.header or f.row_example) for f in FORMATS.values() if f.task == task),
            )
        )
    checked = check_table(data, str(path), _with_markers(format), known=False)
    # names of frames and clips are what matters here, not how tidily the file was written
    errors = [found for found in checked.report.errors if found.code not in ("crlf", "bom", "trailing-comma")]
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
    return Truth(task, {name: template.values[places] for name, places in template.by_video()}, template)
