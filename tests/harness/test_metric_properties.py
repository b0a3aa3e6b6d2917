"""What holds for every metric, whatever the videos: hypothesis draws them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.metrics.compare import ScoredRun, compare
from harness.metrics.metric import metric_for
from harness.metrics.moments import concordance_correlation, moments, pearson_correlation
from harness.metrics.scoring import score_card
from harness.tasks import OTHER_TASKS, TASKS, VA, Task

ALL = [*TASKS.values(), *OTHER_TASKS.values()]
# the same examples every time, and none kept on disk

# as the official files have them; far smaller spreads are in test_moments.py
VALUES = st.integers(-1000, 1000).map(lambda k: k / 1000)


def rows(task: Task, rng: np.random.Generator, n: int, distinct: int, *, marked: bool) -> np.ndarray:
    """Labels (``marked``: some without) or decisions of ``n`` frames, with few or many distinct values."""
    if task.kind == "parts":
        parts = [rows(TASKS[name], rng, n, distinct, marked=marked) for name in ("VA", "EXPR", "AU")]
        return np.concatenate([parts[0], parts[1][:, None], parts[2]], axis=1)
    if task.kind == "values":
        out = rng.choice(rng.integers(-1000, 1001, distinct), (n, task.n_outputs)) / 1000
    elif task.kind == "binaries":
        out = rng.choice(rng.integers(0, 2, distinct), (n, 12))
    else:
        out = rng.choice(rng.integers(0, task.n_outputs, distinct), n)
    return np.where((rng.random(n) < 0.2 * marked).reshape(n, *[1] * (out.ndim - 1)), task.invalid, out)


@st.composite
def scored(draw: st.DrawFn, task: Task, *, marked: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, decisions and lengths of some videos, some of them empty."""
    lengths = draw(st.lists(st.integers(0, 40), min_size=1, max_size=5))
    rng, distinct = np.random.default_rng(draw(st.integers(0, 2**32))), draw(st.sampled_from([1, 2, 50]))
    labels, decisions = (rows(task, rng, sum(lengths), distinct, marked=m) for m in (marked, False))
    return labels, decisions, np.array(lengths)


every_task = pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)


@every_task
def test_the_sum_over_videos_is_the_statistics_of_the_whole(task):
    metric = metric_for(task)

    @given(scored(task))
    def holds(drawn):
        labels, decisions, lengths = drawn
        table = metric.by_video(labels, decisions, lengths)
        assert table.shape[0] == len(lengths)
        together = metric.headline(metric.statistics(labels, decisions))
        assert metric.headline(table.sum(0)) == pytest.approx(together, abs=1e-12)
        starts = np.cumsum(lengths) - lengths
        for row, start, n in zip(table, starts, lengths, strict=True):
            own = slice(start, start + n)
            assert row == pytest.approx(metric.statistics(labels[own], decisions[own]), abs=1e-12)

    holds()


@every_task
def test_the_order_of_frames_and_of_videos_does_not_matter(task):
    metric = metric_for(task)

    @given(scored(task), st.randoms(use_true_random=False))
    def holds(drawn, random):
        labels, decisions, lengths = drawn
        order = list(range(len(labels)))
        random.shuffle(order)
        score = metric.headline(metric.statistics(labels, decisions))
        assert metric.headline(metric.statistics(labels[order], decisions[order])) == pytest.approx(score, abs=1e-12)
        table = metric.by_video(labels, decisions, lengths)
        assert metric.headline(table[::-1].sum(0)) == pytest.approx(score, abs=1e-12)

    holds()


@every_task
def test_a_score_lies_within_its_bounds_and_agrees_with_its_details(task):
    metric = metric_for(task)
    low, high = {"values": (-1, 1), "parts": (-1, 3)}.get(task.kind, (0, 1))

    @given(scored(task))
    def holds(drawn):
        table = metric.by_video(*drawn)
        scores = metric.evaluate(table)
        assert next(iter(scores)) == (metric.name, "all")
        assert scores[metric.name, "all"] == metric.headline(table.sum(0))
        assert low <= scores[metric.name, "all"] <= high
        for value in scores.values():
            assert np.isfinite(value)
        once = metric.evaluate(table, np.ones((1, len(table))))
        for key, value in scores.items():
            assert once[key].item() == pytest.approx(float(value), abs=1e-12)

    holds()


@every_task
def test_perfect_decisions_beat_or_equal_all_others(task):
    metric = metric_for(task)

    @given(scored(task, marked=False))
    def holds(drawn):
        labels, decisions, _ = drawn
        best = metric.headline(metric.statistics(labels, labels))
        assert metric.headline(metric.statistics(labels, decisions)) <= best + 1e-12

    holds()


@every_task
def test_the_constants_are_what_constant_decisions_give(task):
    metric = metric_for(task)

    @given(scored(task))
    def holds(drawn):
        labels, decisions, _ = drawn
        rows = metric.constants(metric.statistics(labels, decisions))
        assert len(rows) == len(metric.constant_names)
        for row in rows:
            assert metric.label_part(row) == pytest.approx(metric.label_part(metric.statistics(labels, decisions)))
            assert metric.n_frames(row) == metric.n_frames(metric.statistics(labels, decisions))

    holds()


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=30))
def test_ccc_is_bounded_symmetric_one_for_itself_and_below_pearson(pairs):
    x, y = (np.array(column)[:, None] for column in zip(*pairs, strict=True))
    n = np.array([len(x)])
    ccc, mirrored, itself = (concordance_correlation(moments(*sides, n))[0, 0] for sides in ((x, y), (y, x), (x, x)))
    assert -1 <= ccc <= 1
    assert mirrored == pytest.approx(ccc, abs=1e-12)
    assert itself == (1 if len(set(x.ravel())) > 1 else 0)
    assert abs(ccc) <= abs(pearson_correlation(moments(x, y, n))[0, 0]) + 1e-12


@given(VALUES, st.lists(VALUES, min_size=1, max_size=30))
def test_ccc_of_a_constant_is_zero(constant, values):
    x = np.array(values)[:, None]
    lengths = np.array([len(x)])
    for sides in ((x, np.full_like(x, constant)), (np.full_like(x, constant), x)):
        assert concordance_correlation(moments(*sides, lengths)) == 0


@given(st.floats(-3, 3), st.floats(0.01, 5), st.lists(st.tuples(VALUES, VALUES), min_size=3, max_size=30))
def test_pearson_does_not_depend_on_scale_or_origin(origin, scale, pairs):
    x, y = (np.array(column)[:, None] for column in zip(*pairs, strict=True))
    assume(y.std() > 1e-3)
    n = np.array([len(x)])
    moved = pearson_correlation(moments(x, origin + scale * y, n))
    assert moved == pytest.approx(pearson_correlation(moments(x, y, n)), abs=1e-9)


@every_task
def test_the_interval_of_ordinary_videos_holds_the_value(task):
    rng = np.random.default_rng(0)
    n, lengths = 1200, np.full(12, 100)
    labels, noise = ordinary(task, rng, n), ordinary(task, rng, n)
    right = rng.random(n) < np.repeat(rng.uniform(0.4, 0.9, 12), 100)
    decisions = np.where(right if labels.ndim == 1 else right[:, None], labels, noise)
    card = score_card(task, tuple(map(str, range(12))), metric_for(task).by_video(labels, decisions, lengths))
    for score in card.scores:
        assert score.low < score.value < score.high
    assert card.constant[1] < card.headline.low


def ordinary(task: Task, rng: np.random.Generator, n: int) -> np.ndarray:
    if task.kind == "classes":
        return rng.integers(0, task.n_outputs, n)
    if task.kind == "binaries":
        return rng.integers(0, 2, (n, 12))
    if task.kind == "values":
        return rng.uniform(0, 1, (n, task.n_outputs))
    parts = [ordinary(TASKS[name], rng, n) for name in ("VA", "EXPR", "AU")]
    return np.concatenate([parts[0], parts[1][:, None], parts[2]], axis=1)


@every_task
def test_comparing_the_other_way_round_turns_the_sign(task):
    metric = metric_for(task)

    @given(scored(task), st.integers(0, 5))
    def holds(drawn, shift):
        labels, decisions, lengths = drawn
        other = np.roll(decisions, shift, axis=0)
        runs = [
            ScoredRun(name, task, "val", "", dict(zip(map(str, range(len(table))), table, strict=True)))
            for name, table in (("a", metric.by_video(labels, decisions, lengths)),
                                ("b", metric.by_video(labels, other, lengths)))
        ]  # fmt: skip
        one, two = (compare(*pair, replicates=50) for pair in (runs, runs[::-1]))
        assert one.p_value == two.p_value
        assert {m.video: m.moves for m in one.movers} == pytest.approx(
            {m.video: -m.moves for m in two.movers}, abs=1e-12
        )
        for there, back in zip(one.differences, two.differences, strict=True):
            assert (there.a, there.b) == (back.b, back.a)
            assert there.difference == -back.difference
            if there.low is not None:
                assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-12)

    holds()


def test_ccc_of_pooled_videos_may_exceed_that_of_each():
    metric = metric_for(VA)
    truth = np.repeat([[-0.9, -0.9], [0.9, 0.9]], 10, axis=0) + np.tile([[0.01], [-0.01]], (10, 1))
    table = metric.by_video(truth, -truth + 2 * np.sign(truth) * 0.9, [10, 10])
    assert metric.headline(table.sum(0)) > 0.9
    assert (metric.headline(table) < 0).all()


@pytest.mark.process
def test_scoring_needs_numpy_and_nothing_heavier():
    code = (
        "import sys, harness.metrics.compare, harness.metrics.variants, harness.files.score\n"
        "print([m for m in ('pandas', 'scipy', 'sklearn', 'torch', 'duckdb') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
