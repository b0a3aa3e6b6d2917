"""A plan applied: the same decisions as frame by frame, for every task and every step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SolutionError
from harness.tasks import AU, EXPR, MTL, VA, VD
from solutions.postprocess.apply import apply
from solutions.postprocess.plan import (
    Blend,
    Choose,
    ConfidenceFilter,
    Constants,
    Gla,
    PostProcess,
    Smoothing,
    Thresholds,
)
from solutions.postprocess.scores import Epochs, SplitScores
from solutions.tuning.choose import fixed_constants
from tests.support.small_splits import decided_slowly, drawn

BIASES = tuple(np.linspace(-1, 1, 8))
EVERY_STEP = PostProcess(Gla(), Blend(Choose((0.3,))), Smoothing(Choose((4,))), ConfidenceFilter("any", Choose((0.6,))))


@given(
    seed=st.integers(0, 999),
    kind=st.sampled_from(["box", "median"]),
    contempt=st.sampled_from(["wins", "ignored"]),
    half_width=st.sampled_from([0, 1, 4, 100]),
    videos=st.integers(1, 4),
)
def test_expressions_are_decided_as_frame_by_frame(seed, kind, contempt, half_width, videos):
    split = drawn(EXPR, seed, videos=videos, longest=20, epochs=2)
    plan = replace(EVERY_STEP, smoothing=Smoothing(half_width, kind), filter=ConfidenceFilter("any", 0.4, contempt))
    constants = Constants((1, 0), (BIASES, None), (0.3, 0.7), half_width, 0.4)
    applied = apply(EXPR, plan, split.scores, constants)
    np.testing.assert_array_equal(applied.decisions, decided_slowly(split, plan, constants))
    assert applied.decisions.dtype == np.int64
    assert applied.scores.dtype == np.float64
    assert applied.scores.shape == (split.scores.lengths.sum(), 8)


@pytest.mark.parametrize("threshold", [0.5, 0.3, 0.85])
def test_violence_is_decided_as_frame_by_frame(threshold):
    split = drawn(VD, 5, streams=2)
    plan = PostProcess(blend=Blend((0.5, 0.5)), smoothing=Smoothing(2), thresholds=Thresholds(threshold))
    constants = fixed_constants(VD, plan, [1, 1])
    applied = apply(VD, plan, split.scores, constants)
    np.testing.assert_array_equal(applied.decisions, decided_slowly(split, plan, constants))
    np.testing.assert_array_equal(applied.decisions, applied.scores[:, 1] >= threshold)
    np.testing.assert_allclose(applied.scores.sum(1), 1)


def test_a_probability_of_exactly_the_threshold_is_violence():
    scores = SplitScores(np.array([3]), [[np.array([[0.5, 0.5], [0.51, 0.49], [0.49, 0.51]])]], [np.full(2, 0.5)])
    plan = PostProcess(thresholds=Thresholds(0.5))
    assert apply(VD, plan, scores, fixed_constants(VD, plan, [1])).decisions.tolist() == [1, 0, 1]
    plain = PostProcess()
    assert apply(VD, plain, scores, fixed_constants(VD, plain, [1])).decisions.tolist() == [0, 0, 1]


def test_only_the_epoch_that_is_decided_on_is_made():
    split, made = drawn(VD, 1, streams=1, epochs=3), []
    lazy = Epochs(3, lambda epoch: (made.append(epoch), split.scores.streams[0][epoch])[1])
    scores = replace(split.scores, streams=[lazy])
    plan = PostProcess(thresholds=Thresholds(0.5))
    for _ in range(2):
        apply(VD, plan, scores, Constants((2,), (None,), (1.0,), thresholds=(0.5,)))
    assert made == [2]


@pytest.mark.parametrize("seed", range(3))
def test_values_are_decided_as_frame_by_frame_and_stay_in_range(seed):
    split = drawn(VA, seed)
    split = replace(split, scores=replace(split.scores, streams=[s * 1.5 for s in split.scores.streams]))
    plan = PostProcess(blend=Blend((0.5, 0.5)), smoothing=Smoothing(1))
    constants = fixed_constants(VA, plan, [1, 1])
    applied = apply(VA, plan, split.scores, constants)
    np.testing.assert_allclose(applied.decisions, decided_slowly(split, plan, constants), atol=1e-12)
    assert np.abs(applied.decisions).max() == 1
    assert np.abs(applied.scores).max() > 1


@pytest.mark.parametrize("seed", range(3))
def test_units_are_decided_by_frame_with_their_own_thresholds(seed):
    split = drawn(AU, seed)
    constants = Constants((0, 0), (None, None), (0.6, 0.4), 3, thresholds=tuple(np.linspace(0.2, 0.8, 12)))
    plan = PostProcess(blend=Blend((0.6, 0.4)), smoothing=Smoothing(3), thresholds=Thresholds("exact"))
    applied = apply(AU, plan, split.scores, constants)
    np.testing.assert_array_equal(applied.decisions, decided_slowly(split, plan, constants))
    assert applied.decisions.dtype == np.int64


def test_biases_before_or_after_smoothing_are_the_same():
    split = drawn(EXPR, 0, streams=1)
    plan = PostProcess(Gla(), smoothing=Smoothing(5))
    applied = apply(EXPR, plan, split.scores, Constants((0,), (BIASES,), (1.0,), 5))
    biased = replace(split.scores, streams=[split.scores.streams[0] * np.exp(BIASES)])
    again = apply(EXPR, plan, biased, Constants((0,), (None,), (1.0,), 5))
    np.testing.assert_allclose(applied.scores, again.scores, atol=1e-12)


def test_it_leaves_its_input_alone():
    split = drawn(EXPR, 0)
    before = [stream.copy() for stream in split.scores.streams]
    apply(EXPR, EVERY_STEP, split.scores, Constants((0, 0), (BIASES, BIASES), (0.5, 0.5), 3, 0.5))
    for stream, own in zip(split.scores.streams, before, strict=True):
        np.testing.assert_array_equal(stream, own)


@pytest.mark.parametrize(
    ("task", "plan", "what"),
    [
        (VA, PostProcess(Gla()), "generalised logit adjustment is for tasks with classes; found VA"),
        (AU, PostProcess(filter=ConfidenceFilter("x", 0.5)), "confidence filter knows EXPR's classes only; found AU"),
        (VD, PostProcess(thresholds=Thresholds("exact")), "chosen from candidates; found exact"),
        (EXPR, PostProcess(thresholds=Thresholds(0.5)), "thresholds are for action units or two classes; found EXPR"),
        (
            EXPR,
            PostProcess(blend=Blend((0.5, 0.5))),
            r"a weight for each stream is needed; found 1 stream, \(0.5, 0.5",
        ),
        (MTL, PostProcess(), "no post-processing for this task; found MTL"),
    ],
)
def test_a_plan_that_does_not_fit_the_task_is_refused(task, plan, what):
    with pytest.raises(SolutionError, match=what):
        fixed_constants(task, plan, [1])


def test_streams_without_a_blend_are_refused():
    with pytest.raises(SolutionError, match="a weight for each stream"):
        fixed_constants(EXPR, PostProcess(), [1, 1])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda s: replace(s, classifier=None), "the confidence filter needs the classifier's probabilities"),
        (lambda s: replace(s, classifier=s.classifier[:-1]), "classifier does not hold the scores of these videos"),
        (lambda s: replace(s, streams=[s.streams[0], s.streams[1][0]]), "stream 2 does not hold"),
        (lambda s: replace(s, streams=[s.streams[0], s.streams[1][:0]]), "stream 2 holds no scores"),
        (lambda s: replace(s, lengths=s.lengths + 1), "stream 1 does not hold"),
    ],
)
def test_scores_that_are_not_these_videos_are_refused(change, what):
    split = drawn(EXPR, 0)
    with pytest.raises(SolutionError, match=what):
        apply(EXPR, EVERY_STEP, change(split.scores), Constants((0, 0), (None, None), (0.5, 0.5), 0, 0.5))


def test_a_score_that_is_no_number_is_named():
    split = drawn(EXPR, 0)
    split.scores.streams[1][0, 5, 2] = np.nan
    with pytest.raises(SolutionError, match=r"frame 5, Disgust, epoch 0, counted from 0: stream 2 .*; found nan"):
        apply(EXPR, EVERY_STEP, split.scores, Constants((0, 0), (None, None), (0.5, 0.5), 0, 0.5))
