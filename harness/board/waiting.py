"""Runs that did not finish: those that wait for weights or packages, and those that failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.plugins.needs import Need, commands_for, named_state_of, state_of
from harness.plugins.registry import needs_of_solution
from harness.settings import Settings

NEEDS = ("MissingDependencyError", "MissingFeaturesError")
"""Kinds of the note of a run that lacked weights, features or a package."""


@dataclass(frozen=True)
class Attempts:
    """Runs that did not finish.

    Attributes:
        failed: rows of :meth:`harness.store.store.Store.failures` that something is wrong with.
        waiting: rows that lack weights, features or packages, with columns ``needs`` (``needs weights``), ``missing``
            (the same with names) and ``command`` (one that brings what is missing). Rows whose weights have arrived are
            in neither: the same command runs now.
    """

    failed: pd.DataFrame
    waiting: pd.DataFrame

    @property
    def current(self) -> pd.DataFrame:
        """Rows that are still so, newest first: those that failed and those that wait."""
        rows = self.failed if self.waiting.empty else pd.concat([self.failed, self.waiting])
        return rows.sort_index()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return one sentence per solution that waits, and on what."""
        rows = self.waiting.drop_duplicates("name") if len(self.waiting) else self.waiting
        texts = zip(rows["name"], rows["needs"], rows["command"], strict=True) if len(rows) else ()
        return tuple(f"{name} {needs}: {command}" for name, needs, command in texts)


def needs_in_words(row: Mapping[Any, Any]) -> str:
    """Return what a run that did not finish lacked, by name where that is known; empty where it failed.

    Args:
        row: of :attr:`Attempts.current`, or of :meth:`harness.store.store.Store.failures`.
    """
    if row["kind"] not in NEEDS:
        return ""
    missing = row.get("missing")
    return missing if isinstance(missing, str) and missing else "needs weights or a package"


def needs_of_failure(name: str, kind: str, settings: Settings) -> str:
    """Return what a solution that could not run just now lacks, by name; empty where it failed.

    Args:
        name: of the solution.
        kind: class of the error.
        settings: where weights and features lie.
    """
    tried = attempts(pd.DataFrame([{"name": name, "kind": kind}]), settings)
    return needs_in_words(tried.current.iloc[0].to_dict()) if len(tried.current) else ""


def attempts(failures: pd.DataFrame, settings: Settings) -> Attempts:
    """Sort runs that did not finish by what they need now.

    Args:
        failures: of :meth:`harness.store.store.Store.failures`.
        settings: where weights and features lie.
    """
    return sorted_attempts(failures, lambda name: needs_of_solution(name, settings))


def sorted_attempts(failures: pd.DataFrame, needs: Callable[[str], Sequence[Need] | None]) -> Attempts:
    """Sort as :func:`attempts` does.

    Args:
        failures: of :meth:`harness.store.store.Store.failures`.
        needs: of a solution by its name; ``None`` for one that nobody knows, whose rows stay failed.
    """
    if failures.empty:
        return Attempts(failures, failures)
    missing = {}
    for name in failures.loc[failures["kind"].isin(NEEDS), "name"].unique():
        known = needs(str(name))
        missing[name] = None if known is None else [need for need in known if not need.here]
    lacking = failures["kind"].isin(NEEDS) & failures["name"].map(lambda name: missing.get(name) is not None)
    waits = lacking & failures["name"].map(lambda name: bool(missing.get(name)))
    waiting = failures[waits]
    return Attempts(
        failed=failures[~lacking],
        waiting=waiting.assign(
            needs=[state_of(missing[name] or ()) for name in waiting["name"]],
            missing=[named_state_of(missing[name] or ()) for name in waiting["name"]],
            command=["; ".join(commands_for(missing[name] or ())) for name in waiting["name"]],
        ),
    )
