"""Choices for EMI and AH beside brute force with SciPy and scikit-learn; no fold reaches its own constants."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import f1_score

from harness.errors import SolutionError
from harness.tasks import AH, EMI, EXPR
from solutions.columns import Columns
from solutions.postprocess.apply import apply
from solutions.postprocess.plan import (
    FINE_WEIGHTS,
    Blend,
    Choose,
    PostProcess,
    Smoothing,
    Thresholds,
    VideoFilter,
)
from solutions.postprocess.scores import Epochs, SplitScores
from solutions.streams.moments import load_moments, moments_of, save_moments, standardised
from solutions.tuning.choose import choose, fixed_constants
from solutions.tuning.grid import grid_statistics
from solutions.tuning.selection import mean_of_pieces, positive_f1

N = 40
PRIOR = np.full(6, 0.2)
FILTER = VideoFilter(Columns("words", pooling="mean"))


def intensities(n: int = N, streams: int = 3, seed: int = 0) -> tuple[SplitScores, np.ndarray]:
    """Return streams of which each tells some of the targets better than others."""
    rng = np.random.default_rng(seed)
    labels = np.clip(rng.normal(0.3, 0.3, (n, 6)), 0, 1)
    strength = rng.uniform(0.1, 1, (streams, 6))
    values = [np.clip(0.4 * s * labels + rng.normal(0.3, 0.1, (n, 6)), 0, 1) for s in strength]
    scores = SplitScores(np.ones(n, np.int64), [[v.astype(np.float32)] for v in values], [PRIOR] * streams)
    return scores, labels


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    return float(pearsonr(x, y)[0])


def test_weights_by_target_are_the_best_of_each_target():
    scores, labels = intensities()
    plan = PostProcess(blend=Blend(Choose(FINE_WEIGHTS), by_target=True, steps=20))
    chosen = choose(EMI, plan, scores, labels, [str(k) for k in range(N)])
    grid = [c for c in itertools.product(np.arange(21) / 20, repeat=3) if abs(sum(c) - 1) < 1e-9]
    assert len(grid) == 231
    streams = [stream[0].astype(np.float64) for stream in scores.streams]
    for fold, constants in enumerate([*chosen.per_fold, chosen.on_all]):
        members = chosen.fold != fold
        for target in range(6):
            own = [weights[target] for weights in constants.weights]
            assert sum(own) == pytest.approx(1)
            assert all(abs(w * 20 - round(w * 20)) < 1e-9 for w in own)
            blends = [sum(w * s[members, target] for w, s in zip(c, streams, strict=True)) for c in grid]
            best = max(pearson(blend, labels[members, target]) for blend in blends)
            ours = sum(w * s[members, target] for w, s in zip(own, streams, strict=True))
            assert pearson(ours, labels[members, target]) == pytest.approx(best, abs=1e-12)
    applied = apply(EMI, plan, scores, chosen.on_all)
    expected = sum(np.array(w) * s for w, s in zip(chosen.on_all.weights, streams, strict=True))
    np.testing.assert_allclose(applied.scores, expected, atol=1e-12)
    assert applied.decisions.min() >= 0


def test_one_pair_for_all_targets_is_the_best_of_their_mean():
    scores, labels = intensities(seed=3)
    plan = PostProcess(blend=Blend(Choose(FINE_WEIGHTS), steps=20))
    constants = choose(EMI, plan, scores, labels, [str(k) for k in range(N)]).on_all
    streams = [stream[0].astype(np.float64) for stream in scores.streams]

    def mean(weights) -> float:
        blended = sum(w * s for w, s in zip(weights, streams, strict=True))
        return float(np.mean([pearson(blended[:, k], labels[:, k]) for k in range(6)]))

    grid = [c for c in itertools.product(np.arange(21) / 20, repeat=3) if abs(sum(c) - 1) < 1e-9]
    assert mean(constants.weights) == pytest.approx(max(map(mean, grid)), abs=1e-12)


def test_given_weights_by_target_choose_nothing():
    scores, labels = intensities(streams=2)
    weights = ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (0.9, 0.8, 0.7, 0.6, 0.5, 0.4))
    plan = PostProcess(blend=Blend(weights))
    constants = fixed_constants(EMI, plan, [1, 1])
    blended = apply(EMI, plan, scores, constants).scores
    a, b = (stream[0].astype(np.float64) for stream in scores.streams)
    np.testing.assert_allclose(blended, a * weights[0] + b * weights[1], atol=1e-12)
    assert "by target" in plan.words()
    assert len(labels) == len(blended)


@pytest.mark.parametrize("weights", [((0.5, 0.5), (0.5, 0.4)), ((1.0, 0.0), 0.5), (0.5, 0.4)])
def test_weights_that_do_not_sum_to_1_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        Blend(weights)


def test_blends_by_target_are_for_values_of_all_targets():
    scores, _ = intensities(streams=2)
    with pytest.raises(SolutionError, match=r"a weight per target.*found 2, expected 6"):
        apply(EMI, PostProcess(blend=Blend(((0.5, 0.5), (0.5, 0.5)))), scores, fixed_constants(EMI, PostProcess(), [1]))
    with pytest.raises(SolutionError, match="blending by target is for values"):
        fixed_constants(EXPR, PostProcess(blend=Blend(Choose((0.5,)), by_target=True)), [1, 1])
    with pytest.raises(SolutionError, match="nothing to smooth"):
        fixed_constants(EMI, PostProcess(smoothing=Smoothing(3)), [1])


# standardised streams


def test_standardised_streams_have_the_moments_of_training(tmp_path):
    rng = np.random.default_rng(0)
    training = [rng.normal(0.3, 0.05, (200, 6)).astype(np.float32) for _ in range(2)]
    moments = moments_of(training)
    streams = standardised(Epochs(2, lambda k: training[k]), moments, EMI)
    for epoch in range(2):
        z = (streams[epoch] - 0.5) * 16
        np.testing.assert_allclose(z.mean(0), 0, atol=1e-9)
        np.testing.assert_allclose(z.std(0), 1, atol=1e-9)
        for k in range(6):
            assert pearson(streams[epoch][:, k], training[epoch][:, k]) == pytest.approx(1, abs=1e-9)
    save_moments([moments, moments[:1]], tmp_path / "moments.safetensors")
    loaded = load_moments(tmp_path / "moments.safetensors")
    assert [entry.tobytes() for entry in loaded] == [moments.tobytes(), moments[:1].tobytes()]
    (tmp_path / "moments.safetensors").write_bytes(b"")
    with pytest.raises(SolutionError, match="not the moments"):
        load_moments(tmp_path / "moments.safetensors")


def test_a_constant_stream_stays_constant():
    constant = [np.full((5, 6), 0.3, np.float32)]
    streams = standardised(Epochs(1, lambda k: constant[k]), moments_of(constant), EMI)
    np.testing.assert_allclose(streams[0], 0.5, atol=1e-6)


# epochs


def test_pieces_are_512_rows_in_order_and_count_the_same():
    rng = np.random.default_rng(0)
    n = 8 * 512 + 492
    labels = rng.random((n, 6))
    values = np.clip(labels * 0.5 + rng.normal(0.2, 0.2, (n, 6)), 0, 1).astype(np.float32)
    values[600:700] = 0
    sets = np.array([np.ones(n, bool), rng.random(n) < 0.8])
    scores = mean_of_pieces(EMI, values, labels, np.ones(n, np.int64), sets)
    for members, score in zip(sets, scores, strict=True):
        rows = np.flatnonzero(members)
        pieces = [rows[at : at + 512] for at in range(0, len(rows), 512)]
        means = [np.mean([pearson(values[p, k].astype(float), labels[p, k]) for k in range(6)]) for p in pieces]
        assert score == pytest.approx(np.mean(means), abs=1e-9)
    assert len(range(0, n, 512)) == 9
    whole = np.mean([pearson(values[:, k].astype(float), labels[:, k]) for k in range(6)])
    assert abs(scores[0] - whole) > 1e-4, "the number that Keras chooses by is not the one that is reported"


def test_the_positive_f1_is_scikit_learns():
    rng = np.random.default_rng(1)
    lengths = np.array([30, 50, 20])
    labels = (rng.random(100) < 0.3).astype(np.int64)
    present = np.clip(labels * 0.2 + rng.random(100) * 0.7, 0, 1)
    scores = np.stack([1 - present, present], 1)
    sets = np.array([[True, False, True], [True, True, True], [False, False, False]])
    ours = positive_f1(scores, labels, lengths, sets)
    for members, score in zip(sets[:2], ours, strict=False):
        rows = np.repeat(members, lengths)
        assert score == pytest.approx(f1_score(labels[rows], present[rows] >= 0.5), abs=1e-12)
    assert ours[2] == 0


@pytest.mark.parametrize("rule", ["pieces", "score"])
def test_epochs_are_chosen_by_the_streams_rule(rule):
    """Two epochs: one is better in most pieces, the other over all rows."""
    rng = np.random.default_rng(5)
    n = 1024 + 20
    labels = np.repeat(rng.random((n, 1)), 6, axis=1)
    level = np.zeros((n, 1))
    level[512:] = 0.5
    labels = np.clip(labels * 0.3 + level, 0, 1)
    by_piece = np.clip((labels - level) * 0.9 + rng.normal(0, 0.01, (n, 6)) - level * 0.9 + 0.5, 0, 1)
    overall = np.clip(level + rng.normal(0.2, 0.1, (n, 6)), 0, 1)
    streams = [[by_piece, overall]]
    scores = SplitScores(np.ones(n, np.int64), streams, [PRIOR], selection=(rule,))
    constants = choose(EMI, PostProcess(), scores, labels, [str(k) for k in range(n)]).on_all
    assert constants.epochs == ((0,) if rule == "pieces" else (1,))


def test_a_rule_for_another_task_is_refused():
    scores, labels = intensities(streams=1)
    two = replace(scores, streams=[[scores.streams[0][0]] * 2], selection=("positive-f1",))
    with pytest.raises(SolutionError, match=r"can't be chosen by this number.*found positive-f1"):
        choose(EMI, PostProcess(), two, labels, [str(k) for k in range(N)])


# the filter of whole videos


def frames(seed: int = 0) -> tuple[SplitScores, np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = np.array([25, 40, 31, 18, 36, 22])
    n = int(lengths.sum())
    labels = (rng.random(n) < 0.4).astype(np.int64)
    present = np.clip(labels * 0.3 + rng.random(n) * 0.6, 0, 1)
    passing = np.repeat([True, False, True, True, False, True], lengths)
    stream = np.stack([1 - present, present], 1)
    return SplitScores(lengths, [[stream]], [np.array([0.6, 0.4])], passing=passing), labels


def test_the_filter_acts_after_smoothing():
    scores, _ = frames()
    plan = PostProcess(smoothing=Smoothing(5), thresholds=Thresholds(0.4), video_filter=FILTER)
    applied = apply(AH, plan, scores, fixed_constants(AH, plan, [1]))
    at = 0
    for length in scores.lengths:
        own = slice(at, at + length)
        at += length
        present = scores.streams[0][0][own, 1]
        expected = np.zeros(length)
        for k in range(length):
            if scores.passing[own][k]:
                expected[k] = np.mean(present[max(0, k - 5) : k + 6])
        np.testing.assert_allclose(applied.scores[own, 1], expected, atol=1e-12)
        assert applied.decisions[own].tolist() == (expected >= 0.4).astype(int).tolist()


def test_choices_see_what_the_filter_leaves():
    scores, labels = frames(seed=2)
    plan = PostProcess(
        smoothing=Smoothing(Choose((0, 2, 5))), thresholds=Thresholds(Choose((0.5, 0.3, 0.4))), video_filter=FILTER
    )
    groups = [f"person {k // 2}" for k in range(6)]
    chosen = choose(AH, plan, scores, labels, groups)
    assert len(chosen.per_fold) == 3
    assert all(chosen.fold[k] == chosen.fold[k + 1] for k in (0, 2, 4))

    def score(width: int, threshold: float, members: np.ndarray) -> float:
        own = PostProcess(smoothing=Smoothing(width), thresholds=Thresholds(threshold), video_filter=FILTER)
        decided = apply(AH, own, scores, fixed_constants(AH, own, [1])).decisions
        rows = np.repeat(members, scores.lengths)
        return f1_score(labels[rows], decided[rows], average="weighted")

    for fold, constants in enumerate([*chosen.per_fold, chosen.on_all]):
        members = chosen.fold != fold
        best = max(score(w, t, members) for w in (0, 2, 5) for t in (0.5, 0.3, 0.4))
        assert score(constants.half_width, constants.thresholds[0], members) == pytest.approx(best, abs=1e-12)
    grid = grid_statistics(AH, plan, scores, chosen.on_all, labels)
    assert grid.statistics.shape[1:4] == (3, 3, 6)


def test_the_filter_needs_frames_of_two_classes_and_a_verdict():
    scores, _ = frames()
    plan = PostProcess(thresholds=Thresholds(0.5), video_filter=FILTER)
    with pytest.raises(SolutionError, match="no verdict"):
        apply(AH, plan, replace(scores, passing=None), fixed_constants(AH, plan, [1]))
    with pytest.raises(SolutionError, match="frames of two classes"):
        fixed_constants(EXPR, PostProcess(video_filter=FILTER), [1])
    with pytest.raises(SolutionError, match="reduced over time"):
        fixed_constants(AH, PostProcess(thresholds=Thresholds(0.5), video_filter=VideoFilter(Columns("words"))), [1])
