"""Open a data set for a task, whatever its layout."""

from __future__ import annotations

from pathlib import Path

from harness.datasets.affwild2 import open_affwild2
from harness.datasets.dataset import Dataset
from harness.errors import UsageError, problem
from harness.tasks import AU, EXPR, VA, Task


def open_dataset(
    root: Path | None,
    task: Task,
    *,
    crops: str | None = None,
    template: Path | None = None,
    ignore_lengths: bool = False,
) -> Dataset:
    """Open ``root`` for ``task``.

    Raises:
        UsageError: no root was named, or no adapter for the task exists yet.
        DataError: something is missing or wrong in the data.
    """
    if root is None:
        raise UsageError('no data set named. Give --data ROOT, set ABAW_DATA, or put data = "…" into abaw.toml.')
    if task not in (EXPR, VA, AU):
        raise UsageError(problem(f"{task.name} data can't be opened by this version", expected="EXPR, VA or AU"))
    return open_affwild2(root, task, crops=crops, template=template, ignore_lengths=ignore_lengths)
