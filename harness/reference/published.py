"""Published results: baselines, papers' rows and leaderboards, each with its evidence and source."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib import resources

from harness.tasks import TASKS

# the competition calls the mean of twelve binary F1 of AU detection macro-F1, which means another score here
_OUR_WORD = {("AU", "macro_f1"): "mean_binary_f1"}


@dataclass(frozen=True)
class PublishedResult:
    """Published score.

    Attributes:
        edition: number of the competition's edition.
        kind: ``baseline`` of the organisers, ``paper`` or ``leaderboard``.
        value: a fraction, or a coefficient in [-1, 1].
        evidence: ``official`` (the organisers' own text), ``paper``, or ``secondary`` (reported by others).
        source: place of the number in the source.
    """

    edition: int
    task: str
    split: str
    kind: str
    rank: int | None
    team: str
    system: str
    metric: str
    target: str
    value: float
    evidence: str
    source: str


def our_word(task: str, metric: str) -> str:
    """Return our name of a metric that papers and organisers print."""
    return _OUR_WORD.get((task, metric), metric)


def our_target(task: str, target: str) -> str:
    """Return our name of a class or dimension: EMI's ``empathic_pain`` is ``Empathic Pain``."""
    targets = TASKS[task].targets if task in TASKS else ()
    return next((name for name in targets if name.replace(" ", "_").casefold() == target.casefold()), target)


@functools.cache
def published_results() -> tuple[PublishedResult, ...]:
    """Return all published results that come with the package."""
    text = (resources.files("harness") / "reference" / "published_results.csv").read_text(encoding="utf-8")
    return tuple(
        PublishedResult(
            edition=int(row["edition"]),
            rank=int(row["rank"]) if row["rank"] else None,
            value=float(row["value"]),
            metric=our_word(row["task"], row["metric"]),
            target=our_target(row["task"], row["target"]),
            **{key: row[key] for key in ("task", "split", "kind", "team", "system", "evidence", "source")},
        )
        for row in csv.DictReader(text.splitlines())
    )
