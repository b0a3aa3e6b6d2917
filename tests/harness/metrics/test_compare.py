"""Two runs over the same videos: difference, interval, p-value, and when there is nothing to compare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.errors import DataError
from harness.metrics.compare import ScoredRun, compare, p_value
from harness.metrics.interval import bootstrap_weights, percentile_interval
from harness.metrics.metric import metric_for
from harness.tasks import EXPR, VA, VD

METRIC = metric_for(EXPR)
VIDEOS = 30


def truth(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"v{k:02d}": rng.choice(8, 60, p=rng.dirichlet(np.ones(8))) for k in range(VIDEOS)}


def answers(labels: dict[str, np.ndarray], skill: float, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: np.where(rng.random(len(y)) < skill, y, rng.integers(0, 8, len(y))) for name, y in labels.items()}


def run(name: str, labels: dict[str, np.ndarray], given: dict[str, np.ndarray]) -> ScoredRun:
    statistics = {video: METRIC.statistics(labels[video], given[video]).tolist() for video in labels}
    return ScoredRun(name, EXPR, "val", "f" * 64, statistics)


@pytest.fixture(scope="module")
def labels() -> dict[str, np.ndarray]:
    return truth()


@pytest.fixture(scope="module")
def good(labels) -> ScoredRun:
    return run("good", labels, answers(labels, 0.7, seed=1))


@pytest.fixture(scope="module")
def bad(labels) -> ScoredRun:
    return run("bad", labels, answers(labels, 0.4, seed=2))


def test_the_difference_is_that_of_the_official_scores(labels, good, bad):
    y = np.concatenate(list(labels.values()))
    values = [
        f1_score(y, np.concatenate(list(answers(labels, *how).values())), labels=range(8), average="macro")
        for how in ((0.7, 1), (0.4, 2))
    ]
    found = compare(good, bad)
    head = found.headline
    assert (head.metric, head.target) == ("macro_f1", "all")
    assert (head.a, head.b) == pytest.approx(values, abs=1e-12)
    assert head.difference == pytest.approx(values[0] - values[1], abs=1e-12)
    assert (found.a, found.b, found.n_frames) == ("good", "bad", len(y))


def test_the_interval_is_of_the_difference_over_the_same_draws(good, bad):
    tables = [np.array([r.statistics[v] for v in sorted(r.statistics)]) for r in (good, bad)]
    weights = bootstrap_weights(VIDEOS)
    drawn = METRIC.headline(weights @ tables[0]) - METRIC.headline(weights @ tables[1])
    found = compare(good, bad)
    assert (found.headline.low, found.headline.high) == pytest.approx(percentile_interval(drawn), abs=1e-12)
    assert found.p_value == p_value(drawn, len(found.movers))
    assert found.replicates == len(drawn)


def test_a_paired_interval_is_narrower_than_two_side_by_side():
    labels = truth(seed=5)
    given = answers(labels, 0.5, seed=1)
    rng = np.random.default_rng(0)
    slightly = {name: np.where(rng.random(len(y)) < 0.05, labels[name], y) for name, y in given.items()}
    runs = run("a", labels, slightly), run("b", labels, given)
    found = compare(*runs)
    alone = []
    for one in runs:
        table = np.array(list(one.statistics.values()))
        alone.append(percentile_interval(METRIC.headline(bootstrap_weights(VIDEOS) @ table)))
    assert alone[0][0] < alone[1][1]
    assert found.headline.low > 0
    assert found.separable
    assert found.verdict == f"A is better by {found.headline.difference:.3f}"


def test_the_verdict_names_the_better_run(good, bad):
    there, back = compare(good, bad), compare(bad, good)
    assert there.verdict == f"A is better by {there.headline.difference:.3f}"
    assert back.verdict == f"B is better by {there.headline.difference:.3f}"
    assert there.p_value == back.p_value == pytest.approx(2 / 10_001)


def test_two_seeds_of_one_skill_are_not_separable(labels):
    found = compare(run("a", labels, answers(labels, 0.5, 3)), run("b", labels, answers(labels, 0.5, 4)))
    assert not found.separable
    assert found.verdict == "not separable on these videos"
    assert found.headline.low < 0 < found.headline.high
    assert found.p_value > 0.05


def test_a_run_and_itself_do_not_differ(good):
    found = compare(good, replace(good, name="again"))
    assert found.p_value == 1
    assert (found.headline.difference, found.headline.low, found.headline.high) == (0, 0, 0)
    assert not found.separable
    assert {mover.moves for mover in found.movers} == {0}


def test_every_class_has_its_difference(good, bad):
    rows = compare(good, bad).differences
    assert [(row.metric, row.target) for row in rows[2:]] == [("f1", name) for name in EXPR.targets]
    for row in rows:
        assert row.difference == row.a - row.b
        assert row.low <= row.high


def test_the_videos_that_move_the_score_come_first(labels, good):
    given = answers(labels, 0.7, seed=1)
    worse = {**given, "v07": (labels["v07"] + 1) % 8}
    movers = compare(good, run("worse", labels, worse)).movers
    assert movers[0].video == "v07"
    assert {mover.video for mover in movers} == set(labels)
    assert movers[0].moves > 0
    assert (movers[0].frames, movers[0].b) == (60, 0)
    assert all(mover.moves == 0 for mover in movers[1:])


def test_single_different_video_moves_score_by_its_difference(labels, good):
    given = answers(labels, 0.7, seed=1)
    found = compare(good, run("worse", labels, {**given, "v07": (labels["v07"] + 1) % 8}))
    assert found.movers[0].moves == pytest.approx(found.headline.difference, abs=1e-12)


def test_what_a_video_moves_is_the_mean_of_both_swaps(labels, good, bad):
    mover = compare(good, bad).movers[3]
    given = {"good": answers(labels, 0.7, 1), "bad": answers(labels, 0.4, 2)}

    def score(base: str, other: str) -> float:
        mixed = {**given[base], mover.video: given[other][mover.video]}
        y, p = (np.concatenate([part[name] for name in labels]) for part in (labels, mixed))
        return f1_score(y, p, labels=range(8), average="macro")

    swaps = score("good", "good") - score("good", "bad"), score("bad", "good") - score("bad", "bad")
    assert mover.moves == pytest.approx(np.mean(swaps), abs=1e-12)


def test_the_order_of_videos_does_not_matter(good, bad):
    backwards = replace(bad, statistics=dict(reversed(bad.statistics.items())))
    assert compare(good, backwards) == compare(good, bad)


def test_the_p_value_counts_ties_on_both_sides_and_adds_one():
    assert p_value(np.array([1.0] * 99), 70) == pytest.approx(2 / 100)
    assert p_value(np.array([1.0] * 90 + [-1.0] * 9), 70) == pytest.approx(2 * 10 / 100)
    assert p_value(np.array([1.0] * 90 + [0.0] * 9), 70) == pytest.approx(2 * 10 / 100)
    assert p_value(np.zeros(99), 70) == 1


def test_a_single_video_tells_nothing_about_others(labels):
    one = {"v00": labels["v00"]}
    found = compare(run("a", one, answers(one, 0.9, 1)), run("b", one, answers(one, 0.1, 2)))
    assert (found.headline.low, found.headline.high, found.p_value) == (None, None, None)
    assert found.verdict == "not separable: a single video tells nothing about others"
    assert found.headline.difference > 0


def test_values_are_compared_too(labels):
    metric, rng = metric_for(VA), np.random.default_rng(0)
    truth = {f"v{k}": rng.uniform(-1, 1, (50, 2)) for k in range(10)}
    runs = []
    for name, noise in (("near", 0.2), ("far", 0.8)):
        table = {v: metric.statistics(y, y + rng.normal(0, noise, y.shape)).tolist() for v, y in truth.items()}
        runs.append(ScoredRun(name, VA, "val", "", table))
    found = compare(*runs)
    assert found.separable
    assert [row.target for row in found.differences] == ["all", "valence", "arousal"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": VD}, "can't be compared: they are on different tasks; A has EXPR, B has VD"),
        ({"split": "test"}, "they are on different splits; A has val, B has test"),
        (
            {"fingerprint": "a" * 64},
            r"different label files \(data fingerprint\); A has ffffffffffff, B has aaaaaaaaaaaa",
        ),
        ({"statistics": {}}, "bad: no labels were there to score it on"),
        ({"version": 2}, "bad: scored by another version of the metric; found version 2, expected 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(good, bad, changes, words):
    with pytest.raises(DataError, match=words):
        compare(good, replace(bad, **changes))


def test_other_videos_are_refused(good, bad):
    fewer = {name: row for name, row in bad.statistics.items() if name != "v07"}
    with pytest.raises(
        DataError, match="different videos, 1 in one of them only, such as v07; A has 30 videos, B has 29"
    ):
        compare(good, replace(bad, statistics=fewer))


def test_other_labels_of_the_same_videos_are_refused(labels, good):
    other = {**labels, "v03": np.roll(labels["v03"], 0).copy()}
    other["v03"][:2] = (other["v03"][:2] + 1) % 8
    changed = replace(run("changed", other, answers(labels, 0.4, 2)), fingerprint="")
    with pytest.raises(DataError, match="the labels of 1 video differ, such as v03; A has 1,800 labelled frames"):
        compare(good, changed)


@pytest.mark.parametrize("row", [[1.0], [0.0] * 22])
def test_statistics_of_something_else_are_refused(good, bad, row):
    with pytest.raises(DataError, match="bad: its statistics are not those of macro_f1"):
        compare(good, replace(bad, statistics={**bad.statistics, "v07": row}))
    with pytest.raises(DataError, match="bad: its statistics are not those of macro_f1"):
        compare(good, replace(bad, statistics=dict.fromkeys(bad.statistics, row)))


def test_an_unknown_fingerprint_leaves_it_to_the_labels(good, bad):
    assert compare(good, replace(bad, fingerprint="")).headline == compare(good, bad).headline


def test_few_videos_that_agree_prove_nothing():
    assert p_value(np.ones(9999), 2) == 0.5
    assert p_value(np.ones(9999), 5) == 0.0625
    assert p_value(np.ones(9999), 20) == pytest.approx(2 / 10_000)
    runs = {name: {f"v{k}": matrix for k in range(4)} for name, matrix in (("good", RIGHT), ("bad", WRONG))}
    found = compare(*(ScoredRun(name, EXPR, "val", "", table) for name, table in runs.items()))
    assert found.headline.low > 0
    assert not found.separable
    assert found.verdict == "not separable: 4 videos are too few to tell, whatever they say"


RIGHT = (np.eye(8) * 10).ravel().tolist()
WRONG = (np.eye(8) * 4 + np.roll(np.eye(8), 1, 1) * 6).ravel().tolist()


def test_means_over_seeds_are_compared_replicate_by_replicate(labels, bad):
    how = [(0.7, 11), (0.5, 12), (0.6, 13)]
    seeds = [run(f"seed {k}", labels, answers(labels, *own)) for k, own in enumerate(how)]
    found = compare(seeds, bad)
    y = list(labels.values())

    def score(predictions: list[np.ndarray], chosen: np.ndarray) -> float:
        parts = [(a, b) for a, b, n in zip(y, predictions, chosen, strict=True) for _ in range(int(n))]
        a, b = (np.concatenate(side) for side in zip(*parts, strict=True))
        return float(f1_score(a, b, labels=range(8), average="macro", zero_division=0))

    of_seeds = [list(answers(labels, *own).values()) for own in how]
    of_bad = list(answers(labels, 0.4, 2).values())
    once = np.ones(VIDEOS)
    assert found.headline.a == pytest.approx(np.mean([score(own, once) for own in of_seeds]), abs=1e-12)
    # few replicates, drawn as the comparison draws them
    few = compare(seeds, bad, replicates=40)
    drawn = [
        np.mean([score(own, row) for own in of_seeds]) - score(of_bad, row)
        for row in bootstrap_weights(VIDEOS, replicates=40)
    ]
    assert (few.headline.low, few.headline.high) == pytest.approx(percentile_interval(np.array(drawn)), abs=1e-9)
    moves = [compare(seed, bad).movers for seed in seeds]
    first = found.movers[0]
    alone = [next(m.moves for m in movers if m.video == first.video) for movers in moves]
    assert first.moves == pytest.approx(np.mean(alone), abs=1e-12)


def test_seeds_on_other_labels_have_no_mean(good, labels):
    other = {**labels, "v03": np.zeros_like(labels["v03"])}
    with pytest.raises(DataError, match="the labels of 1 video differ"):
        compare([good, run("other", other, answers(other, 0.5, 3))], good)
