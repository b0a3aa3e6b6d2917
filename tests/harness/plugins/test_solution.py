"""The contract between the harness and any solution: every video, every frame, official values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import SolutionError
from harness.metrics.steps import StepTrace
from harness.plugins.interface import ExtractionReport, Predictions, VideoPrediction
from harness.tasks import AU, EXPR, VA


def scores(n: int, task=EXPR) -> np.ndarray:
    return np.zeros((n, task.n_outputs), np.float32)


def right(n: int, task=EXPR) -> VideoPrediction:
    shape = (n,) if task is EXPR else (n, task.n_outputs)
    return VideoPrediction(scores(n, task), np.zeros(shape, np.float64 if task is VA else np.int64))


@pytest.mark.parametrize("task", [EXPR, VA, AU], ids=lambda task: task.name)
def test_what_holds_the_contract_passes(task):
    Predictions(task, {"a": right(3, task), "b": right(0, task)}).check({"a": 3, "b": 0})


def test_missing_and_extra_videos_are_named():
    with pytest.raises(SolutionError, match=r"1 video missing \['b'\], 1 not asked for \['c'\]"):
        Predictions(EXPR, {"a": right(3), "c": right(1)}).check({"a": 3, "b": 2})


@pytest.mark.parametrize("n", [2, 4])
def test_a_frame_too_few_or_too_many_is_named(n):
    with pytest.raises(SolutionError, match=r"video a: scores must be float32 \(3, 8\), got float32"):
        Predictions(EXPR, {"a": right(n)}).check({"a": 3})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (scores(2).astype(np.float64), "scores must be float32"),
        (np.full((2, 8), np.nan, np.float32), "scores hold NaN or infinity"),
        (np.full((2, 8), np.inf, np.float32), "scores hold NaN or infinity"),
    ],
)
def test_scores_are_finite_float32(values, words):
    with pytest.raises(SolutionError, match=words):
        Predictions(EXPR, {"a": VideoPrediction(values, np.zeros(2, int))}).check({"a": 2})


@pytest.mark.parametrize(
    ("task", "decisions", "words"),
    [
        (EXPR, np.array([0.0, 1.0]), r"decisions must be integer \(2,\), got float64 \(2,\)"),
        (EXPR, np.array([0]), r"decisions must be integer \(2,\), got int64 \(1,\)"),
        (EXPR, np.array([0, 8]), r"decisions outside \[0, 7\]"),
        (EXPR, np.array([-1, 0]), r"decisions outside \[0, 7\]"),
        (AU, np.full((2, 12), 2), r"decisions outside \[0, 1\]"),
        (VA, np.full((2, 2), 1.01), r"decisions outside \[-1, 1\]"),
        (VA, np.full((2, 2), np.nan), r"decisions outside \[-1, 1\]"),
        (VA, np.zeros((2, 2), int), r"decisions must be float \(2, 2\), got int64"),
    ],
)
def test_decisions_are_official_values(task, decisions, words):
    with pytest.raises(SolutionError, match=f"video a: {words}"):
        Predictions(task, {"a": VideoPrediction(scores(2, task), decisions)}).check({"a": 2})


def test_decisions_tuned_on_all_are_held_to_the_same():
    video = VideoPrediction(scores(2), np.zeros(2, int), tuned_on_all=np.array([0, 9]))
    with pytest.raises(SolutionError, match=r"video a: tuned_on_all outside \[0, 7\]"):
        Predictions(EXPR, {"a": video}).check({"a": 2})


def test_a_rate_is_told_only_where_something_was_encoded():
    assert ExtractionReport("e", 1, 100, 0, 0, 4.0).frames_per_second == 25
    assert ExtractionReport("e", 1, 0, 100, 0, 0.0).frames_per_second is None


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [(None, "holds no probabilities"), (np.zeros((2, 2)), r"must be float16 \(2, 2\), got float64")],
)
def test_trace_of_classes_holds_float16_probabilities(probabilities, words):
    trace = StepTrace(np.zeros((2, 2), np.uint8), probabilities)
    with pytest.raises(SolutionError, match=words):
        Predictions(EXPR, {"a": replace(right(2), trace=trace)}, steps=("smoothing",)).check({"a": 2})
