"""The store's schema: numbered changes, forward only, each after a copy of the file as it was."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import duckdb

from harness.errors import StoreError, StoreSchemaError
from harness.records.run import HEADLINE, RunRecord
from harness.store.address import StoreAddress
from harness.store.interface import Connection
from harness.store.rows import draw_rows, file_rows, insertion, labelled_frames
from harness.store.sql import literal
from harness.system.atomic import atomic_path, numbered_path, sweep_partials


@functools.cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Return the numbered schema changes as ``(version, SQL)``. A released one never changes."""
    return _numbered(resources.files("harness") / "store" / "migrations")


@functools.cache
def _for_readers() -> tuple[tuple[int, str], ...]:
    """Return temporary views, by number: each shows an older store as the migration of that number would."""
    return _numbered(resources.files("harness") / "store" / "migrations" / "readers")


def _numbered(folder: Traversable) -> tuple[tuple[int, str], ...]:
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple((int(name[:4]), (folder / name).read_text(encoding="utf-8")) for name in names)


def schema_version(db: Connection, place: Path | StoreAddress) -> int:
    """Return the schema version of the store, 0 for a file without tables.

    Raises:
        StoreError: the DuckDB file belongs to another program.
        StoreSchemaError: a newer version of this package wrote the file.
    """
    known = migrations()[-1][0]
    try:
        row = db.execute("SELECT max(version) FROM schema_version").fetchone()
    except duckdb.CatalogException:
        tables = [name for (name,) in db.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        if tables:
            raise StoreError(
                "a DuckDB database, but not a results store", where=place, found=f"tables {tables[:5]}"
            ) from None
        row = None
    version = int(row[0]) if row and row[0] is not None else 0
    if version > known:
        raise StoreSchemaError(
            "the results store was written by a newer version of abaw-harness",
            where=place,
            found=f"schema {version}",
            expected=f"at most {known}",
            do="Update this installation, or name another --store",
        )
    return version


def require_current(db: Connection, place: StoreAddress) -> None:
    """Raise an error where a server's store has another schema than this version; only the server can migrate it.

    Raises:
        StoreError: the database belongs to another program.
        StoreSchemaError: the server runs a newer or an older version of this package.
    """
    version, known = schema_version(db, place), migrations()[-1][0]
    if version < known:
        raise StoreSchemaError(
            "the server is of an earlier version of abaw-harness than this one",
            where=place,
            found=f"schema {version}",
            expected=f"{known}",
            do="Update the server: install this version there, then start abaw store serve again",
        )


def migrate(db: Connection, path: Path) -> None:
    """Migrate the file to this version's schema in one transaction.

    A store with tables is copied first, beside itself, to ``results.duckdb.schema-1.copy-1``: an earlier version of
    this package can go on with the copy, which is never overwritten or removed.

    Raises:
        StoreError: the DuckDB file belongs to another program.
        StoreSchemaError: a newer version of this package wrote the file.
        StorageError: the disk has no room for the copy.
    """
    version = schema_version(db, path)
    missing = [(number, sql) for number, sql in migrations() if number > version]
    if not missing:
        return
    if version:
        _copy(db, path, version)
    db.execute("BEGIN")
    db.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY)")
    for _, sql in missing:  # all of them first: DuckDB changes no table whose rows this transaction has changed
        db.execute(sql)
    for number, _ in missing:
        if number == 2:
            _list_files(db)
        if number == 4:
            _draw_videos(db)
        if number == 5:
            _count_labels(db)
        db.execute(f"INSERT INTO schema_version (version) VALUES ({number})")  # noqa: S608 - a number of ours
    db.execute("COMMIT")


def show_as_migrated(db: Connection, version: int) -> None:
    """Let a reader see an older store in this version's shape; the file is not touched."""
    for number, sql in _for_readers():
        if number > version:
            db.execute(sql.replace("store.main.", f"{_database_name(db)}.main."))


def _database_name(db: Connection) -> str:
    """Return DuckDB's name of the database in the file, quoted."""
    row = db.execute("SELECT current_database()").fetchone()
    return '"' + (row[0] if row else "").replace('"', '""') + '"'


def _copy(db: Connection, path: Path, version: int) -> None:
    # by DuckDB, not byte by byte: closing a second handle on the file would drop this process's lock on it
    sweep_partials(path.parent)
    database = _database_name(db)
    with atomic_path(numbered_path(path, f"schema-{version}.copy")) as temporary:
        place = str(temporary).replace("'", "''")
        db.execute(f"ATTACH '{place}' AS copy_of_store")
        db.execute(f"COPY FROM DATABASE {database} TO copy_of_store")
        db.execute("DETACH copy_of_store")


def _list_files(db: Connection) -> None:
    """Fill the table of files for migration 2: SQL can't read the sizes."""
    runs = db.execute("SELECT run_id, folder, record->>'files' FROM runs").fetchall()
    rows = [row for run_id, folder, files in runs for row in file_rows(run_id, Path(folder), files)]
    _run(db, insertion("files", rows))


def _draw_videos(db: Connection) -> None:
    """Fill bootstrap replicates and setups of the stored runs for migration 4: SQL can't compute them."""
    of_runs = _headline_statistics(db)
    for run_id, task, record in db.execute("SELECT run_id, task, record FROM runs").fetchall():
        old = RunRecord.of(json.loads(record), {})
        db.execute(f"UPDATE runs SET setup = '{old.setup}' WHERE run_id = ({literal(run_id)}->>'$')")  # noqa: S608 - a digest
        _run(db, insertion("draws", list(draw_rows(run_id, task, of_runs.get(run_id, {}), old.groups))))


def _count_labels(db: Connection) -> None:
    """Fill the number of labelled frames per run for migration 5: SQL can't compute it."""
    of_runs = _headline_statistics(db)
    for run_id, task in db.execute("SELECT run_id, task FROM runs").fetchall():
        number = labelled_frames(task, of_runs.get(run_id, {}))
        if number is not None:
            db.execute(f"UPDATE runs SET labelled_frames = {number} WHERE run_id = ({literal(run_id)}->>'$')")  # noqa: S608 - a number


def _headline_statistics(db: Connection) -> dict[str, dict[str, list[float]]]:
    """Return the headline's statistics of every run, by run id and video."""
    of_runs: dict[str, dict[str, list[float]]] = {}
    of_headline = f"SELECT run_id, video, statistics FROM video_statistics WHERE estimate = '{HEADLINE}'"  # noqa: S608
    for run_id, video, statistics in db.execute(of_headline).fetchall():
        of_runs.setdefault(run_id, {})[video] = statistics
    return of_runs


def _run(db: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        db.execute(statement)
