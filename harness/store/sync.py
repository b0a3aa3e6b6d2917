"""Runs that a store lacks, because they were made while its server was away, or before there was a server."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records.failure import Failure, failure_id
from harness.records.run import RunRecord
from harness.store.rebuild import read_failures, read_runs
from harness.store.rows import Row, failure_row, run_rows
from harness.store.store import Store

_TOGETHER = 20
_OF_FAILURE = ("task", "split", "name", "seed", "data_name")
_OF_POINT = ("axis", "value", "metric", "score", "low", "high")
_OF_NOTE = ("created", "kind", "reason")


@dataclass(frozen=True)
class Due:
    """Runs and failures that a store lacks.

    Attributes:
        runs: records and folders of runs that the store lacks, or holds in an earlier version.
        failures: failures that the store lacks or holds in an earlier version; those of runs that are complete by now
            are left out.
        newer: ids of runs of which the store has a newer version: somebody made them again.
        unchanged: number of runs and failures that the store already has.
        left_out: one message per file below the folder that can't be recorded, with the reason.
    """

    runs: tuple[tuple[RunRecord, Path], ...]
    failures: tuple[tuple[Failure, Path], ...]
    newer: tuple[str, ...] = ()
    unchanged: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Known:
    """The versions of runs and failures in a store, by id.

    Attributes:
        runs: time at which a run was made, and the md5 of its record.
        points: points of a run's curves, which may be recorded later than the run.
        failures: time, kind and reason of a failure.
        complete: ids of the failures that these runs mend.
    """

    runs: dict[str, tuple[datetime.datetime, str]]
    points: dict[str, set[tuple[Any, ...]]]
    failures: dict[str, tuple[Any, ...]]
    complete: set[str]


def due(store: Store, out: Path) -> Due:
    """Compare every run and every failure below ``out`` with the store, and return those that the store lacks.

    Raises:
        StoreError: the store can't be read.
    """
    runs, unreadable_runs = read_runs(out)
    failures, unreadable_failures = read_failures(out)
    known = _known(store)
    complete, missing_runs, newer = set(known.complete), [], []
    for record, folder in runs:
        rows = run_rows(record, folder, draws=False)
        (row,) = rows["runs"]
        complete.add(failure_id(**{key: row[key] for key in _OF_FAILURE}))
        created = datetime.datetime.fromisoformat(row["created"])
        stored = known.runs.get(record.run_id)
        points = {tuple(point[key] for key in _OF_POINT) for point in rows["sweep_points"]}
        same = stored == (created, _md5(row["record"])) and points == known.points.get(record.run_id, set())
        if stored is not None and created < stored[0]:
            newer.append(record.run_id)
        elif not same:
            missing_runs.append((record, folder))
    missing_failures = [
        (failure, path)
        for failure, path in failures
        if failure.failure_id not in complete and _is_missing(failure, path, known.failures)
    ]
    unchanged = len(runs) + len(failures) - len(missing_runs) - len(newer) - len(missing_failures)
    left_out = (*unreadable_runs, *unreadable_failures)
    return Due(tuple(missing_runs), tuple(missing_failures), tuple(newer), unchanged, left_out)


def record_due(store: Store, missing: Due, advance: Callable[[int], None]) -> None:
    """Record runs and failures that a store lacks, 20 runs per transaction: an interruption keeps the finished part.

    Args:
        store: the results store.
        missing: runs and failures of :func:`due`.
        advance: called with the number of runs after each transaction.

    Raises:
        StoreError: the store can't be written.
    """
    for k in range(0, len(missing.runs), _TOGETHER):
        together = missing.runs[k : k + _TOGETHER]
        store.record(together)
        advance(len(together))
    if missing.failures:
        store.record([], failures=missing.failures)


def _known(store: Store) -> _Known:
    with store.reading() as db:
        if db is None:
            return _Known({}, {}, {}, set())
        sql = "SELECT run_id, created, md5(CAST(record AS VARCHAR)), task, split, name, seed, data_name FROM runs"
        runs = db.execute(sql).fetchall()
        points: dict[str, set[tuple[Any, ...]]] = {}
        for run_id, *point in db.execute(f"SELECT run_id, {', '.join(_OF_POINT)} FROM sweep_points").fetchall():  # noqa: S608
            points.setdefault(run_id, set()).add(tuple(point))
        notes = db.execute(f"SELECT failure_id, {', '.join(_OF_NOTE)} FROM failures").fetchall()  # noqa: S608 - our own
    return _Known(
        runs={run_id: (created, digest) for run_id, created, digest, *_ in runs},
        points=points,
        failures={key: tuple(note) for key, *note in notes},
        complete={failure_id(*what) for _, _, _, *what in runs},
    )


def _is_missing(failure: Failure, path: Path, known: dict[str, tuple[Any, ...]]) -> bool:
    """Return True for a failure that the store lacks, or holds in an earlier version."""
    row: Row = failure_row(failure, path)
    created, stored = datetime.datetime.fromisoformat(row["created"]), known.get(failure.failure_id)
    return stored is None or (created >= stored[0] and stored != (created, row["kind"], row["reason"]))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
