"""Runs that were really scored: invented answers to invented labels, with statistics, intervals and draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from conftest import make_run

from harness.metrics.metric import metric_for
from harness.metrics.scoring import score_card, video_statistics
from harness.record import HEADLINE, RunRecord, constant_row, score_rows, statistics_of
from harness.tasks import EXPR, VA, Task


def scored_run(
    name: str, skill: float, *, seed: int = 0, videos: int = 8, frames: int = 60, task: Task = EXPR, **changes: Any
) -> RunRecord:
    """A run that is right on a share ``skill`` of the frames; the labels are the same for all of one task and size."""
    truth, chance = np.random.default_rng(1), np.random.default_rng([seed, len(name), int(1000 * skill)])
    labels, answers = {}, {}
    for k in range(videos):
        if task is VA:
            own = truth.uniform(-1, 1, (frames, 2))
            said = np.clip(skill * own + (1 - skill) * chance.uniform(-1, 1, own.shape), -1, 1)
        else:
            own = truth.integers(0, task.n_outputs, frames)
            said = np.where(chance.random(frames) < skill, own, chance.integers(0, task.n_outputs, frames))
        labels[f"video{k}"], answers[f"video{k}"] = own, said
    metric = metric_for(task)
    card = score_card(task, tuple(labels), video_statistics(task, metric, labels, answers))
    made = make_run(name, None, seed=seed, task=task.name, **changes)
    fields = {
        "scores": [*score_rows(card, HEADLINE), constant_row(card), *made.scores],
        "statistics": {HEADLINE: statistics_of(card)},
        "constant": card.constant[0],
    }
    return RunRecord(**{**vars(made), **fields})
