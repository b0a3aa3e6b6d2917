"""Recipes of EMI, AH and AHV keep the contract: they build, train, predict, save and load on random features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.files.checking.submission import validate
from harness.plugins.contract import broken_promises
from harness.plugins.registry import solution_entries, solution_entry
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.tasks import AH, AHV, EMI
from solutions.recipes import RECIPES
from tests.support import random_features

pytestmark = pytest.mark.slow

TASKS = (EMI, AH, AHV)
NAMES = sorted(name for name, entry in solution_entries().items() if entry.task in TASKS)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    cache, root = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("data")
    data = {task: random_features.drawn(root, task) for task in TASKS}
    for recipe in RECIPES:
        if recipe.task in TASKS:
            for columns in random_features.columns_of(recipe):
                random_features.bring(cache, data[recipe.task], columns)
    with random_features.exchanged_encoders():
        yield Settings(cache=cache, device="cpu", workers=1), data


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_keeps_the_contract(name, settings, tmp_path, monkeypatch):
    its_settings, data = settings
    monkeypatch.setenv("ABAW_CACHE", str(its_settings.cache))
    monkeypatch.setenv("ABAW_DEVICE", "cpu")
    entry = solution_entry(name)
    assert broken_promises(entry, data[entry.task], its_settings, tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        "emi/abaw8-gigachat-mbf-hubert-trainval-blend",
        "ah/abaw8-roberta-hubert-mbf-trainval-smooth-filter",
        "ahv/abaw8-hubert",
    ],
)
def test_a_recipe_writes_a_valid_official_file_of_test(name, settings, tmp_path):
    its_settings, data = settings
    entry = solution_entry(name)
    places = replace(its_settings, out=tmp_path / "out", store=tmp_path / "results.duckdb")
    finished = run_solution(entry, data[entry.task], "test", places)
    report = validate(finished.submission)
    assert report.valid
    assert report.rows == sum(video.n_rows for video in data[entry.task].videos("test"))


@pytest.mark.parametrize("name", ["emi/abaw8-roberta-mobilevit-hubert-trainval-blend", "ah/abaw8-mbf-trainval-smooth"])
def test_training_on_val_changes_test_alone(name, settings):
    """Labels of val reach the answer for test through the final heads, and that for val through choices alone."""
    its_settings, data = settings
    entry = solution_entry(f"{name}@paper")
    own = data[entry.task]
    solution = entry.create(its_settings)
    solution.fit(own, seed=0)
    turned = [replace(video, labels=1 - video.labels) for video in own.videos("val")]
    other = entry.create(its_settings)
    other.fit(replace(own, splits={**own.splits, "val": turned}), seed=0)
    before, after = ({split: each.predict(own, split) for split in ("val", "test")} for each in (solution, other))
    for split, same in (("val", True), ("test", False)):
        pairs = [(video.scores, after[split].videos[key].scores) for key, video in before[split]]
        assert all(np.array_equal(*pair) for pair in pairs) == same, split
