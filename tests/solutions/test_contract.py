"""Every registered solution keeps the contract, those of the papers' rows with weights that mean nothing."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.contract import broken_promises
from harness.datasets.dataset import Dataset
from harness.errors import MissingDependencyError
from harness.registry import solution_entries, solution_entry
from harness.runner import run_solution
from harness.settings import Settings
from harness.solution import SolutionEntry
from harness.submission.one_file import validate_one_file
from harness.tasks import VD, Task, task_named
from solutions.encoders import wav2vec2
from tests.support import published_files as pretrained
from tests.support import shortened

NAMES = sorted(name for name, entry in solution_entries().items() if entry.task is not VD)  # see clips/
ALL_STAGES = (
    "expr/abaw10-emotieffnet-wav2vec2-gla-filter-smooth",
    "expr/abaw8-wav2vec2-emotieffnet-filter-smooth@paper",
    "va/abaw10-mt-ddamfn-mlp-smooth",
    "va/abaw10-libreface-mlp",
    "au/abaw10-emotieffnet-logits-emb-smooth-bestthr",
)
WEIGHTS = ("enet_b0_8_best_vgaf", "ddamfn_8_mtl", "wav2vec2-base-960h")


def opened(root: Path, task: Task) -> Dataset:
    """The drawn data set, short: two training videos, three to choose on, one for test, 40 frames each."""
    return shortened.opened(root, task, {"train": 2, "val": 3, "test": 1}, 40)


@pytest.fixture(scope="module")
def settings(tmp_path_factory, drawn_once) -> Settings:
    """One cache for all: weights are imported and crops encoded once."""
    made = Settings(cache=tmp_path_factory.mktemp("cache"), device="cpu", workers=2, reuse_heads=False)
    folder = tmp_path_factory.mktemp("published")
    for name in WEIGHTS:
        pretrained.bring(name, made, folder)
    data = opened(drawn_once, task_named("VA"))
    pretrained.bring_libreface(made, [video for split in ("train", "val", "test") for video in data.videos(split)])
    return made


@pytest.fixture(autouse=True)
def _here(settings, monkeypatch):
    """Loading a saved solution takes its settings from the environment."""
    monkeypatch.setenv("ABAW_CACHE", str(settings.cache))
    monkeypatch.setenv("ABAW_DEVICE", "cpu")
    monkeypatch.setitem(wav2vec2.ENCODERS, "wav2vec2", ("wav2vec2-base-960h", pretrained.SHORT))


@pytest.fixture(params=NAMES)
def entry(request) -> SolutionEntry:
    found = solution_entry(request.param)
    for extra in found.needs:
        if importlib.util.find_spec(extra) is None:
            pytest.skip(f"the extra {extra!r} is not installed")
    return found


def test_it_keeps_the_contract(entry, drawn_once, settings, tmp_path):
    # rows of a paper share heads, as they do for a user; that training repeats itself is tried on all others
    own = replace(settings, reuse_heads=entry.row is not None)
    assert broken_promises(entry, opened(drawn_once, entry.task), own, tmp_path) == []


def test_a_list_can_show_it(entry):
    assert re.fullmatch(rf"{entry.task.name.lower()}/[a-z0-9]+(-[a-z0-9]+)*(@paper)?", entry.name)
    assert entry.summary
    assert entry.encoder
    assert entry.head
    assert entry.postprocess
    assert (entry.published is None) == (entry.row is None)


@pytest.mark.parametrize("name", ALL_STAGES)
def test_a_row_makes_a_valid_official_file(name, drawn_once, settings, tmp_path):
    entry = solution_entry(name)
    data = opened(drawn_once, entry.task)
    places = replace(settings, out=tmp_path / "out", store=tmp_path / "results.duckdb", reuse_heads=True)
    finished = run_solution(entry, data, "test", places)
    assert validate_one_file(finished.submission, entry.task).valid
    decided = {line.partition(",")[2] for line in finished.submission.read_text().splitlines()[1:]}
    assert decided


def test_scores_follow_the_frames(drawn_once, settings):
    """Different pictures, different scores: features reach the heads, and heads the decisions."""
    for name in ("expr/abaw10-emotieffnet", "va/abaw10-mt-ddamfn-mlp", "expr/abaw8-wav2vec2"):
        entry = solution_entry(name)
        data = opened(drawn_once, entry.task)
        solution = entry.create(settings)
        solution.fit(data, seed=0)
        for _, video in solution.predict(data, "test"):
            assert np.ptp(video.scores, axis=0).max() > 1e-4, name


def test_without_weights_the_way_out_is_said(drawn_once, tmp_path):
    entry = solution_entry("expr/abaw10-emotieffnet")
    with pytest.raises(MissingDependencyError, match="abaw weights fetch enet_b0_8_best_vgaf"):
        entry.create(Settings(cache=tmp_path, device="cpu")).describe()
