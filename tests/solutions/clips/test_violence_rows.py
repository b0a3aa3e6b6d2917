"""Every row of abaw10's table 4 builds, trains, answers for every frame and writes official files; sizes are small."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tests.support.drawn_films as films
from harness.cli.main import cli
from harness.datasets.dataset import Dataset
from harness.plugins.contract import broken_promises
from harness.plugins.registry import blend_entry, solution_entries, solution_entry
from harness.reference.papers import table_rows
from harness.runs.blend import blend_parts
from harness.runs.reproduce import reproduce, rows_of
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.tasks import VD
from solutions import recipes
from solutions.networks.backbones import backbone_row
from solutions.recipes import RECIPES, recipe_named
from solutions.streams import clips as clip_stream

pytestmark = pytest.mark.slow

OURS = [recipe for recipe in RECIPES if recipe.task is VD]
ROWS = [recipe.name for recipe in OURS if recipe.row]
TRIED = (  # of each kind of variant one, and what is our own
    "vd/convnext-t-tcn@fixed",
    "vd/convnext-t-tcn@frozen",
    "vd/twostream-gated-bilstm@frozen",
    "vd/twostream-gated-bilstm@code",
    "vd/skeleton-attn-tcn@fixed",
    "vd/s3d-bilstm@fixed",
    "vd/motion-skeleton",
    "vd/motion",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Dataset:
    return films.drawn(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """Return settings with one cache and one store: rows share encoders, poses and flow, as they do for a user."""
    cache, store = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("store") / "results.duckdb"
    return Settings(cache=cache, store=store, device="cpu", workers=1, weights="random")


@pytest.fixture(scope="module", autouse=True)
def _backbones_of_few_layers():
    with films.small_backbones():
        yield


@pytest.fixture(autouse=True)
def _small(monkeypatch, settings):
    monkeypatch.setattr(recipes, "RECIPES", tuple(films.cut_down(recipe) for recipe in RECIPES))
    # for a few small pictures the graph takes a hundred times as long as they do; others try it
    monkeypatch.setattr("solutions.encoders.backends.torch.export", None)
    for name in ("cache", "device", "weights"):  # a saved solution takes its settings from the environment
        monkeypatch.setenv(f"ABAW_{name.upper()}", str(getattr(settings, name)))
    solution_entries.cache_clear()  # an earlier test of this process may have listed them in full size
    yield
    solution_entries.cache_clear()


def entry_of(name: str):
    entry = solution_entry(name)
    for extra in entry.needs:
        if importlib.util.find_spec(extra) is None:
            pytest.skip(f"the extra {extra!r} is not installed")
    return entry


def rows_of_files(folder: Path, name: str) -> list[str]:
    (path,) = folder.rglob(f"{name}.csv")
    return path.read_text().splitlines()


@pytest.mark.parametrize("name", [*ROWS, *TRIED])
def test_it_makes_official_files_with_every_frame(name, data, settings, tmp_path):
    entry = entry_of(name)
    places = replace(settings, out=tmp_path / "out")
    finished = run_solution(entry, data, "test", places)
    for video in data.videos("test"):
        header, *rows = rows_of_files(finished.folder, video.name)
        assert header == "Frame_Number,Label"
        numbers, labels = zip(*(row.split(",") for row in rows), strict=True)
        assert list(map(int, numbers)) == list(range(1, video.n_frames + 1))
        assert set(labels) <= {"0", "1"}
    assert any("random" in note for note in finished.record.notes)


def test_all_18_own_rows_exist_once_with_the_papers_numbers():
    printed = {row.row.row_id: row for row in table_rows() if (row.task, row.is_own, row.split) == ("VD", True, "val")}
    ours = {e.row.row_id: e for e in solution_entries().values() if e.task is VD and e.row and not e.variant_of}
    assert len(printed) == 18
    assert ours.keys() == printed.keys()
    for row_id, entry in ours.items():
        assert entry.name == f"vd/{row_id}"
        assert entry.published == printed[row_id].headline
        assert entry.published_targets.keys() == {"violent", "non_violent"}
        assert entry.remark


def test_the_list_shows_them_with_both_classes():
    listed = json.loads(CliRunner().invoke(cli, ["solutions", "--task", "VD", "--json"]).stdout)
    own = {entry["name"]: entry for entry in listed if entry["row_id"]}
    assert len(own) == 18
    best = own["vd/convnext-t-tcn"]
    assert (best["paper"], best["table"], best["row_id"]) == ("abaw10", "4", "convnext-t-tcn")
    assert best["published"] == 0.783
    assert best["published_targets"] == {"violent": 0.738, "non_violent": 0.828}
    assert {"vd/convnext-t-tcn@fixed", "vd/convnext-t-tcn@frozen"} <= {*best["variants"]}
    assert not any("@" in entry["name"] for entry in listed)
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["solutions", "--task", "VD"]).stdout
    for words in ("vd/motion-skeleton", "violent", "non_violent", "0.7380", "0.8280", "0.7830"):
        assert words in shown, words


def test_variants_belong_to_rows_and_fit_their_backbones():
    by_name = {recipe.name: recipe for recipe in OURS}
    for recipe in OURS:
        if "@" not in recipe.name:
            continue
        assert recipe.variant_of == recipe.name.partition("@")[0]
        if recipe.name.endswith("@code"):  # the row with images of flow as the authors' script writes them
            ways = [by_name[name].streams[0].network.flow_pictures for name in (recipe.name, recipe.variant_of)]
            assert ways == ["flow-code", "flow"]
            continue
        (stream,), (row,) = recipe.streams, by_name[recipe.variant_of].streams
        assert stream.training.mode == "fixed"
        assert row.training.mode == "paper"
        assert (row.network.normalisation, stream.network.normalisation) == ("imagenet", "own")
        if recipe.name.endswith("@frozen"):
            assert stream.training.encoders == "frozen"
            assert all(backbone_row(b).video is None for b in (stream.network.rgb, stream.network.flow) if b)
    frozen = {recipe.variant_of for recipe in OURS if recipe.name.endswith("@frozen")}
    single = {r.name for r in OURS if r.row and backbone_row(r.streams[0].network.rgb).video is None}
    assert frozen == single
    assert {recipe.variant_of for recipe in OURS if recipe.name.endswith("@fixed")} == set(ROWS)


@pytest.mark.parametrize("name", ["vd/resnet18-conv1d", "vd/s3d-conv1d", "vd/motion-smooth"])
def test_it_keeps_the_contract(name, data, settings, tmp_path):
    own = replace(settings, reuse_heads=False)
    assert broken_promises(entry_of(name), data, own, tmp_path) == []


def test_rows_that_take_an_encoder_over_train_it_once(data, settings, monkeypatch):
    trained, train = [], clip_stream.train_stream

    def counted(stream, *arguments):
        trained.append(stream.words)
        train(stream, *arguments)

    monkeypatch.setattr(clip_stream, "train_stream", counted)
    for name in ("vd/convnext-t-bilstm", "vd/skeleton-attn-tcn", "vd/skeleton-attn-bilstm"):
        solution = entry_of(name).create(settings)
        solution.fit(data, seed=5)
    assert trained == ["bilstm", "cross-attention, tcn", "cross-attention, bilstm"]


def test_a_table_is_run_in_one_go_and_what_is_missing_is_said(data, settings, tmp_path):
    places = replace(settings, out=tmp_path / "out")
    rows = [row for row in rows_of("abaw10:table4") if row.row.row_id in ("resnet18-conv1d", "convnext-t-tcn")]
    for found in reproduce(rows, data, places):
        assert found.solution == f"vd/{found.printed.row.row_id}"
        assert 0 <= found.ours.mean <= 1
    without = replace(places, weights="pretrained", cache=tmp_path / "empty")
    (found,) = reproduce(rows_of("abaw10:table4:s3d-bilstm"), data, without)
    assert found.ours is None
    assert "s3d.kinetics400" in found.reason


def test_window_and_threshold_are_chosen_by_cross_fitting(data, settings):
    solution = entry_of("vd/motion-smooth").create(settings)
    solution.fit(data, seed=0)
    found = solution.predict(data, "val")
    assert "cross-fitted" in found.choices["tuned_on"]
    assert len(found.choices["thresholds"]["per_fold"]) == 3
    fold = found.choices["folds"]
    for name, video in found:
        (threshold,) = found.choices["thresholds"]["per_fold"][fold[name]]
        np.testing.assert_array_equal(video.decisions, video.scores[:, 1] >= np.float32(threshold))


def test_blend_chooses_weights_window_and_threshold(data, settings, tmp_path):
    places = replace(settings, out=tmp_path / "out")
    runs = [run_solution(entry_of("vd/motion"), data, "val", places, seed=seed) for seed in (0, 1)]
    parts = blend_parts([run.folder for run in runs], VD)
    blended = run_solution(blend_entry("vd/both", VD, parts, None, smooth=True), data, "val", places).record
    assert "cross-fitted" in blended.tuned_on
    assert {"weights", "half_width", "thresholds"} <= blended.choices.keys()
    given = run_solution(blend_entry("vd/given", VD, parts, (0.25, 0.75), smooth=False), data, "val", places).record
    assert "thresholds" in given.choices
    assert "weights" not in given.choices


def test_at_a_half_is_violence_as_in_the_paper():
    for name in ROWS:
        plan = recipe_named(name).postprocess
        assert plan.thresholds.values == 0.5
        assert plan.smoothing is None
