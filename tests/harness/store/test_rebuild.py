"""``abaw reindex``: the store is an index over the run folders, and can be made again from them, whatever befell it."""

from __future__ import annotations

import random
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from harness.errors import StoreBusyError, StoreDamagedError, StoreError, StoreSchemaError
from harness.records.curves import SweepPoint, write_sweep
from harness.records.failure import Failure, failure_files
from harness.records.run import RUN_FILE, RunRecord
from harness.store.probe import check_apart
from harness.store.rebuild import rebuild
from harness.store.store import Store
from harness.system.atomic import PARTIAL
from tests.support.records import make_record


def numbered_record(k: int, task: str) -> RunRecord:
    """The record of one of three runs; the first one alone has videos that can be drawn."""
    record = make_record(f"run-{k}", task=task, created=f"2026-03-0{k + 1}T00:00:00+00:00")
    return replace(record, statistics={"headline": {"a": record.statistics["headline"]["a"]}}) if k else record


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """Three run folders, with files, a failure, and the store that was rebuilt from them. A test gets a copy of them.

    A store names its run folders, so that the copy must take their place.
    """
    root = tmp_path_factory.mktemp("rebuild")
    for k, task in enumerate(("EXPR", "EXPR", "VA")):
        folder = root / "submissions" / task / f"run-{k}"
        folder.mkdir(parents=True)
        (folder / "predictions.txt").write_bytes(b"x" * (k + 1))
        numbered_record(k, task).write(folder)
    Failure("0" * 16, "2026-03-05T00:00:00+00:00", "VA", "val", "va/x", 0, "lab", "DataError", "no weights").write(
        root / "submissions"
    )
    write_sweep(folder, [SweepPoint("half_width", 5.0, "mean_ccc", 0.5, 0.4, 0.6)])
    rebuild(Store(root / "submissions/results.duckdb"), root / "submissions")
    return (root / "submissions").rename(root / "template")


@pytest.fixture(autouse=True)
def _looked_at_here(monkeypatch, request):
    """No process a rebuild, but where that is what is tried."""
    if not request.node.get_closest_marker("process"):
        monkeypatch.setattr("harness.store.rebuild.check_apart", Store.check)


@pytest.fixture
def out(template) -> Path:
    """Three run folders, without a store."""
    folder = template.with_name("submissions")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("*.duckdb"))
    return folder


@pytest.fixture
def store(out, template) -> Store:
    """The store of these runs."""
    shutil.copy(template / "results.duckdb", out)
    return Store(out / "results.duckdb", patience=30)


@pytest.fixture(scope="module")
def before(template) -> dict[str, list[tuple[object, ...]]]:
    """All rows of that store."""
    return tables(template / "results.duckdb")


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables that run folders hold, and so not who recorded when."""
    with duckdb.connect(str(path), read_only=True) as db:
        names = [name for (name,) in db.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        names.remove("recordings")
        return {name: db.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in names}  # noqa: S608 - the store's


def test_a_deleted_store_comes_back_the_same(store, out, before):
    assert {name: len(rows) > 0 for name, rows in before.items()} == dict.fromkeys(
        (
            "draws",
            "failures",
            "files",
            "published",
            "runs",
            "schema_version",
            "scores",
            "sweep_points",
            "video_statistics",
        ),
        True,
    )
    store.path.unlink()
    done = rebuild(store, out)
    assert (done.recorded, done.removed, done.left_out, done.moved_aside) == (3, (), (), None)
    assert tables(store.path) == before


def test_failure_note_is_forgotten_if_gone_and_named_if_broken(store, out):
    (note,) = failure_files(out)
    note.write_text("{")
    assert "note of a failed run" in rebuild(store, out).left_out[0]
    assert len(store.failures()) == 1
    note.unlink()
    rebuild(store, out)
    assert not store.failures()


def test_a_rebuild_in_place_changes_nothing(store, out, before):
    rebuild(store, out)
    assert tables(store.path) == before


def test_store_recorded_run_by_run_equals_the_rebuilt_store(out, tmp_path):
    one_by_one = Store(tmp_path / "one_by_one.duckdb")
    for k, task in enumerate(("EXPR", "EXPR", "VA")):
        one_by_one.record([(numbered_record(k, task), out / task / f"run-{k}")])
    one_by_one.record([], failures=[(Failure.read(path), path) for path in failure_files(out)])
    rebuild(Store(tmp_path / "rebuilt.duckdb"), out)
    assert tables(one_by_one.path) == tables(tmp_path / "rebuilt.duckdb")


def test_run_without_folder_is_removed_and_one_elsewhere_kept(store, out, run_record, tmp_path):
    run_record("elsewhere").write(tmp_path / "other/EXPR/elsewhere")
    store.record([(run_record("elsewhere"), tmp_path / "other/EXPR/elsewhere")])
    store.record([(run_record("lost"), tmp_path / "other/EXPR/lost")])
    shutil.rmtree(out / "EXPR/run-1")
    assert rebuild(store, out).removed == ("run-1",)
    assert set(store.folders()) == {"run-0", "run-2", "elsewhere", "lost"}


def test_a_folder_that_moved_is_followed(store, out):
    (out / "EXPR/run-0").rename(out / "VA/run-0")
    assert rebuild(store, out).removed == ()
    assert store.folders()["run-0"] == out / "VA/run-0"


def test_unreadable_runs_are_named_and_the_rest_recorded(store, out, run_record):
    (out / "EXPR/run-0" / RUN_FILE).write_text("{")
    run_record("bad", scores=[{"estimate": "headline"}]).write(out / "EXPR/bad")
    store.path.unlink()
    done = rebuild(store, out)
    assert done.recorded == 2
    assert [Path(text.split(":")[0]).parent.name for text in done.left_out] == ["bad", "run-0"]


def test_a_run_that_became_unreadable_stays_in_the_store(store, out):
    (out / "EXPR/run-0" / RUN_FILE).write_text("{")
    assert rebuild(store, out).removed == ()
    assert "run-0" in store.folders()


@pytest.mark.parametrize("copy", ["EXPR/a-copy", "VA/z-copy"])
def test_a_copied_folder_does_not_take_the_runs_place(store, out, copy):
    shutil.copytree(out / "EXPR/run-1", out / copy)
    done = rebuild(store, out)
    assert len(done.left_out) == 1
    assert "the folder is a copy of another run" in done.left_out[0]
    assert str(out / copy) in done.left_out[0]
    assert store.folders()["run-1"] == out / "EXPR/run-1"


def test_half_made_folders_are_not_looked_at(store, out, run_record):
    run_record("half").write(out / "EXPR/.partial-half-1234")
    assert rebuild(store, out).recorded == 3


def broken(path: Path, how: str) -> None:
    """Spoil a store as disks, copies and people do."""
    data, dice = bytearray(path.read_bytes()), random.Random(how)
    if how.startswith("cut to "):
        data = data[: int(len(data) * float(how.removeprefix("cut to ")))]
    elif how == "header":
        data[4096:4200] = bytes(dice.randrange(256) for _ in range(104))
    elif how == "every block":
        for at in range(12288 + 100, len(data), 65536):
            data[at] ^= 255
    elif how == "zeros":
        data[: len(data)] = bytes(len(data))
    elif how == "garbage":
        data[:] = b"a poem"
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["cut to 0", "cut to 0.001", "cut to 0.5", "header", "every block", "zeros", "garbage"])
def test_broken_store_is_reported_moved_aside_and_rebuilt(store, out, run_record, how, before):
    broken(store.path, how)
    spoilt = store.path.read_bytes()
    start = time.monotonic()
    with pytest.raises(StoreDamagedError, match="abaw reindex"):
        store.check()
    assert time.monotonic() - start < 15, "it was taken for busy"
    done = rebuild(store, out)
    assert done.moved_aside == out / "results.duckdb.broken-1"
    assert done.moved_aside.read_bytes() == spoilt
    assert tables(store.path) == before


def test_whatever_befell_it_the_rebuilt_store_is_whole(store, out, before, repetitions):
    """Cut anywhere, or bytes changed anywhere, also where nothing is stored and nobody notices."""
    for seed in range(repetitions(4, 40)):
        dice, data = random.Random(seed), bytearray(store.path.read_bytes())
        if seed % 2:
            data = data[: dice.randrange(len(data))]
        else:
            for _ in range(10):
                data[dice.randrange(len(data))] ^= 255
        store.path.write_bytes(bytes(data))
        rebuild(store, out)
        assert tables(store.path) == before, seed
        store.check()


def test_a_store_that_lacks_a_table_is_made_anew(store, out, before):
    with duckdb.connect(str(store.path)) as db:
        db.execute("DROP TABLE scores")
    assert rebuild(store, out).moved_aside
    assert tables(store.path) == before


def test_what_was_moved_aside_is_never_overwritten(store, out):
    (out / "results.duckdb.broken-2.wal").write_text("somebody's")
    for text in ("first", "second"):
        store.path.write_text(text)
        rebuild(store, out)
    assert {path.name: path.read_text() for path in out.glob("*.broken-*")} == {
        "results.duckdb.broken-1": "first",
        "results.duckdb.broken-2.wal": "somebody's",
        "results.duckdb.broken-3": "second",
    }


def test_a_broken_log_beside_the_store_goes_with_it(store, out, python, before):
    code = """
        import duckdb, os, signal
        db = duckdb.connect(argument)
        db.execute("DELETE FROM scores")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    python(code, store.path).wait(60)
    log = out / "results.duckdb.wal"
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 255
    log.write_bytes(bytes(data))
    with pytest.raises(StoreDamagedError, match="abaw reindex"):
        store.runs()
    assert rebuild(store, out).moved_aside
    assert (out / "results.duckdb.broken-1.wal").read_bytes() == data
    assert tables(store.path) == before


def test_a_log_that_a_kill_left_is_taken_in(store, out, python):
    code = """
        import duckdb, os, signal
        db = duckdb.connect(argument)
        db.execute("DELETE FROM runs WHERE run_id = 'run-0'")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    python(code, store.path).wait(60)
    assert (out / "results.duckdb.wal").exists()
    assert set(store.folders()) == {"run-1", "run-2"}
    store.record([])
    assert not (out / "results.duckdb.wal").exists()
    assert set(store.folders()) == {"run-1", "run-2"}


def test_a_log_whose_store_is_gone_does_no_harm(store, out, python, before):
    code = """
        import duckdb, os, signal
        db = duckdb.connect(argument)
        db.execute("DELETE FROM runs")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    python(code, store.path).wait(60)
    store.path.unlink()
    assert store.runs().empty
    rebuild(store, out)
    assert tables(store.path) == before


def test_somebody_elses_files_are_left_alone(store, out, tmp_path):
    (tmp_path / "thesis.docx").write_bytes(b"years of work")
    with duckdb.connect(str(tmp_path / "theirs.duckdb")) as db:
        db.execute("CREATE TABLE customers (name VARCHAR)")
    (tmp_path / "folder.duckdb").mkdir()
    for name in ("thesis.docx", "theirs.duckdb", "folder.duckdb"):
        with pytest.raises(StoreError, match="not a results store") as error:
            rebuild(Store(tmp_path / name), out)
        assert not isinstance(error.value, StoreDamagedError)
    assert (tmp_path / "thesis.docx").read_bytes() == b"years of work"
    assert list(tmp_path.glob("*.broken-*")) == []


def test_a_newer_store_is_left_alone(store, out):
    with duckdb.connect(str(store.path)) as db:
        db.execute("INSERT INTO schema_version VALUES (999)")
    before = store.path.read_bytes()
    with pytest.raises(StoreSchemaError, match="newer version"):
        rebuild(store, out)
    assert store.path.read_bytes() == before
    assert list(out.glob("*.broken-*")) == []


def test_without_any_run_there_is_an_empty_store(tmp_path):
    store = Store(tmp_path / "results.duckdb")
    assert rebuild(store, tmp_path / "absent").recorded == 0
    assert store.exists()
    assert store.runs().empty


@pytest.mark.process
def test_store_that_crashes_the_opening_process_is_moved_aside(store, out, before, monkeypatch):
    dies = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setattr("harness.store.probe.COMMAND", dies)
    with pytest.raises(StoreDamagedError, match="found a process that opens it ends with signal 9"):
        check_apart(store)
    done = rebuild(store, out)
    assert (done.recorded, done.moved_aside) == (3, out / "results.duckdb.broken-1")
    assert tables(store.path) == before


@pytest.mark.process
def test_what_is_said_apart_is_said_here(store, out, tmp_path):
    check_apart(store)
    check_apart(Store(tmp_path / "absent.duckdb"))
    with duckdb.connect(str(tmp_path / "other.duckdb")) as db:
        db.execute("CREATE TABLE pictures (name VARCHAR)")
    with pytest.raises(StoreError, match="a DuckDB database, but not a results store"):
        check_apart(Store(tmp_path / "other.duckdb"))
    with duckdb.connect(str(store.path)), pytest.raises(StoreBusyError, match="another process holds"):
        check_apart(Store(store.path, patience=0.1))
    broken(store.path, "every block")
    with pytest.raises(StoreDamagedError, match="abaw reindex"):
        check_apart(store)


def test_a_store_can_be_made_anew_without_a_look_at_the_old_one(store, out, before, monkeypatch):
    spoilt = store.path.read_bytes()
    opened = []
    original = duckdb.connect
    monkeypatch.setattr("duckdb.connect", lambda path, **rest: opened.append(Path(path).name) or original(path, **rest))
    done = rebuild(store, out, unread=True)
    assert opened[0].startswith(PARTIAL)
    assert done.moved_aside.read_bytes() == spoilt
    assert (done.recorded, done.removed) == (3, ())
    monkeypatch.undo()
    assert tables(store.path) == before


def test_a_store_that_another_process_has_open_is_not_moved(store, out, python):
    code = """
        import duckdb, time
        db = duckdb.connect(argument)
        print("ready", flush=True)
        time.sleep(600)
    """
    process = python(code, store.path)
    try:
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(StoreBusyError, match="another process holds the results store"):
            rebuild(store, out, unread=True)
    finally:
        process.kill()
        process.communicate()
    assert rebuild(store, out, unread=True).moved_aside
