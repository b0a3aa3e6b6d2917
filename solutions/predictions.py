"""Predictions of a solution for the harness, by video, from the scores of all videos laid end to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset
from harness.metrics.folds import FOLDS
from harness.metrics.steps import StepTrace
from harness.plugins.interface import Predictions, VideoPrediction
from harness.system.counts import counted
from harness.tasks import Task
from solutions.postprocess.apply import Applied, apply
from solutions.postprocess.plan import Constants, PostProcess
from solutions.postprocess.scores import SplitScores
from solutions.postprocess.steps import step_names, traced
from solutions.tuning.choose import Chosen, choose, fixed_constants

Rows = TypeVar("Rows", Applied, StepTrace)
"""Arrays with one row per row of a split."""


def decided(
    task: Task,
    plan: PostProcess,
    data: Dataset,
    split: str,
    scores_of: Callable[[str, list[str]], SplitScores],
    on_train: Constants | None = None,
) -> Predictions:
    """Return decisions for every row. Choices on labels are cross-fitted on val, and made on all of val for test.

    Args:
        task: the predicted task.
        plan: the post-processing.
        data: the data set.
        split: the split to predict.
        scores_of: function from a split, and a list for notes, to the scores of the split.
        on_train: constants that were chosen on the training videos; ``None`` to choose on val.
    """
    notes: list[str] = []
    scores = scores_of(split, notes)
    if on_train is not None:
        result = traced(task, plan, scores, _with_last_epochs(on_train, scores))
        choices = {"tuned_on": "nothing", "chosen_on_train": {name: on_train.describe()[name] for name in plan.chosen}}
        notes.append("constants were chosen on the training videos, out of folds over their groups, and not on val")
        return _predictions(data, split, plan, result, None, choices, notes)
    constants = fixed_constants(task, plan, [len(stream) for stream in scores.streams])
    if constants is not None:
        result = traced(task, plan, scores, constants)
        return _predictions(data, split, plan, result, None, {"tuned_on": "nothing"}, notes)
    tuning = scores if split == "val" else scores_of("val", [])
    chosen = chosen_on_val(task, plan, data, tuning)
    several = any(len(stream) > 1 for stream in tuning.streams)
    choices = _choices(chosen, (*(["epochs"] if several else []), *plan.chosen), data, split)
    last = _with_last_epochs(chosen.on_all, scores)
    if split != "val":
        return _predictions(data, split, plan, traced(task, plan, scores, last), None, choices, notes)
    on_all = apply(task, plan, scores, last)
    crossed = _cross_fitted(task, plan, scores, chosen)
    return _predictions(data, split, plan, crossed, on_all, choices, [*notes, *_weak_choice(chosen)])


def _with_last_epochs(constants: Constants, scores: SplitScores) -> Constants:
    """Return constants that fit the streams' epochs: streams trained on train and val may have the last epoch alone."""
    epochs = tuple(
        0 if len(stream) == 1 else epoch for stream, epoch in zip(scores.streams, constants.epochs, strict=True)
    )
    return replace(constants, epochs=epochs)


def chosen_on_val(task: Task, plan: PostProcess, data: Dataset, scores: SplitScores) -> Chosen:
    """Choose the constants that a plan leaves open, on validation labels.

    Args:
        task: the predicted task.
        plan: the post-processing.
        data: the data set.
        scores: scores of the validation videos.
    """
    groups = [video.group for video in data.videos("val")]
    return choose(task, plan, scores, data.labels("val"), groups)


def _cross_fitted(
    task: Task, plan: PostProcess, scores: SplitScores, chosen: Chosen
) -> tuple[Applied, StepTrace | None]:
    """Apply the plan to each fold with the constants that were chosen on the other folds."""
    members = [np.flatnonzero(chosen.fold == fold) for fold in range(len(chosen.per_fold))]
    parts = [
        traced(task, plan, scores.subset(fold_videos), constants)
        for fold_videos, constants in zip(members, chosen.per_fold, strict=True)
    ]
    rows = [scores.rows(fold_videos) for fold_videos in members]
    traces = [trace for _, trace in parts if trace is not None]
    return _in_place([applied for applied, _ in parts], rows), _in_place(traces, rows) if traces else None


def _in_place(parts: Sequence[Rows], rows: Sequence[npt.NDArray[np.int64]]) -> Rows:
    """Return the rows of all folds in one object, array by array, in the order of the videos."""
    whole: dict[str, Any] = {}
    for field in fields(parts[0]):
        arrays = [array for part in parts if (array := getattr(part, field.name)) is not None]
        whole[field.name] = _joined(arrays, rows) if arrays else None
    return type(parts[0])(**whole)


def _joined(parts: Sequence[npt.NDArray[Any]], rows: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[Any]:
    whole = np.empty((sum(map(len, rows)), *parts[0].shape[1:]), parts[0].dtype)
    for part, fold_rows in zip(parts, rows, strict=True):
        whole[fold_rows] = part
    return whole


def _choices(chosen: Chosen, names: Sequence[str], data: Dataset, split: str) -> dict[str, Any]:
    """Return the choices on labels for ``run.json``.

    Args:
        chosen: constants of each fold, and of all videos.
        names: names of the constants that were chosen.
        data: the data set.
        split: the predicted split.
    """
    unit = "person" if any(video.person for video in data.videos("val")) else "video"
    cross = f"val, cross-fitted by {unit}, {len(chosen.per_fold)} folds"
    on_all, per_fold = chosen.on_all.describe(), [constants.describe() for constants in chosen.per_fold]
    return {
        "tuned_on": cross if split == "val" else "val",
        **{name: {"on_all": on_all[name], "per_fold": [fold[name] for fold in per_fold]} for name in names},
        "folds": {video.name: int(fold) for video, fold in zip(data.videos("val"), chosen.fold, strict=True)},
    }


def _weak_choice(chosen: Chosen) -> list[str]:
    """Return a note if there are too few groups to fill all folds."""
    folds = len(chosen.per_fold)
    return [f"only {counted(folds, 'recording')} to cross-fit on: the choice is weak"] if folds < FOLDS else []


def _predictions(
    data: Dataset,
    split: str,
    plan: PostProcess,
    result: tuple[Applied, StepTrace | None],
    on_all: Applied | None,
    choices: Mapping[str, Any],
    notes: Sequence[str],
) -> Predictions:
    """Return scores and decisions by video.

    Args:
        data: the data set.
        split: the predicted split.
        plan: the post-processing, whose steps the trace holds.
        result: result of :func:`~solutions.postprocess.steps.traced`.
        on_all: result with constants chosen on all of validation, for the second number beside cross-fitting.
        choices: choices on labels for ``run.json``.
        notes: facts that a reader of the result must know.
    """
    applied, trace = result
    videos, at = {}, 0
    for video in data.videos(split):
        rows = slice(at, at + video.n_rows)
        at += video.n_rows
        scores: npt.NDArray[np.float32] = applied.scores[rows].astype(np.float32)
        on_all_decisions = on_all.decisions[rows] if on_all else None
        video_trace = trace.rows(rows) if trace else None
        videos[video.name] = VideoPrediction(scores, applied.decisions[rows], on_all_decisions, video_trace)
    return Predictions(data.task, videos, choices, notes, steps=step_names(data.task, plan))
