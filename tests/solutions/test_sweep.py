"""Curves: the score at each value of one constant is that of a run with this value; data in folder and store."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.datasets.open import open_dataset
from harness.errors import DataError, SolutionError
from harness.metrics.metric import metric_for
from harness.metrics.scoring import score_card, video_statistics
from harness.records.curves import SWEEP_FILE, SweepPoint, read_sweep, write_sweep
from harness.settings import Settings
from harness.store.rebuild import rebuild
from harness.store.store import Store
from harness.tasks import AU, EXPR, VD
from solutions.heads.settings import MlpSettings
from solutions.postprocess.apply import apply
from solutions.postprocess.plan import Blend, PostProcess, Smoothing, Thresholds
from solutions.recipe import Recipe, Stream
from solutions.recipe_solution import RecipeSolution
from solutions.tuning.choose import fixed_constants
from solutions.tuning.curves import curves
from tests.support.small_splits import drawn

pytestmark = pytest.mark.slow

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory, fill_cache) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    fill_cache(folder / "cache")
    return folder


@pytest.fixture
def call(home, drawn_once) -> Call:
    def run(command: str, *arguments: str) -> Result:
        places = ["--data", str(drawn_once), "--out", str(home / "out"), "--cache", str(home / "cache")]
        return CliRunner().invoke(cli, [command, *arguments, *places, "--device", "cpu"])

    return run


@pytest.fixture
def run_id(call) -> str:
    done = call("run", "expr/tiny-mlp-smooth", "--json")
    assert done.exception is None, done.exception
    return str(json.loads(done.stdout)["run_id"])


def test_points_go_to_folder_store_and_picture(call, run_id, home):
    done = call("sweep", run_id, "--json")
    assert done.exception is None, done.exception
    points = json.loads(done.stdout)
    folder, store = home / "out" / "EXPR" / run_id, Store(home / "out" / "results.duckdb")
    assert {point["axis"] for point in points} == {"half_width"}
    assert [SweepPoint(**point) for point in points] == read_sweep(folder)
    assert len(store.sweep(run_id)) == len(points)
    assert (folder / "sweep.svg").read_text().startswith("<svg")
    before = store.sweep(run_id)
    rebuild(store, home / "out")
    assert store.sweep(run_id).equals(before)
    on_terminal = call("sweep", run_id)
    assert "half width of the window" in on_terminal.stdout
    assert "sweep.svg" in on_terminal.stdout


@pytest.mark.parametrize("task", [EXPR, AU], ids=lambda task: task.name)
def test_each_point_is_what_a_run_with_that_value_scores(task, drawn_once, home):
    data = open_dataset(drawn_once, task)
    loss = {"EXPR": "weighted-softmax", "AU": "balanced-bce"}[task.name]
    streams = tuple(Stream("tiny", head=MlpSettings(loss=loss, epochs=n)) for n in (1, 3))
    rule = Thresholds(0.5) if task is AU else None
    plan = PostProcess(blend=Blend((0.6, 0.4)), smoothing=Smoothing(3), thresholds=rule)
    settings = Settings(cache=home / "cache", device="cpu", workers=1)
    solution = RecipeSolution(Recipe("x/y", task, "", streams, plan), settings)
    solution.fit(data, seed=0)
    points = {(point.axis, point.value): point for point in solution.curves(data)}
    assert {axis for axis, _ in points} == {"half_width", "weight"}

    def scored(changed: PostProcess) -> float:
        twin = copy.copy(solution)
        twin.recipe = replace(solution.recipe, postprocess=changed)
        decided = {name: video.decisions for name, video in twin.predict(data, "val")}
        labels = {video.name: video.labels for video in data.videos("val")}
        statistics = video_statistics(task, metric_for(task), labels, decided)
        return score_card(task, tuple(labels), statistics).headline.value

    for width in (0, 5, 50):
        expected = scored(replace(plan, smoothing=Smoothing(width)))
        assert points["half_width", width].score == pytest.approx(expected, abs=1e-12)
    for weight in (0.0, 0.3, 1.0):
        expected = scored(replace(plan, blend=Blend((weight, 1 - weight))))
        assert points["weight", weight].score == pytest.approx(expected, abs=1e-12)
    assert all(point.low <= point.score <= point.high for point in points.values())


def test_violence_has_a_curve_of_its_threshold():
    split = drawn(VD, 4, videos=6)
    plan = PostProcess(blend=Blend((0.5, 0.5)), smoothing=Smoothing(2), thresholds=Thresholds(0.4))
    constants = fixed_constants(VD, plan, [1, 1])
    points = {(p.axis, p.value): p for p in curves(VD, plan, split.scores, constants, split.labels)}
    assert {axis for axis, _ in points} == {"half_width", "threshold", "weight"}
    for axis, value, changed in (
        ("threshold", 0.3, replace(plan, thresholds=Thresholds(0.3))),
        ("half_width", 5, replace(plan, smoothing=Smoothing(5))),
        ("weight", 0.8, replace(plan, blend=Blend((0.8, 1 - 0.8)))),
    ):
        decided = apply(VD, changed, split.scores, fixed_constants(VD, changed, [1, 1])).decisions
        metric = metric_for(VD)
        expected = metric.headline(metric.by_video(split.labels, decided, split.scores.lengths).sum(0))
        assert points[axis, value].score == pytest.approx(expected, abs=1e-12)


def test_a_run_of_something_else_is_refused(call, home):
    done = call("run", "va/tiny-mlp-smooth", "--json")
    folder = Path(json.loads(done.stdout)["folder"])
    for path in (folder / "model").rglob("*"):
        if path.is_file():
            path.unlink()
    refused = call("sweep", folder.name)
    assert isinstance(refused.exception, SolutionError)
    assert "not a saved solution" in str(refused.exception)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": 1}', '{"format": "2", "points": []}', '{"format": 1, "points": [{}]}']
)
def test_curves_that_cannot_be_read_are_said(tmp_path, content):
    (tmp_path / SWEEP_FILE).write_text(content)
    with pytest.raises(DataError, match="abaw sweep"):
        read_sweep(tmp_path)


def test_curves_are_written_and_read(tmp_path):
    points = [SweepPoint("weight", 0.1, "macro_f1", 0.3, 0.2, 0.4), SweepPoint("weight", 0.2, "macro_f1", 0.4)]
    write_sweep(tmp_path, points)
    assert read_sweep(tmp_path) == points
    assert read_sweep(tmp_path / "nowhere") == []


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 64
    path.write_bytes(content)


def test_a_run_with_damaged_weights_has_no_curves(call, run_id, home):
    (weights,) = (home / "out" / "EXPR" / run_id / "model").rglob("*.safetensors")
    flip_a_bit(weights)
    done = call("sweep", run_id)
    flip_a_bit(weights)
    assert isinstance(done.exception, SolutionError)
    assert str(done.exception) == (
        f"{home / 'out' / 'EXPR' / run_id / 'model'}: damaged on the disk; found stream-0/head.safetensors. Make the "
        "run again with --fresh."
    )
    assert call("sweep", run_id).exception is None


def test_a_damaged_head_in_the_cache_is_trained_again(call, run_id, home, caplog):
    folder = home / "out" / "EXPR" / run_id
    whole = (folder / "model" / "stream-0" / "head.safetensors").read_bytes()
    (weights,) = (path for path in (home / "cache" / "heads").rglob("*.safetensors") if path.read_bytes() == whole)
    flip_a_bit(weights)
    expected = (folder / "scores.npz").read_bytes()
    shutil.rmtree(folder)
    assert call("run", "expr/tiny-mlp-smooth").exception is None
    assert (folder / "scores.npz").read_bytes() == expected
    assert weights.read_bytes() == whole
    (text,) = [record.getMessage() for record in caplog.records]
    assert text == (
        f"{weights.parent}: damaged on the disk, so that the head is trained again; found head.safetensors."
    )
