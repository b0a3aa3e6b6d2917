"""From scores to a number with its interval: gaps, smoothing, the choice of a window, the bootstrap."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d
from sklearn.metrics import f1_score

from harness.datasets.dataset import base_name
from harness.metrics.folds import assign_folds
from harness.metrics.interval import bootstrap_weights
from harness.metrics.metric import metric_for
from harness.metrics.scoring import score_card, video_statistics
from harness.tasks import EXPR, VA, valid_rows
from solutions.postprocess.gaps import fill_gaps
from solutions.postprocess.plan import HALF_WIDTHS, Choose, PostProcess, Smoothing
from solutions.postprocess.scores import SplitScores
from solutions.postprocess.smoothing import box_smooth
from solutions.tuning.choose import choose
from tests.benchmarks.drawn import drawn_labels, drawn_scores, videos_like

HALF_WIDTH = 50  # the papers' for EXPR


def macro_f1(labels, decisions):
    return f1_score(labels, decisions, labels=range(EXPR.n_outputs), average="macro", zero_division=0)


def loop_smooth(scores, half_width):
    """As the papers' notebooks do it: a mean of a slice for each frame."""
    n = len(scores)
    return np.array([scores[max(0, i - half_width) : min(n, i + half_width + 1)].mean(0) for i in range(n)])


def close(tolerance):
    """Asserts that arrays, by video, differ by no more than ``tolerance``."""

    def same(theirs, ours):
        assert theirs.keys() == ours.keys()
        assert max(np.abs(theirs[name] - ours[name]).max() for name in ours) <= tolerance

    return same


def mean_concordance(labels, decisions):
    """As everyone writes it, population moments."""
    x, y = labels.mean(0), decisions.mean(0)
    covariance = ((labels - x) * (decisions - y)).mean(0)
    return (2 * covariance / (labels.var(0) + decisions.var(0) + (x - y) ** 2)).mean()


def replicates_of_frames(score, truth, answer, weights):
    """Score of each replicate: the frames of the videos that were drawn, put together."""
    scores = []
    for times in weights.astype(int):
        drawn = np.repeat(np.arange(len(truth)), times)
        scores.append(score(np.concatenate([truth[k] for k in drawn]), np.concatenate([answer[k] for k in drawn])))
    return scores


def compare_intervals(beside, task, labels, decisions, score, today, size):
    timed, replicates = 20, 10_000
    metric, names = metric_for(task), tuple(labels)
    weights = bootstrap_weights(len(names), replicates=replicates)
    counts = {name: valid_rows(values, task) for name, values in labels.items()}
    truth, answer = ([part[name][counts[name]] for name in names] for part in (labels, decisions))

    def same(scores, card):
        replicated = metric.headline(weights @ card.statistics)
        assert np.abs(replicated[:timed] - scores).max() < 1e-12
        bounds = np.quantile(replicated, [0.025, 0.975])
        assert np.abs(bounds - [card.headline.low, card.headline.high]).max() < 1e-12

    beside(
        f"{task.name}: all scores, and intervals from 10,000 replicates over videos",
        size,
        f"{today} of each replicate's frames ({timed} timed)",
        theirs=lambda: replicates_of_frames(score, truth, answer, weights[:timed]),
        ours=lambda: score_card(task, names, video_statistics(task, metric, labels, decisions)),
        same=same, repeats=3, share=timed / replicates,
    )  # fmt: skip


def test_interval_of_macro_f1(beside, expr_val):
    labels = drawn_labels(expr_val)
    decisions = {name: scores.argmax(1) for name, scores in drawn_scores(labels).items()}
    compare_intervals(beside, EXPR, labels, decisions, macro_f1, "sklearn's f1_score", "280,532 frames, 70 videos")


def test_interval_of_concordance(beside, va_val):
    rng = np.random.default_rng(0)
    labels, decisions = {}, {}
    for name, n in va_val.items():
        labels[name] = np.clip(rng.normal(0, 0.3, 2) + np.cumsum(rng.normal(0, 0.01, (n, 2)), 0), -1, 1)
        decisions[name] = np.clip(0.5 * labels[name] + rng.normal(0, 0.2, (n, 2)), -1, 1)
        labels[name][rng.random(n) < 0.02] = VA.invalid
    compare_intervals(beside, VA, labels, decisions, mean_concordance, "CCC in NumPy", "376,323 frames, 76 videos")


def test_smoothing_beside_a_loop(beside, expr_val):
    scores = drawn_scores(drawn_labels(expr_val))
    beside(
        f"smoothing, half width {HALF_WIDTH}",
        "280,532 x 8",
        "a loop with the mean of each slice",
        theirs=lambda: {name: loop_smooth(values, HALF_WIDTH) for name, values in scores.items()},
        ours=lambda: {name: box_smooth(values, HALF_WIDTH) for name, values in scores.items()},
        same=close(1e-12), repeats=3,
    )  # fmt: skip


def test_smoothing_beside_scipy(beside, expr_val):
    scores = drawn_scores(drawn_labels(expr_val))
    size = 2 * HALF_WIDTH + 1

    def filtered(values):
        inside = uniform_filter1d(np.ones(len(values)), size, mode="constant")  # the window's share within the video
        return uniform_filter1d(values, size, axis=0, mode="constant") / inside[:, None]

    beside(
        f"smoothing, half width {HALF_WIDTH}",
        "280,532 x 8",
        "scipy's uniform_filter1d, ends divided by their share",
        theirs=lambda: {name: filtered(values) for name, values in scores.items()},
        ours=lambda: {name: box_smooth(values, HALF_WIDTH) for name, values in scores.items()},
        same=close(1e-12), repeats=9,
    )  # fmt: skip


def test_smoothing_beside_convolve(beside, expr_val):
    scores = drawn_scores(drawn_labels(expr_val))
    kernel = np.ones(2 * HALF_WIDTH + 1)

    def convolved(values):
        n = len(values)
        frames = np.convolve(np.ones(n), kernel)[HALF_WIDTH : HALF_WIDTH + n]
        columns = [np.convolve(column, kernel)[HALF_WIDTH : HALF_WIDTH + n] / frames for column in values.T]
        return np.stack(columns, 1)

    beside(
        f"smoothing, half width {HALF_WIDTH}",
        "280,532 x 8",
        "np.convolve of each class",
        theirs=lambda: {name: convolved(values) for name, values in scores.items()},
        ours=lambda: {name: box_smooth(values, HALF_WIDTH) for name, values in scores.items()},
        same=close(1e-12),
    )  # fmt: skip


def test_choice_of_a_window(beside):
    labels = drawn_labels(videos_like(70, 28_053))
    scores = drawn_scores(labels)
    names, groups = list(labels), [base_name(name) for name in labels]
    counts = {name: valid_rows(values, EXPR) for name, values in labels.items()}
    folds = assign_folds(groups, [len(values) for values in labels.values()])
    plan = PostProcess(smoothing=Smoothing(Choose(HALF_WIDTHS)))

    def theirs():
        scored = []
        for half_width in HALF_WIDTHS:
            decided = {name: loop_smooth(values, half_width).argmax(1) for name, values in scores.items()}
            row = []
            for members in [*(folds != k for k in range(folds.max() + 1)), folds >= 0]:
                chosen = [name for name, member in zip(names, members, strict=True) if member]
                truth = np.concatenate([labels[name][counts[name]] for name in chosen])
                row.append(macro_f1(truth, np.concatenate([decided[name][counts[name]] for name in chosen])))
            scored.append(row)
        return [HALF_WIDTHS[k] for k in np.argmax(scored, 0)]

    def ours():
        lengths = np.array([len(values) for values in scores.values()])
        split = SplitScores(lengths, [np.concatenate([*scores.values()])[None]], [np.full(8, 1 / 8)])
        chosen = choose(EXPR, plan, split, np.concatenate([*labels.values()]), groups)
        return [constants.half_width for constants in (*chosen.per_fold, chosen.on_all)]

    def same(theirs, ours):
        assert theirs == ours

    beside(
        f"choice among {len(HALF_WIDTHS)} windows, cross-fitted",
        "28,053 frames, 70 videos",
        "the loop, f1_score for each window and fold",
        theirs=theirs, ours=ours, same=same, repeats=2,
    )  # fmt: skip


def test_gaps(beside, expr_val):
    scores = drawn_scores(drawn_labels(expr_val))
    rng = np.random.default_rng(2)
    frames = {name: np.flatnonzero(rng.random(len(values)) > 0.04) + 1 for name, values in scores.items()}
    prior = np.full(EXPR.n_outputs, 1 / EXPR.n_outputs)

    def loop(found, rows, n):
        """As the papers' notebooks do it, frame by frame."""
        known = dict(zip(found.tolist(), rows, strict=True))
        filled, k = [], 0
        for frame in range(1, n + 1):
            if frame in known:
                filled.append(known[frame])
                continue
            while k < len(found) and found[k] < frame:
                k += 1
            if k == 0:
                filled.append(rows[0])
            elif k == len(found):
                filled.append(rows[-1])
            else:
                share = (frame - found[k - 1]) / (found[k] - found[k - 1])
                filled.append((1 - share) * rows[k - 1] + share * rows[k])
        return np.array(filled)

    beside(
        "filling gaps, 4 % of frames without a crop",
        "280,532 x 8",
        "a loop over frames",
        theirs=lambda: {name: loop(frames[name], s[frames[name] - 1], len(s)) for name, s in scores.items()},
        ours=lambda: {name: fill_gaps(frames[name], s[frames[name] - 1], len(s), prior) for name, s in scores.items()},
        same=close(1e-12), repeats=3,
    )  # fmt: skip
