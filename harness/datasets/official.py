"""The organisers' templates and labels below a data set's folder, searched without opening the data set."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

from harness.datasets.affwild2 import FRAME_TASKS, find_templates, labels_of_split
from harness.datasets.bah import bah_test_rows, find_bah
from harness.datasets.dvd import find_dvd
from harness.datasets.identity import MARKER
from harness.datasets.vidmimic import find_vidmimic, vidmimic_test_rows
from harness.errors import DataError
from harness.files.editions import BY_FRAME, BY_VIDEO, Evidence
from harness.files.template import Template
from harness.system.regular import is_taken, read_text
from harness.tasks import AH, AHV, EMI, VD, Task


def find_template(root: Path, task: Task) -> Path | None:
    """Return the organisers' template that a submission for a task is compared with; ``None`` where it is missing.

    Args:
        root: folder of the data set.
        task: task of the submission; for EMI and AHV see :func:`find_test_list`.

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


def find_test_list(root: Path, task: Task) -> Template | None:
    """Return the rows of a test submission of EMI or AHV, which have no template, from the test videos.

    The order of the rows is open. Returns ``None`` for other tasks, and where the test videos are missing.

    Args:
        root: folder of the data set.
        task: task of the submission.

    Raises:
        DataError: the data are missing, or the list can't be read.
    """
    if task is EMI:
        rows = vidmimic_test_rows(root)
    elif task is AHV:
        rows = bah_test_rows(root, task)
    else:
        rows = None
    return None if rows is None else replace(rows, ordered=False)


def editions_of_data(root: Path, task: Task) -> list[Evidence]:
    """Return the editions whose packs of BAH lie below a folder; empty for other data.

    The packs of editions 10 and 11 are the same; a key ``edition`` in ``DATASET.toml`` tells them apart.

    Args:
        root: folder of the data set.
        task: task of the submission.

    Raises:
        DataError: the data are missing.
    """
    if task not in (AH, AHV):
        return []
    pack = find_bah(root).pack(task)
    editions = BY_FRAME if pack.edition == 8 else BY_VIDEO
    marked = _marked_edition(root)
    if marked in editions:
        return [Evidence(f"{MARKER} of {root}", frozenset({marked}))]
    return [Evidence(f"the lists of {pack.home}", editions)]


def _marked_edition(root: Path) -> int | None:
    marker = root / MARKER
    try:
        edition = tomllib.loads(read_text(marker, _LARGEST_MARKER)).get("edition") if is_taken(marker) else None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("not readable as TOML", where=marker, found=error) from None
    return edition if isinstance(edition, int) else None


_LARGEST_MARKER = 1 << 20


def find_labels(root: Path, task: Task, split: str) -> Path:
    """Return the folder, or the table, of a split's labels.

    Args:
        root: folder of the data set.
        task: task of the labels.
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
