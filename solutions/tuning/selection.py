"""Numbers by which the papers' authors chose epochs, where these differ from the reported score."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.metrics.metric import metric_for
from harness.tasks import Task, valid_rows
from solutions.postprocess.decisions import in_range

PIECE = 512
IMPROVEMENT = 1e-4
"""Smallest improvement that counts for abaw10's authors; smaller ones use up their patience."""
KERAS_EPSILON = 1e-7
"""Distance from 0 and 1 to which Keras clips probabilities before their logarithm."""
Float = npt.NDArray[np.float64]
Sets = npt.NDArray[np.bool_]


def mean_of_pieces(
    task: Task, values: npt.NDArray[Any], labels: npt.NDArray[Any], lengths: npt.NDArray[np.int64], sets: Sets
) -> Float:
    """Return the task's score over pieces of 512 rows in their order, the last one smaller, each counting the same.

    Keras averages a metric that returns one number per batch in this way (abaw8's heads for EMI; the validation split
    has nine pieces). A constant in a piece counts 0.

    Args:
        task: a task of the kind ``values``.
        values: predictions ``(n, n_targets)``.
        labels: official values ``(n, n_targets)``.
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
        float64 ``(n_sets,)``, 0 where all labels and decisions are negative.
    """
    video = np.repeat(np.arange(len(lengths)), lengths)
    decided, truth = scores[:, 1] >= 0.5, labels == 1
    counts = [np.bincount(video[mask], minlength=len(lengths)) for mask in (decided & truth, decided, truth)]
    hits, positives, present = (sets @ count.astype(np.float64) for count in counts)
    return np.divide(2 * hits, positives + present, out=np.zeros(len(sets)), where=positives + present > 0)


def accuracy(scores: npt.NDArray[Any], labels: npt.NDArray[Any], lengths: npt.NDArray[np.int64], sets: Sets) -> Float:
    """Return the share of annotated frames whose most probable class is right (abaw8's heads for expressions).

    Args:
        scores: probabilities ``(n, classes)``.
        labels: int64 ``(n,)``, negative for frames without annotation.
        lengths: rows of each video.
        sets: bool ``(n_sets, n_videos)``.

    Returns:
        float64 ``(n_sets,)``, 0 for a set without annotated frames.
    """
    video, valid = np.repeat(np.arange(len(lengths)), lengths), labels >= 0
    right = np.bincount(video[valid & (scores.argmax(1) == labels)], minlength=len(lengths))
    hits, frames = (
        sets @ counts.astype(np.float64) for counts in (right, np.bincount(video[valid], None, len(lengths)))
    )
    return np.divide(hits, frames, out=np.zeros(len(sets)), where=frames > 0)


def lowest_loss(
    scores: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    lengths: npt.NDArray[np.int64],
    sets: Sets,
    rates: npt.NDArray[np.float64],
) -> Float:
    """Return minus the mean ``balanced-bce`` of units (abaw8's heads for action units), so that larger is better.

    Args:
        scores: probabilities ``(n, units)``.
        labels: 0 or 1 ``(n, units)``; rows with any negative value are left out.
        lengths: rows of each video.
        sets: bool ``(n_sets, n_videos)``.
        rates: share of training frames with each unit, ``(units,)``, from which the weights follow.

    Returns:
        float64 ``(n_sets,)``, 0 for a set without annotated frames.
    """
    video, valid = np.repeat(np.arange(len(lengths)), lengths), (labels >= 0).all(1)
    inside = np.clip(np.asarray(scores[valid], np.float64), KERAS_EPSILON, 1 - KERAS_EPSILON)
    there = labels[valid] == 1
    weights = np.where(there, 0.5 / np.maximum(rates, KERAS_EPSILON), 0.5 / np.maximum(1 - rates, KERAS_EPSILON))
    losses = -(weights * np.log(np.where(there, inside, 1 - inside))).mean(1)
    sums = sets @ np.bincount(video[valid], losses, len(lengths))
    frames = sets @ np.bincount(video[valid], minlength=len(lengths))
    return -np.divide(sums, frames, out=np.zeros(len(sets)), where=frames > 0)


def best_epoch(values: Float, patience: int) -> npt.NDArray[np.int64]:
    """Return the best epoch of each set, the first of equals; with a patience, by the rule of abaw10's authors.

    The authors stop after ``patience`` epochs in a row that improve their number by at most 1e-4.

    Args:
        values: ``(n_epochs, n_sets)``, larger is better.
        patience: epochs without improvement; 0 for the best of all epochs.
    """
    if not patience:
        return np.asarray(values.argmax(0), np.int64)
    return np.array([_stopped(column.tolist(), patience) for column in values.T], np.int64)


def _stopped(values: list[float], patience: int) -> int:
    best, chosen = -np.inf, 0
    for epoch, value in enumerate(values):
        if value > best + IMPROVEMENT:
            best, chosen = value, epoch
        elif epoch - chosen >= patience:
            break
    return chosen
