"""What holds for every metric, whatever the videos: hypothesis draws them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn.metrics import average_precision_score, f1_score

from harness.metrics.compare import ScoredRun, compare
from harness.metrics.interval import bootstrap, units_of
from harness.metrics.metric import metric_for
from harness.metrics.moments import concordance_correlation, moments, pearson_correlation
from harness.metrics.scoring import score_card
from harness.tasks import AH, AHV, EMI, OTHER_TASKS, TASKS, VA, Task

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
def test_score_is_within_bounds_and_agrees_with_its_details(task):
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
def test_ccc_is_bounded_symmetric_and_at_most_pearson(pairs):
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


# against SciPy and scikit-learn


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, decisions, lengths of two-class videos, and the person of each; few of a class, or none."""
    lengths = np.array(draw(st.lists(st.integers(1, 30), min_size=1, max_size=8)))
    rng, share = np.random.default_rng(draw(st.integers(0, 2**32))), draw(st.sampled_from([0.0, 0.02, 0.2, 0.5, 1.0]))
    labels, decisions = ((rng.random(lengths.sum()) < p).astype(np.int64) for p in (share, draw(st.floats(0, 1))))
    return labels, decisions, lengths, rng.integers(0, 3, len(lengths))


@given(pairs())
def test_frame_scores_of_ah_equal_scikit_learn(drawn):
    labels, decisions, lengths, _ = drawn
    scores = metric_for(AH).evaluate(metric_for(AH).by_video(labels, decisions, lengths))
    for key, average in (("weighted_f1", "weighted"), ("macro_f1", "macro")):
        expected = f1_score(labels, decisions, labels=[0, 1], average=average, zero_division=0)
        assert scores[key, "all"] == pytest.approx(expected, abs=1e-12)
    for k, name in enumerate(AH.targets):
        expected = f1_score(labels, decisions, pos_label=k, average="binary", zero_division=0)
        assert scores["f1", name] == pytest.approx(expected, abs=1e-12)
    assert scores["accuracy", "all"] == pytest.approx((labels == decisions).mean(), abs=1e-12)


@given(pairs())
def test_constants_of_ah_equal_scikit_learn(drawn):
    labels, decisions, lengths, _ = drawn
    card = score_card(AH, tuple(map(str, range(len(lengths)))), metric_for(AH).by_video(labels, decisions, lengths))
    expected = [
        f1_score(labels, np.full(len(labels), k), labels=[0, 1], average="weighted", zero_division=0) for k in (0, 1)
    ]
    assert [name for name, _ in card.constants] == ["absent", "present"]
    assert [value for _, value in card.constants] == pytest.approx(expected, abs=1e-12)
    assert card.constant[1] == pytest.approx(max(expected), abs=1e-12)


def test_constants_on_the_official_validation_frames_are_known():
    """Counts of the 8th edition's validation split; scores as two teams computed them."""
    table = np.array([[69_263.0, 0, 20_337, 0]])  # decided absent throughout
    metric = metric_for(AH)
    card = score_card(AH, ("all",), table)
    assert dict(card.constants) == pytest.approx({"absent": 0.674065, "present": 0.08398}, abs=5e-6)
    assert metric.details(table[0])["macro_f1", "all"] == pytest.approx(0.43599, abs=5e-6)
    face = np.array([61_959.0, 7304, 15_971, 4366])
    assert metric.headline(face) == pytest.approx(0.71271, abs=5e-6)
    assert metric.details(face)["macro_f1", "all"] == pytest.approx(0.5573, abs=5e-5)


@given(pairs(), st.integers(0, 2**32))
def test_video_scores_of_ahv_equal_scikit_learn(drawn, seed):
    labels, decisions, _, _ = drawn
    probability = np.random.default_rng(seed).integers(0, 11, len(labels)) / 10
    rows = np.stack([1 - probability, probability, decisions], axis=1)
    scores = metric_for(AHV).evaluate(metric_for(AHV).by_video(labels, rows, np.ones(len(labels), np.int64)))
    expected = f1_score(labels, decisions, labels=[0, 1], average="macro", zero_division=0)
    assert scores["macro_f1", "all"] == pytest.approx(expected, abs=1e-12)
    precision = average_precision_score(labels, probability) if labels.any() else 0.0
    assert scores["average_precision", "all"] == pytest.approx(precision, abs=1e-12)


# below a standard deviation of 1e-5 the sums keep fewer digits
@pytest.mark.parametrize(("spread", "tolerance"), [(1.0, 1e-12), (1e-2, 1e-12), (1e-3, 1e-12), (1e-4, 1e-10)])
@pytest.mark.parametrize("origin", [0.0, 0.3, 0.99])
def test_pearson_of_one_row_per_video_equals_scipy(spread, tolerance, origin):
    """Sums of 4,588 single rows do not cancel, however small the values' spread beside their mean."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, (4588, 6)) / np.array([1, 2, 3, 4, 5, 10])[None]
    truth = truth / truth.max()
    answer = np.clip(origin + spread * (0.3 * truth + 0.1 * rng.random(truth.shape)), 0, None)
    metric = metric_for(EMI)
    table = metric.by_video(truth, answer, np.ones(len(truth), np.int64))
    scores = metric.evaluate(table)
    expected = [pearsonr(truth[:, k], answer[:, k]).statistic for k in range(6)]
    assert [scores["pearson", name] for name in EMI.targets] == pytest.approx(expected, abs=tolerance)
    assert scores["mean_pearson", "all"] == pytest.approx(np.mean(expected), abs=tolerance)
    shuffled = metric.headline(table[rng.permutation(len(table))].sum(0))
    assert shuffled == pytest.approx(np.mean(expected), abs=tolerance)


def test_constant_column_of_pearson_counts_zero():
    rng = np.random.default_rng(0)
    truth, answer = rng.random((50, 6)), rng.random((50, 6))
    answer[:, 3] = 0.1
    metric = metric_for(EMI)
    scores = metric.evaluate(metric.by_video(truth, answer, np.ones(50, np.int64)))
    assert scores["pearson", "Empathic Pain"] == 0
    others = [pearsonr(truth[:, k], answer[:, k]).statistic for k in range(6) if k != 3]
    assert scores["mean_pearson", "all"] == pytest.approx(sum(others) / 6, abs=1e-12)


@given(pairs())
def test_drawing_persons_equals_drawing_their_videos_joined(drawn):
    """A person's videos are one unit: their statistics may as well be added first."""
    labels, decisions, lengths, person = drawn
    metric = metric_for(AH)
    table = metric.by_video(labels, decisions, lengths)
    names = tuple(f"v{k}" for k in range(len(table)))
    groups = {name: f"p{p}" for name, p in zip(names, person, strict=True)}
    units = units_of(names, groups)
    joined = np.stack([table[person == p].sum(0) for p in sorted(set(person.tolist()))])
    assert units.number == len(joined)
    of_videos, of_persons = (
        bootstrap(lambda weights, rows=rows: {"": metric.headline(weights @ rows)}, drawing, replicates=60)[""]
        for rows, drawing in ((table, units), (joined, len(joined)))
    )
    assert of_videos == pytest.approx(of_persons, abs=1e-12)
    order = np.random.default_rng(0).permutation(len(names))
    shuffled = units_of([names[k] for k in order], groups)
    again = bootstrap(lambda weights: {"": metric.headline(weights @ table[order])}, shuffled, replicates=60)[""]
    assert again == pytest.approx(of_videos, abs=1e-12)


def test_units_of_videos_without_persons_are_the_videos():
    assert units_of(["b", "a"], {"c": "p"}).place is None
    mixed = units_of(["b", "a", "c"], {"b": "a"})
    assert (mixed.number, mixed.noun, mixed.place.tolist()) == (3, "person", [0, 1, 2])
