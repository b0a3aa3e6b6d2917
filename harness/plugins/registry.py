"""The registry of solutions by name. The harness imports no solution: installed packages offer entry points."""

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
    """Return all providers that load. A broken provider causes a warning and is left out."""
    loaded: list[Provider] = []
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: p.name):
        try:
            provider = point.load()
            provider.solutions()  # a provider that can't list its solutions is broken, too
            loaded.append(provider)
        except Exception as error:  # a third party's module may raise anything
            _log.warning("solutions of %r can't be loaded (%s: %s)", point.name, type(error).__name__, error)
    return tuple(loaded)


@functools.cache
def solution_entries() -> dict[str, SolutionEntry]:
    """Return all solutions by name. A solution whose name can't be part of a run's causes a warning and is left out.

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
    """Return the entry of a solution.

    Raises:
        UnknownNameError: no package offers the solution; the message lists the closest names. For a name without its
            task, which may be that of several solutions, the message lists their full names.
    """
    entries = solution_entries()
    if name not in entries:
        if full_names := sorted(full_name for full_name in entries if full_name.partition("/")[2] == name):
            hint = f"The name begins with the task. Copy it whole: {' or '.join(full_names)}."
            raise UnknownNameError("solution", name, (), hint=hint)
        raise UnknownNameError("solution", name, entries, hint="See all with: abaw solutions")
    return entries[name]


def audio_rows() -> list[AudioRows]:
    """Return the geometry of the rows of each known audio encoder."""
    return [rows for provider in providers() if isinstance(provider, Listening) for rows in provider.audio_rows()]


def needs_of_solution(name: str, settings: Settings) -> list[Need] | None:
    """Return all weights, features and packages that a solution needs; ``None`` for an unknown solution."""
    entry = solution_entries().get(name)
    if entry is None:
        return None
    for provider in providers():
        known = provider.needs(name, settings) if isinstance(provider, Requiring) else None
        if known is not None:
            return [*known, *package_needs(entry.needs)]
    return package_needs(entry.needs)


def extract(encoder: str, data: Dataset, splits: Sequence[str], settings: Settings) -> ExtractionReport:
    """Fill the feature cache with an encoder of any installed package.

    Args:
        encoder: name of the encoder.
        data: the data set.
        splits: splits whose videos are encoded.
        settings: settings of the encoder, such as device and precision.

    Raises:
        UnknownNameError: no package has the encoder.
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
    """Return a blend of runs as a solution of the first package that can blend.

    Args:
        name: name of the blend.
        task: task of the runs.
        parts: the runs.
        weights: one weight per run; ``None`` to choose them on the labels of val.
        smooth: smooth the blend over frames, with a window that is chosen on the labels of val.

    Raises:
        UsageError: no package can blend.
    """
    for provider in providers():
        if isinstance(provider, Blending):
            return provider.blend(name, task, parts, weights, smooth)
    raise UsageError("no installed package can blend runs", do="Install this one whole: it brings solutions")


def curves(name: str, model: Path, data: Dataset, settings: Settings) -> Sequence[SweepPoint]:
    """Return the curves of a saved solution, computed by the package that offers it.

    Args:
        name: name of the solution.
        model: folder that the solution was saved in.
        data: the data set.
        settings: settings of the run.

    Raises:
        UsageError: the solution lacks constants to draw curves of.
    """
    for provider in providers():
        points = provider.curves(name, model, data, settings) if isinstance(provider, Sweeping) else None
        if points is not None:
            return points
    raise UsageError(f"{name} has no constants to draw curves of", do="Name a run of a recipe: abaw solutions")
