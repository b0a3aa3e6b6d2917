"""CCC and Pearson's correlation from added moments, against the two-pass formulas and scipy."""

from __future__ import annotations

from math import fsum

import numpy as np
import pytest
from scipy.stats import pearsonr

from harness.metrics.metric import metric_for
from harness.metrics.moments import central, concordance_correlation, moments, pearson_correlation
from harness.tasks import EMI, VA


@pytest.fixture(scope="session")
def frames(repetitions) -> int:
    """Frames of a long data set; with ``--long`` of one as long as Aff-Wild2."""
    return repetitions(100_000, 1_000_000)


def two_pass(x: np.ndarray, y: np.ndarray) -> float:
    """CCC by its definition, as exactly as float64 can: about a value of the data itself, sums without rounding."""
    shift_x, shift_y, n = float(x[0]), float(y[0]), len(x)
    x, y = x - shift_x, y - shift_y
    mean_x, mean_y = fsum(x) / n, fsum(y) / n
    x, y = x - mean_x, y - mean_y
    apart = (shift_x - shift_y) + (mean_x - mean_y)
    return 2 * fsum(x * y) / (fsum(x * x) + fsum(y * y) + n * apart**2)


def pooled(x: np.ndarray, y: np.ndarray, videos: int = 76) -> np.ndarray:
    """Moments of one target, counted by video and added."""
    lengths = np.random.default_rng(0).multinomial(len(x), np.full(videos, 1 / videos))
    return moments(x[:, None], y[:, None], lengths).sum(0)[0]


def alike(mean: float, spread: float, n: int, apart: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(n)
    y = 0.4 * x + 0.5 * rng.standard_normal(n) + apart
    return tuple((mean + spread * values).clip(-1, 1) for values in (x, y))


@pytest.mark.parametrize(
    ("mean", "spread"),
    [(0.0, 0.4), (0.9, 0.05), (-0.9, 0.01), (0.7, 1e-3), (1 / 3, 1e-4), (-0.3, 1e-5)],
)
def test_moments_of_many_nearly_constant_frames_are_exact(mean, spread, frames):
    x, y = alike(mean, spread, 1_000_000 if spread == 1e-5 else frames)
    sums = pooled(x, y)
    assert concordance_correlation(sums) == pytest.approx(two_pass(x, y), abs=1e-12)
    assert pearson_correlation(sums) == pytest.approx(pearsonr(x, y)[0], abs=1e-9)


def test_plain_sums_would_not(frames):
    x, y = alike(0.7, 1e-5, frames)
    n, sx, sy = len(x), x.sum(), y.sum()
    sxx, syy, sxy = (x * x).sum() - sx * sx / n, (y * y).sum() - sy * sy / n, (x * y).sum() - sx * sy / n
    plain = 2 * sxy / (sxx + syy + n * (sx / n - sy / n) ** 2)
    assert abs(plain - two_pass(x, y)) > 1e-12


def test_nearly_constant_predictions_of_ordinary_labels(frames):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, frames)
    y = 0.3 + 1e-7 * x
    sums = pooled(x, y)
    assert concordance_correlation(sums) == pytest.approx(two_pass(x, y), abs=1e-12)
    assert pearson_correlation(sums) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_parity_with_scipy(seed):
    rng = np.random.default_rng(seed)
    labels = rng.random((500, 6))
    answers = 3 * labels + rng.standard_normal((500, 6))
    metric = metric_for(EMI)
    table = metric.by_video(labels, answers, np.ones(500, int))
    expected = [pearsonr(labels[:, k], answers[:, k])[0] for k in range(6)]
    scores = metric.details(table.sum(0))
    assert [scores["pearson", name] for name in EMI.targets] == pytest.approx(expected, abs=1e-12)
    assert metric.headline(table.sum(0)) == pytest.approx(np.mean(expected), abs=1e-12)


def test_variances_and_covariance_are_the_populations():
    x, y = np.array([0.1, 0.4, -0.2, 0.9]), np.array([0.0, 0.5, -0.1, 0.6])
    covariance = np.cov(x, y, ddof=0)[0, 1]
    expected = 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert concordance_correlation(pooled(x, y, 2)) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("n", [2, 10, 1000])
def test_perfect_agreement_is_one_and_its_mirror_minus_one(n):
    x = np.random.default_rng(n).uniform(-1, 1, n)
    assert concordance_correlation(pooled(x, x, 3)) == 1
    centred = x - x.mean()
    assert concordance_correlation(pooled(centred, -centred, 3)) == pytest.approx(-1, abs=1e-9)
    assert pearson_correlation(pooled(x, x, 3)) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 0.999, -0.7, 500.3])
def test_a_constant_scores_exactly_zero_also_where_it_is_right(value):
    constant, varied = np.full(100_000, value), np.random.default_rng(0).uniform(-1, 1, 100_000)
    for x, y in ((varied, constant), (constant, varied), (constant, constant)):
        sums = pooled(x, y)
        assert concordance_correlation(sums) == 0
        assert pearson_correlation(sums) == 0


def test_a_constant_beyond_exact_sums_is_still_one():
    constant, varied = np.full(5000, 123_456.789), np.random.default_rng(0).uniform(0, 1, 5000)
    assert pearson_correlation(pooled(varied, constant)) == 0


def test_means_and_deviations():
    x, y = alike(0.2, 0.3, 1000)
    c = central(pooled(x, y))
    assert (c.n, c.mean_x, c.mean_y) == pytest.approx((1000, x.mean(), y.mean()), abs=1e-15)
    assert (c.xx, c.yy, c.xy) == pytest.approx((1000 * x.var(), 1000 * y.var(), 1000 * np.cov(x, y, ddof=0)[0, 1]))


def test_no_frames_score_zero():
    metric = metric_for(VA)
    nothing = metric.by_video(np.full((3, 2), -5.0), np.zeros((3, 2)), [2, 1])
    assert nothing.shape == (2, 22)
    assert not nothing.any()
    assert metric.headline(nothing.sum(0)) == 0


def test_a_frame_with_any_marker_does_not_count():
    rng = np.random.default_rng(0)
    truth, answer = rng.uniform(-1, 1, (9, 2)), rng.uniform(-1, 1, (9, 2))
    truth[2, 0] = truth[5, 1] = -5
    keep = [0, 1, 3, 4, 6, 7, 8]
    metric = metric_for(VA)
    assert np.array_equal(metric.statistics(truth, answer), metric.statistics(truth[keep], answer[keep]))
    answer[[2, 5]] = np.nan
    assert np.array_equal(metric.statistics(truth, answer), metric.statistics(truth[keep], answer[keep]))
    assert metric.n_frames(metric.statistics(truth, answer)) == 7


def test_frames_are_pooled_and_videos_are_not_averaged():
    rng = np.random.default_rng(1)
    truth = np.concatenate([rng.uniform(0.5, 1, (90, 2)), rng.uniform(-1, -0.5, (10, 2))])
    answer = truth + rng.normal(0, 0.3, truth.shape)
    metric = metric_for(VA)
    table = metric.by_video(truth, answer, [90, 10])
    expected = np.mean([two_pass(truth[:, k], answer[:, k]) for k in range(2)])
    assert metric.headline(table.sum(0)) == pytest.approx(expected, abs=1e-12)
    assert abs(metric.headline(table).mean() - expected) > 0.1


def test_a_weighted_sum_counts_videos_as_often_as_it_says():
    rng = np.random.default_rng(0)
    videos = [rng.uniform(-1, 1, (n, 2)) for n in (30, 40, 50)]
    table = np.array([moments(v[:, :1], v[:, 1:], np.array([len(v)]))[0, 0] for v in videos])
    drawn = np.concatenate([videos[0], videos[0], videos[2]])
    weighted = concordance_correlation(np.array([2.0, 0, 1]) @ table)
    assert weighted == pytest.approx(two_pass(*drawn.T), abs=1e-12)


def test_the_constant_of_the_board_scores_zero():
    metric = metric_for(VA)
    truth = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    statistics = metric.statistics(truth, truth)
    constants = metric.constants(statistics)
    assert metric.constant_names == ("the same value",)
    assert metric.headline(constants).tolist() == [0]
    assert np.array_equal(metric.label_part(constants[0]), metric.label_part(statistics))


@pytest.mark.parametrize(
    ("truth", "answer", "words"),
    [
        (np.zeros((2, 2)), np.zeros((2, 3)), r"must be \(2, 2\)"),
        (np.zeros(2), np.zeros(2), r"must be \(2, 2\)"),
        (np.zeros((2, 2)), np.array([[0, np.nan], [0, 0]]), "NaN or infinity"),
        (np.zeros((2, 2)), np.array([[0, np.inf], [0, 0]]), "NaN or infinity"),
    ],
)
def test_what_has_no_moments_is_refused(truth, answer, words):
    with pytest.raises(ValueError, match=words):
        metric_for(VA).statistics(truth, answer)
