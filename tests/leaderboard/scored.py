"""Runs that were really scored: invented answers to invented labels, with statistics, intervals and draws."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from conftest import make_run

from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.record import HEADLINE, TUNED_ON_ALL, RunRecord, constant_row, score_rows, statistics_of
from harness.tasks import EXPR, VA, Task

FRAMES = 40


def _card(name: str, skill: float, seed: int, videos: int, task: Task) -> ScoreCard:
    """The score of answers that follow from name and seed; the labels are the same for all of one task and size."""
    truth, chance = np.random.default_rng(7), np.random.default_rng([zlib.crc32(name.encode()), seed])
    labels, answers = {}, {}
    for video in (f"video{k:02d}" for k in range(videos)):
        if task is VA:
            own = truth.uniform(-1, 1, (FRAMES, 2))
            said = np.clip(skill * own + (1 - skill) * chance.uniform(-1, 1, own.shape), -1, 1)
        else:
            own = truth.integers(0, task.n_outputs, FRAMES)
            guessed = chance.random(FRAMES) >= skill
            said = np.where(guessed, chance.integers(0, task.n_outputs, FRAMES), own)
        labels[video], answers[video] = own, said
    return score_card(task, tuple(labels), video_statistics(task, metric_for(task), labels, answers))


def scored_run(
    name: str,
    skill: float,
    *,
    seed: int = 0,
    tuned: float | None = None,
    videos: int = 12,
    task: Task = EXPR,
    data_name: str = "Aff-Wild2",
    **changes: Any,
) -> RunRecord:
    """A run that knows a share ``skill`` of the frames and guesses the rest, by :func:`conftest.make_run`.

    Args:
        tuned: its skill where it was tuned and reported on the same videos.
    """
    card = _card(name, skill, seed, videos, task)
    scores = [*score_rows(card, HEADLINE), constant_row(card)]
    if tuned is not None:
        scores += score_rows(_card(f"{name} tuned", tuned, seed, videos, task), TUNED_ON_ALL)
    fields: dict[str, Any] = {
        "scores": scores,
        "statistics": {HEADLINE: statistics_of(card)},
        "constant": card.constant[0],
        "data": {"name": data_name, "fingerprint": f"{videos:064d}", "videos": videos, "frames": FRAMES * videos},
    }
    return make_run(name, None, seed=seed, task=task.name, data_name=data_name, **{**fields, **changes})
