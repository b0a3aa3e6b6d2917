"""Runs whose scores, intervals and draws are those of real decisions on made-up labels."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from conftest import make_run

from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.record import HEADLINE, TUNED_ON_ALL, RunRecord, constant_row, score_rows, statistics_of
from harness.tasks import EXPR

FRAMES = 40


def _card(name: str, wrong: float, seed: int, n_videos: int) -> ScoreCard:
    """Decisions of which a share is drawn at random; the same labels for all."""
    truth, rng = np.random.default_rng(7), np.random.default_rng([zlib.crc32(name.encode()), seed])
    labels = {f"video{k:02d}": truth.integers(0, 8, FRAMES) for k in range(n_videos)}
    decided = {
        video: np.where(rng.random(FRAMES) < wrong, rng.integers(0, 8, FRAMES), true) for video, true in labels.items()
    }
    return score_card(EXPR, tuple(labels), video_statistics(EXPR, metric_for(EXPR), labels, decided))


def scored_run(
    name: str, wrong: float, *, seed: int = 0, tuned: float | None = None, n_videos: int = 12, **changes: Any
) -> RunRecord:
    """The record of an EXPR run that is wrong on about a share of the frames, by :func:`conftest.make_run`.

    Args:
        tuned: the same where it was tuned and reported on the same videos.
    """
    card = _card(name, wrong, seed, n_videos)
    scores = [*score_rows(card, HEADLINE), constant_row(card)]
    if tuned is not None:
        scores += score_rows(_card(f"{name} tuned", tuned, seed, n_videos), TUNED_ON_ALL)
    data = {"name": "Aff-Wild2", "fingerprint": f"{n_videos:064d}", "videos": n_videos, "frames": FRAMES * n_videos}
    fields: dict[str, Any] = {"scores": scores, "statistics": {HEADLINE: statistics_of(card)}, "data": data}
    return make_run(name, seed=seed, **{**fields, **changes})
