"""LightAutoML as a head: what it can do where it is installed, and what is said where it is not."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from harness.errors import MissingDependencyError, SolutionError
from harness.tasks import AU, EXPR, VA
from solutions.heads.head import ABOUT
from solutions.heads.settings import AutoMl
from solutions.heads.train import load_head, train_head

needs_lightautoml = pytest.mark.skipif(
    importlib.util.find_spec("lightautoml") is None, reason="the extra lightautoml is not installed"
)
ROWS = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float16)
NOTHING_CHANGES = [
    (EXPR, np.full(600, 6), [0, 0, 0, 0, 0, 0, 1, 0]),
    (VA, np.full((600, 2), 0.5), [0.5, 0.5]),
    (AU, np.tile([0, 1], (600, 6)), [0, 1] * 6),
]


def searched(task, labels, seconds=4):
    return train_head(AutoMl(seconds=seconds), [ROWS[:400], ROWS[400:]], [labels[:400], labels[400:]], task, seed=0)


@needs_lightautoml
def test_units_are_learned_and_constant_ones_stay_constant():
    labels = np.zeros((600, 12), np.int64)
    labels[:, 2], labels[:, 5], labels[:, 7] = ROWS[:, 0] > 0, ROWS[:, 1] > 0.5, 1
    scores = searched(AU, labels).scores(ROWS)
    assert scores.dtype == np.float32
    for unit in (2, 5):
        assert ((scores[:, unit] > 0.5) == labels[:, unit]).mean() > 0.9
    assert (scores[:, 7] == 1).all()
    assert (np.delete(scores, [2, 5, 7], 1) == 0).all()


@needs_lightautoml
@pytest.mark.parametrize("present", [[1, 6], [0, 3, 6]])
def test_classes_keep_their_places(present):
    labels = np.array(present)[np.digitize(ROWS[:, 0], [-0.5, 0.5][: len(present) - 1])]
    scores = searched(EXPR, labels).scores(ROWS)
    assert (scores.argmax(1) == labels).mean() > 0.9
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-4)


@needs_lightautoml
def test_values_stay_within_the_scale():
    labels = np.tanh(3 * ROWS[:, :2].astype(np.float64))
    scores = searched(VA, labels).scores(ROWS)
    assert min(np.corrcoef(scores[:, k], labels[:, k])[0, 1] for k in range(2)) > 0.9
    assert abs(scores).max() <= 1


@pytest.mark.parametrize(("task", "labels", "expected"), NOTHING_CHANGES)
def test_where_nothing_changes_nothing_is_searched(task, labels, expected):
    head = searched(task, labels)
    assert head.scores(ROWS[:2]).tolist() == [expected] * 2
    assert head.prior.tolist() == expected


def test_the_model_is_not_saved_and_that_is_said(tmp_path):
    searched(*NOTHING_CHANGES[0][:2]).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [ABOUT]
    with pytest.raises(SolutionError, match=r"not saved.*pickle.*Run the recipe again"):
        load_head(tmp_path)


def test_without_the_extra_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightautoml", None)
    monkeypatch.setitem(sys.modules, "lightautoml.automl.presets.tabular_presets", None)
    with pytest.raises(MissingDependencyError, match=r"pip install -e '.*\[lightautoml\]'.*boosted trees"):
        searched(EXPR, np.arange(600) % 8)
