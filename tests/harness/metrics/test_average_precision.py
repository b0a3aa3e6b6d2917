"""The AH challenge by video: macro-F1 over videos, and two average precisions that must not be mixed up."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, f1_score

from harness.metrics.average_precision import average_precision, official_average_precision
from harness.metrics.interval import bootstrap_weights
from harness.metrics.metric import metric_for
from harness.metrics.scoring import score_card, video_statistics
from harness.tasks import AHV

METRIC = metric_for(AHV)


def organisers(scores: np.ndarray, positive: np.ndarray) -> float:
    """The definition of the organisers' code: a threshold at a time."""
    precisions, recalls = [], []
    for threshold in np.arange(0, 1, 0.001):
        chosen = scores >= threshold
        hits = (chosen & positive).sum()
        precisions.append(hits / chosen.sum() if chosen.any() else 0.0)
        recalls.append(hits / positive.sum())
    return auc(recalls, precisions)


def drawn(seed: int, n: int = 152, decimals: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.5
    return np.clip(0.5 + 0.15 * positive + 0.25 * rng.standard_normal(n), 0, 1).round(decimals), positive


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [1, 3, 16])
def test_parity_with_scikit_learn_and_with_the_organisers(seed, decimals):
    scores, positive = drawn(seed, decimals=decimals)
    ones = np.ones(len(scores))
    assert average_precision(scores, positive, ones) == pytest.approx(
        average_precision_score(positive, scores), abs=1e-12
    )
    assert official_average_precision(scores, positive, ones) == pytest.approx(organisers(scores, positive), abs=1e-12)


@pytest.mark.parametrize(
    "scores", [[0.9995, 0.999, 0.2], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.3, 0.3, 0.3], [0.5, 0.1, 0.9]]
)
@pytest.mark.parametrize("positive", [[True, False, True], [False, False, True], [True, True, True]])
def test_the_ends_of_the_curve(scores, positive):
    scores, positive = np.array(scores), np.array(positive)
    assert official_average_precision(scores, positive, np.ones(3)) == pytest.approx(
        organisers(scores, positive), abs=1e-12
    )


def test_the_two_are_different_numbers():
    gaps = []
    for seed in range(20):
        scores, positive = drawn(seed)
        ones = np.ones(len(scores))
        gaps.append(official_average_precision(scores, positive, ones) - average_precision(scores, positive, ones))
    assert np.abs(gaps).max() > 0.003


def test_weights_count_videos_as_often_as_they_say():
    scores, positive = drawn(0, n=20)
    weights = bootstrap_weights(20, replicates=30)
    exact, official = (f(scores, positive, weights) for f in (average_precision, official_average_precision))
    for row, one, other in zip(weights.astype(int), exact, official, strict=True):
        s, p = np.repeat(scores, row), np.repeat(positive, row)
        assert one == pytest.approx(average_precision_score(p, s), abs=1e-12)
        assert other == pytest.approx(organisers(s, p), abs=1e-12)


def test_nothing_positive_scores_zero():
    scores, nothing, ones = np.array([0.1, 0.9]), np.zeros(2, bool), np.ones(2)
    assert average_precision(scores, nothing, ones) == 0
    assert official_average_precision(scores, nothing, ones) == 0


@pytest.fixture
def videos() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Labels and official rows (two probabilities, class) of 152 videos, one row each."""
    scores, positive = drawn(0)
    rows = np.stack([1 - scores, scores, scores > 0.45], axis=1)
    names = [f"v{k:03d}" for k in range(len(scores))]
    labels = {name: np.array([int(p)]) for name, p in zip(names, positive, strict=True)}
    return labels, {name: row[None] for name, row in zip(names, rows, strict=True)}


def test_a_score_card_names_all_of_them_apart(videos):
    labels, answers = videos
    card = score_card(AHV, tuple(labels), video_statistics(AHV, METRIC, labels, answers))
    y = np.concatenate(list(labels.values()))
    rows = np.concatenate(list(answers.values()))
    found = {(s.metric, s.target): s for s in card.scores}
    assert card.headline.metric == "macro_f1"
    assert card.headline.value == pytest.approx(f1_score(y, rows[:, 2], average="macro"), abs=1e-12)
    assert found["weighted_f1", "all"].value == pytest.approx(f1_score(y, rows[:, 2], average="weighted"), abs=1e-12)
    assert found["average_precision", "all"].value == pytest.approx(average_precision_score(y, rows[:, 1]), abs=1e-12)
    assert found["official_average_precision", "all"].value == pytest.approx(organisers(rows[:, 1], y == 1), abs=1e-12)
    assert card.n_frames == 152
    for score in card.scores:
        assert score.low < score.value < score.high


def test_a_video_without_a_label_does_not_count(videos):
    labels, answers = videos
    some = dict(list(labels.items())[:40])
    expected = METRIC.evaluate(video_statistics(AHV, METRIC, some, answers))
    marked = {name: value if name in some else np.array([-1]) for name, value in labels.items()}
    found = METRIC.evaluate(video_statistics(AHV, METRIC, marked, answers))
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-12)


def test_a_file_without_probabilities_has_no_average_precision(videos):
    labels, answers = videos
    classes = {name: row[:, 2].astype(int) for name, row in answers.items()}
    statistics = video_statistics(AHV, METRIC, labels, classes)
    assert not [name for name, _ in METRIC.evaluate(statistics) if "precision" in name]
    assert METRIC.headline(statistics.sum(0)) == METRIC.headline(video_statistics(AHV, METRIC, labels, answers).sum(0))


def test_frames_of_a_video_are_scored_by_class_alone():
    statistics = METRIC.by_video(np.array([0, 1, 1]), np.array([[0.2, 0.8, 1.0], [0.4, 0.6, 1], [0.9, 0.1, 0]]), [2, 1])
    assert not [name for name, _ in METRIC.evaluate(statistics) if "precision" in name]
    assert METRIC.headline(statistics.sum(0)) == pytest.approx(f1_score([0, 1, 1], [1, 1, 0], average="macro"))
