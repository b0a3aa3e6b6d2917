"""Which ingredient helped, and how sure that is: the papers' gains with ours beside them, or ours alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.board.ingredients import Gain, Step, System, gains, one_step_pairs, run_system, waterfall
from harness.board.papers import Beside, Interval, Ours, PaperTable, ReadDraws, newest_setups, summaries
from harness.board.rankings import Ranking, named, rankings, rankings_with
from harness.metrics.interval import percentile_interval

OWN = "own:"
"""Before a task's name it stands where a paper's table may: our own solutions of that task."""
_MOST_PAIRS = 60  # of our own runs: a store may hold any number of solutions


@dataclass(frozen=True)
class OwnGain:
    """What our scores gain, cross-fitted, the mean over pairs.

    Attributes:
        pairs: of which both are run, on the same labels.
        interval: of the mean, videos drawn, the same ones for all; ``None`` where there were too few.
    """

    gain: float
    pairs: int
    interval: Interval | None


@dataclass(frozen=True)
class Ingredients:
    """Of one table.

    Attributes:
        printed: whether the gains are a paper's; else they are ours.
        listed: every ingredient with its pairs: those put on top first, the largest mean gain first.
        way: from plain to full.
        ours: our runs by key of the system.
    """

    printed: bool
    listed: tuple[Gain, ...]
    way: tuple[Step, ...]
    ours: Mapping[str, Ours]

    @property
    def unit(self) -> str:
        """Name of what the intervals draw, ``video`` or ``person``."""
        return next((ours.unit for ours in self.ours.values()), "video")

    def own(self, steps: Sequence[Step]) -> OwnGain | None:
        """What our runs gain by the same steps; ``None`` where no pair of them was run."""
        pairs = [(self.ours[s.before.key], self.ours[s.after.key]) for s in steps if self._ran(s)]
        if not pairs:
            return None
        return OwnGain(float(np.mean([after.mean - before.mean for before, after in pairs])), len(pairs), _of(pairs))

    def _ran(self, step: Step) -> bool:
        before, after = self.ours.get(step.before.key), self.ours.get(step.after.key)
        return before is not None and after is not None and before.fingerprint == after.fingerprint


def own_runs(runs: pd.DataFrame, task: str) -> pd.DataFrame:
    """Scored runs of a task on validation, newest first."""
    if runs.empty:
        return runs
    keep = (runs["task"] == task) & (runs["split"] == "val") & runs["value"].notna() & (runs["status"] == "complete")
    return runs[keep]


def data_of_own(runs: pd.DataFrame, task: str) -> list[str]:
    """Data sets of these runs, that of most solutions first, the newest run's first among equals."""
    own = own_runs(runs, task)
    if own.empty:
        return []
    solutions = own.groupby("data_name", sort=False)["name"].nunique()
    return [str(name) for name in solutions.sort_values(ascending=False, kind="stable").index]


def rankings_of_own(runs: pd.DataFrame, task: str, data_name: str) -> list[Ranking]:
    """Return the rankings of these runs on that data set, that of the newest first."""
    own = own_runs(runs, task)
    return rankings_with(own, rankings(runs, task, "val", data_name)) if len(own) else []


def gains_of_task(
    runs: pd.DataFrame, task: str, data_name: str, read_draws: ReadDraws, *, labels: str = ""
) -> Ingredients:
    """Of our own solutions of a task on that data set.

    Args:
        labels: name of a ranking of :func:`rankings_of_own`; the first by default.
    """
    shown, own = named(rankings_of_own(runs, task, data_name), labels), own_runs(runs, task)
    return of_runs(own[own["run_id"].isin(shown.run_ids)] if shown else own.iloc[:0], read_draws)


def _of(pairs: Sequence[tuple[Ours, Ours]]) -> Interval | None:
    drawn = []
    for before, after in pairs:
        if before.replicates is None or after.replicates is None or len(before.replicates) != len(after.replicates):
            return None
        drawn.append(after.replicates - before.replicates)
    if len({len(own) for own in drawn}) > 1:
        return None
    return percentile_interval(np.mean(drawn, axis=0))


def of_paper(table: PaperTable, rows: Sequence[Beside]) -> Ingredients:
    """Of a paper's own rows."""
    systems = table.systems()
    steps = one_step_pairs(systems)
    ours = {row.printed.row.row_id: row.ours for row in rows if row.ours is not None}
    return Ingredients(True, _listed(steps), tuple(waterfall(systems, steps)), ours)


def of_runs(runs: pd.DataFrame, read_draws: ReadDraws) -> Ingredients:
    """Of our own solutions.

    Args:
        runs: scored ones of one ranking.
    """
    if runs.empty:
        return Ingredients(False, (), (), {})
    own = newest_setups(runs)
    means = own.groupby("name")["value"].mean()
    made = own.drop_duplicates("name").set_index("name")[["encoder", "head", "postprocess"]].sort_index()
    parts = (made[column].astype(str) for column in made)
    systems = [
        run_system(str(name), str(name), encoder, head, postprocess, float(score))
        for name, encoder, head, postprocess, score in zip(made.index, *parts, means, strict=True)
    ]
    steps = one_step_pairs(systems)
    way = waterfall(systems, steps)
    kept = [*way, *(step for step in steps if step not in way)][:_MOST_PAIRS]
    names = {system.key for step in kept for system in (step.before, step.after)}
    ours = summaries(own[own["name"].isin(names)], pd.DataFrame(), read_draws)
    return Ingredients(False, _listed(kept), tuple(way), ours)


def _listed(steps: Sequence[Step]) -> tuple[Gain, ...]:
    return tuple(sorted(gains(steps), key=lambda gain: bool(gain.removed)))


def stages(found: Ingredients) -> list[System]:
    """The systems along the way, the plain one first."""
    return [found.way[0].before, *(step.after for step in found.way)] if found.way else []
