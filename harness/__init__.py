"""The competition: tasks, data on disk, official files, scores, the results store, the runner. Knows no model.

Code of users imports :mod:`abaw`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import compare, score, validate, write

    __version__: str

DISTRIBUTION = "abaw-harness"
__all__ = ["DISTRIBUTION", "__version__", "compare", "score", "validate", "write"]


def __getattr__(name: str) -> Any:
    """Import a function of :mod:`harness.api` on first use; the console command starts without them.

    ``__version__`` comes from the metadata of the installed package: the version stands in ``pyproject.toml`` alone.

    Raises:
        AttributeError: the package has no such public name.
    """
    if name == "__version__":
        from importlib import metadata

        try:
            return metadata.version(DISTRIBUTION)
        except metadata.PackageNotFoundError:  # imported from a checkout that was never installed
            return "0+unknown"
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
