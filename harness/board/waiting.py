"""Runs that did not finish: those that wait for weights or packages, and those that failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.plugins.needs import Need, commands_for, named_state_of, state_of
from harness.plugins.registry import needs_of_solution
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.store.store import TableRows

NEEDS = ("MissingDependencyError", "MissingFeaturesError")
"""Kinds of the note of a run that lacked weights, features or a package."""


@dataclass(frozen=True)
class Attempts:
    """Runs that did not finish.

    Attributes:
        current: rows of :meth:`harness.store.store.Store.failures` that are still so, newest first. Those that lack
            weights, features or packages also have ``needs`` (``needs weights``), ``missing`` (the same with names) and
            ``command`` (one that brings what is missing). Rows whose weights have arrived are left out: the same
            command runs now.
    """

    current: TableRows

    @property
    def failed(self) -> TableRows:
        """Rows that something is wrong with."""
        return [row for row in self.current if "needs" not in row]

    @property
    def waiting(self) -> TableRows:
        """Rows that lack weights, features or packages."""
        return [row for row in self.current if "needs" in row]

    @property
    def notes(self) -> tuple[str, ...]:
        """Return one sentence per solution that waits, and on what."""
        of_solutions: dict[str, Mapping[str, Any]] = {}
        for row in self.waiting:
            of_solutions.setdefault(row["name"], row)
        return tuple(f"{name} {row['needs']}: {row['command']}" for name, row in of_solutions.items())


def needs_in_words(row: Mapping[str, Any]) -> str:
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
    tried = attempts([{"name": name, "kind": kind}], settings)
    return needs_in_words(tried.current[0]) if tried.current else ""


def attempts(failures: TableRows, settings: Settings) -> Attempts:
    """Sort runs that did not finish by what they need now.

    Args:
        failures: of :meth:`harness.store.store.Store.failures`.
        settings: where weights and features lie.
    """
    return sorted_attempts(failures, lambda name: needs_of_solution(name, settings))


def sorted_attempts(failures: TableRows, needs: Callable[[str], Sequence[Need] | None]) -> Attempts:
    """Sort as :func:`attempts` does.

    Args:
        failures: of :meth:`harness.store.store.Store.failures`.
        needs: of a solution by its name; ``None`` for one that nobody knows, whose rows stay failed.
    """
    lacking = dict.fromkeys(str(row["name"]) for row in failures if row["kind"] in NEEDS)
    of_solutions = {name: needs(name) for name in lacking}
    current: list[Mapping[str, Any]] = []
    for row in failures:
        known = of_solutions.get(row["name"]) if row["kind"] in NEEDS else None
        if known is None:
            current.append(row)
        elif missing := [need for need in known if not need.here]:
            words = {"needs": state_of(missing), "missing": named_state_of(missing)}
            current.append({**row, **words, "command": "; ".join(commands_for(missing))})
    return Attempts(current)
