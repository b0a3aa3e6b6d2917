"""Choosing constants at validation size: the grid of weights, windows and thresholds; biases; thresholds of units."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.metrics.classification import macro_f1 as macro_f1_of_counts
from harness.metrics.metric import metric_for
from harness.tasks import AU, EXPR
from solutions.postprocess import calibration
from solutions.postprocess.calibration import adjust, search_biases
from solutions.postprocess.plan import (
    FILTER_THRESHOLDS,
    UNIT_THRESHOLDS,
    WEIGHTS,
    Blend,
    Choose,
    ConfidenceFilter,
    Constants,
    Gla,
    PostProcess,
    Smoothing,
    Thresholds,
)
from solutions.postprocess.scores import SplitScores
from solutions.tuning.choose import choose
from solutions.tuning.grid import grid_statistics
from tests.benchmarks.drawn import drawn_labels, videos_like

WINDOWS = (0, 5, 15, 25, 50, 100, 200, 500)
GRID = PostProcess(
    blend=Blend(Choose(WEIGHTS)),
    smoothing=Smoothing(Choose(WINDOWS)),
    filter=ConfidenceFilter("drawn", Choose(FILTER_THRESHOLDS)),
)


def macro_f1(labels, decisions):
    return f1_score(labels, decisions, labels=range(EXPR.n_outputs), average="macro", zero_division=0)


def loop_smooth(scores, half_width, lengths):
    """As the papers' notebooks do it: a mean of a slice for each frame."""
    out, start = [], 0
    for n in lengths:
        video = scores[start : start + n]
        out.extend(np.mean(video[max(0, i - half_width) : min(n, i + half_width + 1)], axis=0) for i in range(n))
        start += n
    return np.array(out)


@pytest.fixture(scope="module")
def expressions(expr_val):
    """Every frame labelled; two streams and a classifier that err for seconds on end, as real ones do."""
    rng = np.random.default_rng(0)
    lengths = np.array([*expr_val.values()])
    labels = np.maximum(np.concatenate([*drawn_labels(expr_val).values()]), 0)
    n = len(labels)

    def stream():
        moods = np.repeat(rng.normal(0, 1.5, (n // 60 + 1, 8)), 60, axis=0)[:n]
        logits = moods + rng.normal(0, 1, (n, 8))
        logits[np.arange(n), labels] += 1.5
        return (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)

    priors = rng.dirichlet(np.full(8, 2.0))
    scores = SplitScores(lengths, [stream()[None], stream()[None]], [priors, priors], stream())
    return scores, labels, [*expr_val]


def test_grid(beside, expressions):
    scores, labels, _ = expressions
    metric = metric_for(EXPR)
    a, b = (stream[0].astype(np.float64) for stream in scores.streams)
    # every window once: what a window costs does not depend on the weight. The classifier's share is given to them
    sampled = [(k, width) for k, width in zip((5, 0, 3, 7, 10, 6, 4, 8), range(len(WINDOWS)), strict=True)]
    classifier = [loop_smooth(scores.classifier.astype(np.float64), width, scores.lengths) for width in WINDOWS]

    def theirs():
        out = []
        for weight, width in sampled:
            w = WEIGHTS[weight]
            smoothed = loop_smooth(w * a + (1 - w) * b, WINDOWS[width], scores.lengths)
            said = classifier[width]
            for threshold in FILTER_THRESHOLDS:
                sure = (said.max(1) > threshold) & (said.argmax(1) < 7)
                out.append(macro_f1(labels, np.where(sure, said.argmax(1), smoothed.argmax(1))))
        return out

    def ours():
        start = Constants((0, 0), (None, None), (0.5, 0.5))
        return metric.headline(grid_statistics(EXPR, GRID, scores, start, labels).statistics.sum(3))

    def same(theirs, ours):
        assert ours.shape == (len(WEIGHTS), len(WINDOWS), len(FILTER_THRESHOLDS))
        assert np.abs(np.concatenate([ours[cell] for cell in sampled]) - theirs).max() < 1e-12

    beside(
        "F1 of 11 weights x 8 windows x 6 filter thresholds",
        "280,532 frames, 70 videos",
        "a mean of each slice, f1_score (8 of 88 weights and windows timed)",
        theirs=theirs, ours=ours, same=same, repeats=2, share=len(sampled) / (len(WEIGHTS) * len(WINDOWS)),
    )  # fmt: skip


def test_biases(beside, expressions):
    scores, labels, _ = expressions
    stream, priors, gla = scores.streams[0][0], scores.priors[0], Gla()
    with (
        mock.patch.object(calibration, "macro_f1", wraps=macro_f1_of_counts) as counted,
        mock.patch.object(calibration, "to_scale", lambda biases, priors: biases),
    ):
        rested = search_biases(stream, labels, priors, gla)
    tried = (counted.call_count - 1) * len(gla.grid)

    def theirs():
        """All candidates of one class, the others where the search came to rest."""
        return [macro_f1(labels, adjust(stream, [*rested[:3], value, *rested[4:]]).argmax(1)) for value in gla.grid]

    def same(theirs, ours):
        decided = adjust(stream, ours).argmax(1)
        assert np.array_equal(decided, adjust(stream, rested).argmax(1))
        assert max(theirs) <= macro_f1(labels, decided) + 1e-12

    beside(
        f"search of biases (GLA), {tried} candidates",
        "280,532 x 8",
        f"argmax and f1_score of each candidate ({len(gla.grid)} timed)",
        theirs=theirs,
        ours=lambda: search_biases(stream, labels, priors, gla),
        same=same, repeats=3, share=len(gla.grid) / tried,
    )  # fmt: skip


def test_thresholds_of_units(beside):
    rng = np.random.default_rng(0)
    videos = videos_like(105, 445_836)
    n = 445_836
    labels = (rng.random((n, 12)) < rng.uniform(0.03, 0.5, 12)).astype(np.int64)
    probabilities = (1 / (1 + np.exp(-rng.normal(0, 1.5, (n, 12)) - 2 * labels + 1.5))).astype(np.float64)
    scores = SplitScores(np.array([*videos.values()]), [probabilities[None]], [labels.mean(0)])
    plan = PostProcess(thresholds=Thresholds(Choose(UNIT_THRESHOLDS)))

    def theirs():
        return tuple(
            max(UNIT_THRESHOLDS, key=lambda t: f1_score(labels[:, k], probabilities[:, k] >= t)) for k in range(12)
        )

    def same(theirs, ours):
        assert ours.on_all.thresholds == theirs

    beside(
        "thresholds of 12 units from 9 candidates; ours for every fold, too",
        "445,836 x 12, 105 videos",
        "f1_score of each unit and threshold, once",
        theirs=theirs,
        ours=lambda: choose(AU, plan, scores, labels, [*videos]),
        same=same, repeats=5,
    )  # fmt: skip


def test_everything(grows, expressions):
    scores, labels, names = expressions
    both = PostProcess(Gla(), GRID.blend, GRID.smoothing, GRID.filter)
    grows(
        "biases of two streams and the grid, for 5 folds and for all",
        "frames",
        {len(labels): lambda: choose(EXPR, both, scores, labels, names)},
        repeats=2,
    )
