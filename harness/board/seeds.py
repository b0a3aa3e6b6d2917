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
        replicates: of the mean, float64 ``(replicates,)``; ``None`` likewise.
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
        replicates: of these runs, ``(replicates,)`` each, with the same videos, or persons, drawn for all of them;
            the mean has an interval where all runs have replicates, equally many.
    """
    scores = np.asarray(values, np.float64)
    of_mean = low = high = None
    if len(replicates) == len(scores) and len({len(own) for own in replicates}) == 1:
        of_mean = np.mean(replicates, axis=0, dtype=np.float64)
        low, high = percentile_interval(of_mean)
    sd = float(scores.std(ddof=1)) if len(scores) > 1 else None
    return SeedMean(float(scores.mean()), sd, low, high, of_mean)


@dataclass(frozen=True)
class SeedSummary:
    """The official score over the seeds of one solution on one split.

    Attributes:
        run_ids, seeds, values: one per run.
        mean: of the values; ``sd`` their standard deviation (ddof 1), ``None`` for a single one.
        low, high: 95 % interval of the mean, videos or persons drawn, the same ones for all seeds; ``None`` below two.
        tuned_on_all: mean of what the same runs score tuned and reported on the same videos; ``None`` if nothing was
            chosen on labels.
        constant: what the best constant prediction gets; ``None`` for a metric other than the official one.
        unit: what the interval draws, ``video`` or ``person``.
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
        """How much better it looks when tuned and reported on the same videos."""
        return None if self.tuned_on_all is None else self.tuned_on_all - self.mean


def summarise(records: Sequence[RunRecord], metric: str | None = None) -> SeedSummary | None:
    """The seeds' summary; ``None`` where the runs were not scored.

    Args:
        records: runs of one solution on the same videos, one a seed.
        metric: name of the score over all classes that is summarised; the official one by default.

    Raises:
        DataError: the runs are on different labels.
    """
    labels = {str(record.data.get("fingerprint")) for record in records}
    if len(labels) > 1:
        found = ", ".join(sorted(text[:8] for text in labels))
        raise DataError("runs on different labels have no mean", found=f"labels {found}")
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
    """Return a score over all classes of each replicate, per run; empty below two videos, or persons.

    Args:
        task: of the runs.
        tables: statistics of the same videos, ``(n_videos, k)`` per run.
        units: units of these videos that are drawn.
        score: name of it; ``None`` for the official one.
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
    """Whether any setup has several runs in this view."""
    if runs.empty or not runs["setup"].dropna().duplicated().any():
        return False
    return bool(ranked(runs, view)["setup"].dropna().duplicated().any())


def by_setup(own: pd.DataFrame, replicates: Replicates) -> tuple[pd.DataFrame, Replicates]:
    """Return entries with the runs of one setup taken together, and the replicates of these entries.

    Runs without a score stay by themselves. Where a setup has a seed twice, the older runs are an entry of their own.

    Args:
        own: of :func:`harness.board.entries.run_entries`, newest first.
        replicates: of the runs, by id.
    """
    import pandas as pd

    if own.empty:
        return own, replicates
    copy = own.groupby(["setup", "metric_version", "seed"], dropna=False).cumcount()
    parts = zip(own["setup"], own["metric_version"], copy, strict=True)
    setup = objects((f"{setup} {version} {number}" for setup, version, number in parts), own.index)
    group = setup.where(own["score"].notna() & own["setup"].notna(), own["key"])
    size = group.map(group.value_counts())
    several = own[size > 1].assign(group=group[size > 1]).sort_values(["seed", "run_id"])
    if several.empty:
        return own, replicates
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
    rows = own[size == 1].to_dict("records") + _entries(several, means).to_dict("records")
    of_means = {key: found.replicates for key, found in means.items() if found.replicates is not None}
    joined = set(keys)
    of_single = {key: drawn for key, drawn in replicates.items() if key not in joined}
    return pd.DataFrame(rows, columns=own.columns), {**of_single, **of_means}


def _entries(several: pd.DataFrame, means: Mapping[str, SeedMean]) -> pd.DataFrame:
    """Return one entry per group: what its runs share comes from that of the lowest seed, numbers are their means."""
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
