"""Mean binary F1 of the action units: scikit-learn is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, multilabel_confusion_matrix

from harness.metrics.binary import binary_f1, unit_confusions
from harness.metrics.metric import metric_for
from harness.tasks import AU

METRIC = metric_for(AU)


def drawn(seed: int, n: int = 400, rate: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, 12)) < rate).astype(np.int64)
    return truth, np.where(rng.random((n, 12)) < 0.7, truth, 1 - truth)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 1.0])
def test_parity_with_scikit_learn(seed, rate):
    truth, answer = drawn(seed, rate=rate)
    statistics = METRIC.statistics(truth, answer)
    expected = f1_score(truth, answer, average=None, zero_division=0)
    details = METRIC.details(statistics)
    assert METRIC.headline(statistics) == pytest.approx(expected.mean(), abs=1e-12)
    assert [details["f1", unit] for unit in AU.targets] == pytest.approx(expected, abs=1e-12)
    assert np.array_equal(METRIC.confusion(statistics), multilabel_confusion_matrix(truth, answer))


def test_the_score_is_that_of_present_not_of_both_classes():
    rng = np.random.default_rng(0)
    truth = (rng.random((4000, 12)) < 0.05).astype(int)
    answer = (rng.random((4000, 12)) < 0.05).astype(int)
    statistics = METRIC.statistics(truth, answer)
    assert METRIC.headline(statistics) < 0.1
    macro = np.mean([f1_score(truth[:, k], answer[:, k], average="macro") for k in range(12)])
    assert macro > 0.45


def test_a_frame_with_any_marker_does_not_count():
    truth, answer = drawn(0)
    truth[[3, 7], [0, 11]] = -1
    keep = np.delete(np.arange(len(truth)), [3, 7])
    statistics = METRIC.statistics(truth, answer)
    assert np.array_equal(statistics, METRIC.statistics(truth[keep], answer[keep]))
    assert METRIC.n_frames(statistics) == len(truth) - 2


def test_what_was_decided_on_unlabelled_frames_is_not_looked_at():
    truth, answer = drawn(0)
    truth[5], odd = -1, answer.copy()
    odd[5] = 9
    assert np.array_equal(METRIC.statistics(truth, odd), METRIC.statistics(truth, answer))
    unknown = answer.astype(float)
    unknown[5] = np.nan
    assert np.array_equal(METRIC.statistics(truth, unknown), METRIC.statistics(truth, answer))


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint8, np.int32, np.float32])
def test_any_type_of_zeros_and_ones_will_do(kind):
    truth, answer = drawn(0)
    expected = METRIC.statistics(truth, answer)
    assert np.array_equal(METRIC.statistics(truth.astype(kind), answer.astype(kind)), expected)


def test_all_videos_are_counted_at_once():
    truth, answer = drawn(0, n=12)
    truth[4] = -1
    table = METRIC.by_video(truth, answer, [5, 0, 7])
    assert np.array_equal(table[0], METRIC.statistics(truth[:5], answer[:5]))
    assert not table[1].any()
    assert np.array_equal(table[2], METRIC.statistics(truth[5:], answer[5:]))
    assert METRIC.n_frames(table).tolist() == [4, 0, 7]


def test_a_unit_in_neither_labels_nor_decisions_counts_zero():
    assert binary_f1(np.array([[10, 0], [0, 0]])) == 0


def test_the_best_constant_is_every_unit():
    truth, answer = drawn(0)
    statistics = METRIC.statistics(truth, answer)
    every, none = METRIC.constants(statistics)
    assert METRIC.constant_names == ("every unit", "no unit")
    assert np.array_equal(every, METRIC.statistics(truth, np.ones_like(truth)))
    assert np.array_equal(none, METRIC.statistics(truth, np.zeros_like(truth)))
    expected = f1_score(truth, np.ones_like(truth), average="macro")
    assert METRIC.headline(METRIC.constants(statistics)) == pytest.approx([expected, 0])


def test_the_label_part_does_not_depend_on_decisions():
    truth, answer = drawn(0)
    parts = (METRIC.label_part(METRIC.statistics(truth, other)) for other in (answer, 1 - answer))
    assert np.array_equal(*parts)
    assert np.array_equal(METRIC.label_part(METRIC.statistics(truth, answer))[1::2], truth.sum(0))


@pytest.mark.parametrize(
    ("truth", "answer", "words"),
    [
        (np.zeros((2, 12), int), np.full((2, 12), -1), r"decisions must be 0 or 1, got \[-1, -1\]"),
        (np.full((2, 12), 2), np.zeros((2, 12), int), r"labels must be 0 or 1, got \[2, 2\]"),
        (np.zeros((2, 12)), np.full((2, 12), 0.5), r"decisions must be 0 or 1, got \[0.5, 0.5\]"),
        (np.zeros((2, 12), int), np.zeros((3, 12), int), "must be two-dimensional and alike"),
        (np.zeros(2, int), np.zeros(2, int), "must be two-dimensional"),
    ],
)
def test_what_is_neither_yes_nor_no_is_refused(truth, answer, words):
    with pytest.raises(ValueError, match=words):
        unit_confusions(truth, answer, [len(truth)])
