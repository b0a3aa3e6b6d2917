"""Engines that distribute work to processes: one for this machine and one for a cluster, with one protocol."""

from __future__ import annotations

from pathlib import Path

from harness.engine.engine import Engine
from harness.settings import Settings


def engine_of(settings: Settings, *shared: Path) -> Engine:
    """Return the engine that the settings name.

    Args:
        settings: settings of the command.
        shared: folders that workers write to; all machines of a cluster must have them in common.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: the cluster can't be joined, or its machines differ from this one.
    """
    if settings.engine == "ray":
        from harness.engine.cluster import RayEngine

        return RayEngine(settings, shared)
    from harness.engine.local import LocalEngine

    return LocalEngine(settings)
