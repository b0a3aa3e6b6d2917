"""Every solution of EXPR, VA and AU keeps the contract, those of the papers' rows with weights that mean nothing."""

from __future__ import annotations

import functools
import importlib.util
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save

from harness.datasets.dataset import Dataset
from harness.errors import MissingDependencyError
from harness.files.one_file import validate_one_file
from harness.plugins import contract
from harness.plugins.contract import broken_promises
from harness.plugins.interface import SolutionEntry
from harness.plugins.registry import solution_entries, solution_entry
from harness.reference.papers import table_row
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.tasks import AU, EXPR, VA, Task, task_named
from tests.support import published_files as pretrained
from tests.support import shortened
from tests.support.npm_packages import bring_expression

pytestmark = pytest.mark.slow

NAMES = sorted(name for name, entry in solution_entries().items() if entry.task in (EXPR, VA, AU))
ALL_STAGES = (
    "expr/abaw10-emotieffnet-wav2vec2-gla-filter-smooth",
    "expr/abaw8-wav2vec2-emotieffnet-filter-smooth@paper",
    "va/abaw10-mt-ddamfn-mlp-smooth",
    "va/abaw10-libreface-mlp",
    "au/abaw10-emotieffnet-logits-emb-smooth-bestthr",
)
WEIGHTS = ("enet_b0_8_best_vgaf", "ddamfn_8_mtl", "wav2vec2-base-960h")


FRAMES = 24
Opened = Callable[[Task], Dataset]


@pytest.fixture(scope="module")
def opened(drawn_once) -> Opened:
    """Open the drawn data set of a task, short: two training videos, three to choose on, one for test."""
    return functools.cache(lambda task: shortened.opened(drawn_once, task, {"train": 2, "val": 3, "test": 1}, FRAMES))


@pytest.fixture(scope="module")
def settings(tmp_path_factory, opened) -> Iterator[Settings]:
    """Return settings with one cache for all rows: networks of few layers encode each crop once."""
    cache, store = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("store") / "results.duckdb"
    made = Settings(cache=cache, store=store, device="cpu", workers=1, reuse_heads=False)
    folder = tmp_path_factory.mktemp("published")
    with pretrained.small_networks(), shortened.cut_down_recipes():
        for name in WEIGHTS:
            pretrained.bring(name, made, folder)
        bring_expression(made, folder)
        data = opened(task_named("VA"))
        pretrained.bring_libreface(made, [video for split in ("train", "val", "test") for video in data.videos(split)])
        yield made


@pytest.fixture(autouse=True)
def _here(settings, monkeypatch):
    """Loading a saved solution takes its settings from the environment."""
    monkeypatch.setenv("ABAW_CACHE", str(settings.cache))
    monkeypatch.setenv("ABAW_DEVICE", "cpu")
    monkeypatch.setattr("solutions.encoders.backends.torch.export", None)  # a graph takes longer than so few crops


@pytest.fixture(params=NAMES)
def entry(request) -> SolutionEntry:
    found = solution_entry(request.param)
    for extra in found.needs:
        if importlib.util.find_spec(extra) is None:
            pytest.skip(f"the extra {extra!r} is not installed")
    return found


def test_it_keeps_the_contract(entry, opened, settings, tmp_path):
    # rows of a paper share heads, as they do for a user; that training repeats itself is tried on all others
    own = replace(settings, reuse_heads=entry.row is not None)
    assert broken_promises(entry, opened(entry.task), own, tmp_path) == []


def test_a_list_can_show_it(entry):
    assert re.fullmatch(rf"{entry.task.name.lower()}/[a-z0-9]+(-[a-z0-9]+)*(@(paper|text|code))?", entry.name)
    assert entry.summary
    assert entry.encoder
    assert entry.head
    assert entry.postprocess
    of_val = entry.row is not None and table_row(entry.row).split == "val"
    assert (entry.published is not None) == of_val


@pytest.mark.parametrize("name", ALL_STAGES)
def test_a_row_makes_a_valid_official_file(name, opened, settings, tmp_path):
    entry = solution_entry(name)
    data = opened(entry.task)
    places = replace(settings, out=tmp_path / "out", reuse_heads=True)
    finished = run_solution(entry, data, "test", places)
    assert validate_one_file(finished.submission, entry.task).valid
    decided = {line.partition(",")[2] for line in finished.submission.read_text().splitlines()[1:]}
    assert decided


def test_scores_follow_the_frames(opened, settings):
    """Different pictures, different scores: features reach the heads, and heads the decisions."""
    for name in ("expr/abaw10-emotieffnet", "va/abaw10-mt-ddamfn-mlp", "expr/abaw8-wav2vec2"):
        entry = solution_entry(name)
        data = opened(entry.task)
        solution = entry.create(settings)
        solution.fit(data, seed=0)
        for _, video in solution.predict(data, "test"):
            assert np.ptp(video.scores, axis=0).max() > 1e-4, name


def test_without_weights_the_way_out_is_said(tmp_path):
    entry = solution_entry("expr/abaw10-emotieffnet")
    with pytest.raises(MissingDependencyError, match="abaw weights fetch enet_b0_8_best_vgaf"):
        entry.create(Settings(cache=tmp_path, device="cpu")).describe()


def test_a_pickle_is_told_from_other_files():
    for content in (0, {}, {"{": 0}, [0] * 1000, bytes(1000)):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert contract._may_be_pickle(pickle.dumps(content, protocol)), (content, protocol)


def test_weights_are_no_pickle_however_long_their_header():
    contents = [save({"x" * n: torch.zeros(1)}) for n in range(256)]
    assert any(content.startswith(b"\x80") for content in contents)
    assert not any(map(contract._may_be_pickle, contents))
