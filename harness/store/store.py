"""The results store: runs, scores, per-video statistics, published results, in one DuckDB file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import astuple, fields
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from harness.errors import StorageError, StoreError, StoreSchemaError, problem
from harness.record import RunRecord
from harness.reference.published import PublishedResult, published_results
from harness.store.connection import PATIENCE, connect

# threads of one process share DuckDB's instance, where two writers conflict instead of waiting for each other
_ONE_WRITER = threading.Lock()


def migrations() -> list[tuple[int, str]]:
    """Numbered, forward-only schema changes: ``(version, SQL)``."""
    folder = resources.files("harness") / "store" / "migrations"
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name.split("_")[0]), (folder / name).read_text(encoding="utf-8")) for name in found]


class Store:
    """The results store at a path. Holds no connection: each call opens, does, closes.

    Args:
        path: the DuckDB file; made by the first :meth:`record`.
        patience: seconds to wait while another process holds it.
    """

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self.path = path
        self.patience = patience

    def exists(self) -> bool:
        """Whether there is something at the path yet."""
        return self.path.exists()

    def record(self, runs: Iterable[tuple[RunRecord, Path]]) -> None:
        """Record runs with the folders they lie in, all or none. A run that is there already is replaced.

        Raises:
            StoreBusyError: another process holds the file for longer than ``patience``.
            StoreSchemaError: a newer version wrote the file.
            StorageError: the folder can't be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(problem("can't make the folder", where=self.path.parent, found=error.strerror)) from None
        with _ONE_WRITER, connect(self.path, read_only=False, patience=self.patience) as db:
            db.begin()
            self._migrate(db)
            _load_published(db)
            for record, folder in runs:
                _insert_run(db, record, folder)
            db.commit()

    def query(self, sql: str, parameters: Iterable[Any] = ()) -> pd.DataFrame:
        """Run one read-only query.

        Returns:
            Its rows; an empty frame without columns where there is no store yet.
        """
        if not self.exists():
            return pd.DataFrame()
        with connect(self.path, read_only=True, patience=self.patience) as db:
            if self._check_version(db) == 0:
                return pd.DataFrame()
            rows: pd.DataFrame = db.execute(sql, list(parameters)).df()
            return rows

    def runs(self) -> pd.DataFrame:
        """Every run, newest first: its headline, the tuned-on-all value, the constant's; official metric only."""
        return self.query(
            """
            SELECT r.* EXCLUDE (record), h.metric, h.metric_version, h.value, h.low, h.high,
                   t.value AS tuned_on_all, c.value AS constant,
                   record->>'constant' AS constant_name, CAST(record->'notes' AS VARCHAR) AS notes
            FROM runs r
            LEFT JOIN scores c ON c.run_id = r.run_id AND c.estimate = 'constant' AND c.target = 'all'
            LEFT JOIN scores h ON h.run_id = r.run_id AND h.estimate = 'headline' AND h.target = 'all'
                 AND h.metric = c.metric
            LEFT JOIN scores t ON t.run_id = r.run_id AND t.estimate = 'tuned_on_all' AND t.target = 'all'
                 AND t.metric = c.metric
            ORDER BY r.created DESC, r.run_id
            """
        )

    def scores(self, run_id: str) -> pd.DataFrame:
        """All scores of a run."""
        return self.query("SELECT * EXCLUDE (run_id) FROM scores WHERE run_id = ? ORDER BY ALL", [run_id])

    def published(self) -> pd.DataFrame:
        """Published results; those of the package where there is no store yet."""
        found = self.query("SELECT * FROM published")
        if found.empty:
            found = pd.DataFrame([astuple(r) for r in published_results()], columns=_PUBLISHED)
        return found

    def _check_version(self, db: duckdb.DuckDBPyConnection) -> int:
        """Schema version of the file, 0 for a file without a schema."""
        known = migrations()[-1][0]
        tables = {row[0] for row in db.execute("SELECT table_name FROM information_schema.tables").fetchall()}
        if not tables:
            return 0
        if "schema_version" not in tables:
            raise StoreError(
                problem("a DuckDB file, but not a results store", where=self.path, found=f"tables {sorted(tables)[:5]}")
            )
        row = db.execute("SELECT max(version) FROM schema_version").fetchone()
        version = int(row[0]) if row and row[0] is not None else 0
        if version > known:
            raise StoreSchemaError(
                problem(
                    "the results store was written by a newer version of abaw-harness",
                    where=self.path,
                    found=f"schema {version}",
                    expected=f"at most {known}",
                    do="Update this installation, or name another --store",
                )
            )
        return version

    def _migrate(self, db: duckdb.DuckDBPyConnection) -> None:
        version = self._check_version(db)
        if version == 0:
            db.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied TIMESTAMP)")
        for number, sql in migrations():
            if number > version:
                db.execute(sql)
                db.execute("INSERT INTO schema_version VALUES (?, current_localtimestamp())", [number])


_PUBLISHED = [f.name for f in fields(PublishedResult)]


def _load_published(db: duckdb.DuckDBPyConnection) -> None:
    """Bring the table up to what this version of the package knows."""
    rows = [astuple(result) for result in published_results()]
    marks = ", ".join("?" * len(_PUBLISHED))
    known = db.execute(f"SELECT {', '.join(_PUBLISHED)} FROM published").fetchall()  # noqa: S608 - our own names
    if known != rows:
        db.execute("DELETE FROM published")
        db.executemany(f"INSERT INTO published ({', '.join(_PUBLISHED)}) VALUES ({marks})", rows)  # noqa: S608


def _insert_run(db: duckdb.DuckDBPyConnection, record: RunRecord, folder: Path) -> None:
    for table in ("runs", "scores", "video_statistics"):
        db.execute(f"DELETE FROM {table} WHERE run_id = ?", [record.run_id])  # noqa: S608 - three fixed names
    content = {f.name: getattr(record, f.name) for f in fields(record) if f.name != "statistics"}
    row = {
        **{k: content[k] for k in ("run_id", "created", "status", "task", "split", "name", "seed")},
        **{k: content[k] for k in ("encoder", "head", "postprocess", "trained_on", "tuned_on")},
        "data_name": record.data["name"],
        "data_fingerprint": record.data["fingerprint"],
        "videos": record.data["videos"],
        "frames": record.data["frames"],
        "frames_per_second": record.timings.get("frames_per_second"),
        "seconds": record.timings.get("total"),
        "folder": str(folder.resolve()),
        "record": json.dumps(content),
    }
    db.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))  # noqa: S608
    scores = [
        [record.run_id, s["estimate"], s["metric"], s["version"], s["target"], s["value"], s["low"], s["high"]]
        for s in record.scores
    ]
    if scores:
        db.executemany("INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?)", scores)
    statistics = [
        [record.run_id, estimate, video, values]
        for estimate, videos in record.statistics.items()
        for video, values in videos.items()
    ]
    if statistics:
        db.executemany("INSERT INTO video_statistics VALUES (?, ?, ?, ?)", statistics)
