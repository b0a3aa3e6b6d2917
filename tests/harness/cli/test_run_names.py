"""Names of runs on the command line: id, beginning, short id, folder, ``SOLUTION[@SEED]``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UnknownNameError
from harness.store.run_names import AmbiguousNameError, NamedRun, runs_named, short_id
from harness.store.store import Store
from tests.support.commands import invoke as abaw

VIDEOS = tuple(f"v{k}" for k in range(9))


@pytest.fixture
def put(run_record, tmp_path):
    """Puts a run into its folder and the store."""

    def put_run(run_id: str, right: float = 5.0, **changes):
        confusion = np.diag([right] * 8)
        confusion[:, 7] += 10 - confusion.sum(1)
        statistics = {"headline": {video: confusion.ravel().tolist() for video in VIDEOS}}
        folder = tmp_path / "submissions/EXPR" / run_id
        folder.mkdir(parents=True)
        record = run_record(run_id, **{"statistics": statistics, **changes})
        record.write(folder)
        Store(tmp_path / "submissions/results.duckdb").record([(record, folder)])
        return record

    return put_run


def named(run_id: str, name: str, seed: int | None, split: str = "val", created: str = "2026-01-01 10:00") -> NamedRun:
    return NamedRun(run_id, Path(run_id), "EXPR", split, name, seed, created)


RUNS = [
    named("cnn-val-s0-0a1b2c3d", "expr/cnn", 0),
    named("cnn-val-s1-0a1b9999", "expr/cnn", 1),
    named("cnn-test-s0-77777777", "expr/cnn", 0, split="test"),
    named("cnn-paper-val-s0-12121212", "expr/cnn@paper", 0),
    named("theirs", "our file", None),
]


@pytest.mark.parametrize(
    ("text", "split", "expected"),
    [
        ("cnn-val-s0-0a1b2c3d", None, ["cnn-val-s0-0a1b2c3d"]),
        ("0a1b2c3d", None, ["cnn-val-s0-0a1b2c3d"]),
        ("0A1B2C3D", None, ["cnn-val-s0-0a1b2c3d"]),
        ("0a1b2", None, ["cnn-val-s0-0a1b2c3d"]),
        ("0a1b", None, ["cnn-val-s0-0a1b2c3d", "cnn-val-s1-0a1b9999"]),
        ("cnn-t", None, ["cnn-test-s0-77777777"]),
        ("expr/cnn", "val", ["cnn-val-s0-0a1b2c3d", "cnn-val-s1-0a1b9999"]),
        ("cnn", "test", ["cnn-test-s0-77777777"]),
        ("cnn@1", "val", ["cnn-val-s1-0a1b9999"]),
        ("expr/cnn@0", None, ["cnn-val-s0-0a1b2c3d", "cnn-test-s0-77777777"]),
        ("expr/cnn@paper", None, ["cnn-paper-val-s0-12121212"]),
        ("expr/cnn@paper@0", None, ["cnn-paper-val-s0-12121212"]),
        ("our file", None, ["theirs"]),
        ("cnn@7", None, []),
        ("cn", None, []),
    ],
)
def test_runs_named_follows_the_rules(text, split, expected):
    assert [run.run_id for run in runs_named(RUNS, text, split=split)] == expected


def test_short_id_of_a_run_without_hash_is_its_id():
    assert [short_id(name) for name in ("a-val-s0-0a1b2c3d", "theirs")] == ["0a1b2c3d", "theirs"]


def test_board_shows_short_ids_and_dates(put):
    put("cnn-val-s0-0a1b2c3d", name="expr/cnn")
    rows = csv.DictReader(io.StringIO(abaw("runs", "--format", "csv").stdout))
    row = next(row for row in rows if row["run_id"])
    assert (row["short_id"], row["day"], row["run_id"]) == ("0a1b2c3d", "2026-03-14", "cnn-val-s0-0a1b2c3d")


def test_show_takes_every_name_of_a_run(put):
    put("cnn-val-s0-0a1b2c3d", name="expr/cnn")
    folder = "submissions/EXPR/cnn-val-s0-0a1b2c3d"
    for name in ("cnn-val-s0-0a1b2c3d", "0a1b2c3d", "0a1b", "cnn-v", "cnn", "expr/cnn@0", folder):
        assert json.loads(abaw("show", name, "--json").stdout)["run_id"] == "cnn-val-s0-0a1b2c3d", name


def test_ambiguous_name_lists_the_candidates(put):
    put("cnn-val-s0-0a1b2c3d", name="expr/cnn")
    put("cnn-val-s0-0a1b9999", name="expr/cnn", recipe={"other": 1})
    with pytest.raises(AmbiguousNameError, match="names 2 runs") as error:
        abaw("show", "expr/cnn")
    assert all(run_id in str(error.value) for run_id in ("0a1b2c3d", "0a1b9999"))
    assert error.value.exit_code == 2
    assert str(error.value).count("expr/cnn, seed 0, Aff-Wild2 val, ") == 2
    with pytest.raises(UnknownNameError, match="unknown run 'dnn'"):
        abaw("show", "dnn")


def test_solution_with_several_seeds_is_shown_with_its_mean(put):
    for seed in (0, 1):
        put(f"cnn-val-s{seed}-0a1b2c3{seed}", name="expr/cnn", seed=seed)
    shown = abaw("show", "expr/cnn").stdout
    assert "macro-F1 over 2 seeds" in shown
    assert shown.count("official file") == 2
    assert [run["seed"] for run in json.loads(abaw("show", "expr/cnn", "--json").stdout)] == [0, 1]


def test_compare_of_a_solution_takes_the_mean_over_seeds(put):
    for seed, right in ((0, 8.0), (1, 4.0)):
        put(f"cnn-val-s{seed}-0a1b2c3{seed}", right, name="expr/cnn", seed=seed)
    put("old-val-s0-33333333", 5.0, name="expr/old")
    whole, *single = (
        json.loads(abaw("compare", a, "expr/old", "--json").stdout) for a in ("expr/cnn", "cnn@0", "cnn@1")
    )
    difference = [content["differences"][0]["difference"] for content in (whole, *single)]
    assert difference[0] == pytest.approx(np.mean(difference[1:]), abs=1e-12)
    assert whole["runs"] == {"a": ["cnn-val-s0-0a1b2c30", "cnn-val-s1-0a1b2c31"], "b": ["old-val-s0-33333333"]}
    assert "mean over 2 seeds" in abaw("compare", "expr/cnn", "expr/old").stdout


def test_compare_as_csv_begins_with_the_verdict(put):
    put("good-val-s0-00000001", 8.0, name="expr/good")
    put("bad-val-s0-00000002", 3.0, name="expr/bad")
    text = abaw("compare", "good", "bad", "--format", "csv").stdout
    row = next(csv.DictReader(io.StringIO(text)))
    assert row["verdict"].startswith("A is better by 0.")
    assert float(row["p_value"]) < 0.05
    assert row["separable"] == "yes"


def test_every_form_of_show_holds_the_same_facts(put):
    record = put("cnn-val-s0-0a1b2c3d", name="expr/cnn", notes=["a note of the run"])
    content = json.loads(abaw("show", "cnn", "--json").stdout)
    forms = [abaw("show", "cnn", "--format", form).stdout for form in ("text", "md", "csv")]
    for text in forms:
        assert "a note of the run" in text
        assert record.run_id in text
        assert content["official_file"] in text


def test_json_of_runs_has_the_rows_of_the_board(put):
    for seed in (0, 1):
        put(f"cnn-val-s{seed}-0a1b2c3{seed}", name="expr/cnn", seed=seed)
    put("old-val-s0-33333333", 5.0, name="expr/old", created="2026-03-15T15:09:26+00:00")
    table = list(csv.DictReader(io.StringIO(abaw("runs", "--format", "csv").stdout)))
    rows = json.loads(abaw("runs", "--json").stdout)
    assert [row["name"] for row in rows] == [row["name"] for row in table]
    mean = next(row for row in rows if row["name"] == "expr/cnn")
    assert mean["members"] == ["cnn-val-s0-0a1b2c30", "cnn-val-s1-0a1b2c31"]
    assert len(json.loads(abaw("runs", "--json", "--each-seed").stdout)) == len(rows) + 1
