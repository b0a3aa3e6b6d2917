"""Curves of plans with settings beside the swept constants: each point is of the run's own plan."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.metric import metric_for
from harness.tasks import EXPR, Task
from solutions.postprocess.apply import apply
from solutions.postprocess.plan import Blend, Constants, Gla, PostProcess, Smoothing
from solutions.postprocess.scores import SplitScores
from solutions.tuning.curves import curves
from tests.support.small_splits import Split, drawn

BIASES = (tuple(np.linspace(-1, 1, 8)), tuple(np.linspace(0.8, -0.8, 8)))


def split_with_crops(task: Task, seed: int) -> Split:
    """Return a split in which about a third of the frames have a crop, none of them near a video's end."""
    split, rng = drawn(task, seed, longest=200), np.random.default_rng(seed)
    crops = [np.flatnonzero(rng.random(n * 3 // 4) < 0.4) + 1 for n in split.scores.lengths]
    scores = SplitScores(
        split.scores.lengths, split.scores.streams, split.scores.priors, split.scores.classifier, crops=crops
    )
    return Split(task, scores, split.labels, split.groups)


def score(split: Split, plan: PostProcess, constants: Constants) -> float:
    metric = metric_for(split.task)
    decisions = apply(split.task, plan, split.scores, constants).decisions
    return float(metric.headline(metric.by_video(split.labels, decisions, split.scores.lengths).sum(0)))


def test_curves_over_crops_pass_through_the_runs_score():
    split, constants = split_with_crops(EXPR, 1), Constants((0, 0), (None, None), (0.6, 0.4), 5)
    plan = PostProcess(blend=Blend((0.6, 0.4)), smoothing=Smoothing(5, over="crops"))
    points = {(p.axis, p.value): p.score for p in curves(EXPR, plan, split.scores, constants, split.labels)}
    expected = score(split, plan, constants)
    assert abs(score(split, PostProcess(blend=plan.blend, smoothing=Smoothing(5)), constants) - expected) > 1e-3
    assert points["half_width", 5] == pytest.approx(expected, abs=1e-12)
    assert points["weight", 0.6] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("gla", [None, Gla(scaled=True)], ids=["plain", "scaled-gla"])
def test_curves_of_log_blends_pass_through_the_runs_score(gla):
    split = drawn(EXPR, 2, longest=200)
    constants = Constants((0, 0), BIASES if gla else (None, None), (0.6, 0.4))
    plan = PostProcess(gla=gla, blend=Blend((0.6, 0.4), logs=True))
    points = {(p.axis, p.value): p.score for p in curves(EXPR, plan, split.scores, constants, split.labels)}
    expected = score(split, plan, constants)
    assert abs(score(split, PostProcess(gla=gla, blend=Blend((0.6, 0.4))), constants) - expected) > 1e-3
    assert points["weight", 0.6] == pytest.approx(expected, abs=1e-12)
    assert {axis for axis, _ in points} == {"weight"}, "logarithms are blended where nothing is smoothed"
