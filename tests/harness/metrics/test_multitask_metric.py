"""The multi-task challenge: the sum of three metrics, each on the frames that it has labels for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.metrics.metric import metric_for
from harness.metrics.scoring import score_card, video_statistics
from harness.tasks import AU, EXPR, MTL, VA

METRIC = metric_for(MTL)


def drawn(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Labels with gaps of their own in each part, and official rows."""
    rng = np.random.default_rng(seed)

    def rows() -> list[np.ndarray]:
        return [rng.uniform(-1, 1, (n, 2)), rng.integers(0, 8, (n, 1)), rng.integers(0, 2, (n, 12))]

    labels, answers = np.concatenate(rows(), axis=1), np.concatenate(rows(), axis=1)
    labels[rng.random(n) < 0.3, :2] = -5
    labels[rng.random(n) < 0.3, 2] = -1
    labels[rng.random(n) < 0.3, 3:] = -1
    return labels, answers


def test_the_sum_is_that_of_the_three_official_scores():
    labels, answers = drawn(0)
    va, expr, au = labels[:, 0] != -5, labels[:, 2] != -1, labels[:, 3] != -1
    f1 = f1_score(labels[expr, 2], answers[expr, 2], labels=range(8), average="macro", zero_division=0)
    units = f1_score(labels[au, 3:].astype(int), answers[au, 3:].astype(int), average="macro", zero_division=0)
    ccc = []
    for k in range(2):
        x, y = labels[va, k], answers[va, k]
        covariance = np.cov(x, y, ddof=0)[0, 1]
        ccc.append(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))
    scores = METRIC.details(METRIC.statistics(labels, answers))
    assert scores["mean_ccc", "va"] == pytest.approx(np.mean(ccc), abs=1e-12)
    assert scores["macro_f1", "expr"] == pytest.approx(f1, abs=1e-12)
    assert scores["mean_binary_f1", "au"] == pytest.approx(units, abs=1e-12)
    assert scores["p_mtl", "all"] == pytest.approx(np.mean(ccc) + f1 + units, abs=1e-12)
    assert METRIC.headline(METRIC.statistics(labels, answers)) == scores["p_mtl", "all"]


def test_each_part_is_the_metric_of_its_own_task():
    labels, answers = drawn(1)
    parts = METRIC.split(METRIC.by_video(labels, answers, [100, 200]))
    for name, task, columns in (("va", VA, slice(0, 2)), ("expr", EXPR, 2), ("au", AU, slice(3, 15))):
        metric, statistics = parts[name]
        assert metric.task == task
        alone = metric_for(task).by_video(labels[:, columns], answers[:, columns], [100, 200])
        assert np.array_equal(statistics, alone)


def test_every_target_has_its_score():
    scores = METRIC.details(METRIC.statistics(*drawn(0)))
    assert {target for _, target in scores} == {*MTL.targets, "all", "va", "expr", "au"}


def test_frames_count_that_have_any_label():
    labels, answers = drawn(0)
    nothing = (labels[:, 0] == -5) & (labels[:, 2] == -1) & (labels[:, 3] == -1)
    assert nothing.any()
    assert METRIC.n_frames(METRIC.statistics(labels, answers)) == (~nothing).sum()


def test_the_constant_is_an_expression_with_every_unit():
    labels, answers = drawn(0)
    rows = METRIC.constants(METRIC.statistics(labels, answers))
    constant = np.zeros_like(labels)
    constant[:, 2], constant[:, 3:] = 4, 1
    assert METRIC.constant_names[4] == "Happiness with every unit"
    assert METRIC.headline(rows[4]) == pytest.approx(METRIC.headline(METRIC.statistics(labels, constant)), abs=1e-12)


def test_perfect_is_three():
    labels, _ = drawn(0)
    answers = np.where(labels < -1, 0, np.maximum(labels, -0.99))
    answers[labels[:, 2] == -1, 2] = 0
    answers[labels[:, 3] == -1, 3:] = 0
    answers[:, :2] = np.where(labels[:, :2] == -5, 0, labels[:, :2])
    assert METRIC.headline(METRIC.statistics(labels, answers)) == pytest.approx(3, abs=1e-12)


def test_a_score_card_of_videos():
    labels, answers = drawn(0)
    cuts = [90, 170]
    parts = [dict(enumerate(np.split(values, cuts))) for values in (labels, answers)]
    truth, given = ({f"video{k}": rows for k, rows in part.items()} for part in parts)
    card = score_card(MTL, tuple(truth), video_statistics(MTL, METRIC, truth, given))
    assert card.headline.metric == "p_mtl"
    assert card.headline.value == pytest.approx(METRIC.headline(METRIC.statistics(labels, answers)), abs=1e-12)
    assert card.headline.low <= card.headline.value <= card.headline.high
    assert card.per_video()["p_mtl", "all"].shape == (3,)


@pytest.mark.parametrize("shape", [(3, 14), (3,)])
def test_rows_of_another_width_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(3, 15\)"):
        METRIC.statistics(np.zeros(shape), np.zeros(shape))
