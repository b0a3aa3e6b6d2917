"""Intervals by video: what a bootstrap over videos must give."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.metrics.interval import bootstrap, bootstrap_weights, percentile_interval
from harness.metrics.metric import metric_for
from harness.tasks import EXPR

METRIC = metric_for(EXPR)


@pytest.fixture(scope="module")
def videos() -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels and decisions of 12 videos that each show mostly one class, as Aff-Wild2's do."""
    rng = np.random.default_rng(0)
    out = []
    for k in range(12):
        truth = np.where(rng.random(300) < 0.9, k % 8, rng.integers(0, 8, 300))
        out.append((truth, np.where(rng.random(300) < rng.uniform(0.1, 0.9), truth, rng.integers(0, 8, 300))))
    return out


def statistics(videos) -> np.ndarray:
    return np.array([METRIC.statistics(truth, answer) for truth, answer in videos])


def test_each_replicate_draws_as_many_videos_as_there_are():
    weights = bootstrap_weights(7, replicates=50)
    assert weights.shape == (50, 7)
    assert (weights.sum(1) == 7).all()
    assert weights.min() >= 0


def test_replicate_equals_scikit_learn_on_the_sampled_videos(videos):
    weights = bootstrap_weights(len(videos), replicates=25)
    scores = METRIC.headline(weights @ statistics(videos))
    for row, score in zip(weights.astype(int), scores, strict=True):
        truth = np.concatenate([np.tile(t, n) for (t, _), n in zip(videos, row, strict=True)])
        answer = np.concatenate([np.tile(a, n) for (_, a), n in zip(videos, row, strict=True)])
        expected = f1_score(truth, answer, labels=range(8), average="macro", zero_division=0)
        assert score == pytest.approx(expected, abs=1e-12)


def test_the_same_seed_draws_the_same_videos():
    assert np.array_equal(bootstrap_weights(5), bootstrap_weights(5))
    assert not np.array_equal(bootstrap_weights(5), bootstrap_weights(5, seed=1))


@pytest.mark.parametrize("n_videos", [2, 7, 70_000])
def test_replicates_in_parts_draw_the_same_videos(n_videos):
    values = np.random.default_rng(1).random(n_videos)
    replicates = 400 if n_videos < 100 else 100
    whole = bootstrap_weights(n_videos, replicates=replicates) @ values
    parts = bootstrap(lambda weights: {"sum": weights @ values}, n_videos, replicates=replicates)
    assert parts["sum"] == pytest.approx(whole, rel=1e-12)


def test_each_video_is_drawn_as_often_as_chance_has_it():
    weights = bootstrap_weights(50)
    assert weights.mean(0) == pytest.approx(np.ones(50), abs=0.05)
    assert weights.var(0) == pytest.approx(np.full(50, 1 - 1 / 50), abs=0.1)
    never = (weights == 0).mean()
    assert never == pytest.approx((1 - 1 / 50) ** 50, abs=0.01)


def test_the_interval_holds_the_value(videos):
    table = statistics(videos)
    low, high = percentile_interval(METRIC.headline(bootstrap_weights(len(table)) @ table))
    assert low < METRIC.headline(table.sum(0)) < high


def test_an_interval_by_frame_is_far_too_narrow(videos):
    table = statistics(videos)
    by_video = percentile_interval(METRIC.headline(bootstrap_weights(len(table)) @ table))
    truth, answer = (np.concatenate(part) for part in zip(*videos, strict=True))
    frames = np.random.default_rng(0).integers(0, len(truth), (200, len(truth)))
    by_frame = percentile_interval(
        np.array([METRIC.headline(METRIC.statistics(truth[drawn], answer[drawn])) for drawn in frames])
    )
    assert by_video[1] - by_video[0] > 3 * (by_frame[1] - by_frame[0])


def test_equal_videos_have_no_spread(videos):
    table = np.repeat(statistics(videos[:1]), 5, axis=0)
    low, high = percentile_interval(METRIC.headline(bootstrap_weights(5) @ table))
    assert low == high == pytest.approx(METRIC.headline(table[0]), abs=1e-12)


def test_a_lower_level_is_a_narrower_interval():
    values = np.arange(1001.0)
    assert percentile_interval(values) == pytest.approx((25, 975))
    assert percentile_interval(values, level=0.5) == pytest.approx((250, 750))
