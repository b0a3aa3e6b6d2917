"""Every own row of a paper's table, run in one go: ours beside the paper's, and why a row was not run."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from harness.board.seeds import SeedSummary, summarise
from harness.datasets.dataset import Dataset
from harness.errors import UnknownNameError, UsageError
from harness.plugins.registry import solution_entries
from harness.reference.papers import TableRow, table_rows
from harness.runs.batch import Job, Ran, run_all
from harness.settings import Settings
from harness.tasks import TASKS, Task

_NAME = re.compile(r"(?P<paper>[a-z0-9]+):table(?P<table>[0-9]+)(?::(?P<row>[^:]+))?")


@dataclass(frozen=True)
class Reproduced:
    """A row of the table.

    Attributes:
        printed: the row as the paper prints it.
        solution: name of the solution that reproduces it; empty if there is none.
        ours: what our runs scored; ``None`` where it was not run, and ``reason`` says why.
        kind: class of the error that ``reason`` is the message of; empty without an error.
    """

    printed: TableRow
    solution: str
    ours: SeedSummary | None
    reason: str = ""
    kind: str = ""


def rows_of(name: str) -> tuple[TableRow, ...]:
    """Own rows of a table that our tasks can score.

    Args:
        name: ``abaw10:table1``; with ``:row`` behind it, that row alone.

    Raises:
        UsageError: not such a name, or a table of tasks that this version has no solutions for.
        UnknownNameError: no paper has it.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise UsageError("not a paper's table", found=repr(name), expected="such as abaw10:table1")
    own = [row for row in table_rows() if row.own and row.split == "val"]
    tables = {f"{row.row.paper}:table{row.row.table}": row.task for row in own}
    wanted = f"{match['paper']}:table{match['table']}"
    if wanted not in tables:
        raise UnknownNameError("table", wanted, tables)
    if tables[wanted] not in TASKS:
        raise UsageError(f"{wanted} is of task {tables[wanted]}", do="No solution for this task yet")
    rows = tuple(row for row in own if f"{row.row.paper}:table{row.row.table}" == wanted)
    if match["row"] is None:
        return rows
    chosen = tuple(row for row in rows if row.row.row_id == match["row"])
    if not chosen:
        raise UnknownNameError(f"row of {wanted}", match["row"], [row.row.row_id for row in rows])
    return chosen


def task_of(rows: Sequence[TableRow]) -> Task:
    """The task that a table's rows are of."""
    return TASKS[rows[0].task]


def reproduce(
    rows: Sequence[TableRow],
    data: Dataset,
    settings: Settings,
    *,
    seeds: Sequence[int] = (0,),
    fresh: bool = False,
    variant: str = "",
    done: Callable[[Reproduced], None] = lambda row: None,
) -> list[Reproduced]:
    """Run each row's solution on validation under each seed; rows share features and trained heads.

    What was run before is found and not run again. A row that can't be run (weights or data missing) does not stop
    the others. On a cluster its workers run solutions and seeds side by side, see :func:`harness.runs.batch.run_all`.

    Args:
        rows: of one table.
        data: the data set.
        settings: where results go, and how work is done.
        seeds: each row is run under each of them.
        fresh: fit and predict again what was run before.
        variant: run ``…@variant`` in the place of each row's solution, where a row has it.
        done: called after each row.

    Raises:
        StoreError: results can't be recorded; what was run so far is in the run folders.
    """
    every = solution_entries()
    entries = {entry.row: entry for entry in every.values() if entry.row and not entry.variant_of}
    missing = "no solution for this row yet"
    if variant:
        missing = f"no variant @{variant} of this row"
        twins = {row: every.get(f"{entry.name}@{variant}") for row, entry in entries.items()}
        entries = {row: twin for row, twin in twins.items() if twin is not None}
    known = [row for row in rows if row.row in entries]
    jobs = [Job(entries[row.row], seed) for row in known for seed in seeds]
    runs = run_all(jobs, data, "val", settings, fresh=fresh)
    results = []
    for row in rows:
        entry = entries.get(row.row)
        results.append(
            _row(row, entry.name, list(islice(runs, len(seeds)))) if entry else Reproduced(row, "", None, missing)
        )
        done(results[-1])
    deque(runs, maxlen=0)  # to its end, where it tells of what could not be recorded
    return results


def _row(row: TableRow, solution: str, runs: Sequence[Ran]) -> Reproduced:
    """A row from the runs of its solution, one a seed."""
    failed = next((run.error for run in runs if run.error is not None), None)
    if failed is not None:
        return Reproduced(row, solution, None, str(failed) or repr(failed), type(failed).__name__)
    records = [run.value.record for run in runs if run.value is not None]
    return Reproduced(row, solution, summarise(records, row.metric))
