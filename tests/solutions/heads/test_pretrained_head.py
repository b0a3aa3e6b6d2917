"""The encoder's own logits as scores: nothing is trained but the prior."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import DataError, SolutionError
from harness.tasks import AU, EXPR, VA, VD
from solutions.encoders import affectnet
from solutions.heads.head import ABOUT
from solutions.heads.settings import Pretrained
from solutions.heads.train import load_head, train_head

LOGITS = np.random.default_rng(0).normal(0, 2, (50, 10)).astype(np.float16)
CLASSES = np.array([0, 0, 0, 7, 4])
VALUES = np.array([[0.5, -0.5], [0.0, 1.0]])


def head_for(task, labels):
    return train_head(Pretrained(), [LOGITS[: len(labels)]], [labels], task, seed=0)


def test_classes_are_the_softmax_in_the_tasks_order():
    head = head_for(EXPR, CLASSES)
    scores = head.scores(LOGITS)
    assert scores.dtype == np.float32
    assert scores.shape == (50, 8)
    logits = LOGITS[:, :8].astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for ours, theirs in {"Neutral": "Neutral", "Happiness": "Happiness", "Anger": "Anger", "Other": "Contempt"}.items():
        found = scores[:, EXPR.targets.index(ours)]
        np.testing.assert_allclose(found, expected[:, affectnet.CLASSES.index(theirs)], rtol=1e-5)


def test_values_are_the_last_two_columns_kept_within_the_scale():
    logits = LOGITS.copy()
    logits[:3, 8:] = [[0.25, -0.5], [1.5, -3], [-1, 1]]
    scores = head_for(VA, VALUES).scores(logits)
    assert scores.dtype == np.float32
    assert scores[:3].tolist() == [[0.25, -0.5], [1, -1], [-1, 1]]


@pytest.mark.parametrize("task", [AU, VD])
def test_tasks_that_the_network_knows_nothing_of_are_refused(task):
    with pytest.raises(SolutionError, match=f"say nothing of this task; found {task.name}, expected EXPR or VA"):
        head_for(task, CLASSES)


@pytest.mark.parametrize("width", [2, 8, 9])
def test_logits_without_valence_and_arousal_are_refused(width):
    with pytest.raises(SolutionError, match=rf"no valence and arousal; found \(50, {width}\).*multi-task"):
        head_for(VA, VALUES).scores(LOGITS[:, :width])


def test_too_few_classes_are_refused():
    with pytest.raises(SolutionError, match=r"found \(50, 7\)"):
        head_for(EXPR, CLASSES).scores(LOGITS[:, :7])


def test_the_prior_is_that_of_the_labels():
    assert head_for(EXPR, CLASSES).prior.tolist() == [0.6, 0, 0, 0, 0.2, 0, 0, 0.2]
    assert head_for(VA, VALUES).prior.tolist() == [0.25, 0.25]
    with pytest.raises(DataError, match="no training frame"):
        head_for(EXPR, CLASSES[:0])


@pytest.mark.parametrize(("task", "labels"), [(EXPR, CLASSES), (VA, VALUES)])
def test_a_saved_head_gives_the_same_bits(task, labels, tmp_path):
    head = head_for(task, labels)
    head.save(tmp_path)
    loaded = load_head(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [ABOUT]
    assert json.loads((tmp_path / ABOUT).read_text())["settings"]["kind"] == "pretrained"
    assert loaded.scores(LOGITS).tobytes() == head.scores(LOGITS).tobytes()
    assert loaded.prior.tolist() == head.prior.tolist()
    assert loaded.n_epochs == 1


def test_no_rows_give_no_scores():
    assert head_for(EXPR, CLASSES).scores(LOGITS[:0]).shape == (0, 8)
    assert head_for(VA, VALUES).scores(LOGITS[:0]).shape == (0, 2)
