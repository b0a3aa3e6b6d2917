"""Choices made on labels: never on the videos that they are then judged by."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.folds import assign_folds, chosen_on


def test_choice_for_a_fold_uses_exactly_the_videos_outside():
    fold = assign_folds([f"v{k}" for k in range(17)], [1] * 17)
    rows = chosen_on(fold)
    assert rows.shape == (6, 17)
    assert rows.dtype == bool
    for k, row in enumerate(rows[:-1]):
        assert row.tolist() == [own != k for own in fold]
    assert rows[-1].all()


def test_a_single_group_has_nothing_to_choose_on():
    assert chosen_on(assign_folds(["x", "x"], [3, 4])).tolist() == [[False, False], [True, True]]


def test_no_video_at_all():
    assert chosen_on(assign_folds([], [])).shape == (2, 0)


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
