"""Needs of a solution: weights, features of the user's own, optional packages; here already, or missing."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Literal, Protocol, runtime_checkable

from harness import DISTRIBUTION
from harness.errors import install_command
from harness.settings import Settings

Kind = Literal["weights", "features", "package"]


@dataclass(frozen=True)
class Need:
    """Weights, features or a package that a solution runs with.

    Attributes:
        kind: of it.
        name: of the weights, of the folder of features, or of the extra.
        command: that brings it here, or what the user must do.
        size: bytes of a download, about; ``None`` where they are unknown.
        here: whether it is here already.
        open: whether anybody can have it, without asking its authors.
    """

    kind: Kind
    name: str
    command: str
    size: int | None = None
    here: bool = False
    open: bool = True


@runtime_checkable
class Requiring(Protocol):
    """A provider that knows what its solutions need."""

    def needs(self, name: str, settings: Settings) -> Sequence[Need] | None:
        """Return weights and features that a solution needs, here or not; ``None`` if it is none of its own."""


def state_of(missing: Sequence[Need]) -> str:
    """Return ``runs now``, ``needs weights``, ``needs features``, ``needs a package``, or several of these in one.

    Args:
        missing: needs that are not here.
    """
    words = {"weights": "weights", "features": "features", "package": "a package"}
    kinds = [words[kind] for kind in words if any(need.kind == kind for need in missing)]
    return f"needs {' and '.join(kinds)}" if kinds else "runs now"


def named_state_of(missing: Sequence[Need]) -> str:
    """Return the same with names: ``needs weights enet_b0_8_best_vgaf``, ``needs features libreface``.

    Args:
        missing: needs that are not here.
    """
    titles = {"weights": "weights", "features": "features", "package": "package"}
    parts = []
    for kind, title in titles.items():
        names = list(dict.fromkeys(need.name for need in missing if need.kind == kind))
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            parts.append(f"{title} {', '.join(names[:_NAMED])}{more}")
    return f"needs {'; '.join(parts)}" if parts else state_of(missing)


_NAMED = 3


def commands_for(missing: Sequence[Need]) -> list[str]:
    """Return the commands that bring what is missing: one for all weights that can be fetched, then one each."""
    fetched = [need.command.removeprefix(_FETCH) for need in missing if need.command.startswith(_FETCH)]
    one = [f"{_FETCH}{' '.join(dict.fromkeys(fetched))}"] if fetched else []
    return [*one, *dict.fromkeys(need.command for need in missing if not need.command.startswith(_FETCH))]


_FETCH = "abaw weights fetch "


def package_needs(extras: Sequence[str]) -> list[Need]:
    """Return the optional packages of a solution as needs."""
    return [Need("package", extra, install_command(extra), here=_is_installed(extra)) for extra in extras]


@functools.cache
def _is_installed(extra: str) -> bool:
    """Return whether all distributions of an extra are installed; False for one that this distribution lacks."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return False
    required = [line for line in lines if re.search(rf"""extra\s*==\s*["']{re.escape(extra)}["']""", line)]
    names = [match[0] for line in required if (match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line))]
    try:
        for name in names:
            metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return bool(names)
