"""Public interface of the project: exactly the names that users' code may rely on.

Score arrays or files with :func:`score`, compare two scores with :func:`compare`, or several with one by
:func:`compare_several`, write and check official files with :func:`write` and :func:`validate`, and list recorded
runs with :func:`runs`. A plug-in implements :class:`Solution` and offers :class:`SolutionEntry` objects in a
:class:`SolutionList` through the entry-point group ``abaw.solutions``.

Stable within one major version (of 0.x: within one minor version): the names in ``__all__``, their arguments, and the
attributes that their docstrings name. Everything in ``harness``, ``solutions`` and ``leaderboard`` may change in any
version. Messages of errors may change; their classes stay.

Each name is imported at its first use, so that ``import abaw`` is quick.

Example:
    >>> import abaw
    >>> card = abaw.score("EXPR", {"video": [0, 4, 4, 6]}, {"video": [0, 4, 6, 6]})
    >>> round(card.headline.value, 3)
    0.292
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import __version__
    from harness.api import compare, compare_several, runs, score, validate, write
    from harness.datasets.dataset import Dataset, Video
    from harness.errors import (
        AbawError,
        DataError,
        MissingDependencyError,
        SolutionError,
        StorageError,
        StoreBusyError,
        StoreError,
        SubmissionError,
        UnknownNameError,
        UsageError,
    )
    from harness.files.report import Problem, Report
    from harness.metrics.compare import Comparison
    from harness.metrics.scoring import ScoreCard
    from harness.metrics.several import SeveralComparisons
    from harness.plugins.contract import broken_promises
    from harness.plugins.interface import (
        Predictions,
        Provider,
        Solution,
        SolutionEntry,
        SolutionList,
        VideoPrediction,
    )
    from harness.settings import Settings
    from harness.system.images import read_rgb
    from harness.tasks import TASKS, Task

_HOMES = {
    "harness": ("__version__",),
    "harness.api": ("compare", "compare_several", "runs", "score", "validate", "write"),
    "harness.datasets.dataset": ("Dataset", "Video"),
    "harness.errors": (
        "AbawError", "DataError", "MissingDependencyError", "SolutionError", "StorageError", "StoreBusyError",
        "StoreError", "SubmissionError", "UnknownNameError", "UsageError",
    ),
    "harness.files.report": ("Problem", "Report"),
    "harness.metrics.compare": ("Comparison",),
    "harness.metrics.scoring": ("ScoreCard",),
    "harness.metrics.several": ("SeveralComparisons",),
    "harness.plugins.contract": ("broken_promises",),
    "harness.plugins.interface": (
        "Predictions", "Provider", "Solution", "SolutionEntry", "SolutionList", "VideoPrediction",
    ),
    "harness.settings": ("Settings",),
    "harness.system.images": ("read_rgb",),
    "harness.tasks": ("TASKS", "Task"),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "TASKS",
    "AbawError",
    "Comparison",
    "DataError",
    "Dataset",
    "MissingDependencyError",
    "Predictions",
    "Problem",
    "Provider",
    "Report",
    "ScoreCard",
    "Settings",
    "SeveralComparisons",
    "Solution",
    "SolutionEntry",
    "SolutionError",
    "SolutionList",
    "StorageError",
    "StoreBusyError",
    "StoreError",
    "SubmissionError",
    "Task",
    "UnknownNameError",
    "UsageError",
    "Video",
    "VideoPrediction",
    "__version__",
    "broken_promises",
    "compare",
    "compare_several",
    "read_rgb",
    "runs",
    "score",
    "validate",
    "write",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use.

    Raises:
        AttributeError: the package has no such public name.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
