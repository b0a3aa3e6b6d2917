"""``--stride``: every so many images encoded, the frames between them filled in, noted, refused where it can't be."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from harness.board.board import load_board
from harness.board.entries import View
from harness.board.tables.board import board_table
from harness.errors import UsageError
from harness.plugins.interface import SolutionEntry
from harness.plugins.registry import blend_entry, solution_entry
from harness.runs.blend import blend_parts
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.store.store import Store
from harness.tasks import EXPR
from solutions.cache.features import FeatureSource
from solutions.encoders.registry import allows_stride
from solutions.recipe_solution import RecipeSolution
from solutions.recipes import RECIPES, recipe_named
from tests.support import shortened
from tests.support.constant import Constant

NAME = "expr/tiny-mlp-smooth"
STRIDE = 3


@pytest.fixture
def settings(tmp_path, fill_cache) -> Settings:
    cache = fill_cache(tmp_path / "cache")
    return Settings(
        out=tmp_path / "out", store=tmp_path / "results.duckdb", cache=cache, device="cpu", workers=1, stride=STRIDE
    )


@pytest.fixture
def data(drawn_once):
    return shortened.opened(drawn_once, EXPR, {"train": 2, "val": 3, "test": 1}, 20)


@pytest.fixture
def run(data, settings):
    """Run the demo's solution with few epochs."""
    with shortened.cut_down_recipes():
        yield partial(run_solution, solution_entry(NAME), data, "val")


def test_features_are_those_of_every_third_image(data, settings):
    thin = FeatureSource(settings).features("tiny", data, "val")
    whole = FeatureSource(replace(settings, stride=1)).features("tiny", data, "val")
    for video in data.videos("val"):
        own, all_rows = thin.of(video), whole.of(video)
        np.testing.assert_array_equal(own.frames, all_rows.frames[::STRIDE])
        np.testing.assert_array_equal(own.values, all_rows.values[::STRIDE])
    assert thin.identity == {**whole.identity, "stride": STRIDE}
    assert thin.notes == ("tiny: one image in 3 was encoded (--stride 3); frames between them are filled in",)
    assert thin.report.frames + thin.report.reused == sum(-(-len(v.images) // STRIDE) for v in data.videos("val"))


def test_run_is_noted_and_has_an_id_of_its_own(run, settings):
    strided, whole = run(settings), run(replace(settings, stride=1))
    assert strided.folder != whole.folder
    assert strided.record.recipe["stride"] == STRIDE
    assert "stride" not in whole.record.recipe
    assert strided.record.setup != whole.record.setup
    assert [note for note in strided.record.notes if "--stride 3" in note]
    assert not [note for note in whole.record.notes if "stride" in note]
    assert run(settings).reused


def test_frames_between_are_filled_linearly(run, settings, data):
    finished = run(settings)
    with np.load(finished.folder / "scores.npz") as scores:
        rows = {video.name: scores[video.name] for video in data.videos("val")}
    plan = replace(recipe_named(NAME), postprocess=replace(recipe_named(NAME).postprocess, smoothing=None))
    solution = RecipeSolution(plan, settings)
    solution.fit(data, seed=0)
    for name, video in solution.predict(data, "val"):
        assert len(video.scores) == len(rows[name])
        frames = data.videos("val")[[v.name for v in data.videos("val")].index(name)].images.frames[::STRIDE]
        for before, after in itertools.pairwise(frames):
            between = np.arange(before, after + 1)
            share = ((between - before) / (after - before))[:, None]
            line = (1 - share) * video.scores[before - 1] + share * video.scores[after - 1]
            np.testing.assert_allclose(video.scores[between - 1], line, atol=1e-6)


def test_blend_says_that_a_part_left_frames_out(run, settings, data):
    folders = [run(settings).folder, run(replace(settings, stride=1)).folder]
    parts = blend_parts(folders, EXPR)
    entry = blend_entry("expr/mix", EXPR, parts, (0.5, 0.5), smooth=False)
    blended = run_solution(entry, data, "val", replace(settings, stride=1))
    (note,) = [note for note in blended.record.notes if "--stride" in note]
    assert note.startswith(f"part {folders[0].name}: tiny: one image in {STRIDE} was encoded")


def test_head_of_every_frame_is_not_taken(run, settings):
    run(replace(settings, stride=1))
    heads = {path.name for path in (settings.cache / "heads").iterdir() if path.is_dir()}
    run(settings)
    assert len({path.name for path in (settings.cache / "heads").iterdir() if path.is_dir()} - heads) == 1


def test_saved_model_keeps_its_stride(run, settings):
    finished = run(settings)
    loaded = RecipeSolution.load(finished.folder / "model", replace(settings, stride=1))
    assert loaded.settings.stride == STRIDE
    assert loaded.describe()["stride"] == STRIDE


def test_board_shows_the_stride(run, settings, data):
    run(replace(settings, stride=1))
    view = View(EXPR, "val", data.name)
    plain = board_table(load_board(Store(settings.store), view).entries, view)
    assert "stride" not in [column.key for column in plain.columns]
    run(settings)
    table = board_table(load_board(Store(settings.store), view).entries, view)
    assert sorted((row["stride"] for row in table.rows), key=bool) == [None, STRIDE]
    assert [note for note in table.notes if note.startswith("Stride: one frame of so many was encoded")]


@pytest.mark.parametrize("name", ["wav2vec2", "sentences", "flow", "flow-statistics", "flow:resnet18", "pose:paper"])
def test_encoder_that_needs_every_frame_refused(name, data, settings):
    with pytest.raises(UsageError, match=rf"frames can be left out only .*found --stride 3 with {name}"):
        FeatureSource(settings).extract(name, data, ["val"])


@pytest.mark.parametrize("name", ["precomputed:mine", "stat:tiny", "pose"])
def test_rows_of_other_kinds_refused(name, data, settings):
    assert not allows_stride(name)
    with pytest.raises(UsageError, match="Run it without --stride"):
        FeatureSource(settings).extract(name, data, ["val"])


@pytest.mark.parametrize(
    "recipe",
    [recipe for recipe in RECIPES if recipe.task.name in ("VD", "EMI", "AH", "AHV") or "wav2vec2" in recipe.encoders],
    ids=lambda recipe: recipe.name,
)
def test_recipe_that_needs_every_frame_refused(recipe, settings):
    if all(map(allows_stride, recipe.encoders)) and recipe.task.name != "VD":
        return
    with pytest.raises(UsageError, match=r"frames can('t be left out| be left out only)"):
        RecipeSolution(recipe, settings)


def test_solution_that_knows_no_stride_refused(data, settings):
    entry = SolutionEntry("expr/constant", EXPR, "", lambda settings: Constant(settings, 1))
    with pytest.raises(UsageError, match="can't leave frames out"):
        run_solution(entry, data, "val", settings)


def test_command_writes_the_stride_down(abaw, drawn_once, tmp_path):
    cache, out = tmp_path / "cache", tmp_path / "out"
    common = ("--data", drawn_once, "--cache", cache, "--stride", "7")
    extracted = abaw("extract", "tiny", *common, "--split", "val")
    assert extracted.returncode == 0, extracted.stderr
    assert "note: tiny: one image in 7 was encoded (--stride 7)" in extracted.stderr
    ran = abaw("run", NAME, *common, "--out", out, "--json")
    assert ran.returncode == 0, ran.stderr
    assert f"{NAME} on val, seed 0: opening" in ran.stderr
    record = json.loads(ran.stdout)
    assert (record["options"]["stride"], record["recipe"]["stride"]) == ("7", 7)
    refused = abaw("extract", "flow-statistics", *common, "--split", "val")
    assert refused.returncode == 2
    assert "flow-statistics" in refused.stderr
