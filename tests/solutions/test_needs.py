"""Needs of solutions: weights and features that are here or not, and the rows of the board that wait for them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from harness.board.waiting import attempts, sorted_attempts
from harness.cli.main import cli
from harness.datasets.open import open_dataset
from harness.errors import UsageError
from harness.plugins.needs import Need, commands_for, state_of
from harness.plugins.registry import needs_of_solution, solution_entries
from harness.settings import Settings
from harness.tasks import EXPR
from solutions.needs import needs_of, weights_of, weights_of_encoder
from solutions.postprocess.plan import ConfidenceFilter, PostProcess
from solutions.recipe import Recipe, Stream
from solutions.recipe_solution import RecipeSolution
from solutions.recipes import RECIPES
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import import_weights

FACES = "expr/abaw10-emotieffnet"


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return Settings(cache=tmp_path / "cache", out=tmp_path / "submissions", store=tmp_path / "results.duckdb")


def missing(name: str, settings: Settings) -> list[Need]:
    return [need for need in needs_of_solution(name, settings) or [] if not need.here]


def bring(name: str, settings: Settings, tmp_path: Path) -> None:
    entry = WEIGHTS[name]
    layer = {entry.last_layer[0]: torch.ones(entry.n_outputs or 1, 2)} if entry.last_layer else {}
    torch.save({"x": torch.ones(3), **layer}, tmp_path / "file.pt")
    import_weights(name, tmp_path / "file.pt", settings, replace=True)


def test_weights_are_needed_until_they_arrive(settings, tmp_path):
    assert commands_for(missing(FACES, settings)) == ["abaw weights fetch enet_b0_8_best_vgaf"]
    assert state_of(missing(FACES, settings)) == "needs weights"
    bring("enet_b0_8_best_vgaf", settings, tmp_path)
    assert missing(FACES, settings) == []
    assert state_of([]) == "runs now"


def test_stocks_and_needs_with_a_filter_name_its_classifier(settings, drawn_once):
    plan = PostProcess(filter=ConfidenceFilter("precomputed:sure", 0.8))
    recipe = Recipe("expr/filtered", EXPR, "", (Stream("tiny"),), plan)
    assert [need.name for need in needs_of(recipe, settings)] == ["sure"]
    (settings.cache / "precomputed/sure").mkdir(parents=True)
    stocks = RecipeSolution(recipe, settings).stocks(open_dataset(drawn_once, EXPR), "val")
    assert [stock.encoder for stock in stocks] == ["tiny", "precomputed:sure"]
    with pytest.raises(UsageError, match="--stride 2 with precomputed:sure"):
        RecipeSolution(recipe, dataclasses.replace(settings, stride=2))


def test_own_features_are_needed_until_a_file_is_there(settings):
    name = "va/abaw10-libreface-mlp"
    assert state_of(missing(name, settings)) == "needs features"
    folder = settings.cache / "precomputed/libreface"
    assert str(folder) in commands_for(missing(name, settings))[0]
    folder.mkdir(parents=True)
    assert missing(name, settings)
    (folder / "video.npy").touch()
    assert missing(name, settings) == []


def test_networks_of_timm_are_looked_for_in_the_hubs_cache(settings, tmp_path):
    name, model = "vd/resnet18-conv1d", "resnet18.tv_in1k"
    assert model in commands_for(missing(name, settings))[0]
    snapshot = tmp_path / f"hub/models--timm--{model}/snapshots/1"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()
    assert missing(name, settings) == []
    assert needs_of_solution(name, dataclasses.replace(settings, weights="random")) == []


def test_one_command_fetches_all_weights_of_a_solution(settings):
    (command,) = commands_for(missing("emi/abaw8-roberta-mobilevit-hubert-blend", settings)[:4])
    assert command == "abaw weights fetch mobilevit_va_mtl hubert-large-ls960-ft roberta-go-emotions"


def test_every_recipe_names_weights_that_exist(settings):
    for recipe in RECIPES:
        assert set(weights_of(recipe)) <= set(WEIGHTS)
        assert all(need.name for need in needs_of(recipe, settings))
    assert weights_of_encoder("stat:wav2vec2") == ["wav2vec2-base-960h"]
    assert weights_of_encoder("frames:s3d.kinetics400") == ["s3d.kinetics400"]
    assert weights_of_encoder("tiny") == []


def test_every_entry_has_a_known_state(settings):
    assert all(needs_of_solution(name, settings) is not None for name in solution_entries())
    assert needs_of_solution("expr/nobody", settings) is None


def failures(*rows: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "kind": kind, "reason": "why"} for name, kind in rows]


def test_rows_without_weights_wait_and_vanish_when_they_arrive(settings, tmp_path):
    rows = failures((FACES, "MissingDependencyError"), (FACES, "DataError"), ("expr/nobody", "MissingDependencyError"))
    before = attempts(rows, settings)
    assert [row["kind"] for row in before.failed] == ["DataError", "MissingDependencyError"]
    assert before.notes == (f"{FACES} needs weights: abaw weights fetch enet_b0_8_best_vgaf",)
    bring("enet_b0_8_best_vgaf", settings, tmp_path)
    after = attempts(rows, settings)
    assert not after.waiting
    assert len(after.failed) == 2


def test_no_attempts_are_neither_failed_nor_waiting():
    found = sorted_attempts((), lambda name: None)
    assert (len(found.failed), len(found.waiting), found.notes) == (0, 0, ())


def shown(*arguments: str, settings: Settings) -> str:
    places = ["--cache", str(settings.cache), "--out", str(settings.out), "--store", str(settings.store)]
    done = CliRunner(env={"COLUMNS": "80"}).invoke(cli, ["solutions", *arguments, *places])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_list_fits_80_columns_and_names_a_start(settings):
    text = shown("--task", "EXPR", settings=settings)
    assert max(len(line) for line in text.splitlines() if "to get it:" not in line) <= 80
    assert "to get it: abaw weights fetch enet_b0_8_best_vgaf" in text
    start = next(line for line in text.splitlines() if line.startswith("Start with, for EXPR: "))
    listed = json.loads(shown("--task", "EXPR", "--ready", "--json", settings=settings))
    assert start.split()[4] in {entry["name"] for entry in listed}
    assert all(entry["state"] == "runs now" for entry in listed)
    assert FACES not in {entry["name"] for entry in listed}


def test_list_shows_the_best_of_the_users_runs(settings):
    from harness.store.store import Store
    from tests.support.records import make_record, score_row

    for k, value in enumerate((0.41, 0.52)):
        scores = [score_row("headline", "macro_f1", "all", value), score_row("constant", "macro_f1", "all", 0.05)]
        data = {"name": "abaw-synth", "fingerprint": "f", "videos": 2, "frames": 86}
        record = make_record(f"tiny-val-s{k}-0000000{k}", name="expr/tiny-mlp-smooth", seed=k, scores=scores, data=data)
        Store(settings.store).record([(record, settings.out / "EXPR" / record.run_id)])
    text = shown("--task", "EXPR", settings=settings)
    line = next(line for line in text.splitlines() if line.startswith("expr/tiny-mlp-smooth"))
    assert line.split()[-1] == "0.5200"
    assert "abaw-synth, which a program drew: it says nothing of real data" in text


def test_weights_list_fits_80_columns_and_names_users(settings):
    done = CliRunner(env={"COLUMNS": "80"}).invoke(cli, ["weights", "list", "--cache", str(settings.cache)])
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "for expr/abaw10-emotieffnet, " in done.stdout
    rows = json.loads(CliRunner().invoke(cli, ["weights", "list", "--json", "--cache", str(settings.cache)]).stdout)
    users = {row["name"]: row["used_by"] for row in rows}
    assert "expr/abaw8-wav2vec2" in users["wav2vec2-base-960h"]
    assert users["enet_b2_8"] == []
