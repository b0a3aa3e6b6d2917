"""What a run's record becomes in the store, and what is refused before the store is touched."""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from harness.errors import DataError
from harness.store.rows import run_rows
from harness.store.sql import literal
from harness.store.store import Store, rows_of
from tests.support.records import make_record


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results.duckdb")


def test_statistics_come_back_to_the_last_bit(store, run_record, tmp_path):
    dice = random.Random(0)
    hard = [5e-324, 1.7976931348623157e308, -0.0, 0.1 + 0.2, 2.0**53 + 2, 1e22, 1 / 3]
    values = hard + [dice.uniform(-1, 1) * 10.0 ** dice.randint(-300, 300) for _ in range(500)]
    store.record([(run_record(statistics={"headline": {"v": values, "whole": [1, 2**60]}}), tmp_path)])
    rows = store.query("SELECT video, statistics FROM video_statistics ORDER BY video").to_dict("records")
    assert [x.hex() for x in rows[0]["statistics"].tolist()] == [x.hex() for x in values]
    assert rows[1]["statistics"].tolist() == [1.0, float(2**60)]


NAMES = [
    "it's",
    "'; DROP TABLE runs; --",
    "a\\'b",
    'quo"te',
    "new\nline",
    "\u0000",
    "惊讶 ü 🙂",
    "$1 ? :x {y}",
    "\\u0027",
]


def record_names(store: Store) -> Path:
    """Record a run of each name; return the folder that all of them have."""
    folder = store.path.parent
    runs = [make_record(name, name=name, notes=[name], statistics={"headline": {name: [1.0]}}) for name in NAMES]
    store.record([(run, folder) for run in runs])
    return folder


@pytest.fixture(scope="module")
def named(tmp_path_factory) -> Store:
    """A store with a run of each name. Read it, don't change it."""
    store = Store(tmp_path_factory.mktemp("named") / "results.duckdb")
    record_names(store)
    return store


@pytest.mark.parametrize("name", NAMES)
def test_any_name_comes_back_as_it_went_in(named, name):
    assert named.folders() == dict.fromkeys(NAMES, named.path.parent)
    videos = named.query("SELECT video FROM video_statistics WHERE run_id = ?", [name])
    assert videos.video.tolist() == [name]
    runs = named.query("SELECT record FROM runs WHERE run_id = ?", [name])
    assert json.loads(runs.record.item())["notes"] == [name]


def test_a_run_of_any_name_is_removed_and_no_other(store):
    folder = record_names(store)
    for gone in (NAMES[:4], NAMES[4:-1]):
        store.record([], gone=gone)
        assert set(store.folders()) == set(NAMES[NAMES.index(gone[-1]) + 1 :])
    assert store.folders() == {NAMES[-1]: folder}


def test_a_literal_is_one_whatever_it_holds():
    text = "'; SELECT 1; --\\'\u2028\ud7ff"
    with duckdb.connect() as db:
        assert db.execute(f"SELECT {literal(text)}->>'$'").fetchall() == [(text,)]


def test_a_time_with_an_offset_is_stored_in_utc(store, run_record, tmp_path):
    store.record([(run_record(created="2026-03-14T01:09:26+05:30"), tmp_path)])
    assert str(store.runs().created.item()) == "2026-03-13 19:39:26"


def test_what_is_not_finite_in_a_choice_is_null(store, run_record, tmp_path):
    record = run_record(choices={"window": [float("nan"), float("inf"), 1.5]})
    store.record([(record, tmp_path)])
    assert json.loads(store.query("SELECT record FROM runs").record.item())["choices"] == {"window": [None, None, 1.5]}


def test_files_are_listed_with_hash_and_size(store, run_record, tmp_path):
    (tmp_path / "predictions.txt").write_bytes(b"12345")
    store.record([(run_record(files={"predictions.txt": "a" * 64, "scores.npz": "b" * 64}), tmp_path)])
    rows = store.files("landmarks-val-s0-00000000")
    assert rows.name.tolist() == ["predictions.txt", "scores.npz"]
    assert rows.sha256.tolist() == ["a" * 64, "b" * 64]
    assert rows.bytes[0] == 5
    assert rows.bytes.isna().tolist() == [False, True]


def test_runs_are_found_by_a_files_hash_newest_first(store, run_record, tmp_path):
    for day, run_id, digest in (("01", "old", "a"), ("03", "new", "a"), ("02", "other", "b")):
        run = run_record(run_id, created=f"2026-03-{day}T00:00:00+00:00", files={"predictions.txt": digest * 64})
        store.record([(run, tmp_path)])
    assert store.runs_with_file("a" * 64) == ["new", "old"]
    assert store.runs_with_file("c" * 64) == []


ONE = {"estimate": "headline", "metric": "f1", "version": 1, "target": "all", "value": 0.5, "low": None, "high": None}
WRONG = [
    {"created": "yesterday"}, {"created": None}, {"created": 5}, {"seed": "0"}, {"seed": 2**63}, {"seed": True},
    {"task": None}, {"name": 5}, {"status": ["complete"]}, {"run_id": None}, {"encoder": "\ud800"},
    {"data": {}}, {"data": None}, {"timings": None}, {"timings": {"total": "1 s"}},
    {"timings": {"total": float("nan")}},
    {"scores": [{"estimate": "headline"}]}, {"scores": [None]}, {"scores": None}, {"scores": [ONE, ONE]},
    {"scores": [{**ONE, "value": float("nan")}]}, {"scores": [{**ONE, "value": None}]},
    {"scores": [{**ONE, "version": 1.5}]}, {"scores": [{**ONE, "low": "0.1"}]},
    {"statistics": {"headline": {"v": ["x"]}}}, {"statistics": {"headline": {"v": [float("inf")]}}},
    {"statistics": {"headline": {"v": 5}}}, {"statistics": {"headline": [1]}},
    {"statistics": {"headline": {"v": [True]}}},
    {"files": {"a": None}}, {"files": ["a"]}, {"files": None},
]  # fmt: skip


@pytest.mark.parametrize("changes", WRONG, ids=str)
def test_foreign_content_is_named_with_file_and_not_recorded(store, run_record, tmp_path, changes):
    record = run_record(**{"run_id": "wrong", **changes})
    with pytest.raises(DataError, match=r"run\.json: the store can't take a run's record; found "):
        store.record([(run_record(), tmp_path), (record, tmp_path)])
    assert not store.exists()


def test_whatever_passes_the_check_goes_into_the_store(store, run_record, tmp_path):
    """Any value in any field: refused at once, or recorded."""
    passed, one_video = [], {"headline": {"a": [1.0]}}  # of a single video nothing is drawn, which takes time
    for field in dataclasses.fields(run_record()):
        for k, value in enumerate([None, 5, 5.5, True, [], [[]], {}, {"a": []}, {"a": {"b": []}}, "text", b"bytes"]):
            common = {} if field.name in ("run_id", "task", "seed") else {"statistics": one_video}
            record = run_record(**{"run_id": f"{field.name}-{k}", **common, field.name: value})
            try:
                run_rows(record, tmp_path, draws=False)
            except DataError:
                continue
            passed.append(record)
    store.record([(record, tmp_path) for record in passed])
    assert set(store.folders()) == {record.run_id for record in passed}
    assert 20 < len(passed) < 150


@pytest.mark.process
def test_recording_needs_no_pandas(tmp_path):
    code = """
        import sys
        from pathlib import Path
        from tests.support.records import make_record
        from harness.store.rebuild import rebuild
        from harness.store.store import Store
        store = Store(Path(sys.argv[1]) / "results.duckdb")
        store.record([(make_record(), Path(sys.argv[1]))])
        store.record([(make_record(), Path(sys.argv[1]))])
        assert store.folders() and not store.runs_with_file("x")
        rebuild(store, Path(sys.argv[1]))
        print("pandas" in sys.modules)
    """
    code = "\n".join(line[8:] for line in code.splitlines())
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True, text=True, check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert (result.stdout, result.stderr) == ("False\n", "")


def test_rows_are_those_of_the_data_frames(store, run_record, tmp_path):
    runs = [run_record(name, seed=seed) for name, seed in (("a", 1), ("b", None))]
    store.record([(run, tmp_path / run.run_id) for run in runs])
    assert store.run_rows(hidden=True) == rows_of(store.runs(hidden=True))
    assert store.target_rows() == rows_of(store.targets())
    assert rows_of(store.runs(), ["seed", "run_id"]) == ({"seed": 1, "run_id": "a"}, {"seed": None, "run_id": "b"})
    assert {type(row["seed"]) for row in store.run_rows()} == {int, type(None)}
    assert store.published() == rows_of(store.query("SELECT * FROM published"))


def test_rows_of_a_missing_store_are_none_but_published_ones(store, tmp_path):
    nothing = Store(tmp_path / "none.duckdb")
    assert (nothing.run_rows(), nothing.target_rows(), nothing.failures()) == ((), (), ())
    store.record([])
    assert nothing.published() == store.published()
