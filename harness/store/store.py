"""The results store: runs, their files, scores, per-video statistics, published results, in one DuckDB database."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import numpy as np
import numpy.typing as npt

from harness.errors import StorageError, StoreBusyError, UsageError
from harness.records.failure import Failure, failure_id
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord
from harness.reference.published import published_results
from harness.store.address import StoreAddress
from harness.store.connection import PATIENCE, connect, damaged, making, without_conflict
from harness.store.interface import Connection
from harness.store.rows import (
    COLUMNS,
    DRAWN,
    Row,
    failure_row,
    insertion,
    recording_row,
    removal_of_failures,
    removal_of_runs,
    run_rows,
    transaction,
)
from harness.store.schema import migrate, require_current, schema_version, show_as_migrated
from harness.store.sql import has_seen_val, listed, literal, quoted
from harness.system.regular import is_taken

if TYPE_CHECKING:
    import pandas as pd

Replicates = dict[str, npt.NDArray[np.floating[Any]]]
TableRows = Sequence[Mapping[str, Any]]
"""Rows of a query by column; an empty cell is ``None``."""

_TARGETS = f"""
    SELECT run_id, metric, target, value FROM scores WHERE estimate = {quoted(HEADLINE)} AND target <> 'all'
    ORDER BY run_id
"""  # noqa: S608 - a name of ours
_RUNS = f"""
    -- joined by equal columns alone, and judged here: conditions on one side of a LEFT JOIN make DuckDB compare
    -- each run with each score
    SELECT r.* EXCLUDE (parts, counts), if(counts, h.metric, NULL) AS metric,
           if(counts, h.metric_version, NULL) AS metric_version, if(counts, h.value, NULL) AS value,
           if(counts, h.low, NULL) AS low, if(counts, h.high, NULL) AS high,
           if(counts AND h.value IS NOT NULL, t.value, NULL) AS tuned_on_all, c.value AS constant,
           parts[1]->>'$' AS constant_name, CAST(parts[2] AS VARCHAR) AS notes,
           parts[3]->>'$' AS learned_from, TRY_CAST(parts[4]->>'$' AS BIGINT) AS persons,
           coalesce(TRY_CAST(parts[5]->>'$' AS BOOLEAN), false) AS hidden, CAST(parts[6] AS VARCHAR) AS tags,
           TRY_CAST(parts[7]->>'$' AS BIGINT) AS stride
    FROM (
        -- all at once: each look into a record reads the whole of it
        SELECT * EXCLUDE (record), NOT (split = 'val' AND {has_seen_val("runs")}) AS counts,
               json_extract(record, [
                   '$.constant', '$.notes', '$.data.learned_from', '$.data.persons', '$.marks.hidden',
                   '$.marks.tags', '$.recipe.stride'
               ]) AS parts
        FROM runs
    ) r
    LEFT JOIN scores c ON c.run_id = r.run_id AND c.estimate = 'constant' AND c.target = 'all'
    LEFT JOIN scores h ON h.run_id = r.run_id AND h.estimate = 'headline' AND h.target = 'all'
         AND h.metric = c.metric
    LEFT JOIN scores t ON t.run_id = r.run_id AND t.estimate = 'tuned_on_all' AND t.target = 'all'
         AND t.metric = c.metric
    {{condition}}
    ORDER BY r.created DESC, r.run_id
"""  # noqa: S608 - a condition that no text of others is part of
_EVERY_RUN = _RUNS.format(condition="")
_SHOWN_RUNS = _RUNS.format(condition="WHERE NOT coalesce(TRY_CAST(parts[5]->>'$' AS BOOLEAN), false)")


class Store:
    """The results store at a place. It keeps no connection: each call opens one, works, and closes it.

    Every method but :meth:`exists` raises:
        StoreBusyError: another process holds the file for longer than ``patience``.
        StoreUnreachableError: the server does not answer.
        StoreDamagedError: the file is broken; ``abaw reindex`` makes a new one.
        StoreSchemaError: a newer version wrote the file, or the server is of an older one.
        StoreError: the place holds something else than a results store, or this user lacks the right to open it.

    Args:
        place: the DuckDB file, made by the first :meth:`record`; or a server's address.
        patience: seconds to wait while another process holds the store.
    """

    def __init__(self, place: Path | StoreAddress, *, patience: float = PATIENCE) -> None:
        """Store place and patience; the place is not looked at before the first call."""
        self.place = place
        self.patience = patience
        # the connection of at_once; the tuple holds None where there is no store
        self._held: tuple[Connection | None] | None = None

    @property
    def path(self) -> Path:
        """The store's file.

        Raises:
            UsageError: a server holds the store.
        """
        if isinstance(self.place, StoreAddress):
            raise UsageError("a server has this store, its file is not at hand", where=self.place)
        return self.place

    def exists(self) -> bool:
        """Return True if any file is at the place, be it a store or another file; True for a server's store."""
        return isinstance(self.place, StoreAddress) or is_taken(self.place)

    def version(self) -> tuple[int, int]:
        """Return two numbers that change with every recording, at little cost.

        Raises:
            FileNotFoundError: there is no file yet.
            OSError: the file's times and size can't be read.
        """
        if not isinstance(self.place, StoreAddress):
            stat = self.place.stat()
            return stat.st_mtime_ns, stat.st_size
        with self.reading() as db:
            row = db.execute("SELECT count(*), max(epoch_us(moment)) FROM recordings").fetchone() if db else None
        return (row[0], row[1] or 0) if row else (0, 0)

    def ready(self) -> None:
        """Raise the server's errors before hours of work, rather than after them.

        A server that is away raises no error here: it may be back when the work is done. A file passes always.

        Raises:
            UsageError: no token is given.
            MissingDependencyError: the extra ``team`` is not installed.
            StoreError: the server does not take the token, or something else answers at its address.
        """
        if isinstance(self.place, StoreAddress):
            with contextlib.suppress(StoreBusyError), self.reading():
                pass

    def record(
        self,
        runs: Iterable[tuple[RunRecord, Path]],
        *,
        gone: Iterable[str] = (),
        failures: Iterable[tuple[Failure, Path]] = (),
        mended: Iterable[str] = (),
    ) -> None:
        """Record runs in one transaction. A run with a stored id replaces the stored one.

        An older store is first migrated to this version's schema, see :func:`harness.store.schema.migrate`. The failure
        of a run that is complete now is removed.

        Args:
            runs: records with the folders of their runs.
            gone: ids of runs to remove.
            failures: failed runs, with the files that note the failures.
            mended: ids of failures to remove.

        Raises:
            DataError: a record holds what the store can't take; nothing is recorded.
            StorageError: the folder can't be written, or the disk is full.
        """
        rows = {record.run_id: run_rows(record, folder) for record, folder in runs}
        failed = {failure.failure_id: failure_row(failure, path) for failure, path in failures}
        complete = [_failure_of(row) for of_run in rows.values() for row in of_run["runs"]]
        replaced, forgotten = [*rows, *gone], [*complete, *mended, *failed]
        of_tables = [(table, content) for of_run in rows.values() for table, content in of_run.items()]

        def changes(db: Connection) -> list[str]:
            return [
                *removal_of_runs(db, replaced),
                *(sql for table, content in of_tables for sql in insertion(table, content)),
                *removal_of_failures(db, forgotten),
                *insertion("failures", [row for key, row in failed.items() if key not in complete]),
                *insertion("recordings", [recording_row(len(rows))]),
            ]

        self._write(changes)

    def _write(self, changes: Callable[[Connection], list[str]]) -> None:
        """Make changes as one transaction in one statement: a process that is killed leaves no transaction open."""

        def once() -> None:
            if isinstance(self.place, Path):
                create(self.place, patience=self.patience)
            with connect(self.place, read_only=False, patience=self.patience) as db:
                if isinstance(self.place, StoreAddress):
                    require_current(db, self.place)  # the server itself keeps its store up to date
                else:
                    prepare(db, self.place)
                db.execute(transaction(changes(db)))

        if isinstance(self.place, Path):
            try:
                self.place.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError("can't make the folder", where=self.place.parent, found=error.strerror) from None
        without_conflict(once, self.patience)

    def query(self, sql: str, parameters: Iterable[Any] = ()) -> pd.DataFrame:
        """Run one read-only query.

        An older store reads as one of this version; columns that it lacks are NULL.

        Args:
            sql: the query, with ``?`` for each parameter.
            parameters: values of the parameters.

        Returns:
            The rows; an empty data frame, without any column, for a missing store.
        """
        import pandas as pd  # half a second that recording and scoring need not wait for

        with self.reading() as db:
            rows: pd.DataFrame = pd.DataFrame() if db is None else db.execute(sql, list(parameters)).df()
        return rows

    def rows(self, sql: str) -> TableRows:
        """Run one read-only query as :meth:`query` does, without pandas, which takes a quarter of a second to load.

        Args:
            sql: the query. It has no parameters, because DuckDB would load pandas to bind them.

        Returns:
            The rows, with ``None`` for NaN, too; no rows for a missing store.
        """
        with self.reading() as db:
            if db is None:
                return ()
            result = db.execute(sql)
            columns = [about[0] for about in result.description]
            fetched = result.fetchall()
        return tuple({name: _filled(value) for name, value in zip(columns, row, strict=True)} for row in fetched)

    def run_rows(self, *, hidden: bool = False) -> TableRows:
        """Return the rows of :meth:`runs`."""
        return self.rows(_EVERY_RUN if hidden else _SHOWN_RUNS)

    def target_rows(self) -> TableRows:
        """Return the rows of :meth:`targets`."""
        return self.rows(_TARGETS)

    def runs(self, *, hidden: bool = False) -> pd.DataFrame:
        """Return every run, newest first, with its scores by the official metric.

        The scores are ``value`` (the headline), ``tuned_on_all`` and ``constant``, the constant prediction's. A run on
        val whose heads were trained on videos of val has an empty headline here, because it is no honest score.

        Args:
            hidden: include hidden runs, see :class:`harness.records.marks.Marks`.
        """
        return self.query(_EVERY_RUN if hidden else _SHOWN_RUNS)

    def scores(self, run_id: str) -> pd.DataFrame:
        """Return all scores of a run."""
        return self.query("SELECT * EXCLUDE (run_id) FROM scores WHERE run_id = ? ORDER BY ALL", [run_id])

    def files(self, run_id: str) -> pd.DataFrame:
        """Return a run's files: name, sha256, and size in bytes at the time of the recording."""
        return self.query("SELECT * EXCLUDE (run_id) FROM files WHERE run_id = ? ORDER BY name", [run_id])

    def contents(self, run_ids: Sequence[str]) -> dict[str, str]:
        """Return one hash per run over names and contents of its files, by run id; runs without files are left out."""
        chosen = listed(run_ids)
        sql = f"""
            SELECT run_id, sha256(string_agg(name || ' ' || sha256, chr(10) ORDER BY name)) FROM files
            WHERE run_id IN {chosen} GROUP BY run_id
        """  # noqa: S608 - a literal that no text can end
        with self.reading() as db:
            rows = db.execute(sql).fetchall() if db is not None and run_ids else []
        return dict(rows)

    def targets(self) -> pd.DataFrame:
        """Return every run's headline per class, dimension or action unit: ``run_id, metric, target, value``."""
        return self.query(_TARGETS)

    def replicates(self, run_ids: Sequence[str]) -> Replicates:
        """Return the official score of each bootstrap replicate; see :func:`harness.store.rows.draw_rows`.

        Returns:
            float32 ``(replicates,)`` by run id; runs without replicates are left out.
        """
        chosen = listed(run_ids)
        sql = f"SELECT run_id, scores FROM draws WHERE run_id IN {chosen}"  # noqa: S608 - a literal that no text can end
        with self.reading() as db:
            rows = db.execute(sql).fetchall() if db is not None and run_ids else []
        return {run_id: np.frombuffer(scores, DRAWN) for run_id, scores in rows}

    def statistics(self, run_id: str, estimate: str = HEADLINE) -> dict[str, list[float]]:
        """Return the metric's statistics of a run, by video; empty for a run without a score."""
        sql = "SELECT video, statistics FROM video_statistics WHERE run_id = ? AND estimate = ? ORDER BY video"
        rows = self.query(sql, [run_id, estimate])
        return {} if rows.empty else dict(zip(rows["video"], map(list, rows["statistics"]), strict=True))

    def failures(self) -> TableRows:
        """Return the failed runs, newest first; see :class:`harness.records.failure.Failure`."""
        return self.rows("SELECT * FROM failures ORDER BY created DESC, failure_id")

    def sweep(self, run_id: str) -> pd.DataFrame:
        """Return the points of a run's curves, see :class:`harness.records.curves.SweepPoint`."""
        return self.query("SELECT * EXCLUDE (run_id) FROM sweep_points WHERE run_id = ? ORDER BY axis, value", [run_id])

    def published(self) -> TableRows:
        """Return the published results; those of the package while there is no store."""
        return self.rows("SELECT * FROM published") or packaged_results()

    def runs_with_file(self, sha256: str) -> list[str]:
        """Return ids of the runs that wrote a file with this hash, newest first."""
        sql = f"""
            SELECT run_id FROM runs
            WHERE run_id IN (SELECT f.run_id FROM files f WHERE f.sha256 = ({literal(sha256)}->>'$'))
            ORDER BY created DESC, run_id
        """  # noqa: S608 - a literal that no text can end
        with self.reading() as db:
            rows = [] if db is None else db.execute(sql).fetchall()
        return [run_id for (run_id,) in rows]

    def folders(self) -> dict[str, Path]:
        """Return the folder of every run, by id."""
        with self.reading() as db:
            rows = [] if db is None else db.execute("SELECT run_id, folder FROM runs").fetchall()
        return {run_id: Path(folder) for run_id, folder in rows}

    def failure_files(self) -> dict[str, Path]:
        """Return the file that notes each failure, by the failure's id."""
        with self.reading() as db:
            rows = [] if db is None else db.execute("SELECT failure_id, file FROM failures").fetchall()
        return {key: Path(file) for key, file in rows}

    def check(self) -> None:
        """Read every table completely, so that a broken part of the file raises its error now."""
        with self.reading() as db:
            if db is None:
                return
            for table in COLUMNS:
                try:
                    db.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM {table}").fetchall()  # noqa: S608 - our tables
                except duckdb.CatalogException as error:
                    raise damaged(self.path, str(error).splitlines()[0]) from None

    @contextlib.contextmanager
    def at_once(self) -> Iterator[Self]:
        """Yield the same store with one open connection, for several consistent reads at the cost of one.

        Keep the block short: other processes, and other stores of this process, wait for the file until it ends.
        """
        with self.reading() as db:
            held = copy.copy(self)
            held._held = (db,)
            yield held

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """Yield a connection that reads the store in this version's schema; ``None`` while there is no store."""
        if self._held:
            yield self._held[0]
            return
        if not self.exists():
            yield None
            return
        with connect(self.place, read_only=True, patience=self.patience) as db:
            if isinstance(self.place, StoreAddress):
                require_current(db, self.place)
                yield db
                return
            version = schema_version(db, self.place)
            if version:
                show_as_migrated(db, version)
            yield db if version else None


def rows_of(frame: pd.DataFrame, names: Sequence[str] | None = None) -> TableRows:
    """Return the rows of a data frame of :class:`Store`, as its methods for rows return them.

    Args:
        frame: the data frame.
        names: names of the columns to return; by default all.
    """
    if frame.empty:
        return ()
    columns = {
        str(name): frame[name].astype(object).where(frame[name].notna(), None).tolist()
        for name in (frame if names is None else names)
    }
    return tuple(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def _filled(value: Any) -> Any:
    """Return a value of a cell; ``None`` for NaN, as a data frame has it for both."""
    return None if isinstance(value, float) and value != value else value


def create(path: Path, *, patience: float = PATIENCE) -> None:
    """Make an empty store if the file is missing; an interruption leaves no file.

    Raises:
        StorageError: see :func:`harness.store.connection.making`.
    """
    if path.exists():
        return
    with making(path, patience=patience) as db:
        if db is not None:
            prepare(db, path)


def prepare(db: Connection, path: Path) -> None:
    """Migrate a new or older file to this version's schema, and update its published results.

    Raises:
        StoreError: see :func:`harness.store.schema.migrate`.
        StorageError: the disk has no room for the copy of an older store.
    """
    migrate(db, path)
    columns = ", ".join(COLUMNS["published"])
    known = db.execute(f"SELECT {columns} FROM published").fetchall()  # noqa: S608 - our own names
    if known != [tuple(row.values()) for row in packaged_results()]:
        db.execute(transaction(["DELETE FROM published", *insertion("published", packaged_results())]))


def _failure_of(run: Row) -> str:
    """Return the id of the failure that a complete run mends."""
    return failure_id(run["task"], run["split"], run["name"], run["seed"], run["data_name"])


@functools.cache
def packaged_results() -> tuple[Row, ...]:
    """Return the published results of this package, as :meth:`Store.published` does where there is no store."""
    return tuple(asdict(result) for result in published_results())


def stored_record(store: Store, run_id: str) -> tuple[RunRecord, Path] | None:
    """Return a run's record with its statistics, and its folder; ``None`` for an unknown run.

    Raises:
        StoreError: the store can't be read.
    """
    with store.at_once() as held:
        rows = held.query("SELECT record, folder FROM runs WHERE run_id = ?", [run_id])
        if rows.empty:
            return None
        statistics = {name: held.statistics(run_id, name) for name in (HEADLINE, TUNED_ON_ALL)}
    scored = {name: videos for name, videos in statistics.items() if videos}
    return RunRecord.of(json.loads(rows["record"].iloc[0]), scored), Path(rows["folder"].iloc[0])
