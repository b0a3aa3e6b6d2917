"""Runs blended: scores as streams, weights chosen without the video they are applied to, parts in the record."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from harness.datasets.open import open_dataset
from harness.errors import DataError, SolutionError, UsageError
from harness.records.run import RUN_FILE
from harness.records.scores import SCORES_FILE
from harness.runs.blend import blend_parts, with_test_runs
from harness.runs.runner import UNTRAINED
from harness.tasks import EXPR
from solutions.blend import is_inherited
from solutions.cache.features import strided_words
from tests.support.scored_runs import make_run

pytestmark = pytest.mark.slow


def record(done: Result) -> dict:
    assert done.exception is None, done.exception
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def _runs_once(call) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ABAW_")]:
            patch.delenv(name)
        records = [record(call("run", "expr/tiny-mlp-smooth", "--seed", str(seed), "--json")) for seed in (0, 1)]
    return [run["run_id"] for run in records]


@pytest.fixture
def runs(_runs_once) -> list[str]:
    """Two seeds on val."""
    return [*_runs_once]


def scores_of(home: Path, run_id: str) -> dict[str, np.ndarray]:
    with np.load(home / "out" / "EXPR" / run_id / SCORES_FILE) as archive:
        return {name: archive[name] for name in archive.files}


def test_notes_on_frames_and_weights_are_inherited():
    assert is_inherited(strided_words("tiny", 3))
    assert is_inherited(UNTRAINED)
    assert not is_inherited("only 2 recordings to cross-fit on: the choice is weak")


def test_given_weights_are_the_weighted_mean(call, runs, home, drawn_once):
    blended = record(call("blend", *runs, "--task", "EXPR", "--weights", "0.3,0.7", "--json"))
    assert blended["tuned_on"] == "nothing"
    one, other, both = (scores_of(home, run_id) for run_id in (*runs, blended["run_id"]))
    for name, expected in one.items():
        np.testing.assert_allclose(both[name], 0.3 * expected + 0.7 * other[name], atol=1e-6)
    lines = (Path(blended["folder"]) / "predictions.txt").read_text().splitlines()[1:]
    decided = [int(line.rpartition(",")[2]) for line in lines]
    order = [video.name for video in open_dataset(drawn_once, EXPR).videos("val")]
    assert decided == np.concatenate([both[name].argmax(1) for name in order]).tolist()


def test_chosen_weights_are_cross_fitted_and_recorded(call, runs):
    blended = record(call("blend", *runs, "--task", "EXPR", "--json"))
    assert "cross-fitted" in blended["tuned_on"]
    assert all(abs(sum(weights) - 1) < 1e-9 for weights in blended["choices"]["weights"]["per_fold"])
    assert [part["run_id"] for part in blended["recipe"]["parts"]] == runs
    assert [part["seed"] for part in blended["recipe"]["parts"]] == [0, 1]
    assert {score["estimate"] for score in blended["scores"]} >= {"headline", "tuned_on_all", "constant"}


def test_the_same_blend_is_found_again(call, runs):
    first = record(call("blend", *runs, "--task", "EXPR", "--json"))
    assert record(call("blend", *runs, "--task", "EXPR", "--json"))["reused"]
    other = record(call("blend", *runs, "--task", "EXPR", "--smooth", "--json"))
    assert other["run_id"] != first["run_id"]


def test_blend_for_test_uses_weights_of_val(call, runs, home):
    missing = call("blend", *runs, "--task", "EXPR", "--split", "test", "--json")
    assert isinstance(missing.exception, SolutionError)
    assert "abaw submit expr/tiny-mlp-smooth --seed 0" in str(missing.exception)
    tests = [record(call("submit", "expr/tiny-mlp-smooth", "--seed", str(s), "--json"))["run_id"] for s in (0, 1)]
    blended = record(call("blend", *runs, "--task", "EXPR", "--split", "test", "--json"))
    on_val = record(call("blend", *runs, "--task", "EXPR", "--json"))
    weights = blended["choices"]["weights"]["on_all"]
    assert blended["tuned_on"] == "val"
    assert weights == on_val["choices"]["weights"]["on_all"]
    one, other, both = (scores_of(home, run_id) for run_id in (*tests, blended["run_id"]))
    for name, expected in one.items():
        np.testing.assert_allclose(both[name], weights[0] * expected + weights[1] * other[name], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["--weights", "0.5,0.6"], UsageError, "sum to 1"),
        (["--weights", "1"], UsageError, "2 numbers"),
        (["--weights", "a,b"], UsageError, "2 numbers"),
        (["--weights=-0.5,1.5"], UsageError, "from 0 up"),
    ],
)
def test_weights_that_cannot_be_are_refused(call, runs, arguments, error, words):
    done = call("blend", *runs, "--task", "EXPR", *arguments)
    assert isinstance(done.exception, error)
    assert words in str(done.exception)


def test_parts_that_do_not_fit_are_refused(call, runs):
    alone = call("blend", runs[0], "--task", "EXPR")
    assert isinstance(alone.exception, UsageError)
    twice = call("blend", runs[0], runs[0], "--task", "EXPR")
    assert isinstance(twice.exception, UsageError)
    va = record(call("run", "va/tiny-mlp-smooth", "--json"))["run_id"]
    mixed = call("blend", runs[0], va, "--task", "EXPR")
    assert isinstance(mixed.exception, SolutionError)
    assert "a run of VA on val" in str(mixed.exception)


def test_scores_that_cannot_be_read_are_said(call, runs, home):
    folder = home / "out" / "EXPR" / runs[1]
    whole = (folder / SCORES_FILE).read_bytes()
    try:
        for spoilt in (b"", whole[: len(whole) // 2], b"not a zip"):
            (folder / SCORES_FILE).write_bytes(spoilt)
            done = call("blend", *runs, "--task", "EXPR", "--name", f"spoilt-{len(spoilt)}")
            assert isinstance(done.exception, DataError), done.exception
            assert SCORES_FILE in str(done.exception)
    finally:
        (folder / SCORES_FILE).write_bytes(whole)
    assert (folder / RUN_FILE).is_file()


def test_blend_on_test_ends_as_submit_does(call, runs, home):
    for seed in (0, 1):
        record(call("submit", "expr/tiny-mlp-smooth", "--seed", str(seed), "--json"))
    blended = record(call("blend", *runs, "--split", "test", "--json"))  # the task is that of the runs
    archive = Path(blended["archive"])
    assert archive == home / "out/EXPR" / f"{blended['run_id']}.zip"
    shown = call("blend", *(run_id[-8:] for run_id in runs), "--split", "test").stdout
    assert f"to send in     {archive}  (note it with: abaw slots send {archive} --task EXPR --template " in shown
    for run_id, seed in zip(runs, (0, 1), strict=True):
        assert re.search(rf"part: weight [0-9.]+: expr/tiny-mlp-smooth, seed {seed} \({run_id}\)", shown)


def test_test_run_of_a_part_is_asked_for_with_its_options(tmp_path):
    data = {"name": "x", "root": "/data/a b", "fingerprint": "0" * 64, "videos": 2, "frames": 80}
    own = make_run("expr/tiny-mlp-smooth", data=data, options={"stride": "3", "crops": "cropped_aligned"})
    own.write(tmp_path / "run")
    with pytest.raises(SolutionError, match=r"--data '/data/a b' --crops cropped_aligned --stride 3 --train-on train"):
        with_test_runs(blend_parts([tmp_path / "run"], EXPR), [], "train")
