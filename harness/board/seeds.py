"""One solution under several seeds: the mean, how far apart they lie, and an interval of the mean by video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.errors import DataError, problem
from harness.metrics.interface import Metric
from harness.metrics.interval import Units, bootstrap, percentile_interval, units_of
from harness.metrics.metric import metric_for
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord
from harness.tasks import TASKS


@dataclass(frozen=True)
class SeedSummary:
    """The official score over the seeds of one solution on one split.

    Attributes:
        seeds, values: one each a run.
        mean: of the values; ``sd`` their standard deviation (ddof 1), ``None`` for a single one.
        low, high: 95 % interval of the mean, videos or persons drawn, the same ones for all seeds; ``None`` below two.
        tuned_on_all: mean of what the same runs score tuned and reported on the same videos; ``None`` if nothing was
            chosen on labels.
        constant: what the best constant prediction gets; ``None`` for a metric other than the official one.
        unit: what the interval draws, ``video`` or ``person``.
    """

    metric: str
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
        raise DataError(problem("runs on different labels have no mean", found=f"labels {found}"))
    heads = [record.score(metric=metric) for record in records]
    rows = [head for head in heads if head is not None]
    if not rows or len(rows) < len(records):
        return None
    values = np.array([row["value"] for row in rows])
    # by name, as the store's draws are: the board's interval of the mean is this one
    of_videos = [sorted(record.statistics[HEADLINE].items()) for record in records]
    tables = np.array([[own for _, own in videos] for videos in of_videos], np.float64)
    units = units_of([name for name, _ in of_videos[0]], records[0].groups)
    low, high = _interval(metric_for(TASKS[records[0].task]), tables, units, metric)
    tuned = [row["value"] for record in records if (row := record.score(TUNED_ON_ALL, metric))]
    constant = records[0].score("constant", metric)
    return SeedSummary(
        metric=str(rows[0]["metric"]),
        seeds=tuple(record.seed for record in records),
        values=tuple(map(float, values)),
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        low=low,
        high=high,
        tuned_on_all=float(np.mean(tuned)) if len(tuned) == len(records) else None,
        constant=None if constant is None else float(constant["value"]),
        unit=records[0].unit,
    )


def _interval(
    metric: Metric, tables: npt.NDArray[np.float64], units: Units, score: str | None
) -> tuple[float | None, float | None]:
    """Return the interval of the mean over runs; ``tables`` ``(n_runs, n_videos, k)``."""
    if units.number < 2:
        return None, None

    def of_run(weights: npt.NDArray[np.float64], table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if score in (None, metric.name):
            return metric.headline(weights @ table)
        return metric.evaluate(table, weights)[score or "", "all"]

    def mean_of_runs(weights: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        return {"mean": np.mean([of_run(weights, table) for table in tables], axis=0)}

    return percentile_interval(bootstrap(mean_of_runs, units)["mean"])
