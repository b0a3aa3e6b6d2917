"""Numbers by which Keras chose the epochs of abaw8's heads, where they differ from the score that is reported."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.metrics.metric import metric_for
from harness.tasks import Task, valid_rows
from solutions.postprocess.decisions import in_range

PIECE = 512
Float = npt.NDArray[np.float64]
Sets = npt.NDArray[np.bool_]


def mean_of_pieces(
    task: Task, values: npt.NDArray[Any], labels: npt.NDArray[Any], lengths: npt.NDArray[np.int64], sets: Sets
) -> Float:
    """Return the task's score over pieces of 512 rows in their order, the last one smaller, each counting the same.

    Keras averages a metric that returns one number per batch in this way (abaw8's heads for EMI; the validation split
    has nine pieces). A constant in a piece counts 0.

    Args:
        task: of the kind ``values``.
        values: predictions ``(n, n_targets)``.
        labels: as the predictions.
        lengths: rows of each video.
        sets: bool ``(n_sets, n_videos)``.

    Returns:
        float64 ``(n_sets,)``
    """
    metric = metric_for(task)
    valid = valid_rows(labels, task)
    scores = np.zeros(len(sets))
    for k, members in enumerate(sets):
        rows = np.flatnonzero(np.repeat(members, lengths) & valid)
        if not len(rows):
            continue
        pieces = np.bincount(np.arange(len(rows)) // PIECE)
        decided = in_range(np.asarray(values[rows], np.float64), task.low, task.high)
        scores[k] = metric.headline(metric.by_video(labels[rows], decided, pieces)).mean()
    return scores


def positive_f1(
    scores: npt.NDArray[Any], labels: npt.NDArray[Any], lengths: npt.NDArray[np.int64], sets: Sets
) -> Float:
    """Return F1 of the second of two classes at a threshold of .5, which Keras' "weighted" F1 of one column is.

    Args:
        scores: probabilities ``(n, 2)``.
        labels: int64 ``(n,)``.
        lengths: rows of each video.
        sets: bool ``(n_sets, n_videos)``.

    Returns:
        float64 ``(n_sets,)``, 0 where no row is or seems positive.
    """
    video = np.repeat(np.arange(len(lengths)), lengths)
    decided, truth = scores[:, 1] >= 0.5, labels == 1
    counts = [np.bincount(video[mask], minlength=len(lengths)) for mask in (decided & truth, decided, truth)]
    hits, positives, present = (sets @ count.astype(np.float64) for count in counts)
    return np.divide(2 * hits, positives + present, out=np.zeros(len(sets)), where=positives + present > 0)
