"""Constants chosen on validation labels: the best there are, and never with a look at the fold they are for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SolutionError, UsageError
from harness.metrics.metric import metric_for
from harness.tasks import AU, EXPR, VA, VD
from solutions.postprocess.apply import apply
from solutions.postprocess.calibration import search_biases
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
from solutions.tuning.choose import choose, fixed_constants
from solutions.tuning.grid import axes_of, grid_statistics
from tests.support.small_splits import Split, decided_slowly, drawn

WEIGHTS = Choose((0.0, 0.3, 0.5, 1.0))
WIDTHS = Choose((0, 2, 9))
GRID = {
    "EXPR": PostProcess(
        blend=Blend(WEIGHTS), smoothing=Smoothing(WIDTHS), filter=ConfidenceFilter("x", Choose((1.0, 0.3, 0.5)))
    ),
    "VA": PostProcess(blend=Blend(WEIGHTS), smoothing=Smoothing(WIDTHS)),
    "AU": PostProcess(
        blend=Blend(WEIGHTS), smoothing=Smoothing(WIDTHS), thresholds=Thresholds(Choose((0.5, 0.3, 0.7)))
    ),
    "VD": PostProcess(
        blend=Blend(WEIGHTS), smoothing=Smoothing(WIDTHS), thresholds=Thresholds(Choose((0.5, 0.35, 0.6)))
    ),
}
TASKS = (EXPR, VA, AU, VD)
GLA = Gla(-1, 1, 0.5)


def constants_of(split: Split, weights, half_width, threshold) -> Constants:
    decides = {"AU": (threshold,) * 12, "VD": (threshold,)}.get(split.task.name)
    return Constants(
        (0,) * len(weights), (None,) * len(weights), weights, half_width, None if decides else threshold, decides
    )


def score(split: Split, plan: PostProcess, constants: Constants, videos=None) -> float:
    """The task's score of some videos, decided by :func:`apply`."""
    metric = metric_for(split.task)
    decisions = apply(split.task, plan, split.scores, constants).decisions
    table = metric.by_video(split.labels, decisions, split.scores.lengths)
    return float(metric.headline(table[videos if videos is not None else slice(None)].sum(0)))


# the grid


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("kind", ["box", "median"])
@given(seed=st.integers(0, 999), videos=st.sampled_from([1, 3]), coarse=st.booleans())
def test_every_cell_counts_what_is_decided_frame_by_frame(task, kind, seed, videos, coarse):
    # coarse scores are multiples of a quarter, means over one frame: their ties are exact either way
    split = drawn(task, seed, videos=videos, longest=12, coarse=coarse)
    widths = Choose((0,)) if coarse else Choose((3, 0))
    plan = replace(GRID[task.name], blend=Blend(Choose((0.5, 0.25))), smoothing=Smoothing(widths, kind))
    grid = grid_statistics(task, plan, split.scores, constants_of(split, (0.5, 0.5), 0, 0.5), split.labels)
    metric = metric_for(task)
    for w, weights in enumerate(grid.axes.weights):
        for h, half_width in enumerate(grid.axes.half_widths):
            for t, threshold in enumerate(grid.axes.thresholds):
                decisions = decided_slowly(split, plan, constants_of(split, weights, half_width, threshold))
                expected = metric.by_video(split.labels, decisions, split.scores.lengths)
                np.testing.assert_allclose(grid.statistics[w, h, t], expected, rtol=0, atol=1e-9)


def test_a_cell_is_to_the_bit_what_applying_its_constants_gives():
    split = drawn(EXPR, 3, longest=400, streams=3)
    biases = (tuple(np.linspace(-0.5, 0.5, 8)), None, tuple(np.linspace(1, -1, 8)))
    start = Constants((0, 0, 0), biases, (0.2, 0.3, 0.5), 0, 0.5)
    plan = replace(GRID["EXPR"], gla=GLA)
    grid = grid_statistics(EXPR, plan, split.scores, start, split.labels)
    metric = metric_for(EXPR)
    for w in range(0, len(grid.axes.weights), 7):
        for h, half_width in enumerate(grid.axes.half_widths):
            for t, threshold in enumerate(grid.axes.thresholds):
                own = replace(start, weights=grid.axes.weights[w], half_width=half_width, filter_threshold=threshold)
                decisions = apply(EXPR, plan, split.scores, own).decisions
                expected = metric.by_video(split.labels, decisions, split.scores.lengths)
                np.testing.assert_array_equal(grid.statistics[w, h, t], expected)


@pytest.mark.parametrize("biases", [None, (0.3, -0.4)])
def test_cell_of_two_classes_equals_its_threshold_to_the_bit(biases):
    split = drawn(VD, 3, longest=400, streams=2)
    start = replace(constants_of(split, (0.2, 0.8), 0, 0.5), log_biases=(biases, None))
    grid = grid_statistics(VD, GRID["VD"], split.scores, start, split.labels)
    for w, weights in enumerate(grid.axes.weights):
        for h, half_width in enumerate(grid.axes.half_widths):
            for t, threshold in enumerate(grid.axes.thresholds):
                own = replace(start, weights=weights, half_width=half_width, thresholds=(threshold,))
                decisions = apply(VD, GRID["VD"], split.scores, own).decisions
                expected = metric_for(VD).by_video(split.labels, decisions, split.scores.lengths)
                np.testing.assert_array_equal(grid.statistics[w, h, t], expected)


def test_thresholds_that_may_be_any_value_are_no_axis_of_a_grid():
    split = drawn(AU, 0)
    plan = replace(GRID["AU"], thresholds=Thresholds("exact"))
    constants = replace(constants_of(split, (0.5, 0.5), 0, 0.5), thresholds=tuple(np.linspace(0.2, 0.8, 12)))
    grid = grid_statistics(AU, plan, split.scores, constants, split.labels)
    assert grid.axes.thresholds == (None,)
    own = replace(constants, weights=(0.3, 0.7), half_width=9)
    decisions = apply(AU, plan, split.scores, own).decisions
    expected = metric_for(AU).by_video(split.labels, decisions, split.scores.lengths)
    np.testing.assert_array_equal(grid.statistics[1, 2, 0], expected)


# the best


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_each_fold_gets_best_cell_of_others_last_that_of_all(task, seed):
    split, plan = drawn(task, seed, videos=9), GRID[task.name]
    chosen = choose(task, plan, split.scores, split.labels, split.groups)
    axes = axes_of(task, plan, 2)
    for k, own in enumerate((*chosen.per_fold, chosen.on_all)):
        videos = chosen.fold != k if k < len(chosen.per_fold) else None
        best = score(split, plan, own, videos)
        for weights in axes.weights:
            for half_width in axes.half_widths:
                for threshold in axes.thresholds:
                    other = constants_of(split, weights, half_width, threshold)
                    assert score(split, plan, other, videos) <= best + 1e-12


def test_unit_thresholds_differ_and_no_single_change_is_better():
    split = drawn(AU, 1, streams=1, videos=9, longest=200)
    plan = PostProcess(smoothing=Smoothing(2), thresholds=Thresholds(Choose((0.5, 0.3, 0.4, 0.6, 0.7))))
    found = choose(AU, plan, split.scores, split.labels, split.groups).on_all
    assert len(set(found.thresholds)) > 1
    best = score(split, plan, found)
    for unit in range(12):
        for threshold in plan.thresholds.values.candidates:
            other = [*found.thresholds]
            other[unit] = threshold
            assert score(split, plan, replace(found, thresholds=tuple(other))) <= best + 1e-12


def test_exact_thresholds_are_at_least_as_good_as_a_grid():
    split = drawn(AU, 2, videos=9, longest=100)
    exact = replace(GRID["AU"], thresholds=Thresholds("exact"))
    on_grid = choose(AU, GRID["AU"], split.scores, split.labels, split.groups).on_all
    found = choose(AU, exact, split.scores, split.labels, split.groups).on_all
    assert score(split, exact, found) > score(split, GRID["AU"], on_grid)
    # each threshold is a score that occurs
    smoothed = apply(AU, exact, split.scores, found).scores
    assert all(threshold in smoothed[:, k] for k, threshold in enumerate(found.thresholds))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_each_streams_epoch_is_the_best_of_that_stream_alone(task):
    split = drawn(task, 5, videos=8, epochs=4)
    chosen = choose(task, PostProcess(blend=Blend((0.5, 0.5))), split.scores, split.labels, split.groups)
    alone = PostProcess()
    for k, own in enumerate((*chosen.per_fold, chosen.on_all)):
        videos = chosen.fold != k if k < len(chosen.per_fold) else None
        for stream, epoch in enumerate(own.epochs):
            one = replace(split, scores=replace(split.scores, streams=[split.scores.streams[stream]]))
            base = fixed_constants(task, alone, [1])
            scores = [score(one, alone, replace(base, epochs=(e,)), videos) for e in range(4)]
            assert scores[epoch] == max(scores)
            assert scores.index(max(scores)) == epoch


def test_biases_are_searched_on_unsmoothed_labelled_frames():
    split = drawn(EXPR, 6, videos=8, epochs=2, longest=100)
    plan = PostProcess(GLA, Blend((0.5, 0.5)), Smoothing(5))
    chosen = choose(EXPR, plan, split.scores, split.labels, split.groups)
    video = np.repeat(np.arange(8), split.scores.lengths)
    for k, own in enumerate((*chosen.per_fold, chosen.on_all)):
        keep = split.labels >= 0
        if k < len(chosen.per_fold):
            keep &= chosen.fold[video] != k
        for stream, biases in enumerate(own.log_biases):
            scores = split.scores.streams[stream][own.epochs[stream]][keep]
            expected = search_biases(scores, split.labels[keep], split.scores.priors[stream], GLA)
            np.testing.assert_array_equal(biases, expected)


def test_cells_are_judged_with_each_folds_own_epochs_and_biases():
    split = drawn(EXPR, 7, videos=8, epochs=3, longest=100)
    plan = replace(GRID["EXPR"], gla=GLA)
    chosen = choose(EXPR, plan, split.scores, split.labels, split.groups)
    assert len({(own.epochs, own.log_biases) for own in chosen.per_fold}) > 1
    axes = axes_of(EXPR, plan, 2)
    for k, own in enumerate((*chosen.per_fold, chosen.on_all)):
        videos = chosen.fold != k if k < len(chosen.per_fold) else None
        best = score(split, plan, own, videos)
        for weights in axes.weights:
            for half_width in axes.half_widths:
                for threshold in axes.thresholds:
                    other = replace(own, weights=weights, half_width=half_width, filter_threshold=threshold)
                    assert score(split, plan, other, videos) <= best + 1e-12


# honesty


@pytest.mark.parametrize(
    ("task", "plan"),
    [
        (EXPR, replace(GRID["EXPR"], gla=GLA)),
        (VA, GRID["VA"]),
        (AU, GRID["AU"]),
        (AU, replace(GRID["AU"], thresholds=Thresholds("exact"))),
        (VD, replace(GRID["VD"], gla=GLA)),
    ],
    ids=["EXPR", "VA", "AU", "AU-exact", "VD"],
)
def test_labels_of_a_fold_never_reach_its_own_constants(task, plan):
    split = drawn(task, 8, videos=10, epochs=2)
    before = choose(task, plan, split.scores, split.labels, split.groups)
    video = np.repeat(np.arange(10), split.scores.lengths)
    other = drawn(task, 99, videos=10, epochs=2, longest=400).labels
    for k in range(len(before.per_fold)):
        labels = split.labels.copy()
        own = before.fold[video] == k
        labels[own] = other[: own.sum()]  # other values, other frames without a label
        after = choose(task, plan, split.scores, labels, split.groups)
        np.testing.assert_array_equal(after.fold, before.fold)
        assert after.per_fold[k] == before.per_fold[k]
        assert any(a != b for a, b in zip(after.per_fold, before.per_fold, strict=True))


def test_both_people_of_a_recording_are_in_one_fold():
    split = drawn(EXPR, 0, videos=8)
    chosen = choose(EXPR, GRID["EXPR"], split.scores, split.labels, ["a", "b", "c", "a", "d", "e", "f", "g"])
    assert chosen.fold[0] == chosen.fold[3]
    assert len(chosen.per_fold) == 5


def test_the_same_twice():
    split = drawn(EXPR, 0, videos=8, epochs=2)
    plan = replace(GRID["EXPR"], gla=GLA)
    first, second = (choose(EXPR, plan, split.scores, split.labels, split.groups) for _ in range(2))
    assert first.per_fold == second.per_fold
    assert first.on_all == second.on_all


# where there is nothing to choose, or nothing to choose on


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_what_is_given_needs_no_labels(task):
    split = drawn(task, 0)
    plan = PostProcess(blend=Blend((0.25, 0.75)), smoothing=Smoothing(7))
    constants = fixed_constants(task, plan, [1, 1])
    assert constants.weights == (0.25, 0.75)
    assert constants.half_width == 7
    assert constants.thresholds == ((0.5,) * 12 if task is AU else None)
    chosen = choose(task, plan, split.scores, split.labels, split.groups)
    assert chosen.per_fold == (constants,)
    assert chosen.on_all == constants
    assert chosen.fold.tolist() == [0] * 7


def test_given_values_of_the_filter_and_the_units_arrive():
    filtered = PostProcess(filter=ConfidenceFilter("x", 0.9))
    assert fixed_constants(EXPR, filtered, [1]).filter_threshold == 0.9
    assert fixed_constants(AU, PostProcess(thresholds=Thresholds(0.4)), [1]).thresholds == (0.4,) * 12
    assert fixed_constants(VD, PostProcess(thresholds=Thresholds(0.4)), [1]).thresholds == (0.4,)
    assert fixed_constants(VD, PostProcess(), [1]).thresholds is None


@pytest.mark.parametrize(
    ("task", "plan", "epochs"),
    [
        (EXPR, PostProcess(), 2),
        (EXPR, PostProcess(Gla()), 1),
        (EXPR, PostProcess(smoothing=Smoothing(Choose((3,)))), 1),
        (EXPR, PostProcess(filter=ConfidenceFilter("x", Choose((0.5,)))), 1),
        (AU, PostProcess(thresholds=Thresholds("exact")), 1),
        (AU, PostProcess(thresholds=Thresholds(Choose((0.5,)))), 1),
        (VD, PostProcess(thresholds=Thresholds(Choose((0.5,)))), 1),
    ],
)
def test_what_is_open_is_not_given(task, plan, epochs):
    assert fixed_constants(task, plan, [epochs]) is None


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_single_recording_gets_first_candidates_in_its_fold(task):
    split = drawn(task, 2, videos=2, epochs=2)
    plan = GRID[task.name] if task is not EXPR else replace(GRID["EXPR"], gla=GLA)
    chosen = choose(task, plan, split.scores, split.labels, ["x", "x"])
    (own,) = chosen.per_fold
    assert own.epochs == (0, 0)
    assert own.weights == (0.0, 1.0)
    assert own.half_width == 0
    assert own.filter_threshold == (1.0 if task is EXPR else None)
    assert own.thresholds == {"AU": (0.5,) * 12, "VD": (0.5,)}.get(task.name)
    assert chosen.on_all != own


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_without_a_single_label_the_first_candidates_stand(task):
    split = drawn(task, 0)
    labels = np.full_like(split.labels, task.invalid)
    chosen = choose(task, GRID[task.name], split.scores, labels, split.groups)
    assert {(own.weights, own.half_width) for own in (*chosen.per_fold, chosen.on_all)} == {((0.0, 1.0), 0)}


def test_of_equally_good_cells_the_first_is_taken():
    split = drawn(EXPR, 0)
    same = replace(split.scores, streams=[split.scores.streams[0]] * 2)
    plan = PostProcess(blend=Blend(Choose((0.5, 0.0, 1.0))))
    chosen = choose(EXPR, plan, same, split.labels, split.groups)
    assert {own.weights for own in (*chosen.per_fold, chosen.on_all)} == {(0.5, 0.5)}


def test_three_streams_share_by_tenths():
    split = drawn(EXPR, 4, streams=3)
    found = choose(EXPR, PostProcess(blend=Blend(Choose((0.5,)))), split.scores, split.labels, split.groups).on_all
    assert sum(found.weights) == pytest.approx(1)
    assert len(found.weights) == 3


def test_more_streams_than_can_be_tried_are_refused():
    split = drawn(EXPR, 0, streams=6)
    with pytest.raises(UsageError, match="weights can't be chosen for so many streams"):
        choose(EXPR, PostProcess(blend=Blend(Choose((0.5,)))), split.scores, split.labels, split.groups)


def test_labels_of_other_videos_are_refused():
    split = drawn(EXPR, 0)
    with pytest.raises(SolutionError, match="labels and groups are not those of these videos"):
        choose(EXPR, GRID["EXPR"], split.scores, split.labels[1:], split.groups)
    with pytest.raises(SolutionError, match="6 groups, expected"):
        choose(EXPR, GRID["EXPR"], split.scores, split.labels, split.groups[1:])
