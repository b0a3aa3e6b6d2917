"""Open a data set for a task, or one split of it, whatever its layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.datasets.affwild2 import open_affwild2, open_affwild2_split
from harness.datasets.bah import bah_test_rows, open_bah, open_bah_split
from harness.datasets.dataset import Dataset, Video
from harness.datasets.dvd import open_dvd, open_dvd_split
from harness.datasets.vidmimic import open_vidmimic, open_vidmimic_split, vidmimic_test_rows
from harness.errors import UsageError
from harness.files.template import Template
from harness.tasks import AH, AHV, EMI, VD, Task


def open_dataset(
    root: Path | None,
    task: Task,
    *,
    crops: str | None = None,
    template: Path | None = None,
    annotations: Path | None = None,
    ignore_lengths: bool = False,
    cache: Path | None = None,
) -> Dataset:
    """Open ``root`` for ``task``.

    Args:
        root: folder of the data set.
        task: decides on the layout.
        crops: which of Aff-Wild2's crops; see :func:`open_affwild2`.
        template: see :func:`open_affwild2`, :func:`open_dvd`, :func:`open_vidmimic` and :func:`open_bah`.
        ignore_lengths: see :func:`open_affwild2`.
        cache: folder of all caches, where the lengths of films are kept; ``None`` for in memory.

    Raises:
        UsageError: no root was named, or crops were asked for where there are none.
        DataError: something is missing or wrong in the data.
    """
    if root is None:
        raise UsageError('no data set named. Give --data ROOT, set ABAW_DATA, or put data = "…" into abaw.toml.')
    if task is VD:
        if crops is not None:
            raise UsageError("violence is detected in whole frames", found=f"--crops {crops}", do="Leave it out")
        return open_dvd(root, template=template, cache=cache)
    if task in (EMI, AH, AHV):
        for option, value in (("--crops", crops), ("--annotations", annotations)):
            if value is not None:
                what = f"{task.name} has one set of crops and of labels"
                raise UsageError(what, found=f"{option} {value}", do="Leave it out")
        return open_vidmimic(root, template=template) if task is EMI else open_bah(root, task, template=template)
    return open_affwild2(
        root, task, crops=crops, template=template, annotations=annotations, ignore_lengths=ignore_lengths
    )


def open_split(
    root: Path, task: Task, split: str, *, crops: str | None = None, cache: Path | None = None
) -> Sequence[Video]:
    """Return the videos of one split as they lie on disk, with labels where there are any; other splits stay closed.

    Args:
        root: folder of the data set.
        task: decides on the layout.
        split: train, val or test.
        crops: which of Aff-Wild2's crops; see :func:`open_affwild2`.
        cache: folder of all caches, where the lengths of films are kept; ``None`` for in memory.

    Raises:
        DataError: the layout is missing, or a file of the split can't be read.
        SubmissionError: a template can't be read.
    """
    if task is VD:
        return open_dvd_split(root, split, cache)
    if task is EMI:
        return open_vidmimic_split(root, split)
    if task in (AH, AHV):
        return open_bah_split(root, task, split)
    return open_affwild2_split(root, task, split, crops)


def video_test_rows(root: Path, task: Task) -> Template | None:
    """Return the rows that a test submission of EMI, AH or AHV must have; ``None`` where nothing tells them.

    Raises:
        DataError: the layout is missing, or the list or template can't be read.
    """
    return vidmimic_test_rows(root) if task is EMI else bah_test_rows(root, task)
