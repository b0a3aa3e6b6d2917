"""Every error that the project raises on purpose, one tree.

    AbawError                     exit code 1
    ├── UsageError                2   the command line or a name is wrong
    │   └── UnknownNameError      2   with "did you mean"
    ├── DataError                 1   something in the user's data set
    │   ├── NoAudioError          1   a video file has no audio stream
    │   └── MissingFeaturesError  1   features that the user brings are absent; a MissingDependencyError, too
    ├── SubmissionError           1   an official file is malformed
    ├── SolutionError             1   a solution broke its contract, or can't do what was asked
    ├── MissingDependencyError    1   an optional package, or a library of the system, is absent
    ├── StorageError              1   a disk is full, a file can't be written
    └── StoreError                1   the results store can't be read
        ├── StoreBusyError        3   another process holds it
        │   └── StoreUnreachableError 3   its server does not answer
        ├── StoreDamagedError     1   its file is broken; ``abaw reindex`` makes a new one
        └── StoreSchemaError      1   written by a newer version

A message says what is wrong, where (``file:line:column`` if there is one), what was found, what was expected, and what
to do. An error is made of these parts, and ``problem()`` puts them together, so that every message reads alike.
"""

from __future__ import annotations

import difflib
import errno
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path


class AbawError(Exception):
    """Base class. ``exit_code`` is what the console command returns for it.

    Args:
        what: the message; with any of the other arguments, its first part, see :func:`problem`.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        found: object = None,
        expected: object = None,
        do: str | None = None,
    ) -> None:
        parts = {"where": where, "found": found, "expected": expected}
        composed = do is not None or any(part is not None for part in parts.values())
        super().__init__(problem(what, **parts, do=do) if composed else what)


class UsageError(AbawError):
    """The command line, or a configuration value, can't be used as given."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that no registry knows."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        known = sorted(known)
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        guess = f" Did you mean {' or '.join(close)}?" if close else ""
        listing = hint or f"Known: {', '.join(known) or 'none'}."
        super().__init__(f"unknown {kind} {name!r}.{guess} {listing}".rstrip())


class DataError(AbawError):
    """The user's data set lacks something, or holds something that can't be read."""


class NoAudioError(DataError):
    """A video file has no audio stream; all else in it may be well."""


class SubmissionError(AbawError):
    """An official file does not follow its format."""


class SolutionError(AbawError):
    """A solution broke its contract or can't do what was asked of it."""


class MissingDependencyError(AbawError):
    """An optional package, or a shared library of the system, is not there."""


class MissingFeaturesError(DataError, MissingDependencyError):
    """Features that the user brings are not there."""


class StorageError(AbawError):
    """Something could not be written: a full disk, a read-only folder."""


class StoreError(AbawError):
    """The results store can't be used."""


class StoreBusyError(StoreError):
    """Another process holds the results store."""

    exit_code = 3


class StoreUnreachableError(StoreBusyError):
    """The server that has the results store does not answer. Run folders are complete: ``abaw sync`` records them."""


class StoreDamagedError(StoreError):
    """The results store's file is broken. Run folders hold everything: ``abaw reindex`` makes a new one."""


class StoreSchemaError(StoreError):
    """The results store was written by a newer version of this package."""


_BREAKS = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def problem(
    what: str,
    *,
    where: object = None,
    found: object = None,
    expected: object = None,
    do: str | None = None,
) -> str:
    """Return one message in the house style, ``where: what; found …, expected …. To do.``.

    A place is one line, whatever a name in it holds: a line of its own would pose as a message of its own.
    """
    place = "" if where is None else "".join(_BREAKS.get(c, c) for c in str(where))
    text = f"{place}: {what}" if where is not None else what
    details = [f"{label} {value}" for label, value in (("found", found), ("expected", expected)) if value is not None]
    if details:
        text += "; " + ", ".join(details)
    return f"{_sentence(text)} {_sentence(do)}" if do else _sentence(text)


def _sentence(text: str) -> str:
    """Return a text with the full stop that ends it, where it does not end otherwise."""
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def install_command(extra: str) -> str:
    """Return the pip command that adds an extra to this installation, which no package index knows by name.

    A checkout is installed from its folder; any other installation from where pip took it before.
    """
    pip = "pip" if os.environ.get("VIRTUAL_ENV") == sys.prefix else f"{sys.executable} -m pip"
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "pyproject.toml").is_file():
        place = "." if checkout == Path.cwd() else str(checkout)
        return f"{pip} install -e '{place}[{extra}]'"
    from importlib import metadata  # which imports a parser of mail

    name = "abaw-harness"
    try:
        origin = json.loads(metadata.distribution(name).read_text("direct_url.json") or "{}").get("url", "")
    except (metadata.PackageNotFoundError, ValueError):
        origin = ""
    return f"{pip} install '{name}[{extra}]{f' @ {origin}' if origin else ''}'"


DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def storage_error(error: OSError, path: Path) -> StorageError:
    """The project's error for an operating-system error met while ``path`` was written."""
    # NumPy reports a short write in words alone: "1000 requested and 496 written"
    if error.errno in DISK_FULL or (error.errno is None and "requested and" in str(error)):
        return StorageError(
            problem(
                "the disk is full, nothing was left half-written",
                where=path,
                found=error.strerror or error,
                do="Free some space, or point ABAW_CACHE (features) or --out (runs) at a larger disk, "
                "then run the same command again: what is finished is kept",
            )
        )
    return StorageError(problem("can't write", where=path, found=error, do="Check that the folder may be written to"))
