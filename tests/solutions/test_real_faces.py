"""Real crops and real sound through every encoder of the papers: import, convert, extract, fit, predict, official file.

The weights mean nothing, and so do the scores; what is tried is that real pictures and recordings go all the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.files.one_file import validate_one_file
from harness.plugins.interface import SolutionEntry
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.tasks import EXPR
from solutions.encoders.images.emotiefflib import NETWORKS
from solutions.heads.settings import MlpSettings
from solutions.postprocess.plan import Choose, ConfidenceFilter, PostProcess, Smoothing
from solutions.recipe import Recipe, Stream
from solutions.recipe_solution import RecipeSolution
from tests.support import published_files as pretrained
from tests.support import shortened

pytestmark = pytest.mark.real
HEAD = MlpSettings(epochs=3, keep="best")
N_FRAMES = 12  # the first crop of the test video is that of frame 11


@pytest.fixture(autouse=True)
def _networks_of_few_layers(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr("solutions.encoders.backends.torch.export", None)  # a graph takes longer than so few pictures
    with pretrained.small_networks():
        yield


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(
        out=tmp_path / "out", store=tmp_path / "results.duckdb", cache=tmp_path / "cache", device="cpu", workers=2
    )


def submitted(recipe: Recipe, root: Path, settings: Settings) -> None:
    data = shortened.opened(root, EXPR, {"train": 2, "val": 2, "test": 1}, N_FRAMES)
    entry = SolutionEntry(recipe.name, EXPR, "", lambda settings: RecipeSolution(recipe, settings))
    on_val, on_test = (run_solution(entry, data, split, settings) for split in ("val", "test"))
    assert validate_one_file(on_test.submission, EXPR).valid
    assert on_val.record.score()["value"] >= 0
    with np.load(on_val.folder / "scores.npz") as scores:
        assert max(np.ptp(scores[name], axis=0).max() for name in scores.files) > 1e-4, "frames make no difference"


@pytest.mark.parametrize("name", NETWORKS)
def test_faces(name, real_faces, settings, tmp_path):
    pretrained.bring(name, settings, tmp_path)
    plan = PostProcess(smoothing=Smoothing(Choose((0, 2))), filter=ConfidenceFilter(name, Choose((1.0, 0.5))))
    submitted(
        Recipe(f"expr/{name}".replace("_", "-"), EXPR, "", (Stream(name, head=HEAD),), plan), real_faces, settings
    )


def test_sound(real_faces, settings, tmp_path):
    pretrained.bring("wav2vec2-base-960h", settings, tmp_path)
    voice = Stream("wav2vec2", head=replace(HEAD, loss="focal"))
    submitted(Recipe("expr/sound", EXPR, "", (voice,), PostProcess()), real_faces, settings)
