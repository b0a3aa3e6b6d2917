"""Seeds of one solution: mean score, standard deviation, and 95 % interval of the mean.

:func:`mean_over_seeds` computes them from the runs' bootstrap replicates; the terminal, the board, the papers' tables
and a run's page all call it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.board.entries import Entries, Entry, View, ranked
from harness.errors import DataError
from harness.metrics.interval import Units, bootstrap, percentile_interval, units_of
from harness.metrics.metric import metric_for
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord
from harness.store.store import Replicates
from harness.tasks import TASKS, Task

if TYPE_CHECKING:
    from harness.store.store import TableRows


@dataclass(frozen=True)
class SeedMean:
    """Mean of one score over the seeds of a solution.

    Attributes:
        mean: of the values; ``sd`` their standard deviation (ddof 1), ``None`` for a single one.
        low, high: 95 % interval of the mean; ``None`` where the replicates of a run are missing.
        replicates: replicates of the mean, float64 ``(replicates,)``; ``None`` where those of a run are missing.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    replicates: npt.NDArray[np.float64] | None


def mean_over_seeds(values: Sequence[float], replicates: Sequence[npt.NDArray[Any]]) -> SeedMean:
    """Return the mean of one score over runs of one solution on the same videos.

    Args:
        values: scores, one per run.
        replicates: bootstrap replicates of these runs, ``(replicates,)`` each, of the same videos or persons; the mean
            has an interval if all runs have replicates, in equal number.
    """
    scores = np.asarray(values, np.float64)
    of_mean = low = high = None
    if len(replicates) == len(scores) and len({len(scores_of_run) for scores_of_run in replicates}) == 1:
        of_mean = np.mean(replicates, axis=0, dtype=np.float64)
        low, high = percentile_interval(of_mean)
    sd = float(scores.std(ddof=1)) if len(scores) > 1 else None
    return SeedMean(float(scores.mean()), sd, low, high, of_mean)


@dataclass(frozen=True)
class SeedSummary:
    """The official score over the seeds of one solution on one split.

    Attributes:
        metric: name of the score.
        run_ids: ids of the runs.
        seeds: seeds of the runs.
        values: scores of the runs.
        mean: mean of the scores.
        sd: standard deviation of the scores (ddof 1); ``None`` for a single one.
        low: lower end of the 95 % interval of the mean, over videos or persons; ``None`` for fewer than two of these.
        high: upper end of the interval; ``None`` where ``low`` is ``None``.
        tuned_on_all: mean of the same runs' scores tuned on the videos that they are reported on; ``None`` if the runs
            chose no constants on labels.
        constant: score of the best constant prediction; ``None`` for other metrics than the official one.
        unit: unit that the bootstrap resamples, ``video`` or ``person``.
    """

    metric: str
    run_ids: tuple[str, ...]
    seeds: tuple[int | None, ...]
    values: tuple[float, ...]
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    tuned_on_all: float | None
    constant: float | None
    unit: str = "video"

    @property
    def optimism(self) -> float | None:
        """Gain of the score when constants are tuned on the videos that it is reported on."""
        return None if self.tuned_on_all is None else self.tuned_on_all - self.mean


def summarise(records: Sequence[RunRecord], metric: str | None = None) -> SeedSummary | None:
    """Summarise the runs of a solution over its seeds; return ``None`` for runs without a score.

    Args:
        records: runs of one solution on the same videos, one per seed.
        metric: name of the score over all classes; the official one by default.

    Raises:
        DataError: the runs are on different labels.
    """
    labels = {str(record.data.get("fingerprint")) for record in records}
    if len(labels) > 1:
        differing = ", ".join(sorted(text[:8] for text in labels))
        raise DataError("runs on different labels have no mean", found=f"labels {differing}")
    heads = [record.score(metric=metric) for record in records]
    rows = [head for head in heads if head is not None]
    if not rows or len(rows) < len(records):
        return None
    # by name, as the store's replicates are: the board's interval of the mean is this one
    of_videos = [sorted(record.statistics[HEADLINE].items()) for record in records]
    tables = [np.array([statistics for _, statistics in videos], np.float64) for videos in of_videos]
    units = units_of([name for name, _ in of_videos[0]], records[0].groups)
    replicates = _replicates(TASKS[records[0].task], tables, units, metric)
    over_seeds = mean_over_seeds([row["value"] for row in rows], replicates)
    tuned = [row["value"] for record in records if (row := record.score(TUNED_ON_ALL, metric))]
    constant = records[0].score("constant", metric)
    return SeedSummary(
        metric=str(rows[0]["metric"]),
        run_ids=tuple(record.run_id for record in records),
        seeds=tuple(record.seed for record in records),
        values=tuple(float(row["value"]) for row in rows),
        mean=over_seeds.mean,
        sd=over_seeds.sd,
        low=over_seeds.low,
        high=over_seeds.high,
        tuned_on_all=float(np.mean(tuned)) if len(tuned) == len(records) else None,
        constant=None if constant is None else float(constant["value"]),
        unit=records[0].unit,
    )


def _replicates(
    task: Task, tables: Sequence[npt.NDArray[np.float64]], units: Units, score: str | None
) -> list[npt.NDArray[np.float64]]:
    """Return a score over all classes of each replicate, per run; an empty list for fewer than two videos or persons.

    Args:
        task: task of the runs.
        tables: statistics of the same videos, ``(n_videos, k)`` per run.
        units: units that the bootstrap resamples.
        score: name of the score; ``None`` for the official one.
    """
    if units.number < 2:
        return []
    metric = metric_for(task)

    def of_run(weights: npt.NDArray[np.float64], table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if score in (None, metric.name):
            return metric.headline(weights @ table)
        return metric.evaluate(table, weights)[score or "", "all"]

    def scores(weights: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        return {str(k): of_run(weights, table) for k, table in enumerate(tables)}

    return list(bootstrap(scores, units).values())


def has_seeds(runs: TableRows, view: View) -> bool:
    """Return True if any set-up has several runs in a view."""
    return _repeats(row["setup"] for row in runs) and _repeats(row["setup"] for row in ranked(runs, view))


def _repeats(setups: Iterable[str | None]) -> bool:
    known = [setup for setup in setups if setup is not None]
    return len(set(known)) < len(known)


def by_setup(entries: Entries, replicates: Replicates) -> tuple[list[Entry], Replicates]:
    """Join the runs of one set-up to one entry, and return the entries with their replicates.

    Runs without a score stay single. If a set-up has a seed twice, the older run goes into another entry.

    Args:
        entries: entries of :func:`harness.board.entries.run_entries`, newest first.
        replicates: bootstrap replicates by run id.
    """
    groups: dict[object, list[Entry]] = {}
    times: Counter[tuple[Any, ...]] = Counter()
    for entry in entries:
        run = (entry.setup, entry.metric_version, entry.seed)
        joins = entry.score is not None and entry.setup is not None
        groups.setdefault((*run[:2], times[run]) if joins else entry.key, []).append(entry)
        times[run] += 1
    several = [sorted(group, key=_by_seed) for group in groups.values() if len(group) > 1]
    several.sort(key=lambda group: _by_seed(group[0]))
    joined_entries = [group[0] for group in groups.values() if len(group) == 1]
    by_key = dict(replicates)
    for group in several:
        of_runs = [by_key.pop(entry.key) for entry in group if entry.key in replicates]
        mean = mean_over_seeds([entry.score for entry in group if entry.score is not None], of_runs)
        joined_entries.append(_joined(group, mean))
        if mean.replicates is not None:
            by_key[group[0].key] = mean.replicates
    return joined_entries, by_key


def _by_seed(entry: Entry) -> tuple[bool, int, str]:
    return entry.seed is None, entry.seed or 0, entry.key


def _joined(runs: Entries, mean: SeedMean) -> Entry:
    """Return one entry for runs, with the means of their numbers; its other values are those of the lowest seed."""
    tuned = _mean([entry.tuned for entry in runs])
    return replace(
        runs[0],
        score=mean.mean,
        sd=mean.sd,
        low=mean.low,
        high=mean.high,
        tuned=tuned,
        optimism=None if tuned is None else tuned - mean.mean,
        seed=None,
        seeds=len(runs),
        members=tuple(entry.key for entry in runs),
        created=max(entry.created for entry in runs if entry.created is not None),
        frames_per_second=_mean([entry.frames_per_second for entry in runs if entry.frames_per_second is not None]),
        notes=_all_texts(entry.notes for entry in runs),
        tags=_all_texts(entry.tags for entry in runs),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean; ``None`` where a value is missing, and for no values."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def _all_texts(texts: Iterable[str | None]) -> str | None:
    return " · ".join(dict.fromkeys(text for text in texts if text is not None)) or None
