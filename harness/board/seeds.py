"""One solution under several seeds: the mean, how far apart they lie, and an interval of the mean by video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.errors import DataError, problem
from harness.metrics.interface import Metric
from harness.metrics.interval import bootstrap, percentile_interval
from harness.metrics.metric import metric_for
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord
from harness.tasks import TASKS


@dataclass(frozen=True)
class SeedSummary:
    """The official score over the seeds of one solution on one split.

    Attributes:
        seeds, values: one each a run.
        mean: of the values; ``sd`` their standard deviation (ddof 1), ``None`` for a single one.
        low, high: 95 % interval of the mean, videos drawn, the same ones for all seeds; ``None`` below two videos.
        tuned_on_all: mean of what the same runs score tuned and reported on the same videos; ``None`` if nothing was
            chosen on labels.
        constant: what the best constant prediction gets.
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

    @property
    def optimism(self) -> float | None:
        """How much better it looks when tuned and reported on the same videos."""
        return None if self.tuned_on_all is None else self.tuned_on_all - self.mean


def summarise(records: Sequence[RunRecord]) -> SeedSummary | None:
    """The seeds' summary; ``None`` where the runs were not scored.

    Args:
        records: runs of one solution on the same videos, one a seed.

    Raises:
        DataError: the runs are on different labels.
    """
    labels = {str(record.data.get("fingerprint")) for record in records}
    if len(labels) > 1:
        found = ", ".join(sorted(text[:8] for text in labels))
        raise DataError(problem("runs on different labels have no mean", found=f"labels {found}"))
    heads = [record.score() for record in records]
    rows = [head for head in heads if head is not None]
    if not rows or len(rows) < len(records):
        return None
    values = np.array([row["value"] for row in rows])
    # by name, as the store's draws are: the board's interval of the mean is this one
    of_videos = [sorted(record.statistics[HEADLINE].items()) for record in records]
    tables = np.array([[own for _, own in videos] for videos in of_videos], np.float64)
    low, high = _interval(metric_for(TASKS[records[0].task]), tables)
    tuned = [row["value"] for record in records if (row := record.score(TUNED_ON_ALL))]
    constant = records[0].score("constant")
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
    )


def _interval(metric: Metric, tables: npt.NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Of the mean over runs; ``tables`` ``(n_runs, n_videos, k)``."""
    if tables.shape[1] < 2:
        return None, None

    def mean_of_runs(weights: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        return {"mean": np.mean([metric.headline(weights @ table) for table in tables], axis=0)}

    return percentile_interval(bootstrap(mean_of_runs, tables.shape[1])["mean"])
