"""Official rows of a solution's answer: its decisions, and its probabilities where a task's file has room for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.files.format import Format
from harness.files.formats import format_named
from harness.files.one_file import DECIMALS
from harness.plugins.interface import Predictions, VideoPrediction
from harness.tasks import AHV

Rows = Mapping[str, npt.NDArray[np.generic]]

_OFF_ONE = 1e-3  # of float32 probabilities, after a blend
NO_PROBABILITIES = (
    "scores are no probabilities (from 0 to 1, with a sum of 1): the official file has labels alone, and there is no "
    "average precision"
)


@dataclass(frozen=True)
class OfficialRows:
    """Rows to write and score.

    Attributes:
        decisions: official values of each video.
        tuned_on_all: the same for everything chosen on all of validation; ``None`` where the first answer is the only.
        notes: what a reader of the result must know.
    """

    format: Format
    decisions: Rows
    tuned_on_all: Rows | None
    notes: tuple[str, ...] = ()


def official_rows(predictions: Predictions) -> OfficialRows:
    """Return the official rows of an answer that was checked.

    AHV's rows are two probabilities, as the file holds them, and a label; where scores are no probabilities, the label.
    """
    task, answers = predictions.task, dict(predictions)
    decisions: Rows = {name: video.decisions for name, video in answers.items()}
    second = {name: video.tuned_on_all for name, video in answers.items() if video.tuned_on_all is not None}
    tuned: Rows | None = second if len(second) == len(answers) else None
    if task != AHV:
        return OfficialRows(format_named(task.name), decisions, tuned)
    if not all(_are_probabilities(video.scores) for video in answers.values()):
        return OfficialRows(format_named("AH-labels"), decisions, tuned, (NO_PROBABILITIES,))
    rows, tuned_rows = (
        None if labels is None else {name: _with_probabilities(answers[name], labels[name]) for name in answers}
        for labels in (decisions, tuned)
    )
    return OfficialRows(format_named("AH-trials"), rows or {}, tuned_rows)


def _are_probabilities(scores: npt.NDArray[np.float32]) -> bool:
    return bool((scores >= 0).all() and (scores <= 1).all() and (np.abs(scores.sum(1) - 1) <= _OFF_ONE).all())


def _with_probabilities(video: VideoPrediction, labels: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Return ``(n, 3)``: the probability of each class, and the label."""
    positive = video.scores[:, 1].astype(np.float64).round(DECIMALS)
    return np.stack([1 - positive, positive, labels.astype(np.float64)], axis=1)
