"""Needs of a solution: weights, features that the user brings, and optional packages, on this machine or missing."""

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
        kind: kind of the need.
        name: name of the weights, of the folder of features, or of the extra.
        command: command that brings it here, or an instruction for the user.
        size: approximate size of the download in bytes; ``None`` where it is unknown.
        here: True if it is on this machine.
        open: True if anybody can download it; False if the user must ask its authors.
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
        """Return all weights and features that a solution needs; ``None`` for a solution of another provider."""


def state_of(missing: Sequence[Need]) -> str:
    """Return ``runs now``, or the kinds of the missing needs, such as ``needs weights and a package``.

    Args:
        missing: needs that are not on this machine.
    """
    words = {"weights": "weights", "features": "features", "package": "a package"}
    kinds = [words[kind] for kind in words if any(need.kind == kind for need in missing)]
    return f"needs {' and '.join(kinds)}" if kinds else "runs now"


def named_state_of(missing: Sequence[Need]) -> str:
    """Return ``runs now``, or the missing needs with up to three names each, such as ``needs features libreface``.

    Args:
        missing: needs that are not on this machine.
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
    """Return the commands that bring the missing needs: one for all weights to download, then one per other need."""
    fetched = [need.command.removeprefix(_FETCH) for need in missing if need.command.startswith(_FETCH)]
    one = [f"{_FETCH}{' '.join(dict.fromkeys(fetched))}"] if fetched else []
    return [*one, *dict.fromkeys(need.command for need in missing if not need.command.startswith(_FETCH))]


_FETCH = "abaw weights fetch "


def package_needs(extras: Sequence[str]) -> list[Need]:
    """Return the optional packages of a solution as needs."""
    return [Need("package", extra, install_command(extra), here=_is_installed(extra)) for extra in extras]


@functools.cache
def _is_installed(extra: str) -> bool:
    """Return True if all distributions of an extra are installed; False for an extra that this distribution lacks."""
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
