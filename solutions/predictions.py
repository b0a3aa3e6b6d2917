"""From frames laid end to end back to videos: what a solution hands to the harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset
from harness.selection import FOLDS
from harness.solution import ExtractionReport, Predictions, VideoPrediction
from harness.tasks import Task
from solutions.postprocess.apply import Applied, apply
from solutions.postprocess.plan import PostProcess
from solutions.tuning.choose import Chosen
from solutions.tuning.frames import SplitScores


def cross_fitted(task: Task, plan: PostProcess, scores: SplitScores, chosen: Chosen) -> Applied:
    """Every video with the constants that were chosen without it."""
    n = int(scores.lengths.sum())
    out: Applied | None = None
    for fold, constants in enumerate(chosen.per_fold):
        members = np.flatnonzero(chosen.fold == fold)
        applied = apply(task, plan, scores.subset(members), constants)
        if out is None:
            decisions = applied.decisions
            out = Applied(
                np.empty((n, *applied.scores.shape[1:])), np.empty((n, *decisions.shape[1:]), decisions.dtype)
            )
        rows = scores.rows(members)
        out.scores[rows], out.decisions[rows] = applied.scores, applied.decisions
    if out is None:
        raise ValueError("nothing was chosen")
    return out


def choices_of(chosen: Chosen, names: Sequence[str], data: Dataset, split: str) -> dict[str, Any]:
    """What was chosen on labels, for ``run.json``.

    Args:
        names: of the constants that were chosen, not given.
    """
    cross = f"val, cross-fitted by video, {len(chosen.per_fold)} folds"
    on_all, per_fold = chosen.on_all.describe(), [constants.describe() for constants in chosen.per_fold]
    return {
        "tuned_on": cross if split == "val" else "val",
        **{name: {"on_all": on_all[name], "per_fold": [fold[name] for fold in per_fold]} for name in names},
        "folds": {video.name: int(fold) for video, fold in zip(data.videos("val"), chosen.fold, strict=True)},
    }


def weak_choice(chosen: Chosen) -> list[str]:
    """A note where there is little to cross-fit on."""
    found = len(chosen.per_fold)
    return [f"only {found} recordings to cross-fit on: the choice is weak"] if found < FOLDS else []


def predictions(
    data: Dataset,
    split: str,
    applied: Applied,
    on_all: Applied | None,
    choices: Mapping[str, Any],
    notes: Sequence[str],
    reports: Sequence[ExtractionReport] = (),
) -> Predictions:
    """Scores and decisions by video.

    Args:
        on_all: the same with every constant chosen on all of validation, where that is a second answer.
    """
    videos, at = {}, 0
    for video in data.videos(split):
        own = slice(at, at + video.n_frames)
        at += video.n_frames
        scores: npt.NDArray[np.float32] = applied.scores[own].astype(np.float32)
        videos[video.name] = VideoPrediction(scores, applied.decisions[own], on_all.decisions[own] if on_all else None)
    return Predictions(data.task, videos, choices, notes, reports)
