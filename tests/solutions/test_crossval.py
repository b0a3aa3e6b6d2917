"""Cross-validation: every labelled video once, by what was trained without it; and never a run on the board."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import f1_score

from harness.cli.main import cli
from harness.datasets.dataset import Dataset
from harness.datasets.open import open_dataset
from harness.errors import DataError, UsageError
from harness.plugins.interface import Predictions, SolutionEntry, VideoPrediction
from harness.plugins.registry import solution_entry
from harness.runs.crossval import cross_validate
from harness.settings import Settings
from harness.tasks import EXPR

TINY = "expr/tiny-mlp-smooth"


class Remembering:
    """Answers what it was taught: a video's own labels if it was trained on it, else the class that it was told."""

    name, task = "expr/remembering", EXPR

    def __init__(self, log: list[set[str]]) -> None:
        self.log = log

    def fit(self, data: Dataset, *, seed: int) -> None:
        self.log.append({video.name for video in data.videos("train")})

    def predict(self, data: Dataset, split: str) -> Predictions:
        videos = {}
        for video in data.videos(split):
            known = video.name in self.log[-1]
            own = np.where(video.labels >= 0, video.labels, 0) if known else np.full(video.n_frames, 3)
            videos[video.name] = VideoPrediction(np.full((video.n_frames, 8), 0.125, np.float32), own)
        return Predictions(EXPR, videos, {"tuned_on": "nothing"}, [f"{len(videos)} videos"])


@pytest.fixture(scope="module")
def data(drawn_once) -> Dataset:
    return open_dataset(drawn_once, EXPR)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(cache=tmp_path / "cache", device="cpu", workers=1)


@pytest.mark.parametrize("folds", [2, 3, 50])
def test_every_video_is_predicted_once_by_what_has_not_seen_it(data, settings, folds):
    log: list[set[str]] = []
    entry = SolutionEntry("expr/remembering", EXPR, "", lambda settings: Remembering(log))
    found = cross_validate(entry, data, settings, folds=folds)
    videos = [*data.videos("train"), *data.videos("val")]
    assert set(found.fold) == {video.name for video in videos}
    recordings = {video.base for video in videos}
    assert len(log) == min(folds, len(recordings)) == max(found.fold.values()) + 1
    for fold, trained_on in enumerate(log):
        assert trained_on == {name for name, own in found.fold.items() if own != fold}
    for video in videos:  # both people of a recording are left out together
        assert {found.fold[other.name] for other in videos if other.base == video.base} == {found.fold[video.name]}
    truth = np.concatenate([video.labels for video in videos])
    expected = f1_score(truth[truth >= 0], np.full((truth >= 0).sum(), 3), labels=range(8), average="macro")
    assert found.card.headline.value == pytest.approx(expected)
    assert found.card.headline.low <= found.card.headline.value <= found.card.headline.high
    assert found.tuned_on == "nothing"


def test_what_cannot_be_left_out_is_refused(data, settings):
    entry = solution_entry(TINY)
    with pytest.raises(UsageError, match="two folds at least; found 1"):
        cross_validate(entry, data, settings, folds=1)
    alone = replace(data, splits={"train": data.videos("train")[:1], "val": ()})
    with pytest.raises(DataError, match="too few recordings"):
        cross_validate(entry, alone, settings)
    twice = replace(data, splits={**data.splits, "val": data.videos("train")[:2]})
    with pytest.raises(DataError, match=f"both training and validation; found {data.videos('train')[0].name}"):
        cross_validate(entry, twice, settings)


def test_the_command_prints_and_saves_and_records_no_run(drawn_once, fill_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABAW_CACHE", str(fill_cache(tmp_path / "cache")))
    arguments = ["crossval", TINY, "--data", str(drawn_once), "--folds", "3", "--device", "cpu", "--workers", "1"]
    done = CliRunner().invoke(cli, [*arguments, "--save", str(tmp_path / "cv.json"), "--json"])
    assert done.exception is None, done.exception
    printed = json.loads(done.stdout)
    assert printed == json.loads(Path(tmp_path / "cv.json").read_text())
    assert printed["split"] == "cross-validation over train and val"
    assert printed["folds"] == 3
    assert len(printed["videos"]) == 9
    head = printed["scores"][0]
    assert head["metric"] == "macro_f1"
    assert head["low"] < head["value"] < head["high"]
    assert head["value"] > printed["constant"]["value"]
    assert "cross-fitted" in printed["tuned_on"]
    assert not (tmp_path / "submissions").exists()
    shown = CliRunner().invoke(cli, arguments)
    for words in ("3-fold cross-validation, 9 videos", "macro-F1", "constant", "neither a validation nor a test score"):
        assert words in shown.stdout, words
