"""The papers' results tables with ours beside them, row by row."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.board.entries import unit_of
from harness.board.ingredients import System, paper_system
from harness.board.rankings import (
    Ranking,
    beside_published,
    named,
    rankings,
    rankings_with,
    why_apart,
)
from harness.board.seeds import SeedSummary, mean_over_seeds
from harness.board.waiting import needs_in_words
from harness.datasets.identity import PUBLISHED_ON
from harness.plugins.registry import solution_entries
from harness.reference.papers import PaperRow, TableRow, table_rows
from harness.store.store import Replicates
from harness.tasks import OTHER_TASKS, TASKS

PAPERS = {"abaw10": "ABAW-10 paper", "abaw8": "ABAW-8 paper"}
"""The two papers as they are called on the screen."""

ReadReplicates = Callable[[Sequence[str]], Replicates]
Interval = tuple[float, float]


@dataclass(frozen=True)
class PaperTable:
    """One results table: all of its rows are of one task and split."""

    paper: str
    number: str
    rows: tuple[TableRow, ...]

    @property
    def key(self) -> str:
        """``abaw10:table1``, as ``abaw reproduce`` takes it."""
        return f"{self.paper}:table{self.number}"

    @property
    def task(self) -> str:
        """Short name of the task."""
        return self.rows[0].task

    @property
    def split(self) -> str:
        """``val`` or ``test``."""
        return self.rows[0].split

    @property
    def title(self) -> str:
        """A line of plain text."""
        return f"{PAPERS[self.paper]}, table {self.number}: {(TASKS | OTHER_TASKS)[self.task].title}, {self.split}"

    @property
    def metric(self) -> str:
        """The official one; where no row prints it, the first that is over all classes, such as T7's accuracy."""
        printed = [metric for row in self.rows for metric, target in row.values if target == "all"]
        task = TASKS.get(self.task)
        return task.metric if task and task.metric in printed else printed[0]

    @property
    def targets(self) -> tuple[tuple[str, str], ...]:
        """Metric and name of every class or dimension that the table prints."""
        return tuple(dict.fromkeys(key for row in self.rows for key in row.values if key[1] != "all"))

    @property
    def on(self) -> str:
        """The data set that it is on; empty for tasks that we have no solutions for."""
        return PUBLISHED_ON.get(self.task, "")

    def score(self, row: TableRow) -> float | None:
        """A row's score by :attr:`metric`."""
        return row.values.get((self.metric, "all"))

    def systems(self) -> list[System]:
        """The paper's own rows as they are made of ingredients."""
        scored = ((row, self.score(row)) for row in self.rows if row.own)
        return [
            paper_system(row.row.row_id, row.system, row.encoder, row.head, row.variant, score)
            for row, score in scored
            if score is not None
        ]


@functools.cache
def paper_tables() -> dict[str, PaperTable]:
    """Every table by its key, the newer paper's first."""
    found: dict[tuple[str, str], list[TableRow]] = {}
    for row in table_rows():
        found.setdefault((row.row.paper, row.row.table), []).append(row)
    tables = (PaperTable(paper, number, tuple(rows)) for (paper, number), rows in found.items())
    return {table.key: table for table in tables}


@dataclass(frozen=True)
class Ours:
    """One solution over its seeds, on one split of one data set.

    Attributes:
        run_ids, seeds: one each a run, of the newest set-up: nothing differs but the seed.
        mean: of the cross-fitted scores; ``sd`` their standard deviation (ddof 1), ``None`` for a single one.
        interval: of the mean, videos drawn, the same ones for all seeds; ``None`` where there were too few.
        tuned: mean of what the same runs score tuned and reported on the same videos.
        targets: mean score by metric and class, or dimension.
        replicates: mean score of each bootstrap sample of videos, or of persons.
        unit: what the bootstrap draws, ``video`` or ``person``.
        metric: name of the score that ``mean`` is of.
    """

    solution: str
    run_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    mean: float
    sd: float | None
    interval: Interval | None
    tuned: float | None
    constant: float | None
    fingerprint: str
    targets: Mapping[tuple[str, str], float] = field(default_factory=dict)
    replicates: npt.NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    unit: str = "video"
    metric: str = ""

    @classmethod
    def of(cls, solution: str, summary: SeedSummary | None, fingerprint: str) -> Self | None:
        """Return the same of runs that were just made; ``None`` where all failed."""
        if summary is None:
            return None
        ends = None if summary.low is None or summary.high is None else (summary.low, summary.high)
        seeds = tuple(seed for seed in summary.seeds if seed is not None)
        of_score = summary.mean, summary.sd, ends, summary.tuned_on_all, summary.constant
        return cls(solution, summary.run_ids, seeds, *of_score, fingerprint, unit=summary.unit, metric=summary.metric)

    @property
    def like_papers(self) -> float:
        """The score that papers report: tuned on the videos it is reported on, where anything was chosen."""
        return self.mean if self.tuned is None else self.tuned


@dataclass(frozen=True)
class Beside:
    """A row of a paper's table with ours beside it.

    Attributes:
        solution: the solution that reproduces it; empty if there is none.
        ours: it was run; ``None`` if not.
        constants: the same with the paper's own constants, so that nothing was chosen.
        variants: other variants that were run, such as by the paper's text or its authors' code.
        variant_names: all other variants there are.
        failure: why the last try came to nothing, where it was tried and not run.
        apart: why ours is not compared with the paper's though the data set has the official name; else empty.
        needs: weights, features or packages that the last try lacked, ``needs weights enet_b0_8_best_vgaf``: nothing
            failed; else empty.
    """

    printed: TableRow
    paper: float | None
    solution: str
    ours: Ours | None
    constants: Ours | None
    failure: str = ""
    apart: str = ""
    variants: tuple[Ours, ...] = ()
    variant_names: tuple[str, ...] = ()
    needs: str = ""


@functools.cache
def _solutions_of_rows() -> dict[PaperRow, tuple[str, str]]:
    """For each row the solution that reproduces it, and that with the paper's own constants, empty if there is none."""
    entries = solution_entries().values()
    own = {entry.row: entry.name for entry in entries if entry.row is not None and not entry.variant_of}
    constants = {entry.variant_of: entry.name for entry in entries if entry.row is not None and entry.variant_of}
    return {row: (name, constants.get(name, "")) for row, name in own.items()}


@functools.cache
def _variants_of_rows() -> dict[PaperRow, tuple[str, ...]]:
    """Return the other variants of each row's solution, in the order in which they are registered."""
    entries = solution_entries().values()
    by_solution: dict[str, list[str]] = {}
    for entry in entries:
        if entry.variant_of and entry.row is None:
            by_solution.setdefault(entry.variant_of, []).append(entry.name)
    return {row: tuple(by_solution.get(name, ())) for row, (name, _) in _solutions_of_rows().items()}


def solution_of(row: PaperRow) -> str:
    """The solution that reproduces a row; empty if there is none."""
    return _solutions_of_rows().get(row, ("", ""))[0]


def data_of_table(table: PaperTable, runs: pd.DataFrame) -> list[str]:
    """Data sets that any of its solutions was run on: the paper's own first, then the newest run's."""
    own = runs_of(table, runs)
    if own.empty:
        return []
    names = [str(name) for name in own.sort_values("created", ascending=False)["data_name"].unique()]
    return sorted(names, key=lambda name: name != table.on)


def rankings_of_table(table: PaperTable, runs: pd.DataFrame, data_name: str) -> list[Ranking]:
    """Return the rankings on that data set that any run of the table's solutions is in, the newest run's first."""
    own = runs_of(table, runs)
    return rankings_with(own, rankings(runs, table.task, table.split, data_name)) if len(own) else []


def runs_of(table: PaperTable, runs: pd.DataFrame) -> pd.DataFrame:
    """Scored runs of the table's solutions on its split."""
    both = (_solutions_of_rows(), _variants_of_rows())
    names = [name for row in table.rows for known in both for name in known.get(row.row, ()) if name]
    if runs.empty or not names:
        return pd.DataFrame(columns=["run_id", "created", "data_name", "name"])
    fits = runs["name"].isin(names) & (runs["task"] == table.task) & (runs["split"] == table.split)
    return runs[fits & runs["value"].notna() & (runs["status"] == "complete")]


def beside(
    table: PaperTable,
    runs: pd.DataFrame,
    targets: pd.DataFrame,
    data_name: str,
    read_replicates: ReadReplicates,
    failures: pd.DataFrame | None = None,
    *,
    labels: str = "",
) -> list[Beside]:
    """Every row of a table with ours on that data set, in print order.

    Args:
        runs, targets, failures: of :class:`Store`.
        read_replicates: :meth:`Store.replicates`, or alike.
        labels: name of a ranking of :func:`rankings_of_table`; the first by default.
    """
    shown = named(rankings_of_table(table, runs, data_name), labels)
    own = runs_of(table, runs)
    found = summaries(own[own["run_id"].isin(shown.run_ids)] if shown else own.iloc[:0], targets, read_replicates)
    apart = _why_apart(table, runs, data_name, shown)
    reasons = _reasons(table, failures)
    rows = []
    for row in table.rows:
        solution, constants = _solutions_of_rows().get(row.row, ("", ""))
        ours = found.get(solution)
        failure, needs = ("", "") if ours else reasons.get(solution, ("", ""))
        names = _variants_of_rows().get(row.row, ())
        variants = tuple(found[name] for name in names if name in found)
        score, ours_constants = table.score(row), found.get(constants)
        rows.append(Beside(row, score, solution, ours, ours_constants, failure, apart, variants, names, needs))
    return rows


def unit_of_rows(rows: Sequence[Beside]) -> str:
    """Return what the intervals of our runs beside a table draw, ``video`` or ``person``."""
    return next((row.ours.unit for row in rows if row.ours), "video")


def _why_apart(table: PaperTable, runs: pd.DataFrame, data_name: str, shown: Ranking | None) -> str:
    """Return why ours, on data of the official name, is not compared with the paper's; empty if it is."""
    if shown is None or data_name != table.on:
        return ""
    found = rankings(runs, table.task, table.split, data_name)
    joined = beside_published(found)
    return "" if joined is not None and joined.labels == shown.labels else why_apart(found, data_name)


def _reasons(table: PaperTable, failures: pd.DataFrame | None) -> dict[str, tuple[str, str]]:
    """Return why a solution came to nothing on this split the last time, and what it lacked, by name."""
    if failures is None or failures.empty:
        return {}
    own = failures[(failures["task"] == table.task) & (failures["split"] == table.split)]
    own = own.drop_duplicates("name")  # they come newest first
    return {str(row["name"]): (str(row["reason"]), needs_in_words(row)) for row in own.to_dict("records")}


def summaries(runs: pd.DataFrame, targets: pd.DataFrame, read_replicates: ReadReplicates) -> dict[str, Ours]:
    """Each solution over its seeds, by name; of several set-ups the one of the newest run.

    Args:
        runs: scored ones of one ranking.
    """
    if runs.empty:
        return {}
    of_newest = newest_setups(runs)
    replicates = read_replicates(of_newest["run_id"].tolist())
    of_target = targets[targets["run_id"].isin(of_newest["run_id"])] if len(targets) else pd.DataFrame()
    return {str(name): _summary(str(name), same, of_target, replicates) for name, same in of_newest.groupby("name")}


def newest_setups(runs: pd.DataFrame) -> pd.DataFrame:
    """Of each solution the runs of one set-up, that of its newest run; by name and seed."""
    # a store of an earlier version knows no set-ups: there each run stands for itself
    runs = runs.assign(setup=runs["setup"].fillna(runs["run_id"])).sort_values("created", ascending=False)
    newest = runs.drop_duplicates("name").set_index("name")[["setup", "metric_version"]]
    same = (runs[["setup", "metric_version"]].to_numpy() == newest.loc[runs["name"]].to_numpy()).all(axis=1)
    found: pd.DataFrame = runs[same].drop_duplicates(["name", "seed"]).sort_values(["name", "seed"])
    return found


def _summary(name: str, runs: pd.DataFrame, targets: pd.DataFrame, replicates: Replicates) -> Ours:
    ids = [str(run_id) for run_id in runs["run_id"]]
    found = mean_over_seeds(list(runs["value"]), [replicates[run_id] for run_id in ids if run_id in replicates])
    of_target: dict[tuple[str, str], float] = {}
    if len(targets):
        own = targets[targets["run_id"].isin(ids)].groupby(["metric", "target"], as_index=False)["value"].mean()
        of_target = dict(zip(zip(own["metric"], own["target"], strict=True), own["value"], strict=True))
    tuned, constant = runs["tuned_on_all"], runs["constant"].iloc[0]
    return Ours(
        solution=name,
        run_ids=tuple(ids),
        seeds=tuple(int(seed) for seed in runs["seed"].dropna()),
        mean=found.mean,
        sd=found.sd,
        interval=None if found.low is None or found.high is None else (found.low, found.high),
        tuned=float(tuned.mean()) if tuned.notna().all() else None,
        constant=None if pd.isna(constant) else float(constant),
        fingerprint=str(runs["data_fingerprint"].iloc[0]),
        targets=of_target,
        replicates=found.replicates,
        unit=unit_of(runs),
        metric=TASKS[str(runs["task"].iloc[0])].metric,
    )
