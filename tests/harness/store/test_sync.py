"""``abaw sync``: what the store lacks is recorded, nothing is removed, twice does nothing more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.records.curves import SweepPoint, write_sweep
from harness.records.failure import Failure, failure_files, failure_id
from harness.store.store import Store
from harness.store.sync import Due, due, record_due

ONE_VIDEO = {"headline": {"a": [1.0] * 64}}
"""Statistics that the store draws no replicates of, which takes time."""


def note(out: Path, created: str = "2026-03-05T00:00:00+00:00", **what: object) -> Path:
    """A failure of the runs below, unless it is another's."""
    content = {"task": "EXPR", "split": "val", "name": "expr/other", "seed": 0, "data_name": "Aff-Wild2"} | what
    return Failure(failure_id(**content), created, **content, kind="DataError", reason="no weights").write(out)


@pytest.fixture
def out(tmp_path, run_record) -> Path:
    """Three run folders and a failure."""
    found = tmp_path / "submissions"
    for k in range(3):
        record = run_record(f"run-{k}", created=f"2026-03-0{k + 1}T00:00:00+00:00", statistics=ONE_VIDEO)
        record.write(found / f"EXPR/run-{k}")
    note(found)
    return found


@pytest.fixture
def store(out) -> Store:
    return Store(out / "results.duckdb", patience=30)


def sync(store: Store, out: Path) -> Due:
    found = due(store, out)
    record_due(store, found, lambda n: None)
    return found


def ids(found: Due) -> list[str]:
    return [record.run_id for record, _ in found.runs]


def test_what_is_missing_is_recorded_and_twice_changes_nothing(store, out, run_record):
    record = run_record("run-1", created="2026-03-02T00:00:00+00:00", statistics=ONE_VIDEO)
    store.record([(record, out / "EXPR/run-1")])
    found = sync(store, out)
    assert ids(found) == ["run-0", "run-2"]
    assert (len(found.failures), found.newer, found.unchanged, found.left_out) == (1, (), 1, ())
    before, version = store.runs(), store.version()
    again = sync(store, out)
    assert (again.runs, again.failures, again.unchanged) == ((), (), 4)
    assert store.runs().equals(before)
    assert store.version() == version


def test_without_a_store_all_is_recorded(store, out):
    assert ids(sync(store, out)) == ["run-0", "run-1", "run-2"]
    assert len(store.failures()) == 1


def test_nothing_is_removed(store, out, run_record, tmp_path):
    sync(store, out)
    store.record([(run_record("elsewhere"), tmp_path / "gone")])
    shutil.rmtree(out / "EXPR/run-0")
    for path in failure_files(out):
        path.unlink()
    assert sync(store, out).unchanged == 2
    assert set(store.folders()) == {"run-0", "run-1", "run-2", "elsewhere"}
    assert len(store.failures()) == 1


@pytest.mark.parametrize("created", ["2026-03-01T00:00:00+00:00", "2026-05-01T00:00:00+00:00"])
def test_a_run_that_was_made_again_replaces_the_earlier_one(store, out, run_record, created):
    sync(store, out)
    run_record("run-0", created=created, tuned_on="nothing").write(out / "EXPR/run-0")
    assert ids(sync(store, out)) == ["run-0"]
    assert set(store.runs().set_index("run_id").tuned_on.loc[["run-0"]]) == {"nothing"}
    assert ids(sync(store, out)) == []


def test_newer_version_in_the_store_is_not_replaced_by_older(store, out, run_record, tmp_path):
    sync(store, out)
    store.record([(run_record("run-0", created="2026-06-01T00:00:00+00:00", tuned_on="theirs"), tmp_path)])
    found = sync(store, out)
    assert (ids(found), found.newer, found.unchanged) == ([], ("run-0",), 3)
    assert "theirs" in set(store.runs().tuned_on)


def test_curves_that_were_drawn_later_are_recorded(store, out):
    sync(store, out)
    write_sweep(out / "EXPR/run-2", [SweepPoint("half_width", 5.0, "macro_f1", 0.1 + 0.2, None, 0.6)])
    assert ids(sync(store, out)) == ["run-2"]
    assert store.sweep("run-2").score.tolist() == [0.1 + 0.2]
    assert ids(sync(store, out)) == []


def test_failure_of_run_complete_in_store_is_not_restored(store, out, run_record, tmp_path):
    done = run_record("done", name="expr/done")
    store.record([(done, tmp_path)])
    note(out, name="expr/done")
    assert [failure.name for failure, _ in due(store, out).failures] == ["expr/other"]


def test_a_later_failure_replaces_the_note(store, out):
    sync(store, out)
    note(out, "2026-04-01T00:00:00+00:00")
    assert len(sync(store, out).failures) == 1
    assert [str(row["created"]) for row in store.failures()] == ["2026-04-01 00:00:00"]
    assert sync(store, out).failures == ()


def test_command_reports_results_and_names_refused_runs(out, monkeypatch):
    (out / "EXPR/run-1/run.json").write_text("{")
    monkeypatch.chdir(out.parent)
    first = CliRunner().invoke(cli, ["sync"])
    assert first.exit_code == 1
    assert "recorded: run-0, from submissions/EXPR/run-0" in first.stdout
    assert "submissions/results.duckdb: 2 runs and 1 failure recorded from submissions, 0 were there" in first.stdout
    assert "left out: submissions/EXPR/run-1/run.json: not a readable run record" in first.stderr
    shutil.rmtree(out / "EXPR/run-1")
    again = CliRunner().invoke(cli, ["sync"])
    assert (again.exit_code, again.stderr) == (0, "")
    assert "0 runs and 0 failures recorded from submissions, 3 were there" in again.stdout


def test_a_store_that_was_damaged_is_not_taken_for_an_empty_one(store, out):
    sync(store, out)
    store.path.write_bytes(store.path.read_bytes()[:5000])
    found = CliRunner().invoke(cli, ["sync", "--out", str(out)])
    assert "damaged" in str(found.exception)
