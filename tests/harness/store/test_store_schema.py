"""Stores of earlier versions: read as they are, copied before they change, changed all of the way or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path

import duckdb
import pytest

from harness.errors import StorageError, StoreError
from harness.store import schema
from harness.store.schema import migrations
from harness.store.store import Store
from tests.support.records import make_record

# a migration that was released never changes: stores that went through it would differ from new ones
RELEASED = {1: "53095560", 2: "59b0587d", 3: "d15142a8", 4: "d0b968e9", 5: "23679270"}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results.duckdb", patience=30)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    """The folder of the run, without files."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def version_1(tmp_path_factory, run_folder) -> bytes:
    """A store's file as version 1 of the schema left it, with one run."""
    path = tmp_path_factory.mktemp("version_1") / "results.duckdb"
    write_version_1(path, make_record(), run_folder)
    return path.read_bytes()


@pytest.fixture
def old(store, version_1) -> Store:
    """A store of version 1."""
    store.path.write_bytes(version_1)
    return store


def write_version_1(path, record, folder) -> None:
    """What the first release did, statement by statement."""
    content, statistics = record.plain(), record.statistics
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied TIMESTAMP)")
        db.execute(migrations()[0][1])
        db.execute("INSERT INTO schema_version VALUES (1, '2026-02-01 00:00:00')")
        db.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                record.run_id, record.created, record.status, record.task, record.split, record.name, record.seed,
                record.encoder, record.head, record.postprocess, record.trained_on, record.tuned_on,
                record.data["name"], record.data["fingerprint"], record.data["videos"], record.data["frames"],
                record.timings["frames_per_second"], record.timings["total"], str(folder), json.dumps(content),
            ],
        )  # fmt: skip
        for s in record.scores:
            row = [s[key] for key in ("estimate", "metric", "version", "target", "value", "low", "high")]
            db.execute("INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [record.run_id, *row])
        for estimate, videos in statistics.items():
            for video, values in videos.items():
                row = [record.run_id, estimate, video, values]
                db.execute("INSERT INTO video_statistics VALUES (?, ?, ?, ?)", row)


def version(path) -> int:
    with duckdb.connect(str(path), read_only=True) as db:
        return db.execute("SELECT max(version) FROM schema_version").fetchone()[0]


def everything(store: Store) -> dict[str, object]:
    return {
        "runs": store.runs().drop(columns=["setup", "labelled_frames"]).astype(str).to_dict("list"),
        "scores": store.scores("landmarks-val-s0-00000000").astype(str).to_dict("list"),
        "statistics": store.query("SELECT * FROM video_statistics ORDER BY ALL").astype(str).to_dict("list"),
        "files": store.files("landmarks-val-s0-00000000")[["name", "sha256"]].to_dict("list"),
        "known": store.runs_with_file("0" * 64),
        "folders": store.folders(),
        "published": len(store.published()),
    }


def test_a_released_migration_never_changes():
    found = {number: hashlib.sha256(sql.encode()).hexdigest()[:8] for number, sql in migrations()}
    assert {number: found[number] for number in RELEASED} == RELEASED
    assert set(found) == set(RELEASED), "note the new one's hash when it is released"


def test_every_migration_but_the_first_has_its_view_for_readers():
    assert [number for number, _ in schema._for_readers()] == [number for number, _ in migrations()][1:]


def test_an_old_store_reads_as_a_new_one_and_is_not_touched(old, tmp_path, run_record, run_folder):
    before = old.path.read_bytes()
    found = everything(old)
    assert old.path.read_bytes() == before
    new = Store(tmp_path / "new.duckdb")
    new.record([(run_record(), run_folder)])
    assert found == everything(new)
    assert old.runs().setup.isna().all(), "what it does not hold is NULL"
    assert not old.failures()
    assert old.replicates(["landmarks-val-s0-00000000"]) == {}
    old.check()


def test_an_old_store_that_may_not_be_written_is_read(old):
    old.path.chmod(0o444)
    old.path.parent.chmod(0o555)
    try:
        assert old.runs().run_id.tolist() == ["landmarks-val-s0-00000000"]
    finally:
        old.path.parent.chmod(0o755)


def test_the_first_write_migrates_and_loses_nothing(old, run_record, tmp_path):
    before = everything(old)
    old.record([])
    assert everything(old) == before
    assert version(old.path) == migrations()[-1][0]


def test_a_migrated_store_equals_one_made_anew(store, run_record, tmp_path):
    write_version_1(store.path, run_record(), tmp_path)
    (tmp_path / "predictions.txt").write_bytes(b"12345")
    store.record([])
    new = Store(tmp_path / "new.duckdb")
    new.record([(run_record(), tmp_path)])
    assert tables(store.path) == tables(new.path)


def tables(path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, and the columns' names and types."""
    with duckdb.connect(str(path), read_only=True) as db:
        names = [name for (name,) in db.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        names.remove("recordings")  # each has a moment of its own
        columns = "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE NOT internal"
        found = {"": db.execute(f"{columns} ORDER BY ALL").fetchall()}
        for name in names:
            rows = db.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()  # noqa: S608 - the store's
            found[name] = [tuple(json.loads(x) if is_json(x) else x for x in row) for row in rows]
    return found


def is_json(value) -> bool:
    return isinstance(value, str) and value.startswith("{")


def test_a_copy_is_made_first_and_kept(old, run_record, tmp_path):
    old.record([(run_record("later"), tmp_path)])
    old.record([(run_record("later still"), tmp_path)])
    (copy,) = tmp_path.glob("results.duckdb.*")
    assert copy.name == "results.duckdb.schema-1.copy-1"
    assert version(copy) == 1
    with duckdb.connect(str(copy), read_only=True) as db:
        assert db.execute("SELECT run_id FROM runs").fetchall() == [("landmarks-val-s0-00000000",)]
        assert db.execute(
            "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
        ).fetchall() == [(4,)]
        assert db.execute("SELECT count(*) FROM video_statistics").fetchall() == [(2,)]


def test_a_copy_is_never_overwritten(old, run_record, tmp_path):
    (tmp_path / "results.duckdb.schema-1.copy-1").write_text("an earlier one")
    old.record([])
    assert (tmp_path / "results.duckdb.schema-1.copy-1").read_text() == "an earlier one"
    assert version(tmp_path / "results.duckdb.schema-1.copy-2") == 1


def test_a_new_store_needs_no_copy(store, run_record, tmp_path):
    store.record([(run_record(), tmp_path)])
    assert list(tmp_path.glob("results.duckdb.*")) == []


def test_a_store_with_an_odd_name_is_copied_too(tmp_path, run_record):
    path = tmp_path / 'it\'s "my" store.v2.duckdb'
    write_version_1(path, run_record(), tmp_path)
    Store(path).record([])
    assert version(tmp_path / f"{path.name}.schema-1.copy-1") == 1


def test_without_room_for_the_copy_nothing_changes(old, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    before = old.path.read_bytes()
    monkeypatch.setattr("harness.system.atomic._flush", full)
    with pytest.raises(StorageError, match="the disk is full"):
        old.record([])
    assert sorted(p.name for p in old.path.parent.glob("*results*")) == [".results.duckdb.lock", "results.duckdb"]
    assert old.path.read_bytes() == before


def test_a_migration_that_fails_changes_nothing(old, run_record, tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "migrations", lambda: (*migrations(), (3, "CREATE TABLE new (a INT); SELECT nonsense")))
    before = everything(old)
    with pytest.raises(StoreError, match="nonsense"):
        old.record([(run_record("later"), tmp_path)])
    monkeypatch.undo()
    assert version(old.path) == 1
    assert everything(old) == before


@pytest.mark.process
def test_kill_during_migration_leaves_the_old_store(old, python, run_record, tmp_path):
    code = """
        import os, pathlib, signal
        from harness.store import schema
        from harness.store.store import Store
        schema._list_files = lambda db: os.kill(os.getpid(), signal.SIGKILL)
        Store(pathlib.Path(argument)).record([])
    """
    process = python(code, old.path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err
    assert version(old.path) == 1
    old.record([(run_record("later"), tmp_path)])
    assert version(old.path) == migrations()[-1][0]
    assert set(old.folders()) == {"landmarks-val-s0-00000000", "later"}


@pytest.mark.process
def test_processes_that_come_at_once_migrate_once(old, python):
    code = """
        import pathlib
        from harness.store.store import Store
        Store(pathlib.Path(argument), patience=60).record([])
    """
    for process in [python(code, old.path) for _ in range(3)]:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert len(list(old.path.parent.glob("*.copy-*"))) == 1


def test_leftovers_of_a_killed_copy_are_swept_when_they_are_old(old):
    left = old.path.with_name(".partial-results.duckdb.schema-1.copy-1-0000")
    left.write_text("half")
    os.utime(left, (0, 0))
    old.record([])
    assert not left.exists()
