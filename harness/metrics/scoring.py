"""Score cards from labels and decisions: scores, intervals, tables per class and video, and constants' scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.metrics.by_video import VideoScores, video_scores
from harness.metrics.interface import Metric, Scores
from harness.metrics.interval import Units, bootstrap, percentile_interval, units_of
from harness.metrics.metric import metric_for
from harness.metrics.titles import interval_text, score_title
from harness.system.counts import counted
from harness.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

Float = npt.NDArray[np.float64]

_FRAMES_AT_ONCE = 20_000  # number of frames whose arrays fit the processor's cache


@dataclass(frozen=True)
class Score:
    """One score with its 95 % interval over videos or persons (``None`` for fewer than two of them)."""

    metric: str
    version: int
    target: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ScoreCard:
    """Scores of one set of decisions.

    Attributes:
        task: the scored task.
        headline: the official score.
        scores: all scores, the headline first.
        videos: names of the videos, in the order of ``statistics``.
        statistics: float64 ``(n_videos, k)``, sufficient statistics of each video.
        constant: name and score of the best constant prediction on the same frames.
        n_frames: number of labelled frames, or of rows for a task of level ``video``.
        constants: name and score of every constant prediction, if the metric lists them.
        groups: person of each video, if known: intervals draw all videos of a person at once.
    """

    task: Task
    headline: Score
    scores: tuple[Score, ...]
    videos: tuple[str, ...]
    statistics: Float
    constant: tuple[str, float]
    n_frames: int
    constants: tuple[tuple[str, float], ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return one line: the official score with its interval, and the numbers of frames and videos."""
        head = self.headline
        number = interval_text(head.value, head.low, head.high)
        frames, videos = counted(self.n_frames, self.task.label_noun), counted(len(self.videos), "video")
        return f"<ScoreCard {self.task.name}: {score_title(head.metric)} {number}, {frames} of {videos}>"

    def _repr_html_(self) -> str:
        """Return the scores with their intervals as a table, for a notebook."""
        from harness.tables.html import write_html
        from harness.tables.table import Column, Table

        rows: list[dict[str, Any]] = [
            {"score": score_title(s.metric, s.target), "value": s.value, "interval": (s.low, s.high)}
            for s in self.scores
        ]
        rows.append({"score": f"constant: always {self.constant[0]}", "value": self.constant[1]})
        columns = (Column("score", "Score"), Column("value", "Value", "number"), Column("interval", "95 %", "interval"))
        return write_html(Table(repr(self).strip("<>"), columns, tuple(rows)))

    def to_frame(self) -> pd.DataFrame:
        """Return a row per score: ``metric``, ``target``, ``value``, ``low``, ``high``."""
        import pandas as pd

        rows = [(s.metric, s.target, s.value, s.low, s.high) for s in self.scores]
        table = pd.DataFrame(rows, columns=["metric", "target", "value", "low", "high"])
        return table.astype({"low": float, "high": float})

    @property
    def units(self) -> Units:
        """Units that the intervals draw."""
        return units_of(self.videos, self.groups)

    def by_video(self) -> VideoScores:
        """Return the official score of each video alone, beside the score of perfect predictions."""
        return video_scores(metric_for(self.task), self.statistics)

    def per_video(self) -> Scores:
        """Return every score of each video alone, ``(n_videos,)`` each. Their means are no official scores."""
        return metric_for(self.task).details(self.statistics)


def video_statistics(
    task: Task, metric: Metric, labels: Mapping[str, npt.NDArray[Any]], decisions: Mapping[str, npt.NDArray[Any]]
) -> Float:
    """Return the sufficient statistics of each video of ``labels``, float64 ``(n_videos, k)``.

    Frames with an invalid label are left out. Frames without a crop count, as in the official score.

    Raises:
        DataError: a video has labels and no decisions, or fewer decisions than labels; or a value can't be scored.
    """
    for name, truth in labels.items():
        answer = decisions.get(name)
        if answer is None or len(answer) < len(truth):
            raise DataError(
                f"video {name}: {counted(len(truth), 'label')}, "
                f"{counted(0 if answer is None else len(answer), 'prediction')}"
            )
    if not labels:
        return np.zeros((0, 0))
    parts, names, frames = [], list[str](), 0
    for name, truth in labels.items():
        names.append(name)
        frames += len(truth)
        if frames >= _FRAMES_AT_ONCE:
            parts.append(_statistics_of(metric, names, labels, decisions))
            names, frames = [], 0
    if names:
        parts.append(_statistics_of(metric, names, labels, decisions))
    return np.concatenate(parts)


def _statistics_of(
    metric: Metric,
    names: Sequence[str],
    labels: Mapping[str, npt.NDArray[Any]],
    decisions: Mapping[str, npt.NDArray[Any]],
) -> Float:
    """Return the statistics of these videos."""
    truths = [labels[name] for name in names]
    answers = [decisions[name][: len(truth)] for name, truth in zip(names, truths, strict=True)]
    try:
        return metric.by_video(np.concatenate(truths), np.concatenate(answers), [len(truth) for truth in truths])
    except ValueError as error:
        raise _refused_values(metric, names, truths, answers, error) from None


def _refused_values(
    metric: Metric,
    names: Sequence[str],
    truths: Sequence[npt.NDArray[Any]],
    answers: Sequence[npt.NDArray[Any]],
    error: ValueError,
) -> DataError:
    """Return an error on the first video, and its first row, that the metric refuses."""
    task = metric.task
    columns = {"classes": "", "parts": " 15"}.get(task.kind, f" {task.n_outputs}")
    shape = f"(n,{columns}) for {task.name}"
    for name, truth, answer in zip(names, truths, answers, strict=True):
        if (reason := _refusal(metric, truth, answer)) is None:
            continue
        if _refusal(metric, truth[:0], answer[:0]) is not None:
            shapes = f"labels {truth.shape} and predictions {answer.shape}"
            return DataError("values have a wrong shape", where=f"video {name}", found=shapes, expected=shape)
        start, end = 0, len(truth)
        while end - start > 1:  # the first half that holds a refused row
            middle = (start + end) // 2
            refused = _refusal(metric, truth[start:middle], answer[start:middle]) is not None
            start, end = (start, middle) if refused else (middle, end)
        values = f"label {_shown(truth[start])} and prediction {_shown(answer[start])}"
        return DataError(
            f"row {start + 1} can't be scored, as {_refusal(metric, truth[start:end], answer[start:end]) or reason}",
            where=f"video {name}",
            found=values,
            expected=_usable_values(task),
            do="Give a value for each row",
        )
    return DataError(f"values can't be scored: {error}", expected=shape)  # videos differ among each other


def _refusal(metric: Metric, truth: npt.NDArray[Any], answer: npt.NDArray[Any]) -> str | None:
    """Return the metric's reason for refusing a video, or rows of it; ``None`` where it scores them."""
    try:
        metric.by_video(truth, answer, [len(truth)])
    except ValueError as error:
        return str(error)
    return None


def _shown(row: npt.NDArray[Any]) -> str:
    return str(np.asarray(row).tolist())


def _usable_values(task: Task) -> str:
    """Return the values that can be scored, in words."""
    low, high = task.range
    marker = f"; a label may be {task.invalid}, which leaves its row out"
    if task.kind == "classes":
        return f"whole numbers from {low:g} to {high:g}{marker}"
    return f"{'finite numbers' if task.kind in ('values', 'parts') else '0 or 1'}{marker}"


def score_card(
    task: Task, videos: tuple[str, ...], statistics: Float, groups: Mapping[str, str] | None = None
) -> ScoreCard:
    """Return scores, intervals and the score of constant predictions from statistics per video.

    Args:
        task: the scored task.
        videos: names of the videos, in the order of ``statistics``.
        statistics: ``(n_videos, k)``, result of :func:`video_statistics`.
        groups: person of each video, if known.

    Raises:
        DataError: no frame has a label.
    """
    metric = metric_for(task)
    n_frames = int(metric.n_frames(statistics).sum()) if len(statistics) else 0
    if not n_frames:
        raise DataError(f"no {task.label_noun} to score {task.name} on")
    values = metric.evaluate(statistics)
    groups = {video: groups[video] for video in videos if video in groups} if groups else {}
    intervals = _intervals(metric, statistics, units_of(videos, groups))
    scores = [
        Score(name, metric.version, target, float(value), *intervals.get((name, target), (None, None)))
        for (name, target), value in values.items()
    ]
    constants = metric.headline(metric.constants(statistics.sum(0)))
    best = int(np.argmax(constants))
    return ScoreCard(
        task,
        scores[0],
        tuple(scores),
        videos,
        statistics,
        (metric.constant_names[best], float(constants[best])),
        n_frames,
        tuple(zip(metric.constant_names, constants.tolist(), strict=True)) if metric.lists_constants else (),
        groups,
    )


def _intervals(metric: Metric, statistics: Float, units: Units) -> dict[tuple[str, str], tuple[float, float]]:
    if units.number < 2:
        return {}
    replicates = bootstrap(lambda weights: metric.evaluate(statistics, weights), units)
    return {key: percentile_interval(values) for key, values in replicates.items()}
