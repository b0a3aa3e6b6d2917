"""Constants chosen on the training videos: by folds over persons, and by no label of val."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

from harness.errors import SolutionError
from harness.metrics.folds import assign_folds
from harness.plugins.contract import same
from harness.settings import Settings
from harness.tasks import AH
from solutions import recipes
from solutions.columns import Columns
from solutions.heads.settings import LinearModel
from solutions.postprocess.plan import Choose, PostProcess, Smoothing, Thresholds, VideoFilter
from solutions.recipe import ColumnStream, Recipe
from solutions.recipe_solution import RecipeSolution
from tests.support.random_features import bring, brought, drawn

FACES = Columns("faces")
WIDTHS, THRESHOLDS = (0, 1, 3), (0.5, 0.35, 0.65)
PLAN = PostProcess(smoothing=Smoothing(Choose(WIDTHS)), thresholds=Thresholds(Choose(THRESHOLDS)))
RECIPE = Recipe(
    "ah/on-train", AH, "a test's", (ColumnStream((brought(FACES),), LinearModel(5.0)),), PLAN, tuned_on="train"
)


@pytest.fixture
def opened(tmp_path, monkeypatch):
    settings = Settings(cache=tmp_path / "cache", device="cpu", workers=1)
    data = drawn(tmp_path, AH)
    bring(settings.cache, data, FACES)
    monkeypatch.setattr(recipes, "RECIPES", (RECIPE,))
    monkeypatch.setenv("ABAW_CACHE", str(settings.cache))
    monkeypatch.setenv("ABAW_DEVICE", "cpu")
    return settings, data


def test_constants_are_the_best_out_of_folds_over_persons(opened):
    settings, data = opened
    videos = data.videos("train")
    folder = settings.cache / "precomputed" / brought(FACES).encoder.removeprefix("precomputed:")
    rows = [np.load(folder / f"{video.name}.npy").astype(np.float64) for video in videos]
    fold = assign_folds([video.person for video in videos], [video.n_frames for video in videos])
    present = {}
    for k in set(fold):
        rest = [i for i in range(len(videos)) if fold[i] != k]
        scaler = StandardScaler().fit(np.concatenate([rows[i] for i in rest]))
        model = LogisticRegression(C=0.2, max_iter=1000)
        model.fit(scaler.transform(np.concatenate([rows[i] for i in rest])),
                  np.concatenate([videos[i].labels for i in rest]))  # fmt: skip
        for i in np.flatnonzero(fold == k):
            present[i] = model.predict_proba(scaler.transform(rows[i]))[:, 1]

    def score(width: int, threshold: float) -> float:
        smooth = [np.array([p[max(0, k - width) : k + width + 1].mean() for k in range(len(p))])
                  for p in (present[i] for i in range(len(videos)))]  # fmt: skip
        truth = np.concatenate([video.labels for video in videos])
        return f1_score(truth, np.concatenate(smooth) >= threshold, average="weighted")

    solution = RecipeSolution(RECIPE, settings)
    solution.fit(data, seed=0)
    chosen = solution.predict(data, "val").choices["chosen_on_train"]
    best = max(score(w, t) for w in WIDTHS for t in THRESHOLDS)
    assert score(chosen["half_width"], chosen["thresholds"][0]) == pytest.approx(best, abs=1e-9)


def test_no_label_of_val_changes_an_answer(opened, tmp_path):
    settings, data = opened
    turned = [replace(video, labels=1 - video.labels) for video in data.videos("val")]
    other = replace(data, splits={**data.splits, "val": turned})
    answers = []
    for each in (data, other):
        solution = RecipeSolution(RECIPE, settings)
        solution.fit(each, seed=0)
        answers.append({split: solution.predict(each, split) for split in ("val", "test")})
    for split in ("val", "test"):
        assert same(answers[0][split], answers[1][split])
        assert any("not on val" in note for note in answers[0][split].notes)
    solution.save(tmp_path / "model")
    loaded = RecipeSolution.load(tmp_path / "model", settings)
    assert same(loaded.predict(data, "test"), answers[0]["test"])


def test_one_person_and_filters_are_refused(opened):
    settings, data = opened
    alone = [replace(video, person="one") for video in data.videos("train")]
    with pytest.raises(SolutionError, match="training videos of one person"):
        RecipeSolution(RECIPE, settings).fit(replace(data, splits={**data.splits, "train": alone}), seed=0)
    step = VideoFilter(replace(brought(FACES), pooling="mean"))
    filtered = replace(RECIPE, postprocess=replace(PLAN, video_filter=step))
    with pytest.raises(SolutionError, match="a filter's constants"):
        RecipeSolution(filtered, settings).fit(data, seed=0)
