"""Choice of constants on the training videos: each fold is scored by streams that were trained on the other folds.

Validation labels then choose nothing, which is the honest way if there are too few persons or videos to cross-fit on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.errors import SolutionError
from harness.metrics.folds import assign_folds
from harness.system.counts import counted
from solutions.cache.features import FeatureSource
from solutions.heads.settings import MlpSettings, Select
from solutions.postprocess.plan import Constants, PostProcess
from solutions.postprocess.scores import Epochs, SplitScores
from solutions.recipe import AnyStream
from solutions.streams.interface import TrainedStream, kind_of_stream
from solutions.tuning.choose import choose


def constants_on_train(
    plan: PostProcess, streams: Sequence[AnyStream], source: FeatureSource, data: Dataset, seed: int
) -> Constants:
    """Choose the constants of a plan on scores out of five folds over the training groups.

    Args:
        plan: the post-processing.
        streams: streams of the recipe.
        source: source of features, with the cache.
        data: the data set.
        seed: seed of the training.

    Raises:
        SolutionError: the plan has a filter, or all training videos belong to one group.
    """
    if plan.filter or plan.video_filter:
        what, do = "a filter's constants can't be chosen on the videos that it is fitted on", "Choose them on val"
        raise SolutionError(what, found="tuned_on='train' beside a filter", do=do)
    labelled = [video for video in data.videos("train") if video.labels is not None]
    groups, rows = [video.group for video in labelled], [video.n_rows for video in labelled]
    fold = assign_folds(groups, rows)
    if fold.max(initial=0) == 0:
        what, do = "constants can't be chosen on the training videos of one person", "Give the constants in the recipe"
        raise SolutionError(what, where=data.root, found=counted(len(set(groups)), "group"), do=do)
    scores: list[list[Sequence[Any]]] = [[] for _ in streams]
    videos = []
    for k in range(int(fold.max()) + 1):
        held_out = [video for video, place in zip(labelled, fold, strict=True) if place == k]
        rest = [video for video, place in zip(labelled, fold, strict=True) if place != k]
        part = replace(data, splits={"train": rest, "val": held_out})
        fitted: list[TrainedStream[Any]] = [
            kind_of_stream(stream).fit(stream, source, part, seed) for stream in streams
        ]
        for folds, trained in zip(scores, fitted, strict=True):
            folds.append(trained.scores(source, part, "val", []))
        videos += held_out
    selection, patience = epoch_rules(streams)
    joined = SplitScores(
        np.array([video.n_rows for video in videos], np.int64),
        [_joined(parts) for parts in scores],
        [trained.prior for trained in fitted],
        selection=selection,
        patience=patience,
        crops=crops_of(plan, videos),
    )
    labels = np.concatenate([video.labels for video in videos if video.labels is not None])
    return choose(data.task, plan, joined, labels, [video.group for video in videos]).on_all


def epoch_rules(streams: Sequence[AnyStream]) -> tuple[tuple[Select, ...], tuple[int, ...]]:
    """Return the number by which each stream's epoch is chosen, and the patience of each choice.

    See :class:`~solutions.heads.settings.MlpSettings`, whose defaults apply to other heads.
    """
    heads = [getattr(stream, "head", None) for stream in streams]
    rules = [head if isinstance(head, MlpSettings) else MlpSettings() for head in heads]
    return tuple(rule.select for rule in rules), tuple(rule.patience for rule in rules)


def crops_of(plan: PostProcess, videos: Sequence[Video]) -> list[npt.NDArray[np.int64]] | None:
    """Return the 1-based frames with a crop of each video if smoothing uses these alone, else ``None``."""
    if not (plan.smoothing and plan.smoothing.over == "crops"):
        return None
    return [np.asarray(video.images.frames, np.int64) for video in videos]


def _joined(folds: Sequence[Sequence[Any]]) -> Epochs:
    """Return the scores of all folds, one after the other, by epoch."""
    return Epochs(len(folds[0]), lambda epoch: np.concatenate([fold[epoch] for fold in folds]))


def constants_from(content: dict[str, Any]) -> Constants:
    """Return constants from the result of :meth:`Constants.describe`, after a round trip through JSON.

    Raises:
        TypeError: the fields differ from those of :class:`Constants`.
    """
    return Constants(**{name: _as_tuples(value) for name, value in content.items()})


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
