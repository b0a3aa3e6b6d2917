"""Smoothing of many videos end to end, by mean and by median: as a loop over slices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solutions.postprocess.smoothing import RunningSums, box_smooth, median_smooth

lengths = st.lists(st.integers(0, 12), min_size=0, max_size=5)
half_widths = st.sampled_from([0, 1, 2, 5, 11, 12, 13, 500])


def by_slices(average, scores, half_width, lengths):
    out, start = np.empty(scores.shape), 0
    for n in lengths:
        video = scores[start : start + n]
        for i in range(n):
            out[start + i] = average(video[max(0, i - half_width) : i + half_width + 1], 0)
        start += n
    return out


@pytest.mark.parametrize(("smooth", "average"), [(box_smooth, np.mean), (median_smooth, np.median)])
@given(lengths=lengths, half_width=half_widths, seed=st.integers(0, 9), fortran=st.booleans())
def test_as_a_loop_over_slices_of_each_video(smooth, average, lengths, half_width, seed, fortran):
    scores = np.random.default_rng(seed).random((sum(lengths), 3))
    scores = np.asfortranarray(scores) if fortran else scores
    before = scores.copy()
    smoothed = smooth(scores, half_width, np.array(lengths, np.int64))
    np.testing.assert_allclose(smoothed, by_slices(average, scores, half_width, lengths), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(scores, before)


@given(lengths=lengths, seed=st.integers(0, 9))
def test_sums_made_once_serve_every_width_to_the_bit(lengths, seed):
    scores = np.random.default_rng(seed).random((sum(lengths), 2))
    sums = RunningSums(scores, np.array(lengths, np.int64))
    for half_width in (7, 0, 1, 100):
        np.testing.assert_array_equal(sums.means(half_width), box_smooth(scores, half_width, np.array(lengths, int)))


def test_one_video_is_the_default():
    scores = np.random.default_rng(0).random((9, 2))
    for smooth in (box_smooth, median_smooth):
        np.testing.assert_array_equal(smooth(scores, 2), smooth(scores, 2, np.array([9])))


def test_a_median_ignores_a_single_outlier_that_a_mean_does_not():
    scores = np.full((9, 1), 0.1)
    scores[4] = 1
    assert (median_smooth(scores, 1) == 0.1).all()
    assert (box_smooth(scores, 1)[3:6] > 0.3).all()


def test_median_of_even_window_is_mean_of_the_middle_two():
    assert median_smooth(np.array([[0.0], [4.0], [1.0], [9.0]]), 1)[:, 0].tolist() == [2.0, 1.0, 4.0, 5.0]


@pytest.mark.parametrize("smooth", [box_smooth, median_smooth])
def test_lengths_that_are_not_these_scores_are_refused(smooth):
    with pytest.raises(ValueError, match="7 frames in all, the scores 8"):
        smooth(np.zeros((8, 2)), 1, np.array([3, 4]))
