"""What of the run folders a store lacks: made while a server did not answer, or before there was one."""

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
    """What is to be recorded.

    Attributes:
        runs: that the store does not have, or has an earlier version of.
        failures: likewise, but of runs that are complete by now.
        newer: ids of runs of which the store has a newer version: somebody made them again.
        unchanged: how many runs and failures the store has as they are.
        left_out: why something below the folder can't be recorded.
    """

    runs: tuple[tuple[RunRecord, Path], ...]
    failures: tuple[tuple[Failure, Path], ...]
    newer: tuple[str, ...] = ()
    unchanged: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Known:
    """What a store holds, as far as it tells versions apart, by id.

    Attributes:
        runs: when it was made, and the md5 of its record.
        points: of its curves, which come later.
        complete: ids of the failures that these runs mend.
    """

    runs: dict[str, tuple[datetime.datetime, str]]
    points: dict[str, set[tuple[Any, ...]]]
    failures: dict[str, tuple[Any, ...]]
    complete: set[str]


def due(store: Store, out: Path) -> Due:
    """Hold every run and every failure below ``out`` against the store.

    Raises:
        StoreError: the store can't be read.
    """
    runs, unreadable = read_runs(out)
    failures, spoilt = read_failures(out)
    known = _known(store)
    complete, wanted, newer = set(known.complete), [], []
    for record, folder in runs:
        rows = run_rows(record, folder, draws=False)
        (row,) = rows["runs"]
        complete.add(failure_id(**{key: row[key] for key in _OF_FAILURE}))
        made = datetime.datetime.fromisoformat(row["created"])
        there = known.runs.get(record.run_id)
        points = {tuple(point[key] for key in _OF_POINT) for point in rows["sweep_points"]}
        same = there == (made, _md5(row["record"])) and points == known.points.get(record.run_id, set())
        if there is not None and made < there[0]:
            newer.append(record.run_id)
        elif not same:
            wanted.append((record, folder))
    noted = [(f, path) for f, path in failures if f.failure_id not in complete and _unknown(f, path, known.failures)]
    unchanged = len(runs) + len(failures) - len(wanted) - len(newer) - len(noted)
    return Due(tuple(wanted), tuple(noted), tuple(newer), unchanged, (*unreadable, *spoilt))


def record_due(store: Store, found: Due, advance: Callable[[int], None]) -> None:
    """Record it, some runs at a time: whatever stops this, what was recorded stays.

    Raises:
        StoreError: the store can't be written.
    """
    for k in range(0, len(found.runs), _TOGETHER):
        together = found.runs[k : k + _TOGETHER]
        store.record(together)
        advance(len(together))
    if found.failures:
        store.record([], failures=found.failures)


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


def _unknown(failure: Failure, path: Path, known: dict[str, tuple[Any, ...]]) -> bool:
    """Whether the store has no such note, or an earlier one."""
    row: Row = failure_row(failure, path)
    made, there = datetime.datetime.fromisoformat(row["created"]), known.get(failure.failure_id)
    return there is None or (made >= there[0] and there != (made, row["kind"], row["reason"]))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
