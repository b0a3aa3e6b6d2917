"""Frames without a crop: linear between detections, held at the ends, the fallback where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from solutions.postprocess.gaps import fill_gaps

CASES = range(40)


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Frames (some beyond the end), probabilities, length, fallback; few, many, all or no frames with a crop."""
    rng = np.random.default_rng(seed)
    n_frames = int(rng.integers(0, 40))
    there = rng.random(n_frames + 5) < rng.choice([0.0, 0.05, 0.3, 0.9, 1.0])
    frames = np.flatnonzero(there) + 1
    return frames, rng.dirichlet(np.ones(4), len(frames)), n_frames, rng.dirichlet(np.ones(4))


def filled_by_hand(frames: np.ndarray, scores: np.ndarray, n_frames: int, fallback: np.ndarray) -> list[list[float]]:
    known = {frame: row for frame, row in zip(frames.tolist(), scores.tolist(), strict=True) if frame <= n_frames}
    rows = []
    for wanted in range(1, n_frames + 1):
        before = max((frame for frame in known if frame <= wanted), default=None)
        after = min((frame for frame in known if frame >= wanted), default=None)
        if before is None and after is None:
            rows.append(fallback.tolist())
        elif before is None or after is None or before == after:
            rows.append(known[after if before is None else before])
        else:
            near = (after - wanted) / (after - before)
            rows.append([near * x + (1 - near) * y for x, y in zip(known[before], known[after], strict=True)])
    return rows


@pytest.mark.parametrize("seed", CASES)
def test_as_a_loop_over_frames_would(seed):
    case = random_case(seed)
    filled = fill_gaps(*case)
    assert filled.shape == (case[2], 4)
    np.testing.assert_allclose(filled, np.reshape(filled_by_hand(*case), (-1, 4)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("seed", CASES)
def test_rows_that_sum_to_1_still_do_and_stay_probabilities(seed):
    filled = fill_gaps(*random_case(seed))
    np.testing.assert_allclose(filled.sum(1), 1, rtol=0, atol=1e-14)
    assert ((filled >= 0) & (filled <= 1)).all()


@pytest.mark.parametrize("seed", CASES)
def test_frames_with_a_crop_keep_their_scores_to_the_bit(seed):
    frames, scores, n_frames, fallback = random_case(seed)
    inside = frames <= n_frames
    filled = fill_gaps(frames, scores, n_frames, fallback)
    np.testing.assert_array_equal(filled[frames[inside] - 1], scores[inside])


def test_a_gap_at_the_start_holds_the_first_score():
    filled = fill_gaps(np.array([3, 4]), np.array([[0.2], [0.8]]), 4, np.array([0.5]))
    assert filled.tolist() == [[0.2], [0.2], [0.2], [0.8]]


def test_a_gap_at_the_end_holds_the_last_score():
    filled = fill_gaps(np.array([1, 2]), np.array([[0.2], [0.8]]), 4, np.array([0.5]))
    assert filled.tolist() == [[0.2], [0.8], [0.8], [0.8]]


def test_a_gap_in_the_middle_is_weighted_by_closeness():
    filled = fill_gaps(np.array([1, 5]), np.array([[0.0], [1.0]]), 5, np.array([0.5]))
    assert filled.tolist() == [[0.0], [0.25], [0.5], [0.75], [1.0]]


def test_a_single_detection_holds_for_the_whole_video():
    filled = fill_gaps(np.array([3]), np.array([[0.3, 0.7]]), 5, np.array([0.5, 0.5]))
    assert filled.tolist() == [[0.3, 0.7]] * 5


def test_a_video_without_any_detection_gets_the_fallback():
    filled = fill_gaps(np.empty(0, np.int64), np.empty((0, 2), np.float32), 3, np.array([0.9, 0.1]))
    assert filled.tolist() == [[0.9, 0.1]] * 3


def test_detections_beyond_the_end_count_for_nothing():
    frames, scores = np.array([2, 9]), np.array([[0.2], [0.9]])
    assert fill_gaps(frames, scores, 4, np.array([0.5])).tolist() == [[0.2]] * 4
    assert fill_gaps(frames, scores, 1, np.array([0.5])).tolist() == [[0.5]]


def test_a_video_of_no_frames_has_no_rows():
    assert fill_gaps(np.array([1]), np.array([[0.3, 0.7]]), 0, np.array([0.5, 0.5])).shape == (0, 2)


def test_it_counts_in_float64_and_leaves_its_input_alone():
    scores = np.array([[0.1], [0.7]], np.float32)
    before = scores.copy()
    filled = fill_gaps(np.array([1, 4]), scores, 4, np.array([0.5], np.float32))
    assert filled.dtype == np.float64
    third = np.float64(np.float32(0.1)) * 2 / 3 + np.float64(np.float32(0.7)) / 3
    assert filled[1, 0] == pytest.approx(third, abs=1e-15)
    np.testing.assert_array_equal(scores, before)
