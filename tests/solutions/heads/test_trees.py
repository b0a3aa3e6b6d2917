"""Boosted trees: what scikit-learn grew, applied from plain arrays, and the same after it was saved."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from harness.errors import DataError, SolutionError
from harness.tasks import AU, EXPR, VA
from solutions.heads import trees
from solutions.heads.head import ABOUT
from solutions.heads.settings import BoostedTrees
from solutions.heads.train import load_head, train_head
from solutions.heads.trees import TREES

QUICK = BoostedTrees(iterations=15)
ROWS = np.random.default_rng(0).normal(size=(1500, 6)).astype(np.float16)
EXPRESSIONS = (2 * ROWS[:, 0].astype(np.float64) + 4).round().clip(0, 7).astype(np.int64)
VALUES = np.tanh(ROWS[:, :2].astype(np.float64) * 3)
UNITS = (np.hstack([ROWS, -ROWS]) > np.linspace(-1, 1, 12)).astype(np.int64)
LABELS = {"EXPR": EXPRESSIONS, "VA": VALUES, "AU": UNITS}
OPTIONS = {"max_iter": 15, "early_stopping": False, "random_state": 0}


def grown(task, labels, settings=QUICK, *, seed=0):
    return train_head(settings, np.array_split(ROWS, 3), np.array_split(labels, 3), task, seed=seed)


def test_classes_are_scikit_learns():
    model = HistGradientBoostingClassifier(**OPTIONS).fit(ROWS.astype(np.float64), EXPRESSIONS)
    found = grown(EXPR, EXPRESSIONS).scores(ROWS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, model.predict_proba(ROWS.astype(np.float64)), atol=1e-7)


def test_values_are_scikit_learns_kept_within_the_scale():
    found = grown(VA, VALUES * 2).scores(ROWS)
    for k in range(2):
        model = HistGradientBoostingRegressor(**OPTIONS).fit(ROWS.astype(np.float64), VALUES[:, k] * 2)
        expected = model.predict(ROWS.astype(np.float64))
        assert abs(expected).max() > 1
        np.testing.assert_allclose(found[:, k], expected.clip(-1, 1), atol=1e-6)


def test_units_are_scikit_learns():
    found = grown(AU, UNITS).scores(ROWS)
    for k in range(12):
        model = HistGradientBoostingClassifier(**OPTIONS).fit(ROWS.astype(np.float64), UNITS[:, k])
        np.testing.assert_allclose(found[:, k], model.predict_proba(ROWS.astype(np.float64))[:, 1], atol=1e-7)


@pytest.mark.parametrize("present", [[5], [2, 5], [1, 2, 5]])
def test_classes_that_never_occur_get_nothing(present):
    labels = np.array(present)[EXPRESSIONS % len(present)]
    scores = grown(EXPR, labels).scores(ROWS)
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)
    assert np.flatnonzero(scores.max(0)).tolist() == present
    assert (scores.argmax(1) == labels).mean() > 0.95


def test_outputs_that_never_change_stay_what_they_are():
    units = UNITS.copy()
    units[:, 3], units[:, 4] = 0, 1
    scores = grown(AU, units).scores(ROWS)
    assert (scores[:, 3] == 0).all()
    assert (scores[:, 4] == 1).all()
    values = VALUES.copy()
    values[:, 1] = 0.25
    assert (grown(VA, values).scores(ROWS)[:, 1] == 0.25).all()


def test_the_edge_of_a_threshold_is_on_the_left():
    """Few distinct values: trees split between them, and scikit-learn's own answer is known for each."""
    rows = ROWS.round()
    labels = (rows[:, 0] >= 1).astype(np.int64)
    head = train_head(QUICK, [rows], [labels], EXPR, seed=0)
    model = HistGradientBoostingClassifier(**OPTIONS).fit(rows.astype(np.float64), labels)
    edges = np.unique(head.forest.threshold[np.isfinite(head.forest.threshold)])
    rows = np.repeat(edges[:, None], 6, 1)
    np.testing.assert_allclose(head.forest.raw_scores(rows)[:, 1], model.decision_function(rows), atol=1e-12)


@pytest.mark.parametrize("task", [EXPR, VA, AU])
def test_a_saved_head_gives_the_same_bits(task, tmp_path):
    head = grown(task, LABELS[task.name])
    head.save(tmp_path)
    loaded = load_head(tmp_path)
    assert loaded.scores(ROWS).tobytes() == head.scores(ROWS).tobytes()
    assert loaded.prior.tolist() == head.prior.tolist()
    assert loaded.settings == head.settings


def test_a_loaded_head_is_saved_as_the_same_bytes(tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    grown(AU, UNITS).save(tmp_path / "first")
    load_head(tmp_path / "first").save(tmp_path / "second")
    for name in (TREES, ABOUT):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def saved(head, folder):
    folder.mkdir()
    head.save(folder)
    return (folder / TREES).read_bytes()


@pytest.mark.parametrize("task", [EXPR, VA, AU])
def test_same_seed_same_bytes_on_any_number_of_cores(task, tmp_path):
    labels, few = LABELS[task.name], BoostedTrees(iterations=4)
    first = saved(grown(task, labels, few), tmp_path / "first")
    with threadpool_limits(1):
        assert saved(grown(task, labels, few), tmp_path / "alone") == first
    with threadpool_limits(3):
        assert saved(grown(task, labels, few), tmp_path / "three") == first


def test_the_seed_draws_the_rows_if_there_are_too_many():
    few = BoostedTrees(iterations=15, max_rows=500)
    scores = [grown(EXPR, EXPRESSIONS, few, seed=seed).scores(ROWS) for seed in (0, 0, 1)]
    assert scores[0].tobytes() == scores[1].tobytes()
    assert scores[0].tobytes() != scores[2].tobytes()
    assert (scores[0].argmax(1) == EXPRESSIONS).mean() > 0.9


def test_the_prior_is_that_of_all_labels_not_of_those_drawn():
    head = grown(EXPR, EXPRESSIONS, BoostedTrees(iterations=2, max_rows=50))
    assert head.prior.tolist() == (np.bincount(EXPRESSIONS, minlength=8) / 1500).tolist()


@pytest.mark.parametrize("change", [{"iterations": 3}, {"learning_rate": 0.01}])
def test_every_setting_acts(change):
    other = grown(VA, VALUES, BoostedTrees(**{"iterations": 15, **change}))
    assert not np.array_equal(other.scores(ROWS), grown(VA, VALUES).scores(ROWS))


def test_more_rows_than_one_piece_are_joined_in_order(monkeypatch):
    head = grown(AU, UNITS)
    whole = head.scores(ROWS)
    monkeypatch.setattr(trees, "_PREDICT_ROWS", 7)
    np.testing.assert_array_equal(head.scores(ROWS), whole)


def test_no_rows_give_no_scores():
    assert grown(AU, UNITS).scores(ROWS[:0]).shape == (0, 12)


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="5 columns, 6 in training"):
        grown(VA, VALUES).scores(ROWS[:, :5])


def test_nothing_to_train_on_is_said():
    with pytest.raises(DataError, match="no training frame has both a label and features"):
        train_head(QUICK, [], [], AU, seed=0)


@pytest.mark.parametrize("name", [TREES, ABOUT])
@pytest.mark.parametrize("spoil", ["missing", "torn"])
def test_a_broken_folder_is_not_a_saved_head(tmp_path, name, spoil):
    grown(VA, VALUES).save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if spoil == "torn":
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(SolutionError, match="not a saved head"):
        load_head(tmp_path)


def test_files_that_do_not_fit_together_are_not_a_saved_head(tmp_path):
    grown(VA, VALUES).save(tmp_path)
    about = json.loads((tmp_path / ABOUT).read_text())
    (tmp_path / ABOUT).write_text(json.dumps({**about, "prior": [0.0]}))
    with pytest.raises(SolutionError, match="not a saved head"):
        load_head(tmp_path)
