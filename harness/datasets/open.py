"""Open a data set for a task, whatever its layout."""

from __future__ import annotations

from pathlib import Path

from harness.datasets.affwild2 import open_affwild2
from harness.datasets.bah import open_bah
from harness.datasets.dataset import Dataset
from harness.datasets.dvd import open_dvd
from harness.datasets.vidmimic import open_vidmimic
from harness.errors import UsageError
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
