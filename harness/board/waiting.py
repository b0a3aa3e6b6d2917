"""Runs that came to nothing: those that wait for weights or packages, and those that failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.plugins.needs import Need, commands_for, state_of
from harness.plugins.registry import needs_of_solution
from harness.settings import Settings

NEEDS = "MissingDependencyError"
"""Kind of the note of a run that lacked weights or a package."""


@dataclass(frozen=True)
class Attempts:
    """Runs that came to nothing.

    Attributes:
        failed: rows of :meth:`harness.store.store.Store.failures` that something is wrong with.
        waiting: rows that lack weights or packages, with columns ``needs`` (``needs weights``) and ``command`` (one
            that brings what is missing). Rows whose weights have arrived are in neither: the same command runs now.
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


def attempts(failures: pd.DataFrame, settings: Settings) -> Attempts:
    """Sort runs that came to nothing by what they need now.

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
    for name in failures.loc[failures["kind"] == NEEDS, "name"].unique():
        known = needs(str(name))
        missing[name] = None if known is None else [need for need in known if not need.here]
    lacking = failures["kind"].eq(NEEDS) & failures["name"].map(lambda name: missing.get(name) is not None)
    waits = lacking & failures["name"].map(lambda name: bool(missing.get(name)))
    waiting = failures[waits]
    return Attempts(
        failed=failures[~lacking],
        waiting=waiting.assign(
            needs=[state_of(missing[name] or ()) for name in waiting["name"]],
            command=["; ".join(commands_for(missing[name] or ())) for name in waiting["name"]],
        ),
    )
