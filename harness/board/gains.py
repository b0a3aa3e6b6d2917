"""The gain of each ingredient with its interval: the papers' gains beside ours, or ours alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.board.ingredients import Gain, Step, System, gains, one_step_pairs, run_system, waterfall
from harness.board.papers import Beside, Interval, Ours, PaperTable, ReadReplicates, newest_setups, summaries
from harness.board.rankings import Ranking, named, rankings_in, rankings_with
from harness.metrics.interval import percentile_interval

OWN = "own:"
"""Prefix of a task's name, in place of a paper's table, for our own solutions of that task."""
_MOST_PAIRS = 60  # largest number of pairs of our own runs: a store may hold any number of solutions


@dataclass(frozen=True)
class OwnGain:
    """The gain of our scores, cross-fitted, as the mean over pairs.

    Attributes:
        gain: the mean gain.
        pairs: number of pairs of systems that were both run, on the same labels.
        interval: interval of the mean, from replicates with the same videos for all; ``None`` for too few videos.
    """

    gain: float
    pairs: int
    interval: Interval | None


@dataclass(frozen=True)
class Ingredients:
    """The ingredients of one table.

    Attributes:
        printed: True for a paper's gains; False for ours.
        listed: every ingredient with its pairs: added ones before replacing ones, the largest mean gain first.
        way: steps from the plain to the full system.
        ours: our runs by key of the system.
    """

    printed: bool
    listed: tuple[Gain, ...]
    way: tuple[Step, ...]
    ours: Mapping[str, Ours]

    @property
    def unit(self) -> str:
        """Name of the bootstrap's unit, ``video`` or ``person``."""
        return next((ours.unit for ours in self.ours.values()), "video")

    def own(self, steps: Sequence[Step]) -> OwnGain | None:
        """Return the gain of our runs over the same steps; ``None`` if all pairs lack a run."""
        pairs = [(self.ours[s.before.key], self.ours[s.after.key]) for s in steps if self._ran(s)]
        if not pairs:
            return None
        return OwnGain(float(np.mean([after.mean - before.mean for before, after in pairs])), len(pairs), _of(pairs))

    def _ran(self, step: Step) -> bool:
        before, after = self.ours.get(step.before.key), self.ours.get(step.after.key)
        return before is not None and after is not None and before.fingerprint == after.fingerprint


def own_runs(runs: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return the scored runs of a task on val, newest first."""
    if runs.empty:
        return runs
    keep = (runs["task"] == task) & (runs["split"] == "val") & runs["value"].notna() & (runs["status"] == "complete")
    return runs[keep]


def data_of_own(runs: pd.DataFrame, task: str) -> list[str]:
    """Return names of the data sets of our runs, that of most solutions first, the newest run's first among equals."""
    scored_runs = own_runs(runs, task)
    if scored_runs.empty:
        return []
    solutions = scored_runs.groupby("data_name", sort=False)["name"].nunique()
    return [str(name) for name in solutions.sort_values(ascending=False, kind="stable").index]


def rankings_of_own(runs: pd.DataFrame, task: str, data_name: str) -> list[Ranking]:
    """Return the rankings of our runs on a data set, that of the newest run first."""
    scored_runs = own_runs(runs, task)
    return rankings_with(scored_runs["run_id"], rankings_in(runs, task, "val", data_name)) if len(scored_runs) else []


def gains_of_task(
    runs: pd.DataFrame, task: str, data_name: str, read_replicates: ReadReplicates, *, labels: str = ""
) -> Ingredients:
    """Return the ingredients of our own solutions of a task on a data set.

    Args:
        runs: rows of :meth:`Store.runs`.
        task: name of the task.
        data_name: name of the data set.
        read_replicates: :meth:`Store.replicates`, or a function like it.
        labels: name of a ranking of :func:`rankings_of_own`; the first by default.
    """
    shown, scored_runs = named(rankings_of_own(runs, task, data_name), labels), own_runs(runs, task)
    return of_runs(
        scored_runs[scored_runs["run_id"].isin(shown.run_ids)] if shown else scored_runs.iloc[:0], read_replicates
    )


def _of(pairs: Sequence[tuple[Ours, Ours]]) -> Interval | None:
    drawn = []
    for before, after in pairs:
        if before.replicates is None or after.replicates is None or len(before.replicates) != len(after.replicates):
            return None
        drawn.append(after.replicates - before.replicates)
    if len({len(difference) for difference in drawn}) > 1:
        return None
    return percentile_interval(np.mean(drawn, axis=0))


def of_paper(table: PaperTable, rows: Sequence[Beside]) -> Ingredients:
    """Return the ingredients of a paper's own systems."""
    systems = table.systems()
    steps = one_step_pairs(systems)
    ours = {row.printed.row.row_id: row.ours for row in rows if row.ours is not None}
    return Ingredients(True, _listed(steps), tuple(waterfall(systems, steps)), ours)


def of_runs(runs: pd.DataFrame, read_replicates: ReadReplicates) -> Ingredients:
    """Return the ingredients of our own solutions, with the gain in score from adding or replacing each of them.

    Args:
        runs: scored runs of one ranking.
        read_replicates: :meth:`Store.replicates`, or a function like it.
    """
    if runs.empty:
        return Ingredients(False, (), (), {})
    newest_runs = newest_setups(runs)
    means = newest_runs.groupby("name")["value"].mean()
    descriptions = (
        newest_runs.drop_duplicates("name").set_index("name")[["encoder", "head", "postprocess"]].sort_index()
    )
    parts = (descriptions[column].astype(str) for column in descriptions)
    systems = [
        run_system(str(name), str(name), encoder, head, postprocess, float(score))
        for name, encoder, head, postprocess, score in zip(descriptions.index, *parts, means, strict=True)
    ]
    steps = one_step_pairs(systems)
    way = waterfall(systems, steps)
    chosen_steps = [*way, *(step for step in steps if step not in way)][:_MOST_PAIRS]
    names = {system.key for step in chosen_steps for system in (step.before, step.after)}
    ours = summaries(newest_runs[newest_runs["name"].isin(names)], pd.DataFrame(), read_replicates)
    return Ingredients(False, _listed(chosen_steps), tuple(way), ours)


def _listed(steps: Sequence[Step]) -> tuple[Gain, ...]:
    return tuple(sorted(gains(steps), key=lambda gain: bool(gain.removed)))


def stages(ingredients: Ingredients) -> list[System]:
    """Return the systems along the way, the plain one first."""
    return [ingredients.way[0].before, *(step.after for step in ingredients.way)] if ingredients.way else []
