"""Settings as plain data, which determines a run's identity."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

LATER: dict[str, bool] = {"later": True}
"""Metadata of fields that were added later: they are left out at their default, so that older runs keep their identity.
"""


def described(value: Any) -> Any:
    """Return settings, with nested ones, as plain data; see :data:`LATER` for fields that are left out.

    Example:
        >>> from solutions.postprocess.plan import Smoothing
        >>> described(Smoothing(5))
        {'half_width': 5, 'kind': 'box'}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {
            entry.name: described(getattr(value, entry.name))
            for entry in fields(value)
            if not ("later" in entry.metadata and getattr(value, entry.name) == _default(entry))
        }
    if isinstance(value, tuple | list):
        return type(value)(described(item) for item in value)
    return value


def _default(entry: Any) -> Any:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()
