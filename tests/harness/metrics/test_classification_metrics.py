"""Macro-F1 and accuracy from confusion matrices: scikit-learn is the oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

from harness.errors import UsageError
from harness.metrics.classification import accuracy, confusion_matrix, f1_per_class, macro_f1, weighted_f1
from harness.metrics.metric import metric_for
from harness.tasks import CE, EXPR, VD

CLASSES = 8


def drawn(seed: int, n: int = 500, present: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, present, n)
    return truth, np.where(rng.random(n) < 0.4, truth, rng.integers(0, present, n))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("present", [1, 3, 8])
def test_parity_with_scikit_learn(seed, present):
    truth, answer = drawn(seed, present=present)
    confusion = confusion_matrix(truth, answer, CLASSES)
    assert np.array_equal(confusion, sklearn_confusion(truth, answer, labels=range(CLASSES)))
    for average, value in ((None, f1_per_class(confusion)), ("macro", macro_f1(confusion))):
        expected = f1_score(truth, answer, labels=range(CLASSES), average=average, zero_division=0)
        assert value == pytest.approx(expected, abs=1e-12)
    assert accuracy(confusion) == pytest.approx(accuracy_score(truth, answer), abs=1e-12)


def test_the_order_of_frames_does_not_matter():
    truth, answer = drawn(0)
    order = np.random.default_rng(1).permutation(len(truth))
    assert np.array_equal(
        confusion_matrix(truth[order], answer[order], CLASSES), confusion_matrix(truth, answer, CLASSES)
    )


@pytest.mark.parametrize("cut", [0, 1, 250, 500])
def test_statistics_of_the_parts_add_up_to_those_of_the_whole(cut):
    metric = metric_for(EXPR)
    truth, answer = drawn(0)
    parts = metric.statistics(truth[:cut], answer[:cut]) + metric.statistics(truth[cut:], answer[cut:])
    assert np.array_equal(parts, metric.statistics(truth, answer))


def test_swapping_labels_and_decisions_keeps_f1():
    confusion = confusion_matrix(*drawn(0), CLASSES)
    assert macro_f1(confusion.T) == pytest.approx(macro_f1(confusion), abs=1e-12)


def test_perfect_is_one():
    truth = np.arange(CLASSES)
    assert macro_f1(confusion_matrix(truth, truth, CLASSES)) == 1


def test_a_class_in_neither_labels_nor_decisions_counts_zero():
    truth = np.arange(7)
    assert macro_f1(confusion_matrix(truth, truth, CLASSES)) == 7 / 8


def test_no_frames_score_zero():
    empty = np.zeros((CLASSES, CLASSES))
    assert macro_f1(empty) == 0
    assert accuracy(empty) == 0


def test_a_constant_scores_that_classes_f1_over_all():
    truth = np.repeat(np.arange(CLASSES), 10)
    assert macro_f1(confusion_matrix(truth, np.full_like(truth, 3), CLASSES)) == pytest.approx(2 * 10 / (10 + 80) / 8)


def test_rows_are_labels():
    assert confusion_matrix(np.array([1]), np.array([0]), 2).tolist() == [[0, 0], [1, 0]]


def test_narrow_integers_do_not_overflow():
    truth = np.full(3, 19, np.int8)
    assert confusion_matrix(truth, truth, 20)[19, 19] == 3


def test_many_matrices_at_once():
    stack = np.stack([confusion_matrix(*drawn(seed), CLASSES) for seed in range(6)]).reshape(2, 3, CLASSES, CLASSES)
    for score in (macro_f1, accuracy):
        assert score(stack).shape == (2, 3)
        assert score(stack)[1, 2] == score(stack[1, 2])


@pytest.mark.parametrize(
    ("truth", "answer", "words"),
    [
        ([0, 1], [0], "must be one-dimensional, equally long"),
        ([[0]], [[0]], "must be one-dimensional"),
        ([-1], [0], r"labels must lie in \[0, 8\), got \[-1, -1\]"),
        ([0], [8], r"decisions must lie in \[0, 8\), got \[8, 8\]"),
    ],
)
def test_what_cannot_be_counted_is_refused(truth, answer, words):
    with pytest.raises(ValueError, match=words):
        confusion_matrix(np.array(truth), np.array(answer), CLASSES)


def test_the_statistics_hold_every_score_worth_keeping():
    metric = metric_for(EXPR)
    scores = metric.details(metric.statistics(*drawn(0)))
    assert set(scores) == {("macro_f1", "all"), ("accuracy", "all"), *(("f1", name) for name in EXPR.targets)}
    assert scores["macro_f1", "all"] == metric.headline(metric.statistics(*drawn(0)))


def test_a_constant_prediction_is_scored_from_the_labels_alone():
    metric = metric_for(EXPR)
    truth, answer = drawn(0)
    constants = metric.constants(metric.statistics(truth, answer))
    for k in range(CLASSES):
        assert np.array_equal(constants[k], metric.statistics(truth, np.full_like(truth, k)))
    assert metric.constant_names[3] == "Fear"


def test_violence_is_the_same_metric_over_two_classes():
    metric = metric_for(VD)
    truth = np.array([0, 0, 1, 1])
    expected = f1_score(truth, [0, 1, 1, 1], average="macro")
    assert metric.headline(metric.statistics(truth, np.array([0, 1, 1, 1]))) == pytest.approx(expected, abs=1e-12)


def test_a_task_whose_metric_nobody_knows_is_refused():
    with pytest.raises(UsageError, match="EXPR can't be scored by this version; found metric 'kappa'"):
        metric_for(replace(EXPR, metric="kappa"))


def test_compound_expressions_use_macro_f1_over_seven_classes():
    metric = metric_for(CE)
    truth, answer = drawn(1, present=7)
    expected = f1_score(truth, answer, labels=range(7), average="macro", zero_division=0)
    assert metric.headline(metric.statistics(truth, answer)) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match=r"decisions must lie in \[0, 7\)"):
        metric.statistics(np.array([0]), np.array([7]))


@pytest.mark.parametrize("present", [1, 3, 8])
def test_weighted_f1_is_scikit_learns(present):
    truth, answer = drawn(2, present=present)
    expected = f1_score(truth, answer, average="weighted", zero_division=0)
    assert weighted_f1(confusion_matrix(truth, answer, CLASSES)) == pytest.approx(expected, abs=1e-12)


def test_all_videos_are_counted_at_once():
    truth, answer = drawn(3, n=10)
    lengths = np.array([4, 0, 5, 1])
    table = metric_for(EXPR).by_video(truth, answer, lengths)
    parts = [metric_for(EXPR).statistics(truth[a:b], answer[a:b]) for a, b in ((0, 4), (4, 4), (4, 9), (9, 10))]
    assert np.array_equal(table, parts)


def test_frames_without_a_label_are_not_looked_at():
    metric = metric_for(EXPR)
    assert np.array_equal(
        metric.statistics(np.array([-1, 3, -1]), np.array([99, 3, -7])), metric.statistics(np.array([3]), np.array([3]))
    )


@pytest.mark.parametrize(
    ("truth", "answer", "lengths", "words"),
    [
        ([0, 1], [0, 1], [3], "must be equally long and fill the videos: 2, 2 of 3"),
        ([0, 1], [0], [2], "must be equally long"),
        ([[0, -1]], [[0, 0]], [1], "must be one-dimensional"),
        ([0], [0.5], [1], "expected whole numbers"),
    ],
)
def test_videos_that_do_not_fit_are_refused(truth, answer, lengths, words):
    with pytest.raises(ValueError, match=words):
        metric_for(EXPR).by_video(np.array(truth), np.array(answer), lengths)
