"""Box smoothing: the mean over the frames that exist, whatever the window and the length."""

from __future__ import annotations

import numpy as np
import pytest

from solutions.postprocess.plan import HALF_WIDTHS
from solutions.postprocess.smoothing import box_smooth

CASES = range(40)


def random_case(seed: int) -> tuple[np.ndarray, int]:
    """Probabilities of 0 to 60 frames, and a half width from none to far beyond the video."""
    rng = np.random.default_rng(seed)
    n, half_width = int(rng.integers(0, 60)), int(rng.choice([0, 1, 2, 5, 20, 59, 60, 1000]))
    return rng.dirichlet(np.full(5, 0.2), n), half_width


def smoothed_by_hand(scores: np.ndarray, half_width: int) -> list[list[float]]:
    rows = scores.tolist()
    out = []
    for i in range(len(rows)):
        window = [rows[j] for j in range(len(rows)) if abs(i - j) <= half_width]
        out.append([sum(column) / len(window) for column in zip(*window, strict=True)])
    return out


@pytest.mark.parametrize("seed", CASES)
def test_as_a_loop_over_frames_would(seed):
    scores, half_width = random_case(seed)
    smooth = box_smooth(scores, half_width)
    assert smooth.shape == scores.shape
    np.testing.assert_allclose(smooth, np.reshape(smoothed_by_hand(scores, half_width), (-1, 5)), rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", CASES)
def test_rows_summing_to_1_still_do_and_stay_within_range(seed):
    scores, half_width = random_case(seed)
    smooth = box_smooth(scores, half_width)
    np.testing.assert_allclose(smooth.sum(1), 1, rtol=0, atol=1e-13)
    if len(scores):
        assert (smooth >= scores.min(0) - 1e-13).all()
        assert (smooth <= scores.max(0) + 1e-13).all()
    assert (smooth >= 0).all()


@pytest.mark.parametrize("seed", CASES)
def test_time_has_no_direction(seed):
    scores, half_width = random_case(seed)
    np.testing.assert_allclose(box_smooth(scores[::-1], half_width)[::-1], box_smooth(scores, half_width), atol=1e-13)


def test_the_window_is_truncated_at_both_ends():
    smooth = box_smooth(np.array([[0.0], [3.0], [6.0], [9.0], [30.0]]), 1)
    assert smooth.tolist() == [[1.5], [3.0], [6.0], [15.0], [19.5]]


def test_one_frame_spreads_over_the_window_and_no_further():
    impulse = np.zeros((11, 1))
    impulse[5] = 1
    assert box_smooth(impulse, 2)[:, 0].tolist() == [0, 0, 0, 0.2, 0.2, 0.2, 0.2, 0.2, 0, 0, 0]


@pytest.mark.parametrize("half_width", [0, 1, 500, 10**9])
@pytest.mark.parametrize("n", [0, 1])
def test_no_frame_and_one_frame_stay_as_they_are(n, half_width):
    scores = np.full((n, 3), 0.25, np.float32)
    smooth = box_smooth(scores, half_width)
    assert smooth.dtype == np.float64
    np.testing.assert_array_equal(smooth, scores)


@pytest.mark.parametrize("half_width", [7, 100, 10**9])
def test_a_window_wider_than_the_video_gives_its_mean_everywhere(half_width):
    scores = np.random.default_rng(0).random((8, 3))
    np.testing.assert_allclose(box_smooth(scores, half_width), np.tile(scores.mean(0), (8, 1)), atol=1e-15)


def test_half_width_0_changes_nothing():
    scores = np.random.default_rng(0).random((9, 3))
    np.testing.assert_array_equal(box_smooth(scores, 0), scores)


def test_equal_columns_stay_equal_so_that_ties_are_unchanged():
    column = np.random.default_rng(0).random((200, 1))
    for half_width in HALF_WIDTHS:
        smooth = box_smooth(np.hstack([column, column, column / 2]), half_width)
        np.testing.assert_array_equal(smooth[:, 0], smooth[:, 1])
        assert (smooth.argmax(1) == 0).all()


def test_an_hour_of_frames_loses_no_precision():
    scores = np.random.default_rng(0).random((108_000, 1)).astype(np.float32)
    for half_width in (1, 50):
        smooth = box_smooth(scores, half_width)
        for i in (0, 1, 54_321, 107_998, 107_999):
            window = scores[max(i - half_width, 0) : i + half_width + 1].astype(np.float64)
            assert smooth[i, 0] == pytest.approx(window.mean(), abs=1e-10)


def test_it_leaves_its_input_alone():
    scores = np.random.default_rng(0).random((9, 3)).astype(np.float32)
    before = scores.copy()
    assert box_smooth(scores, 2).dtype == np.float64
    np.testing.assert_array_equal(scores, before)
