"""From labels and decisions to a score card."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.errors import DataError
from harness.metrics.metric import metric_for
from harness.metrics.scoring import Score, score_card, video_statistics
from harness.tasks import AU, EXPR, VA, VD

METRIC = metric_for(EXPR)
LABELS = {"a": np.array([0, 1, -1, 2]), "b": np.array([3, 3])}
RIGHT = {"a": np.array([0, 1, 7, 2]), "b": np.array([3, 3])}


def card(labels, decisions):
    return score_card(EXPR, tuple(labels), video_statistics(EXPR, METRIC, labels, decisions))


def test_frames_without_a_label_do_not_count():
    result = card(LABELS, RIGHT)
    assert result.n_frames == 5
    assert {s.metric: s.value for s in result.scores}["accuracy"] == 1
    assert result.headline.value == 4 / 8


def test_the_headline_is_the_official_metric_and_stands_first():
    result = card(LABELS, RIGHT)
    assert (result.headline.metric, result.headline.target) == (EXPR.metric, "all")
    assert result.scores[0] is result.headline
    assert len(result.scores) == 2 + 8


def test_frames_are_pooled_over_videos():
    labels = {"long": np.zeros(90, int), "short": np.ones(10, int)}
    decisions = {"long": np.zeros(90, int), "short": np.zeros(10, int)}
    y, p = (np.concatenate(list(part.values())) for part in (labels, decisions))
    expected = f1_score(y, p, labels=range(8), average="macro", zero_division=0)
    assert card(labels, decisions).headline.value == pytest.approx(expected, abs=1e-12)


def test_the_order_of_videos_does_not_matter():
    backwards = dict(reversed(LABELS.items()))
    assert card(backwards, RIGHT).headline.value == card(LABELS, RIGHT).headline.value
    assert card(backwards, RIGHT).videos == ("b", "a")


def test_statistics_stand_in_the_order_of_the_videos():
    result = card(LABELS, RIGHT)
    assert result.videos == ("a", "b")
    assert result.statistics.shape == (2, 64)
    assert result.statistics.sum(1).tolist() == [3, 2]


def test_the_best_constant_is_named():
    labels = {"a": np.array([4, 4, 4, 0])}
    expected = f1_score(labels["a"], [4] * 4, labels=range(8), average="macro", zero_division=0)
    assert card(labels, {"a": np.zeros(4, int)}).constant == ("Happiness", pytest.approx(expected, abs=1e-12))


def test_every_score_of_each_video_is_there_too():
    scores = card(LABELS, RIGHT).per_video()
    assert scores["accuracy", "all"].tolist() == [1, 1]
    assert scores["f1", "Fear"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("task", "labels", "constant"),
    [
        (VA, np.array([[0.1, 0.2], [0.5, -0.3], [-5, -5]]), ("the same value", 0)),
        (AU, np.array([[1, 0] * 6, [1, 1] * 6, [-1, 0] * 6]), ("every unit", pytest.approx((6 * 1 + 6 * 2 / 3) / 12))),
        (VD, np.array([0, 1, 1, -1]), ("violent", pytest.approx(0.4))),
    ],
    ids=lambda part: getattr(part, "name", ""),
)
def test_every_task_has_a_card_with_its_constant(task, labels, constant):
    decisions = np.where(labels == task.invalid, 0, labels)
    result = score_card(
        task, ("a", "b"), video_statistics(task, metric_for(task), *[{"a": v, "b": v} for v in (labels, decisions)])
    )
    assert result.headline == Score(task.metric, 1, "all", pytest.approx(1), pytest.approx(1), pytest.approx(1))
    assert result.n_frames == 2 * (len(labels) - 1)
    assert {score.target for score in result.scores} == {"all", *task.targets}
    assert result.constant == constant


def test_a_single_video_has_no_interval():
    result = card({"a": np.array([0, 1])}, {"a": np.array([0, 1])})
    assert (result.headline.low, result.headline.high) == (None, None)


def test_two_videos_have_an_interval_around_every_score():
    for score in card(LABELS, RIGHT).scores:
        assert score.low <= score.value <= score.high


def test_decisions_beyond_the_labels_are_not_looked_at():
    longer = {name: np.append(values, 5) for name, values in RIGHT.items()}
    assert card(LABELS, longer).headline == card(LABELS, RIGHT).headline


@pytest.mark.parametrize(
    ("decisions", "words"),
    [
        ({"a": RIGHT["a"]}, "video b: 2 labels, 0 predictions"),
        ({**RIGHT, "a": np.zeros(3, int)}, "video a: 4 labels, 3 predictions"),
    ],
)
def test_a_labelled_frame_without_a_decision_is_an_error(decisions, words):
    with pytest.raises(DataError, match=words):
        card(LABELS, decisions)


@pytest.mark.parametrize("labels", [{}, {"a": np.array([-1, -1])}])
def test_nothing_labelled_is_an_error(labels):
    with pytest.raises(DataError, match="no labelled frame to score EXPR on"):
        card(labels, {"a": np.array([0, 0])})
