"""Decisions after each step of a plan, held against NumPy that knows nothing of our smoothing, filter or counting."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.steps import count_steps
from harness.tasks import AU, EXPR, VA, VD
from solutions.postprocess.apply import apply
from solutions.postprocess.plan import (
    Choose,
    ConfidenceFilter,
    Constants,
    Gla,
    PostProcess,
    Smoothing,
    Thresholds,
)
from solutions.postprocess.scores import SplitScores
from solutions.postprocess.steps import step_names, traced

LENGTHS = (40, 1, 23)
BIASES = (0.9, -0.4, 0.3, -1.1, 0.2, 0.7, -0.6, 0.1)
HALF_WIDTH, THRESHOLD = 3, 0.55
PLAN = PostProcess(gla=Gla(), smoothing=Smoothing(HALF_WIDTH), filter=ConfidenceFilter("any", THRESHOLD))


def softmax(values):
    exponents = np.exp(values)
    return exponents / exponents.sum(1, keepdims=True)


def split(seed, outputs=8, classifier=True):
    rng, n = np.random.default_rng(seed), sum(LENGTHS)
    steady = rng.normal(0, 3, (n // 8 + 1, 8)).repeat(8, axis=0)[:n]
    return SplitScores(
        np.array(LENGTHS),
        [[softmax(rng.normal(0, 1.5, (n, outputs)))]],
        [np.full(outputs, 1 / outputs)],
        softmax(steady) if classifier else None,
    )


def by_video(values):
    return np.split(values, np.cumsum(LENGTHS)[:-1])


def running_mean(values):
    """Mean over the frames around each frame that exist, one frame at a time."""
    rows = []
    for own in by_video(values):
        rows += [own[max(0, k - HALF_WIDTH) : k + HALF_WIDTH + 1].mean(0) for k in range(len(own))]
    return np.array(rows)


def test_classes_after_each_step_are_those_of_numpy():
    scores = split(0)
    constants = Constants((0,), (BIASES,), (1.0,), HALF_WIDTH, THRESHOLD)
    applied, trace = traced(EXPR, PLAN, scores, constants)
    head = scores.streams[0][0]
    adjusted = head * np.exp(BIASES)
    smoothed, classifier = running_mean(adjusted), running_mean(scores.classifier)
    sure = (classifier[:, :7].max(1) > THRESHOLD) & (classifier.argmax(1) != 7)
    last = np.where(sure, classifier[:, :7].argmax(1), smoothed.argmax(1))
    expected = np.stack([head.argmax(1), adjusted.argmax(1), smoothed.argmax(1), last], axis=1)
    assert step_names(EXPR, PLAN) == ("gla", "smoothing", "filter")
    np.testing.assert_array_equal(trace.decisions, expected)
    np.testing.assert_array_equal(trace.overrides, sure)
    np.testing.assert_array_equal(applied.decisions, expected[:, -1])
    assert 5 < sure.sum() < len(sure) - 5
    chosen = [head.max(1), adjusted.max(1) / adjusted.sum(1), smoothed.max(1) / smoothed.sum(1)]
    chosen.append(np.where(sure, classifier[:, :7].max(1), chosen[-1]))
    np.testing.assert_allclose(trace.probabilities, np.stack(chosen, axis=1), atol=6e-4)


def test_counts_are_those_of_loops():
    scores = split(1)
    constants = Constants((0,), (BIASES,), (1.0,), HALF_WIDTH, THRESHOLD)
    _, trace = traced(EXPR, PLAN, scores, constants)
    labels = np.random.default_rng(2).integers(-1, 8, sum(LENGTHS))
    columns = np.arange(sum(LENGTHS)) % 5  # as many labels agree with each stage as with none
    labels[columns < 4] = trace.decisions[columns < 4, columns[columns < 4]]
    labels[::11] = -1
    names = ["a", "b", "c"]
    traces = {
        name: type(trace)(*parts)
        for name, *parts in zip(
            names, by_video(trace.decisions), by_video(trace.probabilities), by_video(trace.overrides), strict=True
        )
    }
    counts = count_steps(EXPR, ("gla", "smoothing", "filter"), traces, dict(zip(names, by_video(labels), strict=True)))
    for k, count in enumerate(counts):
        corrected = worsened = changed = overridden = right = 0
        for row, label in enumerate(labels):
            if label == -1:
                continue
            before, after = trace.decisions[row, k], trace.decisions[row, k + 1]
            changed += before != after
            corrected += before != label and after == label
            worsened += before == label and after != label
            overridden += trace.overrides[row]
            right += trace.overrides[row] and after == label
        assert (count.decisions, count.changed) == ((labels != -1).sum(), changed)
        assert (count.corrected, count.worsened) == (corrected, worsened)
        assert (count.overridden, count.overridden_right) == ((overridden, right) if k == 2 else (None, None))
        assert corrected
        assert worsened


def test_last_column_is_the_answer_for_two_classes():
    scores = split(3, outputs=2, classifier=False)
    plan = PostProcess(smoothing=Smoothing(HALF_WIDTH), thresholds=Thresholds(Choose((0.4, 0.6))))
    constants = Constants((0,), (None,), (1.0,), HALF_WIDTH, thresholds=(0.4,))
    applied, trace = traced(VD, plan, scores, constants)
    assert step_names(VD, plan) == ("smoothing", "thresholds")
    smoothed = running_mean(scores.streams[0][0])[:, 1]
    np.testing.assert_array_equal(trace.decisions[:, 0], scores.streams[0][0][:, 1] >= 0.5)
    np.testing.assert_array_equal(trace.decisions[:, 1], smoothed >= 0.5)
    np.testing.assert_array_equal(trace.decisions[:, 2], smoothed >= 0.4)
    np.testing.assert_array_equal(trace.decisions[:, 2], applied.decisions)
    assert trace.overrides is None


def test_every_unit_of_action_units_is_traced():
    scores = split(4, outputs=12, classifier=False)
    plan = PostProcess(smoothing=Smoothing(HALF_WIDTH), thresholds=Thresholds("exact"))
    thresholds = tuple(np.linspace(0.05, 0.2, 12))
    constants = Constants((0,), (None,), (1.0,), HALF_WIDTH, thresholds=thresholds)
    _, trace = traced(AU, plan, scores, constants)
    smoothed = running_mean(scores.streams[0][0])
    assert trace.decisions.shape == (sum(LENGTHS), 3, 12)
    np.testing.assert_array_equal(trace.decisions[:, 2], smoothed >= thresholds)
    labels = {"v": (np.random.default_rng(5).random((sum(LENGTHS), 12)) < 0.5).astype(int)}
    labels["v"][:7, 3] = -1  # such a frame does not count at all
    counts = count_steps(AU, ("smoothing", "thresholds"), {"v": trace}, labels)
    assert counts[0].decisions == (sum(LENGTHS) - 7) * 12


@pytest.mark.parametrize("filter_threshold", [1.0, None])
def test_filter_that_never_speaks_changes_nothing(filter_threshold):
    plan = PostProcess(filter=ConfidenceFilter("any", 1.0))
    constants = Constants((0,), (None,), (1.0,), 0, filter_threshold)
    _, trace = traced(EXPR, plan, split(6), constants)
    np.testing.assert_array_equal(trace.decisions[:, 0], trace.decisions[:, 1])
    assert trace.overrides is None or not trace.overrides.any()


def test_values_have_no_steps_to_count():
    scores = split(7, outputs=2, classifier=False)
    constants = Constants((0,), (None,), (1.0,), HALF_WIDTH)
    plan = PostProcess(smoothing=Smoothing(HALF_WIDTH))
    applied, trace = traced(VA, plan, scores, constants)
    assert trace is None
    assert step_names(VA, plan) == ()
    np.testing.assert_array_equal(applied.decisions, apply(VA, plan, scores, constants).decisions)


def test_steps_without_labels_are_counted_as_changes_alone():
    _, trace = traced(EXPR, PLAN, split(8), Constants((0,), (BIASES,), (1.0,), HALF_WIDTH, THRESHOLD))
    *_, last = count_steps(EXPR, ("gla", "smoothing", "filter"), {"v": trace}, {})
    assert last.plain().keys() == {"step", "decisions", "changed", "overridden"}
    assert last.overridden == trace.overrides.sum()
