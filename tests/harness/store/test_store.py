"""The results store: what goes in comes out, whoever else is at it."""

from __future__ import annotations

import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import pandas as pd
import pytest

from harness.errors import DataError, StorageError, StoreBusyError, StoreDamagedError, StoreError, StoreSchemaError
from harness.metrics.compare import compare, p_value
from harness.metrics.interval import percentile_interval
from harness.reference.published import published_results
from harness.store import store as store_module
from harness.store.connection import _holder
from harness.store.schema import migrations
from harness.store.store import Store
from tests.support.records import make_record

HOLD = """
    import duckdb
    connection = duckdb.connect(argument)
    print("held", flush=True)
    sys.stdin.readline()
    connection.close()
    print("let go", flush=True)
"""
RECORD = """
    import os, pathlib, signal
    from harness.records.run import RunRecord
    from harness.store.store import Store
    from dataclasses import replace
    record = RunRecord.read(pathlib.Path(argument["folder"]))
    store = Store(pathlib.Path(argument["store"]), patience=60)
    def named(k):
        return replace(record, run_id=f"{argument['name']}-{k}"), pathlib.Path(argument["folder"])
"""


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results.duckdb", patience=0.3)


@pytest.fixture(scope="module")
def one_run(tmp_path_factory) -> bytes:
    """A store's file with one run in it."""
    store = Store(tmp_path_factory.mktemp("one_run") / "results.duckdb")
    store.record([(make_record(), store.path.parent)])
    return store.path.read_bytes()


@pytest.fixture
def folder(tmp_path, run_record):
    """A run folder that other processes can read."""
    run_record().write(tmp_path / "run")
    return tmp_path / "run"


def sql(store: Store, statement: str):
    with duckdb.connect(str(store.path)) as db:
        return db.execute(statement).fetchall()


def whole(store: Store, run_id: str) -> bool:
    statistics = store.query("SELECT * FROM video_statistics WHERE run_id = ?", [run_id])
    return len(store.scores(run_id)) == 5 and len(statistics) == 2


def test_there_is_nothing_before_the_first_run(store):
    assert not store.exists()
    assert store.runs().empty
    assert store.scores("x").empty
    assert not store.exists()


def test_a_run_comes_out_as_it_went_in(store, run_record, tmp_path):
    store.record([(run_record(), tmp_path / "run")])
    (row,) = store.runs().to_dict("records")
    assert row["run_id"] == "landmarks-val-s0-00000000"
    assert (row["metric"], row["value"], row["low"], row["high"]) == ("macro_f1", 0.41, 0.3, 0.5)
    assert (row["tuned_on_all"], row["constant"], row["constant_name"]) == (0.44, 0.05, "always Neutral")
    assert (row["data_name"], row["videos"], row["frames"]) == ("Aff-Wild2", 2, 86)
    assert row["folder"] == str(tmp_path / "run")
    assert str(row["created"]) == "2026-03-14 15:09:26"
    assert "took cropped/" in row["notes"]


def test_scores_and_statistics_come_out_as_they_went_in(store, run_record, tmp_path):
    record = run_record()
    store.record([(record, tmp_path)])
    scores = store.scores(record.run_id)
    assert len(scores) == len(record.scores)
    assert scores[scores.target == "Neutral"].value.item() == 0.60
    rows = store.query("SELECT * FROM video_statistics ORDER BY video").to_dict("records")
    assert [row["video"] for row in rows] == ["a", "b_left"]
    assert list(rows[1]["statistics"]) == record.statistics["headline"]["b_left"]


def test_comparison_by_replicates_equals_one_by_statistics(store, run_record, tmp_path):
    drawn = np.random.default_rng(0)
    labelled = {f"v{k}": drawn.integers(1, 9, (8, 8)) for k in range(3)}
    answers = {"a": 0, "b": 1}
    runs = [
        run_record(name, statistics={"headline": statistics(labelled, shift, order=order)})
        for (name, shift), order in zip(answers.items(), ((2, 0, 1), (0, 1, 2)), strict=True)
    ]
    store.record([(run, tmp_path) for run in runs])
    replicates = store.replicates(["b", "a", "nobody"])
    assert set(replicates) == {"a", "b"}
    found = compare(runs[0].scored(), runs[1].scored())
    assert p_value(replicates["a"] - replicates["b"], 3) == found.p_value
    low, high = percentile_interval(replicates["a"] - replicates["b"])
    assert (low, high) == pytest.approx((found.headline.low, found.headline.high), abs=1e-6)


def statistics(labelled, shift, *, order):
    """Confusions of the same labels and other answers, videos in some order."""
    return {f"v{k}": np.roll(labelled[f"v{k}"], shift, axis=1).ravel().astype(float).tolist() for k in order}


def test_statistics_that_are_no_metrics_have_no_draws(store, run_record, tmp_path):
    store.record([
        (run_record("odd", statistics={"headline": {"a": [1.0], "b": [2.0]}}), tmp_path),
        (run_record("alone", statistics={"headline": {"a": [1.0] * 64}}), tmp_path),
        (run_record("endless", statistics={"headline": {"a": [1e308] * 64, "b": [1e308] * 64}}), tmp_path),
    ])  # fmt: skip
    assert store.replicates(["odd", "alone", "endless"]) == {}
    assert store.statistics("odd") == {"a": [1.0], "b": [2.0]}


def test_scores_by_class_are_there_for_all_runs(store, run_record, tmp_path):
    store.record([(run_record("a"), tmp_path), (run_record("b"), tmp_path)])
    assert store.targets().to_numpy().tolist() == [["a", "f1", "Neutral", 0.6], ["b", "f1", "Neutral", 0.6]]


def test_a_run_without_labels_has_no_value(store, run_record, tmp_path):
    store.record([(run_record(split="test", scores=[], statistics={}, constant=""), tmp_path)])
    assert store.runs().value.isna().all()


def test_recording_again_changes_nothing(store, run_record, tmp_path):
    store.record([(run_record(), tmp_path)])
    before = store.runs()
    store.record([(run_record(), tmp_path)])
    assert store.runs().equals(before)


def test_recording_again_replaces_all_of_a_run(store, run_record, tmp_path):
    record = run_record()
    store.record([(record, tmp_path)])
    changed = run_record(scores=[{**record.scores[0], "value": 0.9}, record.scores[-1]], statistics={"headline": {}})
    store.record([(changed, tmp_path)])
    assert store.runs().value.tolist() == [0.9]
    assert len(store.scores(record.run_id)) == 2
    assert store.query("SELECT * FROM video_statistics").empty


def test_of_one_run_given_twice_the_last_counts(store, run_record, tmp_path):
    store.record([(run_record(seed=1), tmp_path), (run_record(seed=2), tmp_path)])
    assert store.runs().seed.tolist() == [2]


def test_all_runs_are_recorded_or_none(store, run_record, tmp_path):
    def runs():
        yield run_record("first"), tmp_path
        raise DataError("the second can't be read")

    with pytest.raises(DataError):
        store.record(runs())
    assert store.runs().empty


def test_runs_come_newest_first(store, run_record, tmp_path):
    days = {"b": "2026-03-02", "a": "2026-03-01", "c": "2026-03-03"}
    store.record([(run_record(name, created=f"{day}T00:00:00+00:00"), tmp_path) for name, day in days.items()])
    assert store.runs().run_id.tolist() == ["c", "b", "a"]


def test_published_results_exist_before_and_after_first_run(store, run_record, tmp_path):
    before = store.published()
    store.record([(run_record(), tmp_path)])
    assert len(before) == len(store.published()) == len(published_results())
    assert [list(row) for row in before] == [list(row) for row in store.published()]


def test_published_results_follow_the_package(store, one_run, run_record, tmp_path):
    store.path.write_bytes(one_run)
    sql(store, "DELETE FROM published WHERE edition = 8")
    sql(store, "INSERT INTO published SELECT * REPLACE (99 AS edition) FROM published LIMIT 1")
    store.record([(run_record(), tmp_path)])
    assert len(store.published()) == len(published_results())
    assert 99 not in {row["edition"] for row in store.published()}


def test_migrations_are_numbered_without_a_gap():
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_migrations_that_ran_are_noted(store, run_record, tmp_path):
    for _ in range(2):
        store.record([(run_record(), tmp_path)])
    assert sql(store, "SELECT version FROM schema_version ORDER BY 1") == [(number,) for number, _ in migrations()]


def test_a_newer_schema_is_refused(store, one_run, run_record, tmp_path):
    store.path.write_bytes(one_run)
    sql(store, "INSERT INTO schema_version VALUES (999)")
    for use in (store.runs, lambda: store.record([(run_record(), tmp_path)])):
        with pytest.raises(StoreSchemaError, match=r"newer version of abaw-harness; found schema 999, expected"):
            use()


@pytest.mark.parametrize("content", [b"a poem", b""])
def test_another_kind_of_file_is_refused_and_kept(store, run_record, tmp_path, content):
    store.path.write_bytes(content)
    for use in (store.runs, lambda: store.record([(run_record(), tmp_path)])):
        with pytest.raises(StoreError, match="not a results store; found another kind of file"):
            use()
    assert store.path.read_bytes() == content


def test_a_folder_is_refused(tmp_path, run_record):
    for use in (Store(tmp_path).runs, lambda: Store(tmp_path).record([(run_record(), tmp_path)])):
        with pytest.raises(StoreError, match="not a results store; found a folder"):
            use()


def test_somebody_elses_duckdb_file_is_refused_and_kept(store, run_record, tmp_path):
    sql(store, "CREATE TABLE customers (name VARCHAR)")
    for use in (store.runs, lambda: store.record([(run_record(), tmp_path)])):
        with pytest.raises(StoreError, match=r"but not a results store; found tables \['customers'\]"):
            use()
    assert sql(store, "SELECT table_name FROM information_schema.tables") == [("customers",)]


def test_a_damaged_store_says_how_to_rebuild_it(store, one_run, run_record, tmp_path):
    store.path.write_bytes(one_run)
    store.path.write_bytes(store.path.read_bytes()[:5000])
    for use in (store.runs, lambda: store.record([(run_record(), tmp_path)])):
        with pytest.raises(StoreDamagedError, match=r"the results store is damaged; found .* abaw reindex"):
            use()


def test_a_broken_block_is_not_taken_for_a_lock(store, one_run):
    store.path.write_bytes(one_run)
    data = bytearray(store.path.read_bytes())
    for at in range(12288 + 100, len(data), 4096):
        data[at] ^= 255
    store.path.write_bytes(bytes(data))
    start = time.monotonic()
    with pytest.raises(StoreDamagedError, match="in block"):
        Store(store.path, patience=60).runs()
    assert time.monotonic() - start < 30


def test_file_in_folder_named_blocks_is_not_taken_for_locked(tmp_path):
    (tmp_path / "blocks").mkdir()
    path = tmp_path / "blocks/results.duckdb"
    path.write_text("a poem")
    start = time.monotonic()
    with pytest.raises(StoreError, match="not a results store"):
        Store(path, patience=5).runs()
    assert time.monotonic() - start < 2


def test_a_query_that_is_wrong_names_the_store(store, one_run):
    store.path.write_bytes(one_run)
    with pytest.raises(StoreError, match=r"results\.duckdb: the results store can't be used; found"):
        store.query("SELECT nonsense FROM runs")


def test_missing_table_is_not_replaced_by_variable_of_its_name(store, one_run):
    store.path.write_bytes(one_run)
    made_up = pd.DataFrame({"a": [1]})
    assert len(made_up) == 1
    with pytest.raises(StoreError, match="made_up"):
        store.query("SELECT * FROM made_up")


def test_a_query_cannot_write(store, one_run):
    store.path.write_bytes(one_run)
    with pytest.raises(StoreError, match="read-only"):
        store.query("DELETE FROM runs")


def test_several_reads_share_one_connection(store, run_record, tmp_path, monkeypatch):
    with store.at_once() as nothing:
        assert nothing.runs().empty
        assert nothing.published()
    store.record([(run_record(), tmp_path)])
    opened, connect = [], store_module.connect
    monkeypatch.setattr(store_module, "connect", lambda *a, **k: (opened.append(a), connect(*a, **k))[1])
    with store.at_once() as held:
        (run_id,) = held.runs()["run_id"]
        statistics = held.statistics(run_id)
    assert len(opened) == 1
    assert statistics == store.statistics(run_id) != {}
    store.record([(run_record("after"), tmp_path)])


def test_ctrl_c_in_the_middle_of_a_statement_is_ctrl_c(store, one_run):
    store.path.write_bytes(one_run)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background is deaf to it
    try:
        threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            store.query("SELECT sum(hash(a.range + b.range)) FROM range(1000000) AS a, range(1000000) AS b")
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(store.runs()) == 1


def test_store_held_by_other_process_is_busy_until_release(store, one_run, run_record, folder, python):
    store.path.write_bytes(one_run)
    holder = python(HOLD, store.path)
    assert holder.stdout.readline() == "held\n"
    for use in (store.runs, lambda: store.record([(run_record("late"), folder)])):
        start = time.monotonic()
        with pytest.raises(StoreBusyError, match=rf"another process holds .*found process {holder.pid} \(python"):
            use()
        assert 0.3 <= time.monotonic() - start < 3

    def let_go():
        holder.stdin.write("\n")
        holder.stdin.flush()

    threading.Timer(0.5, let_go).start()
    Store(store.path, patience=20).record([(run_record("late"), folder)])
    assert holder.stdout.readline() == "let go\n"
    assert set(store.runs().run_id) == {"landmarks-val-s0-00000000", "late"}


def test_who_holds_it_is_said_as_the_user_knows_it(store, one_run, tmp_path, python):
    store.path.write_bytes(one_run)
    script = tmp_path / "leaderboard.py"
    script.write_text("import duckdb, sys\nheld = duckdb.connect(sys.argv[1])\nprint('held', flush=True)\ninput()\n")
    code = "import os; os.execv(sys.executable, [sys.executable, *argument])"
    holder = python(code, [str(script), str(store.path), "--port", "8501"])
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreBusyError) as error:
        store.runs()
    assert re.search(rf"found process {holder.pid} \(python\S* leaderboard\.py \S", str(error.value))


def test_one_of_our_own_that_works_for_long_is_named_too(store, one_run, run_record, tmp_path, python):
    store.path.write_bytes(one_run)
    code = """
        import pathlib
        from harness.store.connection import connect
        with connect(pathlib.Path(argument), read_only=True):
            print("held", flush=True)
            sys.stdin.readline()
    """
    reader = python(code, store.path)
    assert reader.stdout.readline() == "held\n"
    assert len(store.runs()) == 1
    with pytest.raises(StoreBusyError, match=rf"found process {reader.pid} \(python"):
        store.record([(run_record("late"), tmp_path)])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Conflicting lock is held in /usr/bin/duckdb (PID 0). See also", "a process of another machine or container"),
        ("Conflicting lock is held in PID 0. See also", "a process of another machine or container"),
        ("Conflicting lock is held in /opt/my tools/dbeaver (PID 4194305)", "process 4194305 (dbeaver)"),
        ("Could not set lock on file", "a lock"),
    ],
)
def test_a_holder_that_can_not_be_looked_up(message, said):
    assert _holder(duckdb.IOException(message)) == said


def test_a_full_disk_is_said_and_the_store_is_as_it_was(store, one_run, run_record, folder, python):
    store.path.write_bytes(one_run)
    code = RECORD + (
        "    import os, resource\n"
        "    size = os.path.getsize(argument['store'])\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "    large = {'headline': {str(k): [k / 7 + j for j in range(300)] for k in range(200)}}\n"
        "    try:\n"
        "        store.record([(replace(record, run_id='large', statistics=large), named(0)[1])])\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__, error)\n"
    )
    out, err = python(code, {"folder": folder, "store": store.path, "name": "x"}).communicate(timeout=60)
    assert out.startswith("StorageError"), out + err
    assert "the disk is full, the results store is as it was" in out
    assert store.runs().run_id.tolist() == ["landmarks-val-s0-00000000"]
    store.record([(run_record("after"), folder)])
    store.check()


def test_a_folder_that_can_not_be_made_is_said(tmp_path, run_record):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="can't make the folder"):
        Store(tmp_path / "file/results.duckdb").record([(run_record(), tmp_path)])


def test_the_file_alone_is_the_store(store, run_record, tmp_path):
    """No log stays beside it that a copy would miss."""
    for k in range(3):
        store.record([(run_record(f"run-{k}"), tmp_path)])
        assert [p.name for p in tmp_path.glob("results.duckdb*")] == ["results.duckdb"]
    (tmp_path / "elsewhere").mkdir()
    copy = Store(tmp_path / "elsewhere/copy.duckdb")
    copy.path.write_bytes(store.path.read_bytes())
    assert len(copy.runs()) == 3


def test_three_processes_at_once_are_all_recorded(store, folder, python):
    code = RECORD + "    for k in range(2): store.record([named(k)])\n"
    processes = [python(code, {"folder": folder, "store": store.path, "name": name}) for name in "abc"]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert sorted(store.runs().run_id) == [f"{name}-{k}" for name in "abc" for k in range(2)]


def test_threads_of_one_process_are_all_recorded(store, run_record, tmp_path):
    patient, failures = Store(store.path, patience=60), []

    def write(name):
        try:
            for k in range(2):
                patient.record([(run_record(f"{name}-{k}"), tmp_path)])
                patient.runs()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.runs()) == 6


def test_kill_during_recording_leaves_the_store_unchanged(store, one_run, run_record, folder, python):
    store.path.write_bytes(one_run)
    code = RECORD + (
        "    from harness.store import store as module\n"
        "    prepare, transaction = module.prepare, module.transaction\n"
        "    def die() -> int:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    def prepared(db, path):\n"
        "        prepare(db, path)\n"
        "        db.create_function('die', die, [], 'BIGINT', side_effects=True)\n"
        "    def deadly(statements):\n"
        "        scores = [k for k, sql in enumerate(statements) if sql.startswith('INSERT INTO scores')]\n"
        "        return transaction([*statements[:scores[2] + 1], 'SELECT die()', *statements[scores[2] + 1:]])\n"
        "    module.prepare, module.transaction = prepared, deadly\n"
        "    store.record([named(k) for k in range(5)])\n"
    )
    process = python(code, {"folder": folder, "store": store.path, "name": "killed"})
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err
    assert store.runs().run_id.tolist() == ["landmarks-val-s0-00000000"]
    store.record([(run_record("after"), folder)])
    assert whole(store, "after")


def test_a_new_store_has_its_name_when_it_is_whole(tmp_path, run_record, monkeypatch):
    """Whoever is killed, or finds the disk full, while it is made leaves no file of its name."""
    path = tmp_path / "results.duckdb"

    def dies(db, place):
        assert not path.exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("harness.store.store.prepare", dies)
        Store(path).record([(run_record("a"), tmp_path)])
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".lock"] == []
    Store(path).record([(run_record("a"), tmp_path)])
    assert set(Store(path).folders()) == {"a"}


@pytest.mark.parametrize("limit", [4_096, 20_000, 200_000, 500_000])
def test_disk_full_from_the_start_leaves_no_broken_store(tmp_path, run_record, python, limit):
    run_record("a").write(tmp_path / "EXPR/a")
    code = f"""
        import pathlib, resource
        from harness.errors import StorageError
        from harness.records.run import RunRecord
        from harness.store.store import Store
        folder = pathlib.Path(argument)
        store, runs = Store(folder / "results.duckdb"), [(RunRecord.read(folder / "EXPR/a"), folder / "EXPR/a")]
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            store.record(runs)
        except StorageError as error:
            print(error)
    """
    out, err = python(code, tmp_path).communicate(timeout=60)
    assert "the disk is full" in out, err
    store = Store(tmp_path / "results.duckdb")
    assert ("no results store was made" in out) == (not store.exists())
    store.check()
    assert not list(tmp_path.glob(".partial*"))
    store.record([(run_record("a"), tmp_path / "EXPR/a")])
    assert set(store.folders()) == {"a"}


def test_of_two_who_make_a_store_at_once_one_does(tmp_path, run_record):
    path = tmp_path / "results.duckdb"
    made = []

    def one(name):
        Store(path, patience=60).record([(run_record(name), tmp_path)])
        made.append(name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, "abcd"))
    assert set(Store(path).folders()) == {*"abcd"} == {*made}


def test_ctrl_c_while_a_store_is_made_is_no_other_error(tmp_path, run_record, monkeypatch):
    """DuckDB raises a RuntimeError with the KeyboardInterrupt as its cause."""

    def interrupted(db, place):
        raise RuntimeError("Query interrupted") from KeyboardInterrupt()

    monkeypatch.setattr("harness.store.store.prepare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path / "results.duckdb").record([(run_record("a"), tmp_path)])
    assert not (tmp_path / "results.duckdb").exists()
