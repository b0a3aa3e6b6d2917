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
    rankings_in,
    rankings_with,
    why_apart,
)
from harness.board.seeds import SeedSummary, mean_over_seeds
from harness.board.waiting import needs_in_words
from harness.datasets.identity import PUBLISHED_ON
from harness.plugins.registry import solution_entries
from harness.reference.papers import PaperRow, TableRow, table_rows
from harness.store.store import Replicates, TableRows
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
        """Metric that ranks the rows: the official one, or if no row prints it, the first over all classes."""
        printed = [metric for row in self.rows for metric, target in row.values if target == "all"]
        task = TASKS.get(self.task)
        return task.metric if task and task.metric in printed else printed[0]

    @property
    def targets(self) -> tuple[tuple[str, str], ...]:
        """Metric and name of every class or dimension in the table."""
        return tuple(dict.fromkeys(key for row in self.rows for key in row.values if key[1] != "all"))

    @property
    def on(self) -> str:
        """Name of the table's data set; empty for tasks without solutions."""
        return PUBLISHED_ON.get(self.task, "")

    def score(self, row: TableRow) -> float | None:
        """Return a row's score by :attr:`metric`; ``None`` where it is not printed."""
        return row.values.get((self.metric, "all"))

    def systems(self) -> list[System]:
        """Return the systems of the paper's own rows, with their ingredients."""
        scored = ((row, self.score(row)) for row in self.rows if row.is_own)
        return [
            paper_system(row.row.row_id, row.system, row.encoder, row.head, row.variant, score)
            for row, score in scored
            if score is not None
        ]


@functools.cache
def paper_tables() -> dict[str, PaperTable]:
    """Return every table by its key, the newer paper's first."""
    rows_by_table: dict[tuple[str, str], list[TableRow]] = {}
    for row in table_rows():
        rows_by_table.setdefault((row.row.paper, row.row.table), []).append(row)
    tables = (PaperTable(paper, number, tuple(rows)) for (paper, number), rows in rows_by_table.items())
    return {table.key: table for table in tables}


@dataclass(frozen=True)
class Ours:
    """One solution over its seeds, on one split of one data set.

    Attributes:
        solution: name of the solution.
        run_ids: ids of the runs of the newest set-up, which differ in the seed alone.
        seeds: seeds of these runs.
        mean: mean of the cross-fitted scores.
        sd: standard deviation of these scores (ddof 1); ``None`` for a single one.
        interval: interval of the mean, from replicates with the same videos for all seeds; ``None`` for too few videos.
        tuned: mean of the same runs' scores tuned on the videos that they are reported on; ``None`` if the runs chose
            no constants.
        constant: score of the best constant prediction.
        fingerprint: hash of the labels.
        targets: mean score by metric and class, or dimension.
        replicates: mean score of each bootstrap replicate.
        unit: unit that the bootstrap resamples, ``video`` or ``person``.
        metric: name of the score.
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
        """Return the summary of runs that were just made; ``None`` if all failed."""
        if summary is None:
            return None
        ends = None if summary.low is None or summary.high is None else (summary.low, summary.high)
        seeds = tuple(seed for seed in summary.seeds if seed is not None)
        of_score = summary.mean, summary.sd, ends, summary.tuned_on_all, summary.constant
        return cls(solution, summary.run_ids, seeds, *of_score, fingerprint, unit=summary.unit, metric=summary.metric)

    @property
    def like_papers(self) -> float:
        """Score as papers report it: tuned on the reported videos, if the runs chose constants, else the mean."""
        return self.mean if self.tuned is None else self.tuned


@dataclass(frozen=True)
class Beside:
    """A row of a paper's table with ours beside it.

    Attributes:
        printed: the row as the paper prints it.
        paper: the paper's score.
        solution: name of the solution that reproduces the row; may be empty.
        ours: summary of the solution's runs; ``None`` without a run.
        constants: summary of the runs with the paper's own constants.
        failure: message of the last try's error, for a solution without a run.
        apart: reason why ours is not compared with the paper's score although the data set has the official name.
        variants: summaries of other variants that were run, such as that of the paper's text or its authors' code.
        variant_names: names of all other variants.
        needs: weights, features or packages that the last try lacked, such as ``needs weights enet_b0_8_best_vgaf``.
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
    """Return by row the solution that reproduces it, and its variant with the paper's constants, which may be empty."""
    entries = solution_entries().values()
    solutions = {entry.row: entry.name for entry in entries if entry.row is not None and not entry.variant_of}
    constants = {entry.variant_of: entry.name for entry in entries if entry.row is not None and entry.variant_of}
    return {row: (name, constants.get(name, "")) for row, name in solutions.items()}


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
    """Return the solution that reproduces a row; empty for a row without one."""
    return _solutions_of_rows().get(row, ("", ""))[0]


def data_of_table(table: PaperTable, runs: pd.DataFrame) -> list[str]:
    """Return the data sets that a table's solutions were run on: the paper's own first, then the newest run's."""
    table_runs = runs_of(table, runs)
    if table_runs.empty:
        return []
    names = [str(name) for name in table_runs.sort_values("created", ascending=False)["data_name"].unique()]
    return sorted(names, key=lambda name: name != table.on)


def rankings_of_table(table: PaperTable, runs: pd.DataFrame, data_name: str) -> list[Ranking]:
    """Return the rankings on a data set with any run of the table's solutions, the newest run's first."""
    table_runs = runs_of(table, runs)
    return rankings_with(table_runs["run_id"], rankings_in(runs, table.task, table.split, data_name))


def runs_of(table: PaperTable, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the scored runs of the table's solutions on its split."""
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
    failures: TableRows = (),
    *,
    labels: str = "",
) -> list[Beside]:
    """Return every row of a table with our runs on a data set, in print order.

    Args:
        table: the paper's table.
        runs: rows of :meth:`Store.runs`.
        targets: rows of :meth:`Store.targets`.
        data_name: name of the data set of our runs.
        read_replicates: :meth:`Store.replicates`, or a function like it.
        failures: rows of :attr:`harness.board.waiting.Attempts.current`.
        labels: name of a ranking of :func:`rankings_of_table`; the first by default.
    """
    shown = named(rankings_of_table(table, runs, data_name), labels)
    table_runs = runs_of(table, runs)
    summary_by_solution = summaries(
        table_runs[table_runs["run_id"].isin(shown.run_ids)] if shown else table_runs.iloc[:0], targets, read_replicates
    )
    apart = _why_apart(table, runs, data_name, shown)
    reasons = _reasons(table, failures)
    rows = []
    for row in table.rows:
        solution, constants = _solutions_of_rows().get(row.row, ("", ""))
        ours = summary_by_solution.get(solution)
        failure, needs = ("", "") if ours else reasons.get(solution, ("", ""))
        names = _variants_of_rows().get(row.row, ())
        variants = tuple(summary_by_solution[name] for name in names if name in summary_by_solution)
        score, ours_constants = table.score(row), summary_by_solution.get(constants)
        rows.append(Beside(row, score, solution, ours, ours_constants, failure, apart, variants, names, needs))
    return rows


def unit_of_rows(rows: Sequence[Beside]) -> str:
    """Return the bootstrap's unit of our runs beside a table, ``video`` or ``person``."""
    return next((row.ours.unit for row in rows if row.ours), "video")


def _why_apart(table: PaperTable, runs: pd.DataFrame, data_name: str, shown: Ranking | None) -> str:
    """Return the reason why ours, on data of the official name, is not compared with the paper's; empty without one."""
    if shown is None or data_name != table.on:
        return ""
    rankings_of_data = rankings_in(runs, table.task, table.split, data_name)
    joined = beside_published(rankings_of_data)
    return "" if joined is not None and joined.labels == shown.labels else why_apart(rankings_of_data, data_name)


def _reasons(table: PaperTable, failures: TableRows) -> dict[str, tuple[str, str]]:
    """Return the last error's message and the missing needs of each failed solution on this split, by name."""
    reasons: dict[str, tuple[str, str]] = {}
    for row in failures:  # they come newest first
        if (row["task"], row["split"]) == (table.task, table.split):
            reasons.setdefault(row["name"], (row["reason"], needs_in_words(row)))
    return reasons


def summaries(runs: pd.DataFrame, targets: pd.DataFrame, read_replicates: ReadReplicates) -> dict[str, Ours]:
    """Summarise each solution over the seeds of its newest set-up, by name.

    Args:
        runs: scored runs of one ranking.
        targets: rows of :meth:`Store.targets`.
        read_replicates: :meth:`Store.replicates`, or a function like it.
    """
    if runs.empty:
        return {}
    of_newest = newest_setups(runs)
    replicates = read_replicates(of_newest["run_id"].tolist())
    of_target = targets[targets["run_id"].isin(of_newest["run_id"])] if len(targets) else pd.DataFrame()
    return {str(name): _summary(str(name), same, of_target, replicates) for name, same in of_newest.groupby("name")}


def newest_setups(runs: pd.DataFrame) -> pd.DataFrame:
    """Return per solution the runs of the newest run's set-up, sorted by name and seed."""
    # in a store of an earlier version, set-ups are unknown, and each run is its own
    runs = runs.assign(setup=runs["setup"].fillna(runs["run_id"])).sort_values("created", ascending=False)
    newest = runs.drop_duplicates("name").set_index("name")[["setup", "metric_version"]]
    same = (runs[["setup", "metric_version"]].to_numpy() == newest.loc[runs["name"]].to_numpy()).all(axis=1)
    newest_runs: pd.DataFrame = runs[same].drop_duplicates(["name", "seed"]).sort_values(["name", "seed"])
    return newest_runs


def _summary(name: str, runs: pd.DataFrame, targets: pd.DataFrame, replicates: Replicates) -> Ours:
    ids = [str(run_id) for run_id in runs["run_id"]]
    over_seeds = mean_over_seeds(list(runs["value"]), [replicates[run_id] for run_id in ids if run_id in replicates])
    of_target: dict[tuple[str, str], float] = {}
    if len(targets):
        target_means = (
            targets[targets["run_id"].isin(ids)].groupby(["metric", "target"], as_index=False)["value"].mean()
        )
        of_target = dict(
            zip(zip(target_means["metric"], target_means["target"], strict=True), target_means["value"], strict=True)
        )
    tuned, constant = runs["tuned_on_all"], runs["constant"].iloc[0]
    return Ours(
        solution=name,
        run_ids=tuple(ids),
        seeds=tuple(int(seed) for seed in runs["seed"].dropna()),
        mean=over_seeds.mean,
        sd=over_seeds.sd,
        interval=None if over_seeds.low is None or over_seeds.high is None else (over_seeds.low, over_seeds.high),
        tuned=float(tuned.mean()) if tuned.notna().all() else None,
        constant=None if pd.isna(constant) else float(constant),
        fingerprint=str(runs["data_fingerprint"].iloc[0]),
        targets=of_target,
        replicates=over_seeds.replicates,
        unit=unit_of(runs["persons"].dropna()),
        metric=TASKS[str(runs["task"].iloc[0])].metric,
    )
