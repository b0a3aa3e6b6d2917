"""Comparison of two runs over the same videos: the better one, by how much, and if the videos suffice to separate them.

A paired bootstrap draws the same videos for both runs. The difficulty of a video, which both runs share, cancels in the
difference; so the bootstrap separates far smaller differences than two intervals side by side do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.metrics.by_video import values_alone
from harness.metrics.interface import Float, Metric, Scores
from harness.metrics.interval import LEVEL, REPLICATES, SEED, bootstrap, percentile_interval, units_of
from harness.metrics.metric import metric_for
from harness.metrics.titles import interval_text, score_title
from harness.system.counts import counted
from harness.system.terminal import one_line
from harness.tasks import Task

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ScoredRun:
    """Run with the data that a comparison needs.

    Attributes:
        name: name of the run in messages.
        task: task of the run.
        split: split of the labels.
        fingerprint: hash of the labelled data; ``""`` if unknown.
        statistics: statistics of each video, ``(k,)`` numbers.
        version: version of the metric that the statistics belong to.
        groups: person of each video, if known: all videos of a person are drawn at once.
    """

    name: str
    task: Task
    split: str
    fingerprint: str
    statistics: Mapping[str, Sequence[float]]
    version: int = 1
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One score of runs A and B, and A - B with its 95 % interval (``None`` for a single video or person)."""

    metric: str
    version: int
    target: str
    a: float
    b: float
    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Mover:
    """Contribution of one video to the difference.

    Attributes:
        video: name of the video.
        frames: number of labelled frames.
        a, b: the official metric of each run on this video alone; for a video of one row, the mean absolute error, or 1
            for right and 0 for wrong, see :func:`harness.metrics.by_video.values_alone`.
        moves: part of the difference due to this video: the gain of a run's score if A's predictions for this video
            replace B's, with all other videos unchanged; the mean over both runs.
    """

    video: str
    frames: int
    a: float
    b: float
    moves: float


@dataclass(frozen=True)
class Comparison:
    """Comparison of run A with run B.

    Attributes:
        a, b: names of the runs.
        task, split: task and split of both runs.
        differences: one difference per score, the official one first.
        p_value: two-sided p-value of equal official scores; ``None`` for a single video. With the differences d* of the
            replicates, plus one replicate of difference 0, it is
            ``min(1, 2 (1 + min(#{d* <= 0}, #{d* >= 0})) / (replicates + 1))``. It is at least ``2 ** (1 - n)`` for n
            videos or persons, the smallest p-value of an exact paired test of so many.
        movers: every video, the largest contribution to the difference first.
        n_frames: number of labelled frames.
        replicates: number of replicates of the bootstrap.
        n_units: number of videos, or persons, that the bootstrap draws.
        unit: name of one of them, ``video`` or ``person``.
    """

    a: str
    b: str
    task: Task
    split: str
    differences: tuple[Difference, ...]
    p_value: float | None
    movers: tuple[Mover, ...]
    n_frames: int
    replicates: int
    n_units: int
    unit: str = "video"

    def __repr__(self) -> str:
        """Return one line: the difference with its interval, p-value and verdict."""
        head = self.headline
        number = interval_text(head.difference, head.low, head.high, sign="+")
        p = "" if self.p_value is None else f", p = {self.p_value:.4f}"
        return f"<Comparison {self.task.name}: A - B {number}{p}; {self.verdict}>"

    def _repr_html_(self) -> str:
        """Return both scores and their differences as a table, for a notebook."""
        from harness.tables.html import write_html
        from harness.tables.table import Column, Table

        rows = [
            {"score": score_title(d.metric, d.target), **vars(d), "interval": (d.low, d.high)} for d in self.differences
        ]
        columns = (
            Column("score", "Score"),
            Column("a", "A", "number"),
            Column("b", "B", "number"),
            Column("difference", "A - B", "signed"),
            Column("interval", f"95 % by {self.unit}", "interval"),
        )
        return write_html(Table(repr(self).strip("<>"), columns, tuple(rows)))

    def to_frame(self) -> pd.DataFrame:
        """Return a row per score: ``metric``, ``target``, ``a``, ``b``, ``difference``, ``low``, ``high``."""
        import pandas as pd

        names = ["metric", "target", "a", "b", "difference", "low", "high"]
        rows = [tuple(getattr(row, name) for name in names) for row in self.differences]
        return pd.DataFrame(rows, columns=names).astype({"low": float, "high": float})

    @property
    def headline(self) -> Difference:
        """Difference in the official score."""
        return self.differences[0]

    @property
    def sizes(self) -> str:
        """Size in words: ``70 videos``, or ``127 videos of 24 persons``."""
        videos = counted(len(self.movers), "video")
        return videos if self.unit == "video" else f"{videos} of {counted(self.n_units, self.unit)}"

    @property
    def separable(self) -> bool:
        """True if the interval excludes 0 and the p-value is below 0.05."""
        low, high = self.headline.low, self.headline.high
        if low is None or high is None or self.p_value is None:
            return False
        return not low <= 0 <= high and self.p_value < 1 - LEVEL

    @property
    def verdict(self) -> str:
        """Result in plain words."""
        head = self.headline
        if head.low is None:
            return f"not separable: a single {self.unit} tells nothing about others"
        if not self.separable and _smallest_p(self.n_units) >= 1 - LEVEL:
            return f"not separable: {counted(self.n_units, self.unit, 'are')} too few to tell, whatever they say"
        if not self.separable:
            return f"not separable on these {self.unit}s"
        return f"{'A' if head.difference > 0 else 'B'} is better by {abs(head.difference):.3f}"


Runs = ScoredRun | Sequence[ScoredRun]
"""One run, or the runs of one solution with several seeds, whose mean is compared."""


def compare(a: Runs, b: Runs, *, replicates: int = REPLICATES, seed: int = SEED) -> Comparison:
    """Compare two runs over the same videos, or the means of two solutions over their seeds.

    A mean over seeds is the mean of the seeds' scores, in each replicate too, as on the board. The bootstrap draws
    videos and no seeds: the interval is for these seeds on other videos.

    Raises:
        DataError: the runs differ in task, split or labels, or one has no scores.
    """
    runs_a, runs_b = ([runs] if isinstance(runs, ScoredRun) else list(runs) for runs in (a, b))
    first_a, first_b = runs_a[0], runs_b[0]
    metric = metric_for(first_a.task)
    videos, table_a, table_b = _paired(metric, first_a, first_b)
    tables_a = [table_a, *(_paired(metric, run, first_b)[1] for run in runs_a[1:])]
    tables_b = [table_b, *(_paired(metric, first_a, run)[2] for run in runs_b[1:])]
    units = units_of(videos, first_a.groups or first_b.groups)
    scores_a, scores_b = _mean_scores(metric, tables_a), _mean_scores(metric, tables_b)
    shared = [key for key in scores_a if key in scores_b]

    def differences(weights: Float) -> Scores:
        drawn_a, drawn_b = _mean_scores(metric, tables_a, weights), _mean_scores(metric, tables_b, weights)
        return {key: drawn_a[key] - drawn_b[key] for key in shared}

    drawn = bootstrap(differences, units, replicates=replicates, seed=seed) if units.number > 1 else {}
    rows = []
    for name, target in shared:
        value_a, value_b = float(scores_a[name, target]), float(scores_b[name, target])
        low, high = percentile_interval(drawn[name, target]) if drawn else (None, None)
        rows.append(Difference(name, metric.version, target, value_a, value_b, value_a - value_b, low, high))
    return Comparison(
        a=_name_of(runs_a),
        b=_name_of(runs_b),
        task=first_a.task,
        split=first_a.split,
        differences=tuple(rows),
        p_value=p_value(drawn[shared[0]], units.number) if drawn else None,
        movers=_movers(metric, videos, tables_a, tables_b),
        n_frames=int(metric.n_frames(table_a).sum()),
        replicates=replicates,
        n_units=units.number,
        unit=units.noun,
    )


def _name_of(runs: Sequence[ScoredRun]) -> str:
    return runs[0].name if len(runs) == 1 else f"mean of {counted(len(runs), 'seed')}, {runs[0].name} and others"


def _mean_scores(metric: Metric, tables: Sequence[Float], weights: Float | None = None) -> Scores:
    """Return the mean over runs of each score that all runs have."""
    scores = [metric.evaluate(table) if weights is None else metric.evaluate(table, weights) for table in tables]
    if len(scores) == 1:
        return scores[0]
    shared = [key for key in scores[0] if all(key in of_run for of_run in scores)]
    return {key: np.mean([of_run[key] for of_run in scores], axis=0) for key in shared}


def p_value(differences: Float, n_units: int) -> float:
    """Return the two-sided p-value of equal scores from replicates ``(r,)``; see :attr:`Comparison.p_value`."""
    tail = min(np.count_nonzero(differences <= 0), np.count_nonzero(differences >= 0))
    return float(min(1.0, max(2 * (1 + tail) / (len(differences) + 1), _smallest_p(n_units))))


def _smallest_p(n_units: int) -> float:
    """Return the smallest p-value of an exact test that flips the sign of each unit's difference."""
    return float(2.0 ** (1 - n_units))


def _movers(
    metric: Metric, videos: Sequence[str], tables_a: Sequence[Float], tables_b: Sequence[Float]
) -> tuple[Mover, ...]:
    """Return every video, the largest contribution first; for several runs, the mean over all pairs."""
    moves = np.mean([_moves(metric, table_a, table_b) for table_a in tables_a for table_b in tables_b], axis=0)
    both = (tables_a, tables_b)
    alone_a, alone_b = (np.mean([values_alone(metric, table) for table in tables], axis=0) for tables in both)
    frames = metric.n_frames(tables_a[0])
    order = sorted(range(len(videos)), key=lambda k: (-abs(moves[k]), videos[k]))
    return tuple(Mover(videos[k], int(frames[k]), float(alone_a[k]), float(alone_b[k]), float(moves[k])) for k in order)


def _moves(metric: Metric, table_a: Float, table_b: Float) -> Float:
    """Return each video's contribution to the difference between two runs, float64 ``(n_videos,)``."""
    total_a, total_b, swap = table_a.sum(0), table_b.sum(0), table_b - table_a
    in_a = metric.headline(total_a) - metric.headline(total_a + swap)
    in_b = metric.headline(total_b - swap) - metric.headline(total_b)
    moves: Float = (in_a + in_b) / 2
    return moves


def _paired(metric: Metric, a: ScoredRun, b: ScoredRun) -> tuple[list[str], Float, Float]:
    """Return the names of the videos, and both runs' statistics in that order."""
    for what, of_a, of_b in (("tasks", a.task.name, b.task.name), ("splits", a.split, b.split)):
        if of_a != of_b:
            raise _not_comparable(f"they are on different {what}", a, b, of_a, of_b)
    for run in (a, b):
        if not run.statistics:
            raise DataError("no labels were there to score it on", where=run.name, do="Compare scored runs")
        if run.version != metric.version:
            raise DataError(
                "scored by another version of the metric",
                where=run.name,
                found=f"version {run.version}",
                expected=metric.version,
                do="Make the run again with --fresh",
            )
    only = sorted(set(a.statistics) ^ set(b.statistics))
    if only:
        counts = (counted(len(run.statistics), "video") for run in (a, b))
        some = ", ".join(map(one_line, only[:3]))
        what = f"they are on different videos, {len(only)} in one of them only, such as {some}"
        raise _not_comparable(what, a, b, *counts)
    videos = sorted(a.statistics)
    table_a, table_b = (_table(metric, run, videos) for run in (a, b))
    differ = videos_with_other_labels(metric, a.statistics, b.statistics, videos)
    if differ:
        what = f"the labels of {counted(len(differ), 'video')} differ, such as {', '.join(map(one_line, differ[:3]))}"
        counts = (counted(int(metric.n_frames(table).sum()), a.task.label_noun) for table in (table_a, table_b))
        raise _not_comparable(what, a, b, *counts)
    persons_a, persons_b = ({name: run.groups[name] for name in videos if name in run.groups} for run in (a, b))
    if persons_a and persons_b and persons_a != persons_b:
        counts = (counted(len(set(persons.values())), "person") for persons in (persons_a, persons_b))
        raise _not_comparable("they name other persons in the same videos", a, b, *counts)
    if a.fingerprint and b.fingerprint and a.fingerprint != b.fingerprint:
        what = "they were scored on different label files (data fingerprint)"
        raise _not_comparable(what, a, b, a.fingerprint[:12], b.fingerprint[:12])
    return videos, table_a, table_b


def videos_with_other_labels(
    metric: Metric, a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]], videos: Sequence[str]
) -> list[str]:
    """Return the videos whose labels differ between two runs, judged by the statistics.

    Args:
        metric: metric of the statistics.
        a: statistics of one run by video.
        b: statistics of the other run by video.
        videos: videos of both runs, at least one.

    Raises:
        ValueError: the statistics belong to another metric.
    """
    of_a, of_b = (metric.label_part(np.array([run[name] for name in videos], np.float64)) for run in (a, b))
    same = np.isclose(of_a, of_b, rtol=1e-9, atol=1e-9).all(1)
    return [name for name, fine in zip(videos, same, strict=True) if not fine]


def _table(metric: Metric, run: ScoredRun, videos: Sequence[str]) -> Float:
    try:
        table = np.array([run.statistics[name] for name in videos], np.float64)
        metric.label_part(table)
        return table
    except ValueError as error:
        what = f"its statistics are not those of {metric.name}"
        raise DataError(what, where=run.name, found=error, do="Make the run again with --fresh") from None


def _not_comparable(what: str, a: ScoredRun, b: ScoredRun, of_a: object, of_b: object) -> DataError:
    return DataError(f"{a.name} and {b.name} can't be compared: {what}; A has {of_a}, B has {of_b}.")
