"""Seeds of one solution: mean score, standard deviation, and 95 % interval of the mean.

:func:`mean_over_seeds` computes them from the runs' bootstrap replicates; the terminal, the board, the papers' tables
and a run's page all call it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.board.entries import COLUMNS, View, objects, ranked
from harness.errors import DataError
from harness.metrics.interval import Units, bootstrap, percentile_interval, units_of
from harness.metrics.metric import metric_for
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord
from harness.store.store import Replicates
from harness.tasks import TASKS, Task

if TYPE_CHECKING:
    import pandas as pd


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


def has_seeds(runs: pd.DataFrame, view: View) -> bool:
    """Return True if any set-up has several runs in a view."""
    if runs.empty or not runs["setup"].dropna().duplicated().any():
        return False
    return bool(ranked(runs, view)["setup"].dropna().duplicated().any())


def by_setup(entries: pd.DataFrame, replicates: Replicates) -> tuple[pd.DataFrame, Replicates]:
    """Join the runs of one set-up to one entry, and return the entries with their replicates.

    Runs without a score stay single. If a set-up has a seed twice, the older run goes into another entry.

    Args:
        entries: entries of :func:`harness.board.entries.run_entries`, newest first.
        replicates: bootstrap replicates by run id.
    """
    import pandas as pd

    if entries.empty:
        return entries, replicates
    copy = entries.groupby(["setup", "metric_version", "seed"], dropna=False).cumcount()
    parts = zip(entries["setup"], entries["metric_version"], copy, strict=True)
    setup = objects((f"{setup} {version} {number}" for setup, version, number in parts), entries.index)
    group = setup.where(entries["score"].notna() & entries["setup"].notna(), entries["key"])
    size = group.map(group.value_counts())
    several = entries[size > 1].assign(group=group[size > 1]).sort_values(["seed", "run_id"])
    if several.empty:
        return entries, replicates
    scores, run_ids, keys = (several[name].tolist() for name in ("score", "run_id", "key"))
    places: dict[str, list[int]] = {}
    for place, name in enumerate(several["group"].tolist()):
        places.setdefault(name, []).append(place)
    means = {
        str(keys[same[0]]): mean_over_seeds(
            [scores[place] for place in same],
            [replicates[run_ids[place]] for place in same if run_ids[place] in replicates],
        )
        for same in places.values()
    }
    rows = entries[size == 1].to_dict("records") + _entries(several, means).to_dict("records")
    of_means = {key: mean.replicates for key, mean in means.items() if mean.replicates is not None}
    joined = set(keys)
    of_single = {key: drawn for key, drawn in replicates.items() if key not in joined}
    return pd.DataFrame(rows, columns=entries.columns), {**of_single, **of_means}


def _entries(several: pd.DataFrame, means: Mapping[str, SeedMean]) -> pd.DataFrame:
    """Return one entry per group, with the means of its runs' numbers; other columns are those of the lowest seed."""
    import pandas as pd

    groups = several.groupby("group", sort=False)
    entries = several.drop_duplicates("group").set_index("group")
    all_tuned = groups["tuned"].count() == groups.size()
    of_key = pd.DataFrame([(m.mean, m.sd, m.low, m.high) for m in means.values()], entries.index, dtype=float)
    entries[["score", "sd", "low", "high"]] = of_key
    entries = entries.assign(
        tuned=groups["tuned"].mean().where(all_tuned),
        seed=np.nan,
        seeds=groups.size(),
        members=groups["run_id"].agg(tuple),
        created=groups["created"].max(),
        frames_per_second=groups["frames_per_second"].mean(),
        notes=groups["notes"].agg(_all_notes) if several["notes"].notna().any() else None,
        tags=groups["tags"].agg(_all_notes) if several["tags"].notna().any() else None,
    )
    entries["optimism"] = entries["tuned"] - entries["score"]
    return entries.reset_index(drop=True).reindex(columns=[*COLUMNS, "setup"])


def _all_notes(notes: pd.Series[str]) -> str | None:
    return " · ".join(dict.fromkeys(notes.dropna())) or None
