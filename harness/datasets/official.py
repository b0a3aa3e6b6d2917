"""The organisers' templates and labels below a data set's folder: found without opening the data set."""

from __future__ import annotations

from pathlib import Path

from harness.datasets.affwild2 import FRAME_TASKS, find_templates, labels_of_split
from harness.datasets.bah import find_bah
from harness.datasets.dvd import find_dvd
from harness.datasets.vidmimic import find_vidmimic
from harness.errors import DataError
from harness.tasks import AH, AHV, EMI, VD, Task


def find_template(root: Path, task: Task) -> Path | None:
    """Return the organisers' template that a submission for a task is held against; ``None`` where it is missing.

    Args:
        root: folder of the data set.
        task: of the submission; that of EMI has a test folder in place of a template.

    Raises:
        DataError: the data are missing, or several templates may be the newest.
    """
    if task in FRAME_TASKS:
        return find_templates(root, task)
    if task is VD:
        return next(iter(find_dvd(root).templates), None)
    if task is AH:
        return next(iter(find_bah(root).pack(task).trials), None)
    return None


def find_labels(root: Path, task: Task, split: str) -> Path:
    """Return the folder, or the table, of a split's labels.

    Args:
        root: folder of the data set.
        task: of the labels.
        split: ``train`` or ``val``; the organisers keep the labels of test.

    Raises:
        DataError: the labels are missing below ``root``, or several folders may be the newest.
    """
    if task in FRAME_TASKS:
        place = labels_of_split(root, task, split)
    elif task is VD:
        files = find_dvd(root).splits.get(split)
        place = next(iter(files.labels.values())).parent if files and files.labels else None
    elif task is EMI:
        place = find_vidmimic(root).labels.get(split)
    elif task in (AH, AHV):
        place = find_bah(root).pack(task).lists.get(split)
    else:
        place = None
    if place is None:
        what = f"no labels of {task.name} on {split} below this folder"
        raise DataError(what, where=root, do="Name the folder, or the table, of the labels: --labels")
    return place
