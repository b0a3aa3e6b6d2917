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
    """A row of a paper's table with the scores of our runs.

    Attributes:
        printed: the row as the paper prints it.
        solution: name of the solution that reproduces the row; may be empty.
        ours: scores of our runs; ``None`` for a row that was not run.
        reason: reason why the row was not run, or message of the error that stopped it.
        kind: class of that error; empty without an error.
    """

    printed: TableRow
    solution: str
    ours: SeedSummary | None
    reason: str = ""
    kind: str = ""


def rows_of(name: str) -> tuple[TableRow, ...]:
    """Return the rows of a paper's table that are the paper's own systems, scored on val.

    Args:
        name: name of the table, ``abaw10:table1``, or of a single row, ``abaw10:table1:ROW``.

    Raises:
        UsageError: the name is malformed, or the table's task has no solutions in this version.
        UnknownNameError: the table or the row is unknown.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise UsageError("not a paper's table", found=repr(name), expected="such as abaw10:table1")
    own_rows = [row for row in table_rows() if row.is_own and row.split == "val"]
    tables = {f"{row.row.paper}:table{row.row.table}": row.task for row in own_rows}
    table = f"{match['paper']}:table{match['table']}"
    if table not in tables:
        raise UnknownNameError("table", table, tables)
    if tables[table] not in TASKS:
        raise UsageError(f"{table} is of task {tables[table]}", do="No solution for this task yet")
    rows = tuple(row for row in own_rows if f"{row.row.paper}:table{row.row.table}" == table)
    if match["row"] is None:
        return rows
    chosen = tuple(row for row in rows if row.row.row_id == match["row"])
    if not chosen:
        raise UnknownNameError(f"row of {table}", match["row"], [row.row.row_id for row in rows])
    return chosen


def task_of(rows: Sequence[TableRow]) -> Task:
    """Return the task of a table's rows."""
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
    """Run each row's solution on val with each seed; rows share features and trained heads.

    Existing runs are reused. If a row fails, for example for lack of weights, the other rows go on. A cluster runs
    solutions and seeds side by side, see :func:`harness.runs.batch.run_all`.

    Args:
        rows: rows of one table.
        data: the data set.
        settings: places of the results, and the way of working.
        seeds: seeds of each row's runs.
        fresh: make runs again that exist.
        variant: run the variant ``SOLUTION@VARIANT`` of each row's solution, as far as rows have it.
        done: called after each row.

    Raises:
        StoreError: results can't be recorded; the runs up to now are complete in their folders.
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
    deque(runs, maxlen=0)  # its end raises the error of runs that could not be recorded
    return results


def _row(row: TableRow, solution: str, runs: Sequence[Ran]) -> Reproduced:
    """Return a row with the scores of its solution's runs, one per seed."""
    failed = next((run.error for run in runs if run.error is not None), None)
    if failed is not None:
        return Reproduced(row, solution, None, str(failed) or repr(failed), type(failed).__name__)
    records = [run.value.record for run in runs if run.value is not None]
    return Reproduced(row, solution, summarise(records, row.metric))
