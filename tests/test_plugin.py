"""Another package's solution: listed, run, scored, and held to the same contract as ours."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset
from harness.plugins.contract import broken_promises
from harness.plugins.interface import Predictions, Solution, SolutionEntry, VideoPrediction
from harness.settings import Settings
from harness.tasks import EXPR, VA
from tests.support import shortened
from tests.support.places import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "plugin"
sys.path.insert(0, str(EXAMPLE))
import nearest_colour  # noqa: E402

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def installed(tmp_path, abaw) -> Run:
    """``abaw`` where the example is installed as pip would have done it."""
    site = tmp_path / "site"
    folder = site / "nearest_colour-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: nearest-colour\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[abaw.solutions]\nnearest-colour = nearest_colour:PROVIDER\n")
    (site / "nearest_colour.py").write_bytes((EXAMPLE / "nearest_colour.py").read_bytes())
    path = os.pathsep.join([str(site), str(REPOSITORY)])
    return lambda *arguments: abaw(*arguments, PYTHONPATH=path)


@pytest.fixture
def data(drawn_once) -> Dataset:
    return shortened.opened(drawn_once, EXPR, {"train": 2, "val": 2, "test": 1}, 30)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(cache=tmp_path / "cache", device="cpu")


def test_it_is_listed_run_and_scored(installed, drawn_once, tmp_path):
    listed = json.loads(installed("solutions", "--json").stdout)
    assert "expr/nearest-colour" in {entry["name"] for entry in listed}
    done = installed("run", "expr/nearest-colour", "--data", drawn_once, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["scores"][0]["value"] > 0
    assert "expr/nearest-colour" in installed("runs", "--out", tmp_path / "out").stdout
    sent = installed("submit", "expr/nearest-colour", "--data", drawn_once, "--out", tmp_path / "out", "--json")
    assert sent.returncode == 0, sent.stderr
    official = Path(json.loads(sent.stdout)["folder"]) / "predictions.txt"
    assert installed("validate", official, "--task", "EXPR").returncode == 0


def test_it_keeps_the_contract(data, settings, tmp_path):
    assert broken_promises(nearest_colour.ENTRY, data, settings, tmp_path) == []


def test_the_page_shows_it():
    page = (REPOSITORY / "docs/your-own-model.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    code = (EXAMPLE / "nearest_colour.py").read_text(encoding="utf-8")
    assert any(block.strip() and block.strip() in code for block in blocks), "the page's example is not this file's"


# the contract finds what is broken


class Base(nearest_colour.NearestColour):
    def told(self, answer: Predictions, **changes: object) -> Predictions:
        return replace(answer, **changes)


class OtherName(Base):
    name = "expr/another"


class Unfitted(Base):
    def predict(self, data, split):
        if self.means is None:
            self.means = np.zeros((8, 3))
        return super().predict(data, split)


class Random(Base):
    def fit(self, data, *, seed):
        super().fit(data, seed=seed)
        self.means = self.means + np.random.default_rng().random((8, 3))


class Short(Base):
    def predict(self, data, split):
        answer = super().predict(data, split)
        name, video = next(iter(answer))
        cut = VideoPrediction(video.scores[:-1], video.decisions[:-1])
        return self.told(answer, videos={**answer.videos, name: cut})


class OtherTask(Base):
    def predict(self, data, split):
        return self.told(super().predict(data, split), task=VA)


class Silent(Base):
    def predict(self, data, split):
        return self.told(super().predict(data, split), choices={})


class TunedInSecret(Base):
    def predict(self, data, split):
        return self.told(super().predict(data, split), choices={"tuned_on": "val"})


class Pickled(Base):
    def save(self, folder):
        super().save(folder)
        (folder / "model.pkl").write_bytes(b"\x80\x04N.")


class Forgetful(Base):
    @classmethod
    def load(cls, folder):
        solution = super().load(folder)
        solution.means = solution.means[::-1].copy()
        return solution


class NotPlain(Base):
    def describe(self):
        return {"name": self.name, "array": np.zeros(3)}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (OtherName, "calls itself expr/another"),
        (Unfitted, "before fit"),
        (Random, "the same seed"),
        (Short, "must be float32"),
        (OtherTask, "answers for VA"),
        (Silent, "tuned_on"),
        (TunedInSecret, "tuned_on_all"),
        (Pickled, "pickle"),
        (Forgetful, "after save"),
        (NotPlain, "plain data"),
    ],
)
def test_what_is_broken_is_said(kind: type[Solution], words, data, settings, tmp_path):
    entry = SolutionEntry("expr/nearest-colour", EXPR, "", lambda settings: kind())
    found = broken_promises(entry, data, settings, tmp_path)
    assert any(words in line for line in found), found
