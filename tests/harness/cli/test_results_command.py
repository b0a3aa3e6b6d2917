"""``abaw runs``, ``show`` and ``reindex`` where the store is not as it should be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from harness.errors import StoreDamagedError, UnknownNameError
from harness.store.rebuild import rebuild
from harness.store.store import Store
from tests.support.commands import invoke as abaw


@pytest.fixture
def out(tmp_path, run_record) -> Path:
    """Two runs and their store, where the commands look by themselves."""
    for name in ("run-a", "run-b"):
        timings = {"total": 2.5, "frames_per_second": 40.0, "frames_encoded": 86}
        run_record(name, timings=timings, statistics={"headline": {"a": [1.0] * 64}}).write(
            tmp_path / "submissions/EXPR" / name
        )
    rebuild(Store(tmp_path / "submissions/results.duckdb"), tmp_path / "submissions")
    return tmp_path / "submissions"


def ids(result: Result) -> set[str]:
    return {row["run_id"] for row in json.loads(result.stdout) if row["kind"] == "run"}


def test_a_store_that_is_as_it_should_be_needs_no_word(out):
    assert abaw("runs").stderr == ""


@pytest.mark.process
@pytest.mark.parametrize("command", [["runs"], ["runs", "--json"], ["show", "run-a"]], ids=" ".join)
def test_listing_runs_does_not_wait_for_pandas(out, command):
    code = (
        "import sys; from harness.cli.main import cli; cli(sys.argv[1:], standalone_mode=False); "
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--out", str(out)], capture_output=True, text=True, check=True
    )
    assert "run-a" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_json_has_whole_numbers_and_every_digit(out):
    (row, *_) = (row for row in json.loads(abaw("runs", "--json").stdout) if row["kind"] == "run")
    assert isinstance(row["rank"], int)
    assert isinstance(row["videos"], int)
    store = Store(out / "results.duckdb")
    assert {row["constant"], row["value"]} == {store.runs()["constant"].iloc[0], store.runs()["value"].iloc[0]}


def test_a_deleted_store_is_said_and_comes_back(out):
    (out / "results.duckdb").unlink()
    found = abaw("runs")
    assert "there is no results store at submissions/results.duckdb; 2 runs are in submissions" in found.stderr
    assert "abaw sync" in found.stderr
    assert "no runs yet" not in found.stdout
    assert json.loads(abaw("runs", "--json").stdout) == []
    assert "2 runs recorded" in abaw("reindex").stdout
    assert ids(abaw("runs", "--json")) == {"run-a", "run-b"}


def test_runs_that_a_new_store_does_not_know_are_said(out, run_record):
    (out / "results.duckdb").unlink()
    Store(out / "results.duckdb").record([(run_record("run-a"), out / "EXPR/run-a")])
    assert "abaw: 1 run is in submissions and not in the store" in abaw("runs").stderr


def test_without_store_and_runs_the_first_command_is_named(tmp_path):
    found = abaw("runs")
    assert "no runs yet. Make one with: abaw run" in found.stdout
    assert found.stderr == ""


@pytest.mark.process
def test_a_damaged_store_is_said_and_made_anew(out):
    store = out / "results.duckdb"
    store.write_bytes(store.read_bytes()[:20000])
    with pytest.raises(StoreDamagedError, match="abaw reindex"):
        abaw("runs")
    said = abaw("reindex").stdout
    assert "lies at submissions/results.duckdb.broken-1 now" in said
    assert "2 runs recorded" in said
    assert ids(abaw("runs", "--json")) == {"run-a", "run-b"}


def test_a_run_is_shown_whatever_state_the_store_is_in(out):
    for spoil in (lambda path: None, lambda path: path.write_text("a poem"), lambda path: path.unlink()):
        spoil(out / "results.duckdb")
        assert "macro-F1" in abaw("show", "run-a").stdout
        assert json.loads(abaw("show", "run-a", "--json").stdout)["run_id"] == "run-a"


def test_a_run_that_lies_elsewhere_is_found_through_the_store(out, tmp_path, run_record):
    run_record("run-c").write(tmp_path / "other/EXPR/run-c")
    Store(out / "results.duckdb").record([(run_record("run-c"), tmp_path / "other/EXPR/run-c")])
    assert json.loads(abaw("show", "run-c", "--json").stdout)["run_id"] == "run-c"
    with pytest.raises(UnknownNameError, match=r"unknown run 'run-d'\. Did you mean"):
        abaw("show", "run-d")


@pytest.mark.process
def test_reindex_says_what_it_removed_and_what_it_left_out(out):
    shutil.rmtree(out / "EXPR/run-a")
    (out / "EXPR/run-b/run.json").write_text("{")
    found = abaw("reindex")
    assert found.exit_code == 1
    assert "removed: run-a, its folder is gone" in found.stdout
    assert "left out: submissions/EXPR/run-b/run.json: not a readable run record" in found.stderr


@pytest.mark.parametrize("timings", [{"frames_encoded": 1}, {"total": None, "frames_encoded": 1}, {}])
def test_run_without_its_duration_is_shown(out, run_record, timings):
    run_record("run-e", timings=timings, statistics={"headline": {"a": [1.0] * 64}}).write(out / "EXPR/run-e")
    abaw("sync")
    shown = abaw("show", "run-e")
    assert shown.exit_code == 0
    assert "run-e" in shown.stdout


@pytest.mark.parametrize(
    ("timings", "words"),
    [
        ({"frames_encoded": 86, "frames_per_second": 40.0}, "rows of features: 86 encoded, 40 per second"),
        ({"frames_encoded": 0, "frames_reused": 0}, "rows of features: 0 out of the cache"),
        ({"frames_encoded": 0, "frames_reused": 32}, "rows of features: 32 out of the cache"),
        (
            {"frames_encoded": 16, "frames_per_second": 26.0, "frames_reused": 1_780},
            "rows of features: 16 encoded, 26 per second, 1,780 out of the cache",
        ),
        ({"frames_encoded": 0}, "features cached"),
    ],
)
def test_features_of_a_run_are_counted_by_row(out, run_record, timings, words):
    run_record("run-f", timings=timings | {"total": 2.5}, statistics={"headline": {"a": [1.0] * 64}}).write(
        out / "EXPR/run-f"
    )
    assert f"made in 2.5 s; {words}\n" in abaw("show", "run-f").stdout


def test_many_notes_are_counted_not_printed(out, run_record):
    notes = [f"note number {k}" for k in range(2_000)]
    run_record("run-n", notes=notes, statistics={"headline": {"a": [1.0] * 64}}).write(out / "EXPR/run-n")
    abaw("sync")
    shown = abaw("show", "run-n").stdout
    assert "note number 49" in shown
    assert "note number 50" not in shown
    assert "and 1,950 more notes" in shown


@pytest.mark.process
@pytest.mark.parametrize("levels", [150, 950, 5_000])
def test_deeply_nested_record_stops_no_other_run(out, levels):
    (out / "results.duckdb").unlink()
    path = out / "EXPR/run-a/run.json"
    nested = "[" * levels + "]" * levels
    text = path.read_text(encoding="utf-8").replace('"options": {', f'"options": {{"a": {nested}, ', 1)
    assert nested in text
    path.write_text(text, encoding="utf-8")
    for command in ("sync", "reindex"):
        done = abaw(command)
        assert "run-a" in done.stdout + done.stderr
        assert "nested" in (words := done.stdout + done.stderr) or "levels" in words
    assert ids(abaw("runs", "--json")) == {"run-b"}
