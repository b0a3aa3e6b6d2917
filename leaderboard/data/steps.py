"""Examples of frames whose class a step of post-processing changed, for the better or for the worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.metrics.steps import StepTrace
from harness.tasks import Task, valid_rows


@dataclass(frozen=True)
class Example:
    """Frame whose class a step changed.

    Attributes:
        video: name of the video.
        frame: official number, from 1.
        label: class that the frame is labelled with.
        before: class before the step, with its probability.
        after: class after the step, with its probability.
    """

    video: str
    frame: int
    label: int
    before: tuple[int, float]
    after: tuple[int, float]


def examples(
    task: Task,
    traces: Mapping[str, StepTrace],
    labels: Mapping[str, npt.NDArray[Any]],
    step: int,
    *,
    corrected: bool,
    most: int,
    frames_of: Callable[[str], npt.NDArray[np.int64]],
) -> list[Example]:
    """Return example frames that a step corrected or worsened, spread over as many videos as possible.

    Videos with the most such frames come first. Each stretch of frames gives one example: the frame in which the class
    after the step has the highest probability.

    Args:
        task: a task with classes.
        traces: traces of a run, by video.
        labels: official values by video; videos whose trace has another length are skipped.
        step: number of the step, from 0.
        corrected: return frames that the step corrected; else frames that it worsened.
        most: largest number of examples.
        frames_of: function from a video's name to the numbers of its frames that have an image.
    """
    candidates = {}
    for video, trace in traces.items():
        truth = labels.get(video)
        if truth is None or len(truth) != len(trace.decisions):
            continue
        before, after = trace.decisions[:, step] == truth, trace.decisions[:, step + 1] == truth
        rows = np.flatnonzero((after & ~before if corrected else before & ~after) & valid_rows(truth, task))
        if len(rows):
            candidates[video] = rows
    by_number = sorted(candidates, key=lambda video: (-len(candidates[video]), video))[:most]
    per_video = -(-most // len(by_number)) if by_number else 0
    rounds = [_chosen(traces[video], candidates[video], step, per_video, frames_of(video)) for video in by_number]
    picks = [
        (video, int(rows[k]))
        for k in range(per_video)
        for video, rows in zip(by_number, rounds, strict=True)
        if k < len(rows)
    ]
    return [_example(video, row, traces[video], int(labels[video][row]), step) for video, row in picks[:most]]


def _chosen(
    trace: StepTrace, rows: npt.NDArray[np.int64], step: int, most: int, with_image: npt.NDArray[np.int64]
) -> list[int]:
    """Return the most probable row of each stretch among rows that have an image, the most probable first."""
    rows = rows[np.isin(rows + 1, with_image)]
    if trace.probabilities is None or not len(rows):
        return []
    probabilities = trace.probabilities[:, step + 1].astype(np.float64)
    stretches = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    best = [int(stretch[probabilities[stretch].argmax()]) for stretch in stretches]
    return sorted(best, key=lambda row: -probabilities[row])[:most]


def _example(video: str, row: int, trace: StepTrace, label: int, step: int) -> Example:
    probabilities = trace.probabilities if trace.probabilities is not None else np.zeros(trace.decisions.shape)
    before, after = (
        (int(trace.decisions[row, column]), float(probabilities[row, column])) for column in (step, step + 1)
    )
    return Example(video, row + 1, label, before, after)
