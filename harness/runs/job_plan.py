"""Steps of all runs of a command, planned before the first one begins."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.datasets.dataset import Dataset
from harness.plugins.interface import SolutionEntry
from harness.runs.outlook import Outlook, outlook_of
from harness.settings import Settings
from harness.system.counts import with_seed
from harness.system.job import Step


@dataclass(frozen=True)
class PlannedRun:
    """A run with its outlook; ``None`` where that can't be told: the run itself says why."""

    entry: SolutionEntry
    seed: int
    outlook: Outlook | None


def planned_runs(
    runs: Sequence[tuple[SolutionEntry, int]], data: Dataset, split: str, settings: Settings, *, fresh: bool = False
) -> list[PlannedRun]:
    """Return the outlook of each run. Nothing is encoded, trained or written.

    Args:
        runs: solutions with their seeds.
        data: the data set.
        split: that the runs predict.
        settings: of the runs.
        fresh: runs that are there already are made again.
    """
    planned = []
    known: dict[str, Outlook] = {}
    for entry, seed in runs:
        outlook = None
        with contextlib.suppress(Exception):  # a plug-in may raise anything, and the run tells of it
            alike = known.get(entry.name)
            outlook = outlook_of(entry, data, split, settings, seed=seed, fresh=fresh, alike=alike)
            known[entry.name] = outlook
        planned.append(PlannedRun(entry, seed, outlook))
    return planned


def steps_of(planned: Sequence[PlannedRun]) -> list[Step]:
    """Return the steps of runs, one after the other; features that an earlier run encodes are cached for later ones."""
    encoded: set[str] = set()
    steps: list[Step] = []
    several = len({run.entry.name for run in planned}) > 1
    for number, run in enumerate(planned):
        if run.outlook is None or run.outlook.finished:
            continue
        name = with_seed(run.entry.name, run.seed) if several else f"seed {run.seed}"
        suffix = f" ({name})" if planned[1:] else ""
        steps += _encodings(number, run, run.outlook, encoded)
        steps += [
            Step(number, kind, f"{title}{suffix}", run.entry.name, seconds, pieces=_pieces(kind, run.entry))
            for kind, title, seconds in _others(run.entry, run.outlook)
        ]
    return steps


def _encodings(number: int, run: PlannedRun, outlook: Outlook, encoded: set[str]) -> Iterator[Step]:
    for stock in outlook.stocks:
        if stock.missing == 0 or stock.encoder in encoded:
            continue
        encoded.add(stock.encoder)
        rate = outlook.rate.value if outlook.rate is not None else None
        seconds = stock.missing / rate if stock.missing and rate else None
        kind = f"encode {stock.encoder}"
        yield Step(number, kind, kind, run.entry.name, seconds, stock.missing)


def _pieces(kind: str, entry: SolutionEntry) -> int:
    """Return the number of heads that a step trains."""
    return entry.head.count(" + ") + 1 if kind == "train" else 1


def _others(entry: SolutionEntry, outlook: Outlook) -> Iterator[tuple[str, str, float | None]]:
    """Yield kind, title and seconds of the steps after the features, in the order of the outlook."""
    rest = outlook.rest
    fit, predict = (None, None) if rest is None else (rest.fit, rest.predict)
    write = None if rest is None or fit is None or predict is None else max(rest.value - fit - predict, 0.0)
    seconds = {"train": fit, "predict": predict, "write": write}
    kinds = [*(["train"] if entry.head else []), *(["predict"] if entry.postprocess else []), "write"]
    for kind, title in zip(kinds, outlook.steps, strict=True):
        yield kind, title, seconds[kind]
