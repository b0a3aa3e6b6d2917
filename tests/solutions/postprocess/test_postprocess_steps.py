"""Each step by itself: blending, biases, the confidence filter, thresholds, decisions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from harness.errors import UsageError
from solutions.postprocess.blending import blend, shares
from solutions.postprocess.calibration import adjust, search_biases, start_biases, to_scale
from solutions.postprocess.decisions import in_range, most_probable, present
from solutions.postprocess.filtering import filtered, sure_of
from solutions.postprocess.plan import Blend, Choose, ConfidenceFilter, Gla
from solutions.postprocess.thresholds import best_threshold


def macro_f1(labels, decisions, classes):
    hits = np.array([((labels == k) & (decisions == k)).sum() for k in range(classes)])
    both = np.array([(labels == k).sum() + (decisions == k).sum() for k in range(classes)])
    return np.mean(2 * hits / np.maximum(both, 1))


# decisions
@given(n=st.integers(0, 20), classes=st.integers(1, 9), levels=st.integers(1, 4), seed=st.integers(0, 99))
def test_the_most_probable_class_is_the_first_of_equals(n, classes, levels, seed):
    scores = np.random.default_rng(seed).integers(0, levels, (n, classes)).astype(float)
    for laid in (scores, np.asfortranarray(scores), scores[::-1][::-1]):
        np.testing.assert_array_equal(most_probable(laid), scores.argmax(1))


def test_a_unit_is_present_from_its_threshold_on():
    scores = np.array([[0.5, 0.5], [np.nextafter(0.5, 0), 0.3]])
    assert present(scores, 0.5).tolist() == [[True, True], [False, False]]
    assert present(scores, (0.5, 0.2)).tolist() == [[True, True], [False, True]]


def test_values_stay_in_the_official_range():
    assert in_range(np.array([[-1.5, 0.25], [1.0, 1.0000001]])).tolist() == [[-1.0, 0.25], [1.0, 1.0]]


# blending


def test_a_blend_is_a_weighted_sum_and_may_weigh_each_class():
    a, b = np.array([[0.2, 0.8]]), np.array([[0.6, 0.4]])
    np.testing.assert_allclose(blend([a, b], [0.25, 0.75]), [[0.5, 0.5]])
    np.testing.assert_allclose(blend([a, b], [np.array([1.0, 0.5]), 0.5]), [[0.5, 0.6]])


def test_weight_1_is_the_stream_itself_to_the_bit():
    a, b = np.random.default_rng(0).random((2, 50, 3))
    np.testing.assert_array_equal(blend([a], [1.0]), a)
    np.testing.assert_array_equal(blend([a, b], [1.0, 0.0]), a)


def test_shares_of_two_streams_are_the_candidates():
    assert shares((0.0, 0.25, 1.0), 2) == ((0.0, 1.0), (0.25, 0.75), (1.0, 0.0))
    assert shares((0.3,), 1) == ((1.0,),)


@pytest.mark.parametrize("streams", [3, 4, 5])
def test_shares_of_more_streams_are_all_tenths(streams):
    found = shares((0.5,), streams)
    assert len(found) == len(set(found)) == math.comb(10 + streams - 1, streams - 1)
    assert all(len(share) == streams and abs(sum(share) - 1) < 1e-9 and min(share) >= 0 for share in found)


def test_too_many_streams_are_refused_with_a_way_out():
    with pytest.raises(UsageError, match=r"6 streams, expected at most 5.*in two steps"):
        shares((0.5,), 6)


def test_weights_that_do_not_sum_to_1_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        Blend((0.5, 0.6))


# the confidence filter (abaw10, eq. 2)

SURE = np.array(
    [
        [0.1, 0.7, 0, 0, 0, 0, 0, 0.2],  # anger
        [0.3, 0.0, 0, 0, 0, 0, 0.1, 0.6],  # contempt
        [0.0, 0.0, 0, 0, 0.5, 0, 0, 0.5],  # happiness and contempt alike
    ]
)


@pytest.mark.parametrize(
    ("contempt", "threshold", "expected"),
    [
        ("wins", 0.6, [1, 7, 7]),
        ("wins", 0.7, [7, 7, 7]),  # above, not from
        ("wins", 0.2, [1, 7, 4]),
        ("ignored", 0.2, [1, 0, 4]),
        ("ignored", 0.6, [1, 7, 7]),
    ],
)
def test_filter_overrides_if_sure_and_not_contempt(contempt, threshold, expected):
    other = np.full(3, 7, np.uint8)
    assert filtered(other, *sure_of(SURE, contempt), threshold).tolist() == expected


@given(seed=st.integers(0, 99), threshold=st.sampled_from([0.5, 0.6, 0.8, 0.9, 1.0]))
def test_from_a_half_up_both_rules_are_one(seed, threshold):
    scores = np.random.default_rng(seed).dirichlet(np.full(8, 0.1), 30)
    other = np.full(30, 7, np.uint8)
    wins, ignored = (filtered(other, *sure_of(scores, rule), threshold) for rule in ("wins", "ignored"))
    np.testing.assert_array_equal(wins, ignored)


def test_filter_threshold_one_disables_filter_despite_rounding():
    scores = np.zeros((1, 8))
    scores[0, 3] = np.nextafter(1, 2)
    for rule in ("wins", "ignored"):
        assert filtered(np.array([7], np.uint8), *sure_of(scores, rule), 1.0).tolist() == [7]


# generalised logit adjustment (abaw10, section 3.1)


def searched_slowly(scores, labels, priors, gla):
    """Candidate by candidate, every frame decided anew."""
    classes = scores.shape[1]

    def f1(log_biases):
        return macro_f1(labels, (scores * np.exp(log_biases)).argmax(1), classes)

    biases = np.log(np.maximum(priors, 1e-6)) if gla.start == "priors" else np.zeros(classes)
    best, before = f1(biases), -1.0
    while best > before:
        before = best
        for k in range(classes):
            tried = []
            for value in gla.grid:
                candidate = biases.copy()
                candidate[k] = value
                tried.append(f1(candidate))
            if max(tried) > best:
                best, biases[k] = max(tried), gla.grid[int(np.argmax(tried))]
    return biases - np.log(priors @ np.exp(biases))


@given(
    n=st.integers(1, 40),
    classes=st.sampled_from([2, 3, 8]),
    seed=st.integers(0, 999),
    coarse=st.booleans(),
    start=st.sampled_from(["priors", "none"]),
)
def test_biases_equal_those_of_a_slow_frame_by_frame_search(n, classes, seed, coarse, start):
    rng = np.random.default_rng(seed)
    scores, labels = rng.dirichlet(np.ones(classes), n), rng.integers(0, classes, n)
    if coarse:
        scores = np.round(scores * 3) / 3  # ties, zeros, whole rows of zeros
    priors = rng.dirichlet(np.ones(classes))
    gla = Gla(-1, 1, 0.25, start)
    np.testing.assert_allclose(
        search_biases(scores, labels, priors, gla), searched_slowly(scores, labels, priors, gla), atol=1e-12
    )


def test_a_tie_is_the_first_classs_in_the_search_too():
    # if the second had the ties, every frame would be right, and the third class's bias would get the praise
    scores = np.array([[0.5, 0.5, 0]] * 3 + [[0.5, 0.48, 0]] * 10 + [[0, 0, 1.0]] * 5)
    labels = np.repeat([1, 0, 2], [3, 10, 5])
    assert search_biases(scores, labels, np.full(3, 1 / 3), Gla(-1, 1, 0.25, "none")).tolist() == [0, 0, 0]


def test_biases_give_back_what_a_skewed_head_lost():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 4000)
    logits = rng.normal(0, 1, (4000, 4))
    logits[np.arange(4000), labels] += 2
    skewed = np.exp(logits + np.array([1.5, 0, -1, 0]))
    found = search_biases(skewed, labels, np.full(4, 0.25), Gla())
    before, after = (macro_f1(labels, adjust(skewed, b).argmax(1), 4) for b in (np.zeros(4), found))
    assert after > before + 0.05
    assert np.abs(found - found[1] - [-1.5, 0, 1, 0]).max() < 0.35


def test_biases_stay_at_the_start_where_there_is_no_frame():
    priors = np.array([0.25, 0.75])
    found = search_biases(np.zeros((0, 2)), np.zeros(0, np.int64), priors, Gla())
    np.testing.assert_allclose(found, to_scale(np.log(priors), priors))


def test_adjusted_probabilities_like_the_priors_sum_to_1():
    priors = np.array([0.2, 0.5, 0.3])
    assert adjust(priors, to_scale(np.array([1.0, -2.0, 0.5]), priors)).sum() == pytest.approx(1)


def test_a_class_that_training_never_saw_starts_low_but_finite():
    assert np.isfinite(start_biases(Gla(), np.array([1.0, 0.0]))).all()
    assert start_biases(Gla(start="none"), np.array([1.0, 0.0])).tolist() == [0, 0]


def test_the_grid_holds_both_ends_and_round_numbers():
    assert Gla().grid.tolist() == [k / 10 for k in range(-20, 21)]
    assert Gla(-1, 1, 0.3).grid.tolist() == [-1, -0.7, -0.4, -0.1, 0.2, 0.5, 0.8]


@pytest.mark.parametrize("grid", [(1, 1, 0.1), (1, -1, 0.1), (-1, 1, 0), (-1, 1, -0.1)])
def test_a_grid_of_nothing_is_refused(grid):
    with pytest.raises(ValueError, match="grid"):
        Gla(*grid)


# thresholds of units
@given(n=st.integers(0, 40), levels=st.sampled_from([1, 2, 5, 1000]), seed=st.integers(0, 999))
def test_no_threshold_that_occurs_is_better(n, levels, seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(0, levels, n) / levels, rng.random(n) < 0.3
    threshold, f1 = best_threshold(scores, labels)
    assert f1 == pytest.approx(f1_score(labels, scores >= threshold, zero_division=0) if n else 0, abs=1e-12)
    for other in np.unique(scores):
        better = f1_score(labels, scores >= other, zero_division=0)
        assert better < f1 + 1e-12
        assert better < f1 - 1e-12 or other <= threshold or not labels.any()


def test_a_unit_that_is_never_there_keeps_the_default():
    assert best_threshold(np.array([0.1, 0.9]), np.array([False, False])) == (0.5, 0.0)


def test_choosing_from_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to choose from"):
        ConfidenceFilter("x", Choose(()))
