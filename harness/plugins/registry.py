"""Finds solutions by name. The harness imports no solution: installed packages offer them as entry points."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from harness.datasets.audio.rows import AudioRows
from harness.datasets.dataset import Dataset
from harness.errors import UnknownNameError, UsageError
from harness.plugins.interface import (
    Blending,
    BlendPart,
    ExtractionReport,
    Listening,
    Provider,
    SolutionEntry,
    Sweeping,
)
from harness.plugins.needs import Need, Requiring, package_needs
from harness.records.curves import SweepPoint
from harness.settings import Settings
from harness.system.names import unusable
from harness.tasks import Task

GROUP = "abaw.solutions"
_log = logging.getLogger("abaw")


@functools.cache
def providers() -> tuple[Provider, ...]:
    """Every provider that loads; one that does not is warned about and left out, it must not take the rest down."""
    found: list[Provider] = []
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: p.name):
        try:
            provider = point.load()
            provider.solutions()  # one that can't list its solutions is as broken as one that does not load
            found.append(provider)
        except Exception as error:  # a third party's module may raise anything
            _log.warning("solutions of %r can't be loaded (%s: %s)", point.name, type(error).__name__, error)
    return tuple(found)


@functools.cache
def solution_entries() -> dict[str, SolutionEntry]:
    """All solutions by name. One whose name can't be part of a run's is warned about and left out.

    Raises:
        UsageError: two packages offer the same name.
    """
    entries: dict[str, SolutionEntry] = {}
    for provider in providers():
        for entry in provider.solutions():
            if entry.name in entries:
                raise UsageError(f"two packages offer a solution called {entry.name!r}", do="Uninstall one")
            if why := unusable(entry.name):
                _log.warning("a solution called %r is left out: %s", entry.name[:100], why)
                continue
            entries[entry.name] = entry
    return entries


def solution_entry(name: str) -> SolutionEntry:
    """The entry of that name.

    Raises:
        UnknownNameError: with the closest names.
    """
    entries = solution_entries()
    if name not in entries:
        raise UnknownNameError("solution", name, entries, hint="See all with: abaw solutions")
    return entries[name]


def audio_rows() -> list[AudioRows]:
    """Return the geometry of the rows of each known encoder of audio."""
    return [rows for provider in providers() if isinstance(provider, Listening) for rows in provider.audio_rows()]


def needs_of_solution(name: str, settings: Settings) -> list[Need] | None:
    """Return what a solution needs, here or not: weights, features, packages; ``None`` for one that nobody knows."""
    entry = solution_entries().get(name)
    if entry is None:
        return None
    for provider in providers():
        known = provider.needs(name, settings) if isinstance(provider, Requiring) else None
        if known is not None:
            return [*known, *package_needs(entry.needs)]
    return package_needs(entry.needs)


def extract(encoder: str, data: Dataset, splits: Sequence[str], settings: Settings) -> ExtractionReport:
    """Fill the feature cache for an encoder, whichever package has it.

    Raises:
        UnknownNameError: no package has it.
    """
    for provider in providers():
        report = provider.extract(encoder, data, splits, settings)
        if report is not None:
            return report
    known = [name for provider in providers() for name in provider.encoders()]
    raise UnknownNameError("encoder", encoder, known)


def blend_entry(
    name: str, task: Task, parts: Sequence[BlendPart], weights: Sequence[float] | None, *, smooth: bool
) -> SolutionEntry:
    """Runs blended, by the first package that can.

    Args:
        weights: one a run, given; ``None`` for chosen ones.
        smooth: whether the blend is smoothed, with a window that is chosen.

    Raises:
        UsageError: no package can.
    """
    for provider in providers():
        if isinstance(provider, Blending):
            return provider.blend(name, task, parts, weights, smooth)
    raise UsageError("no installed package can blend runs", do="Install this one whole: it brings solutions")


def curves(name: str, model: Path, data: Dataset, settings: Settings) -> Sequence[SweepPoint]:
    """Curves of a saved solution, by the package that has it.

    Raises:
        UsageError: it has none to draw.
    """
    for provider in providers():
        points = provider.curves(name, model, data, settings) if isinstance(provider, Sweeping) else None
        if points is not None:
            return points
    raise UsageError(f"{name} has no constants to draw curves of", do="Name a run of a recipe: abaw solutions")
