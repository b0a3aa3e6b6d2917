"""Who does the work: worker processes of this machine, or of a cluster. One protocol, two engines."""

from __future__ import annotations

from pathlib import Path

from harness.engine.engine import Engine
from harness.settings import Settings


def engine_of(settings: Settings, *shared: Path) -> Engine:
    """The engine that the settings name.

    Args:
        shared: folders that workers write to: those of a cluster must see what lies in them here.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: a cluster that can't be joined, or whose nodes can't do this work.
    """
    if settings.engine == "ray":
        from harness.engine.cluster import RayEngine

        return RayEngine(settings, shared)
    from harness.engine.local import LocalEngine

    return LocalEngine(settings)
