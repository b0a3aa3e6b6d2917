"""Heads for test that are trained on train and val: what they learn, what they never answer for, and what is said."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import tests.support.drawn_films as films
from harness.cli.main import cli
from harness.datasets.dataset import Dataset
from harness.datasets.open import open_dataset
from harness.errors import DataError, SolutionError, UsageError
from harness.files.checking.submission import validate
from harness.metrics.compare import compare
from harness.plugins.contract import broken_promises
from harness.plugins.interface import SolutionEntry
from harness.plugins.registry import solution_entries, solution_entry
from harness.records.run import RUN_FILE, TRAIN, RunRecord
from harness.records.scores import read_scores
from harness.reference.papers import PaperRow, table_rows
from harness.runs.blend import blend_parts
from harness.settings import Settings
from harness.store.store import Store
from harness.tasks import AH, AHV, AU, EMI, EXPR, VA, VD
from solutions import recipes
from solutions.cache.features import FeatureSource
from solutions.heads.settings import AutoMl, MlpSettings, Pretrained
from solutions.postprocess.plan import PostProcess
from solutions.recipe import Recipe, Stream
from solutions.recipe_solution import RecipeSolution, with_val_in_train
from solutions.recipes import RECIPES, recipe_named
from solutions.streams.frames import FittedFrames
from tests.support import random_features, shortened
from tests.support.constant import Constant

pytestmark = pytest.mark.slow

BOTH = "train+val"
TINY = {EXPR: "expr/tiny-mlp-smooth", VA: "va/tiny-mlp-smooth", AU: "au/tiny-mlp-smooth"}
SPOKEN = {EMI: "emi/abaw8-roberta-mbf-blend", AH: "ah/abaw8-roberta-mbf-smooth-filter", AHV: "ahv/abaw8-hubert"}
# face_tasks_audit.md, section 3, and emi_ah_audit.md, 2.3 and 2.7: epochs on train and val; None for all of its own
EPOCHS_OF_TABLES = {("EXPR", "2"): 2, ("AU", "4"): 1, ("EMI", "6"): None, ("AH", "9"): 1}


@pytest.fixture(scope="module")
def settings(tmp_path_factory, fill_cache) -> Settings:
    return Settings(cache=fill_cache(tmp_path_factory.mktemp("cache")), device="cpu", workers=1)


@pytest.fixture
def _here(settings, monkeypatch) -> None:
    """Let saved solutions take these settings from the environment."""
    for name in ("cache", "device"):
        monkeypatch.setenv(f"ABAW_{name.upper()}", str(getattr(settings, name)))


def with_turned_val(data: Dataset) -> Dataset:
    """Return a data set whose val labels are those of other rows."""
    turned = [replace(video, labels=np.roll(video.labels, len(video.labels) // 2, 0)) for video in data.videos("val")]
    whole = data.task.level == "video"
    if whole:
        turned = [replace(video, labels=1 - video.labels) for video in turned]
    return replace(data, splits={**data.splits, "val": turned})


def check_learning(entry: SolutionEntry, data: Dataset, settings: Settings) -> None:
    """Labels of val reach the scores of test, not those of val; and those of test reach nothing."""
    first, other = entry.create(settings), entry.create(settings)
    first.fit(data, seed=3)
    other.fit(with_turned_val(data), seed=3)
    for split, same in (("val", True), ("test", False)):
        pairs = zip(first.scores(data, split, []).streams, other.scores(data, split, []).streams, strict=True)
        assert all(np.array_equal(one[len(one) - 1], two[len(two) - 1]) for one, two in pairs) == same, split


@pytest.mark.parametrize("task", TINY, ids=lambda task: task.name)
@pytest.mark.usefixtures("_here")
def test_face_tasks_on_both_learn_and_keep_the_contract(task, drawn_once, settings, tmp_path):
    data = shortened.opened(drawn_once, task, {"train": 2, "val": 3, "test": 1}, 24)
    with shortened.cut_down_recipes():
        entry = solution_entry(TINY[task]).trained(BOTH)
        check_learning(entry, data, settings)
        assert broken_promises(entry, data, settings, tmp_path) == []


@pytest.mark.parametrize("task", SPOKEN, ids=lambda task: task.name)
def test_speech_tasks_on_both_learn_and_keep_the_contract(task, tmp_path, monkeypatch):
    data, cache = random_features.drawn(tmp_path / "data", task), tmp_path / "cache"
    for columns in random_features.columns_of(recipe_named(SPOKEN[task])):
        random_features.bring(cache, data, columns)
    monkeypatch.setenv("ABAW_CACHE", str(cache))
    monkeypatch.setenv("ABAW_DEVICE", "cpu")
    with random_features.exchanged_encoders():
        entry = solution_entry(SPOKEN[task]).trained(BOTH)
        own = Settings(cache=cache, device="cpu", workers=1)
        check_learning(entry, data, own)
        assert broken_promises(entry, data, own, tmp_path / "saved") == []


def test_violence_on_both_learns_and_keeps_the_contract(tmp_path, monkeypatch):
    data = films.drawn(tmp_path / "films")
    own = Settings(cache=tmp_path / "cache", device="cpu", workers=1, weights="random")
    for name in ("cache", "device", "weights"):
        monkeypatch.setenv(f"ABAW_{name.upper()}", str(getattr(own, name)))
    with films.small_backbones(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "RECIPES", tuple(films.cut_down(recipe) for recipe in RECIPES))
        solution_entries.cache_clear()
        entry = solution_entry("vd/motion").trained(BOTH)
        assert entry.task is VD
        check_learning(entry, data, own)
        assert broken_promises(entry, data, own, tmp_path / "saved") == []
    solution_entries.cache_clear()


# the head is the one that training on both by hand gives, after the epochs that val chose


@pytest.mark.parametrize("seed", [0, 1])
def test_the_chosen_number_of_epochs_is_trained_on_both(seed, drawn_once, settings):
    """Oracle: a head that is trained on both for exactly the chosen epochs, with nothing else kept or chosen."""
    data = open_dataset(drawn_once, EXPR)
    head = MlpSettings(epochs=5, keep="best")
    recipe = Recipe("expr/by-hand", EXPR, "", (Stream("tiny", head=head),), PostProcess())
    alone, both = RecipeSolution(recipe, settings), RecipeSolution(recipe.on_train_and_val(), settings)
    for solution in (alone, both):
        solution.fit(data, seed=seed)
    chosen = both.predict(data, "test")
    assert chosen.choices["epochs"] == alone.predict(data, "val").choices["epochs"]
    (epoch,) = chosen.choices["epochs"]["on_all"]
    videos = [*data.videos("train"), *data.videos("val")]
    joined = replace(data, splits={"train": videos, "test": data.videos("test")})
    stream = Stream("tiny", head=replace(head, epochs=epoch + 1, keep="last"))
    by_hand = FittedFrames.fit(stream, FeatureSource(settings), joined, seed)
    expected = by_hand.scores(FeatureSource(settings), joined, "test", [])[0]
    answered = np.concatenate([video.scores for _, video in chosen])
    np.testing.assert_allclose(answered, expected, atol=1e-6)
    before = np.concatenate([video.scores for _, video in alone.predict(data, "test")])
    assert np.abs(answered - before).max() > 1e-3


def test_choices_are_those_of_heads_trained_on_train(drawn_once, settings):
    data, entry = open_dataset(drawn_once, EXPR), solution_entry(TINY[EXPR])
    alone, both = entry.create(settings), entry.trained(BOTH).create(settings)
    for solution in (alone, both):
        solution.fit(data, seed=0)
    on_val, on_test = alone.predict(data, "val"), both.predict(data, "test")
    assert on_test.choices["half_width"] == on_val.choices["half_width"]
    assert on_test.choices["tuned_on"] == "val"
    assert on_test.notes[0].startswith("heads were trained on train and val together")
    for name, video in both.predict(data, "val"):
        assert np.array_equal(video.scores, on_val.videos[name].scores)


# which solutions can, and which rows of papers were


def test_every_recipe_that_trains_can_be_trained_on_both():
    for recipe in RECIPES:
        heads = [getattr(stream, "head", None) for stream in recipe.streams]
        entry = solution_entry(recipe.name)
        assert entry.trained_on == (BOTH if recipe.final else TRAIN)
        if all(isinstance(head, Pretrained) for head in heads):
            with pytest.raises(UsageError, match="trains nothing"):
                entry.trained(BOTH)
        else:
            twin = entry.trained(BOTH)
            assert (twin.name, twin.trained_on) == (recipe.name, BOTH)
            described = recipe.on_train_and_val().describe()
            assert {key for key in described if described[key] != recipe.describe().get(key)} <= {"final"}
            assert described["final"]


def test_a_plug_in_that_does_not_offer_it_is_refused():
    entry = SolutionEntry(Constant.name, EXPR, "", create=lambda given: Constant(given, 4))
    assert entry.trained(TRAIN) is entry
    with pytest.raises(UsageError, match="its package does not offer it"):
        entry.trained(BOTH)


def test_a_row_trained_on_both_is_not_trained_on_train_alone():
    with pytest.raises(UsageError, match="those of a row trained on both"):
        solution_entry("ah/abaw8-mbf-trainval-smooth").trained(TRAIN)


def test_rows_of_the_test_tables_are_trained_as_the_audits_say():
    rows = [row for row in table_rows() if row.is_own and (row.task, row.row.table) in EPOCHS_OF_TABLES]
    rows = [row for row in rows if row.row.paper == "abaw8" and row.split == "test"]
    recipe_of = {recipe.row: recipe for recipe in RECIPES if recipe.row}
    assert len(rows) == 2 + 1 + 5 + 5
    for row in rows:
        recipe, epochs = recipe_of[row.row], EPOCHS_OF_TABLES[row.task, row.row.table]
        assert bool(recipe.final) == ("-train-" not in f"-{row.row.row_id}-"), row.row
        for stream, final in zip(recipe.streams, recipe.final, strict=bool(recipe.final)):
            if isinstance(stream.head, AutoMl):
                assert final == stream
                continue
            assert final.head.epochs == (epochs or stream.head.epochs)
            assert (final.head.keep, final.head.loss) == ("last", stream.head.loss)
        assert f"{row.published:.4f}".rstrip("0") in recipe.remark
    assert recipe_of[PaperRow("abaw8", "2", "emotieffnet-filter-smooth")].name.endswith("-trainval")


# data that can't be joined


def test_a_video_in_both_splits_is_refused(drawn_once):
    data = open_dataset(drawn_once, EXPR)
    twice = replace(data, splits={**data.splits, "val": [*data.videos("val"), data.videos("train")[0]]})
    with pytest.raises(DataError, match="a video is in both train and val"):
        with_val_in_train(twice)


def test_val_without_labels_is_refused(drawn_once):
    data = open_dataset(drawn_once, EXPR)
    bare = [replace(video, labels=None) for video in data.videos("val")]
    with pytest.raises(DataError, match="needs labels of val"):
        with_val_in_train(replace(data, splits={**data.splits, "val": bare}))


# the command, the record, the store


def content(done: Result) -> dict:
    assert done.exception is None, done.exception
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def submitted(call) -> dict:
    """Return the submission of heads that were trained on both."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ABAW_")]:
            patch.delenv(name)
        return content(call("submit", TINY[EXPR], "--train-on", BOTH, "--json"))


def test_a_submission_on_both_says_so_and_stands_beside_val(submitted, call, home):
    alone = content(call("submit", TINY[EXPR], "--json"))
    on_val = content(call("run", TINY[EXPR], "--json"))
    assert (submitted["trained_on"], alone["trained_on"], on_val["trained_on"]) == (BOTH, TRAIN, TRAIN)
    assert submitted["run_id"] != alone["run_id"]
    assert "-test-trainval-s0-" in submitted["run_id"]
    assert on_val["reused"]
    assert submitted["validation"]["run_id"] == on_val["run_id"]
    headline = next(row for row in on_val["scores"] if row["estimate"] == "headline" and row["target"] == "all")
    assert submitted["validation"]["value"] == headline["value"]
    assert submitted["validation"]["trained_on"] == TRAIN
    assert submitted["scores"] == []
    assert validate(Path(submitted["archive"]), task="EXPR").valid
    runs = Store(home / "out" / "results.duckdb").runs().set_index("run_id")
    assert runs.loc[submitted["run_id"], "trained_on"] == BOTH
    assert np.isnan(runs.loc[submitted["run_id"], "value"])


def test_show_names_the_score_of_heads_trained_on_train(submitted, call):
    shown = call("show", submitted["run_id"]).output
    assert "Trained on train+val: these heads have no validation score." in shown
    assert f"Heads trained on train alone, on val: macro-F1 {submitted['validation']['value']:.3f}" in shown


def test_the_ledger_shows_val_of_heads_trained_on_train(submitted, call):
    sent = call("slots", "send", submitted["archive"], "--task", "EXPR", "--yes")
    assert sent.exception is None, sent.output
    listed = call("slots", "--format", "csv")
    assert listed.exception is None, listed.output
    row = next(csv.DictReader(listed.output.splitlines()))
    assert row["trained_on"] == BOTH
    assert float(row["val"]) == pytest.approx(submitted["validation"]["value"])
    assert row["val_run_id"] == submitted["validation"]["run_id"]
    assert "Val is the score of the same solution with heads trained on train alone" in " ".join(
        call("slots", "--format", "md").output.split()
    )


def test_val_of_heads_that_have_seen_it_is_refused(call):
    done = call("run", TINY[EXPR], "--train-on", BOTH, "--split", "val")
    assert isinstance(done.exception, UsageError)
    assert "abaw run expr/tiny-mlp-smooth --split val" in str(done.exception)


def test_run_on_both_predicts_test_by_default(submitted, call):
    again = content(call("run", TINY[EXPR], "--train-on", BOTH, "--json"))
    assert (again["run_id"], again["split"], again["reused"]) == (submitted["run_id"], "test", True)


def test_a_solution_that_trains_nothing_is_refused(call):
    done = call("submit", "va/abaw10-mt-ddamfn-pretrained", "--train-on", BOTH)
    assert isinstance(done.exception, UsageError)
    assert "trains nothing" in str(done.exception)


def test_a_blend_takes_the_test_runs_of_heads_trained_on_both(submitted, call):
    other, _ = (content(call(name, TINY[EXPR], "--seed", "1", "--json"))["run_id"] for name in ("run", "submit"))
    content(call("submit", TINY[EXPR], "--json"))
    parts = (submitted["validation"]["run_id"], other)
    blend = ("--task", "EXPR", "--split", "test", "--json")
    missing = call("blend", *parts, *blend, "--train-on", BOTH)
    assert isinstance(missing.exception, SolutionError)
    assert "--seed 1" in str(missing.exception)
    assert "--train-on train+val" in str(missing.exception)
    second = content(call("submit", TINY[EXPR], "--seed", "1", "--train-on", BOTH, "--json"))
    plain, both = content(call("blend", *parts, *blend)), content(call("blend", *parts, *blend, "--train-on", BOTH))
    assert (plain["trained_on"], both["trained_on"]) == (TRAIN, BOTH)
    assert plain["run_id"] != both["run_id"]
    assert plain["choices"]["weights"] == both["choices"]["weights"]
    weights = both["choices"]["weights"]["on_all"]
    scores = [read_scores(Path(run["folder"])) for run in (submitted, second, both)]
    for name in scores[0]:
        expected = weights[0] * scores[0][name] + weights[1] * scores[1][name]
        np.testing.assert_allclose(scores[2][name], expected, atol=1e-6)


def test_scores_of_heads_that_have_seen_val_are_not_used(submitted, call, home):
    """Somebody else's record may hold a score on val of heads that were trained on it."""
    folder = home / "out" / "EXPR" / submitted["validation"]["run_id"]
    honest = RunRecord.read(folder)
    leaked_folder = folder.with_name("leaked-val-s0-00000000")
    leaked = replace(honest, run_id=leaked_folder.name, trained_on=BOTH)
    leaked_folder.mkdir()
    leaked.write(leaked_folder)
    store = Store(home / "leaked.duckdb")
    store.record([(honest, folder), (leaked, leaked_folder)])
    runs = store.runs().set_index("run_id")
    assert runs.loc[honest.run_id, "value"] == honest.score()["value"]
    assert np.isnan(runs.loc[leaked.run_id, ["value", "low", "high", "tuned_on_all"]].astype(float)).all()
    with pytest.raises(DataError, match="no validation score to compare"):
        compare(honest.scored(), leaked.scored())
    with pytest.raises(SolutionError, match="can't be part of a blend"):
        blend_parts([folder, leaked_folder], EXPR)
    shown = CliRunner().invoke(cli, ["show", leaked.run_id, "--store", str(store.place), "--out", str(home / "none")])
    assert "on videos that they were trained on" in shown.output
    assert (leaked_folder / RUN_FILE).is_file()
    for path in leaked_folder.iterdir():
        path.unlink()
    leaked_folder.rmdir()
