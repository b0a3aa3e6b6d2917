"""Choices made on labels: never on the videos that they are then judged by."""

from __future__ import annotations

import numpy as np
import pytest

from harness.selection import assign_folds, cross_fit


def total(statistics: np.ndarray) -> np.ndarray:
    return statistics[..., 0]


def selection(scores: np.ndarray, groups=None, sizes=None):
    """Cross-fit candidates whose statistics on each video are the scores themselves, ``(candidates, videos)``."""
    n = scores.shape[1]
    return cross_fit(scores[..., None].astype(float), total, groups or [f"v{k}" for k in range(n)], sizes or [1] * n)


def test_a_videos_own_best_is_not_chosen_for_it():
    # candidate 0 is good everywhere; candidate k + 1 is far better on video k alone and bad elsewhere
    n = 6
    own = np.where(np.eye(n, dtype=bool), 10.0, 0.0)
    chosen = selection(np.vstack([np.full(n, 1.0), own - 1]))
    for video in range(n):
        assert chosen.for_video(video) != video + 1


def test_labels_of_a_fold_do_not_reach_its_own_choice():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(5, 20))
    before = selection(scores)
    changed = scores.copy()
    changed[:, before.fold == 2] = rng.normal(size=(5, int((before.fold == 2).sum()))) * 100
    after = selection(changed)
    assert np.array_equal(after.fold, before.fold)
    assert after.per_fold[2] == before.per_fold[2]


def test_each_folds_choice_is_the_best_on_the_others():
    scores = np.random.default_rng(1).normal(size=(4, 17))
    chosen = selection(scores)
    for fold, candidate in enumerate(chosen.per_fold):
        assert candidate == scores[:, chosen.fold != fold].sum(1).argmax()
    assert chosen.on_all == scores.sum(1).argmax()


def test_tuned_on_all_is_never_worse_on_all():
    scores = np.random.default_rng(2).normal(size=(6, 15))
    chosen = selection(scores)
    crossed = sum(scores[chosen.for_video(k), k] for k in range(15))
    assert scores[chosen.on_all].sum() >= crossed


def test_of_equally_good_candidates_the_first_is_taken():
    chosen = selection(np.ones((3, 10)))
    assert set(chosen.per_fold) == {0}
    assert chosen.on_all == 0


def test_a_single_group_has_nothing_to_choose_on():
    chosen = selection(np.array([[0.0, 0.0], [1.0, 1.0]]), groups=["x", "x"])
    assert chosen.per_fold == (0,)
    assert chosen.on_all == 1


def test_both_people_of_a_recording_fall_into_one_fold():
    groups = ["x", "y", "x", "z", "y", "w", "u", "t"]
    fold = assign_folds(groups, [5, 1, 5, 2, 1, 3, 4, 2])
    assert fold[0] == fold[2]
    assert fold[1] == fold[4]


@pytest.mark.parametrize(("groups", "folds"), [(1, 1), (2, 2), (5, 5), (70, 5)])
def test_there_are_as_many_folds_as_there_can_be(groups, folds):
    fold = assign_folds([f"g{k}" for k in range(groups)], [1] * groups)
    assert set(fold.tolist()) == set(range(folds))
    assert fold.dtype == np.int64


def test_folds_hold_about_as_many_frames():
    sizes = np.random.default_rng(0).integers(100, 5000, 70).tolist()
    fold = assign_folds([f"g{k}" for k in range(70)], sizes)
    load = np.bincount(fold, weights=sizes)
    assert load.max() / load.min() < 1.05


def test_folds_depend_on_names_and_sizes_alone_not_on_order():
    groups, sizes = ["a", "b", "c", "d", "e", "f"], [3, 3, 3, 2, 2, 1]
    fold = dict(zip(groups, assign_folds(groups, sizes).tolist(), strict=True))
    order = [4, 2, 0, 5, 1, 3]
    shuffled = assign_folds([groups[k] for k in order], [sizes[k] for k in order])
    assert [fold[groups[k]] for k in order] == shuffled.tolist()


def test_one_size_a_video():
    with pytest.raises(ValueError, match="shorter"):
        assign_folds(["a", "b"], [1])
