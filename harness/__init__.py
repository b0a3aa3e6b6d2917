"""The competition: tasks, data on disk, official files, scores, the results store, the runner. Knows no model.

For those who bring only arrays: :func:`write`, :func:`validate`, :func:`score` and :func:`compare`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import compare, score, validate, write

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "score", "validate", "write"]


def __getattr__(name: str) -> Any:
    """Imported when asked for: the console command starts without it."""
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
