"""Functions that open a data set for a task, or one split of it, in any layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.datasets.affwild2 import FRAME_TASKS, has_affwild2, open_affwild2, open_affwild2_split
from harness.datasets.bah import bah_test_rows, has_bah, open_bah, open_bah_split
from harness.datasets.dataset import Dataset, Video
from harness.datasets.dvd import has_dvd, open_dvd, open_dvd_split
from harness.datasets.vidmimic import has_vidmimic, open_vidmimic, open_vidmimic_split, vidmimic_test_rows
from harness.errors import DataError, UsageError, problem
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
    """Open the data set in ``root`` for a task.

    Args:
        root: folder of the data set.
        task: decides on the layout.
        crops: which of Aff-Wild2's crops; see :func:`open_affwild2`.
        template: see :func:`open_affwild2`, :func:`open_dvd`, :func:`open_vidmimic` and :func:`open_bah`.
        annotations: see :func:`open_affwild2`.
        ignore_lengths: see :func:`open_affwild2`.
        cache: folder of all caches, where the lengths of video files are stored; ``None`` to store them in memory.

    Raises:
        UsageError: ``root`` is ``None``, or crops were asked for in a layout that has one set of images.
        DataError: something is missing or wrong in the data.
    """
    if root is None:
        raise UsageError('no data set named. Give --data ROOT, set ABAW_DATA, or put data = "…" into abaw.toml.')
    options: dict[str, Any] = {"crops": crops, "template": template, "annotations": annotations}
    try:
        return _open(root, task, ignore_lengths=ignore_lengths, cache=cache, **options)
    except DataError as error:
        hint = _hint(root, task)
        if hint is None:
            raise
        raise DataError(f"{hint}\n{error}") from None


def _hint(root: Path, task: Task) -> str | None:
    """Return :func:`likely_mistake`; ``None`` as well where another layout is ambiguous: the error comes first."""
    try:
        return likely_mistake(root, task)
    except DataError:
        return None


def likely_mistake(root: Path, task: Task) -> str | None:
    """Return a message on the folder that was probably meant where one can't be opened for a task; ``None`` if unclear.

    The layout identifies another data set. A folder inside of Aff-Wild2 is identified by the folders above it.

    Raises:
        DataError: another data set's layout is ambiguous.
    """
    for kind, tasks, is_there in _KINDS:
        if task in tasks:
            continue
        if is_there(root) and not any(is_one_of_them(root) for _, tasks, is_one_of_them in _KINDS if task in tasks):
            names = " or ".join(other.name for other in tasks)
            do = f"Name the data set of {task.name} with --data, or take a solution of {names}: abaw solutions"
            return problem(
                f"this folder is laid out as {kind}, whose task is {names}, not {task.name}", where=root, do=do
            )
    if task not in FRAME_TASKS:
        return None
    for above in root.resolve().parents[:3]:
        if _holds_crops(above) and not _holds_crops(root) and has_affwild2(above):
            what = "this is a folder inside of the data set: crops and annotations lie side by side above it"
            return problem(what, where=root, do=f"Give that folder: --data {above}")
    return None


_KINDS: tuple[tuple[str, tuple[Task, ...], Callable[[Path], bool]], ...] = (
    ("violence data (DVD)", (VD,), has_dvd),
    ("Hume-Vidmimic2", (EMI,), has_vidmimic),
    ("BAH", (AH, AHV), has_bah),
    ("Aff-Wild2", FRAME_TASKS, has_affwild2),
)


def _holds_crops(folder: Path) -> bool:
    try:
        return any(child.name.casefold().startswith("crop") and child.is_dir() for child in folder.iterdir())
    except OSError:
        return False


def _open(
    root: Path,
    task: Task,
    *,
    crops: str | None,
    template: Path | None,
    annotations: Path | None,
    ignore_lengths: bool,
    cache: Path | None,
) -> Dataset:
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
    """Return the videos of one split on disk, with labels where there are any; other splits stay closed.

    Args:
        root: folder of the data set.
        task: decides on the layout.
        split: train, val or test.
        crops: which of Aff-Wild2's crops; see :func:`open_affwild2`.
        cache: folder of all caches, where the lengths of video files are stored; ``None`` to store them in memory.

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
    """Return the rows that a test submission of EMI, AH or AHV must have; ``None`` without a list or template.

    Raises:
        DataError: the layout is missing, or the list or template can't be read.
    """
    return vidmimic_test_rows(root) if task is EMI else bah_test_rows(root, task)
