"""Comparison of several runs with one base, and the correction of the p-values for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataError
from harness.metrics.compare import Comparison, Runs, ScoredRun, compare
from harness.metrics.interval import LEVEL, REPLICATES, SEED
from harness.system.counts import counted

if TYPE_CHECKING:
    import pandas as pd

HOLM = "Holm 1979, Scandinavian Journal of Statistics 6, 65-70"
"""Source of :func:`holm`."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down method.

    The probability to reject any true hypothesis at a level is at most the level, also for dependent tests.
    The k-th smallest of m p-values is multiplied by ``m - k + 1``; a corrected value is at least the corrected value of
    every smaller p-value, and at most 1.

    Args:
        p_values: one per comparison, in any order; the result has the same order.

    Source:
        S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979),
        65-70.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(1.0, stepped)
    return [float(p) for p in corrected]


@dataclass(frozen=True)
class AgainstBase:
    """One run beside the base; differences are the run's score minus that of the base.

    Attributes:
        name: name of the run, or of a solution whose seeds are averaged.
        run_ids: the averaged runs.
        comparison: comparison of the run, A, with the base, B; ``None`` if the two can't be compared.
        corrected_p: p-value corrected for the number of comparisons; ``None`` without a p-value.
        reason: reason of a missing comparison, else ``""``.
    """

    name: str
    run_ids: tuple[str, ...]
    comparison: Comparison | None
    corrected_p: float | None
    reason: str = ""

    @property
    def separable(self) -> bool:
        """True if the interval excludes 0 and the corrected p-value is below 0.05."""
        if self.comparison is None or self.corrected_p is None:
            return False
        return self.comparison.separable and self.corrected_p < 1 - LEVEL

    @property
    def verdict(self) -> str:
        """Result in plain words."""
        if self.comparison is None:
            return f"not comparable: {self.reason}"
        if not self.comparison.separable:
            return self.comparison.verdict
        if not self.separable:
            return "not separable after the correction"
        difference = self.comparison.headline.difference
        return f"{'better' if difference > 0 else 'worse'} by {abs(difference):.3f}"


@dataclass(frozen=True)
class SeveralComparisons:
    """Comparisons of several runs with one base.

    Attributes:
        base: name of the base.
        base_ids: the averaged runs of the base.
        rows: one row per run, in the order of the arguments.
    """

    base: str
    base_ids: tuple[str, ...]
    rows: tuple[AgainstBase, ...]

    @property
    def compared(self) -> tuple[Comparison, ...]:
        """Comparisons of the comparable runs, at least one."""
        return tuple(row.comparison for row in self.rows if row.comparison is not None)

    @property
    def correction(self) -> str:
        """Sentence on the correction, with its source."""
        number = counted(sum(row.corrected_p is not None for row in self.rows), "comparison")
        return f"p (Holm) is corrected for {number} ({HOLM}), and verdicts go by it; an interval is not."

    def __repr__(self) -> str:
        """Return one line with the verdict of each run."""
        verdicts = "; ".join(f"{row.name}: {row.verdict}" for row in self.rows)
        return f"<SeveralComparisons {self.compared[0].task.name} against {self.base}: {verdicts}>"

    def _repr_html_(self) -> str:
        """Return a row per run as a table, for a notebook."""
        from harness.tables.html import write_html
        from harness.tables.table import Column, Table, records

        columns = (
            Column("name", "Run"),
            Column("score", "Score", "number"),
            Column("difference", "Minus base", "signed"),
            Column("interval", f"95 % by {self.compared[0].unit}", "interval"),
            Column("p_value", "p", "number", digits=4),
            Column("corrected_p", "p (Holm)", "number", digits=4),
            Column("verdict", "Verdict"),
        )
        rows = [{**row, "interval": (row["low"], row["high"])} for row in records(self.to_frame())]
        return write_html(Table(f"Against {self.base}", columns, tuple(rows), notes=(self.correction,)))

    def to_frame(self) -> pd.DataFrame:
        """Return a row per run.

        Columns: ``name``, ``score``, ``base``, ``difference``, ``low``, ``high``, ``p_value``, ``corrected_p``,
        ``separable`` and ``verdict``; numbers are NaN where a comparison, or an interval, is missing.
        """
        import pandas as pd

        numbers = ["score", "base", "difference", "low", "high", "p_value", "corrected_p"]
        rows = [
            {"name": row.name, **numbers_of(row), "separable": row.separable, "verdict": row.verdict}
            for row in self.rows
        ]
        frame = pd.DataFrame(rows, columns=["name", *numbers, "separable", "verdict"])
        return frame.astype(dict.fromkeys(numbers, float))


def numbers_of(row: AgainstBase) -> dict[str, Any]:
    """Return the numbers of a row by name; ``None`` for missing numbers.

    Keys: ``score``, ``base``, ``difference``, ``low``, ``high`` (of the official score), ``p_value``, ``corrected_p``.
    """
    names = ("score", "base", "difference", "low", "high", "p_value", "corrected_p")
    if row.comparison is None:
        return dict.fromkeys(names)
    head = row.comparison.headline
    values = (head.a, head.b, head.difference, head.low, head.high, row.comparison.p_value, row.corrected_p)
    return dict(zip(names, values, strict=True))


def compare_several(
    base: Runs,
    others: Mapping[str, Runs],
    *,
    name: str = "",
    skip: bool = False,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> SeveralComparisons:
    """Compare runs, each with one base over the same videos, and correct the p-values for their number.

    Args:
        base: one run, or the runs of one solution with several seeds, whose mean is compared.
        others: runs to compare with the base, each like ``base``, by their names in the result.
        name: name of the base; by default the name of its first run.
        skip: True to list a run that can't be compared with the reason, in place of an error.
        replicates: number of bootstrap replicates.
        seed: seed of the bootstrap.

    Raises:
        DataError: ``others`` is empty; or a run differs from the base in task, split or labels, or has no scores. With
            ``skip``, only if this holds for all runs.
    """
    if not others:
        raise DataError("the base stands alone", where=name or _ids(base)[0], do="Name runs to compare with it")
    comparisons: dict[str, Comparison] = {}
    errors: dict[str, DataError] = {}
    for other, runs in others.items():
        try:
            comparisons[other] = compare(runs, base, replicates=replicates, seed=seed)
        except DataError as error:
            if not skip:
                raise
            errors[other] = error
    if errors and not comparisons:
        raise next(iter(errors.values()))
    tested = {other: pair.p_value for other, pair in comparisons.items() if pair.p_value is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    rows = tuple(
        AgainstBase(other, _ids(runs), comparisons.get(other), corrected.get(other), str(errors.get(other, "")))
        for other, runs in others.items()
    )
    return SeveralComparisons(name or _ids(base)[0], _ids(base), rows)


def _ids(runs: Runs) -> tuple[str, ...]:
    return (runs.name,) if isinstance(runs, ScoredRun) else tuple(run.name for run in runs)
