"""Scores of the same predictions by other definitions in circulation, and their differences from the official score.

Scores by two definitions can't be compared, and papers seldom name theirs. All variants but one follow from the
statistics of the official score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.metrics.binary import MeanBinaryF1, binary_f1
from harness.metrics.classification import MacroF1, WeightedF1, accuracy, f1_per_class, macro_f1, weighted_f1
from harness.metrics.coefficients import MeanConcordance, MeanPearson
from harness.metrics.frames import share
from harness.metrics.interface import Float, Metric
from harness.metrics.metric import metric_for
from harness.metrics.moments import central
from harness.metrics.multitask import MultiTask
from harness.metrics.scoring import video_statistics
from harness.system.counts import counted
from harness.tasks import EXPR, Task

Row = tuple[str, float, str]


@dataclass(frozen=True)
class Variant:
    """Score by another definition.

    Attributes:
        name: the difference between the definitions, in plain words.
        value: score by the other definition.
        difference: ``value`` minus the official score.
        who: public code with this definition, if known.
    """

    name: str
    value: float
    difference: float
    who: str


def variants(task: Task, statistics: Float) -> tuple[Variant, ...]:
    """Return the score by every other definition that can be computed from the statistics.

    Args:
        task: the scored task.
        statistics: statistics of each video, ``(n_videos, k)``, from
            :func:`harness.metrics.scoring.video_statistics`.

    Returns:
        The variants in a fixed order, including those equal to the official score.
    """
    metric = metric_for(task)
    official = float(metric.headline(statistics.sum(0)))
    return tuple(Variant(name, value, value - official, who) for name, value, who in _rows(metric, statistics))


def without_uncropped_frames(
    task: Task,
    labels: Mapping[str, npt.NDArray[Any]],
    decisions: Mapping[str, npt.NDArray[Any]],
    has_crop: Mapping[str, npt.NDArray[np.bool_]],
) -> Variant:
    """Return the score on only the frames that have a face crop.

    Args:
        task: the scored task.
        labels: labels of each video, ``(n,)`` or ``(n, targets)``.
        decisions: decisions of each video, at least as many as labels.
        has_crop: bool mask of each video, at least as long as its labels.

    Raises:
        DataError: a video lacks decisions or a mask of its length.
    """
    metric = metric_for(task)
    cropped_labels, cropped_decisions = {}, {}
    for name, truth in labels.items():
        mask = has_crop.get(name, np.zeros(0, bool))
        if len(mask) < len(truth):
            mask_in_words, expected = counted(len(mask), "frame"), f"{len(truth)}, as it has labels"
            raise DataError("can't tell which frames have a crop", where=name, found=mask_in_words, expected=expected)
        keep = mask[: len(truth)].astype(bool)
        cropped_labels[name] = truth[keep]
        if name in decisions and len(decisions[name]) >= len(truth):
            cropped_decisions[name] = decisions[name][: len(truth)][keep]
    whole = video_statistics(task, metric, labels, decisions)
    part = video_statistics(task, metric, cropped_labels, cropped_decisions)
    value, official = (float(metric.headline(table.sum(0))) for table in (part, whole))
    who = "HSEmotion's notebooks, for validation"
    return Variant("frames without a crop left out", value, value - official, who)


def _rows(metric: Metric, table: Float) -> Iterator[Row]:
    if isinstance(metric, MultiTask):
        yield from _of_parts(metric, table)
    elif isinstance(metric, MeanConcordance):
        yield from _of_concordance(metric, table)
    elif isinstance(metric, MeanPearson):
        yield from _of_correlation(metric, table)
    elif isinstance(metric, MeanBinaryF1):
        yield from _of_units(metric, table)
    elif isinstance(metric, WeightedF1):
        yield from _of_weighted_classes(metric, table)
    elif isinstance(metric, MacroF1):
        yield from _of_classes(metric, table)


def _of_parts(metric: MultiTask, table: Float) -> Iterator[Row]:
    """Yield the sum with the definition of one part exchanged."""
    official = float(metric.headline(table.sum(0)))
    for name, (part, statistics) in metric.split(table).items():
        part_score = float(part.headline(statistics.sum(0)))
        for text, value, who in _rows(part, statistics):
            yield f"{name}: {text}", official - part_score + value, who


def _of_classes(metric: MacroF1, table: Float) -> Iterator[Row]:
    confusion = metric.confusion(table.sum(0))
    f1 = f1_per_class(confusion)
    in_labels = confusion.sum(1) > 0
    anywhere = in_labels | (confusion.sum(0) > 0)
    yield (
        "classes in neither labels nor predictions left out",
        _mean(f1[anywhere]),
        "scikit-learn's f1_score without labels=, or zero_division=nan (DresvyanskiyDenis/ABAW_2024)",
    )
    yield "classes without labels left out", _mean(f1[in_labels]), "no public code known"
    yield (
        "classes in neither labels nor predictions count 1",
        _mean(np.where(anywhere, f1, 1.0)),
        "scikit-learn's zero_division=1",
    )
    if metric.task == EXPR:
        yield (
            "frames of class 7 (Other) left out, mean of 7",
            _mean(f1_per_class(np.vstack([confusion[:-1], np.zeros_like(confusion[:1])]))[:-1]),
            "AVCER: labels 7 dropped like -1",
        )
    yield "weighted F1", float(weighted_f1(confusion)), "HSEmotion's notebook for AH, 8th edition"
    yield "accuracy", float(accuracy(confusion)), "HSEmotion's notebooks, to choose epochs"


def _of_weighted_classes(metric: WeightedF1, table: Float) -> Iterator[Row]:
    confusion = metric.confusion(table.sum(0))
    yield "macro-F1", float(macro_f1(confusion)), "the organisers of AH, 10th and 11th editions, for whole videos"
    if metric.task.is_pair:
        yield (
            f"F1 of {metric.task.targets[1]}",
            float(f1_per_class(confusion)[1]),
            "Keras' F1Score(average='weighted') on a single column",
        )
    yield "accuracy", float(accuracy(confusion)), "HSEmotion's notebook for AH, to choose epochs"


def _of_units(metric: MeanBinaryF1, table: Float) -> Iterator[Row]:
    confusion = metric.confusion(table.sum(0))
    present = binary_f1(confusion)
    used = confusion[..., 0, 0] < confusion.sum((-2, -1))
    yield (
        "macro-F1 over present and absent of each unit",
        _mean(f1_per_class(confusion)),
        "no public code known; suspected behind a published 0.731",
    )
    yield (
        "units in neither labels nor predictions left out",
        _mean(present[used]),
        "scikit-learn's zero_division=nan",
    )
    yield (
        "units in neither labels nor predictions count 1",
        _mean(np.where(used, present, 1.0)),
        "scikit-learn's zero_division=1",
    )
    pooled = confusion.sum(0)
    yield "all units pooled (micro F1)", float(binary_f1(pooled)), "scikit-learn's average='micro'"
    yield "accuracy", float(accuracy(pooled)), "no public code known"


def _of_concordance(metric: MeanConcordance, table: Float) -> Iterator[Row]:
    c = central(metric.moments(table.sum(0)))
    more = share(c.n, c.n - 1)
    for name, of_variance, of_covariance, who in (
        ("variances and covariance with n - 1", more, more, "torchmetrics' ConcordanceCorrCoef"),
        ("variances with n - 1, covariance with n", more, 1.0, "sucv/ABAW3, RJCMA (base/logger.py); AVEC 2019"),
        ("variances with n, covariance with n - 1", 1.0, more, "CCC_numpy in HSEmotion's notebooks (np.cov)"),
    ):
        distance = c.n * (c.mean_x - c.mean_y) ** 2
        yield name, _mean(share(2 * of_covariance * c.xy, of_variance * (c.xx + c.yy) + distance)), who
    labelled = table[metric.n_frames(table) > 0]
    yield (
        "CCC of each video, then the mean",
        _mean(metric.headline(labelled)),
        "OMG's calculateEvaluationCCC.py",
    )


def _of_correlation(metric: MeanPearson, table: Float) -> Iterator[Row]:
    c = central(metric.moments(table.sum(0)))
    coefficients = metric.coefficients(table.sum(0))
    yield (
        "constant columns left out of the mean",
        _mean(coefficients[(c.xx > 0) & (c.yy > 0)]),
        "scipy's pearsonr, which gives nan for them, with a mean that skips nan",
    )


def _mean(values: Float) -> float:
    return float(values.mean()) if values.size else 0.0
