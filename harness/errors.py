"""The errors that the project raises on purpose, in one tree.

    AbawError                     exit code 1
    ├── UsageError                2   the command line or a name is wrong
    │   └── UnknownNameError      2   with "did you mean"
    ├── DataError                 1   something in the user's data set
    │   ├── NoAudioError          1   a video file has no audio stream
    │   └── MissingFeaturesError  1   features that the user brings are absent; a MissingDependencyError, too
    ├── SubmissionError           1   an official file is malformed
    ├── SolutionError             1   a solution broke its contract, or refuses a request
    ├── MissingDependencyError    1   an optional package, or a library of the system, is absent
    ├── StorageError              1   a disk is full, or a file is read-only
    └── StoreError                1   the results store is unusable
        ├── StoreBusyError        3   another process holds it
        │   └── StoreUnreachableError 3   its server does not answer
        ├── StoreDamagedError     1   its file is broken; ``abaw reindex`` makes a new one
        └── StoreSchemaError      1   written by a newer version

A message names the problem, the place (``file:line:column`` if there is one), the value found, the value expected, and
the remedy. ``problem()`` joins these parts, so that all messages have the same form.
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
    """Base class of the project's errors.

    Args:
        what: the message; with any of the other arguments, its first part, see :func:`problem`.
        where: place of the problem.
        found: value that was found.
        expected: value that was expected.
        do: remedy, as an instruction to the user.

    Attributes:
        exit_code: exit code of the console command for this error.
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
        """Compose the message from its parts."""
        parts = {"where": where, "found": found, "expected": expected}
        composed = do is not None or any(part is not None for part in parts.values())
        super().__init__(problem(what, **parts, do=do) if composed else what)


class UsageError(AbawError):
    """The command line, or a configuration value, can't be used as given."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that is unknown. The message suggests similar names.

    Args:
        kind: kind of the named thing, such as ``task``.
        name: the unknown name.
        known: all known names.
        hint: text in place of the list of known names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        """Compose the message with similar names."""
        known = sorted(known)
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        guess = f" Did you mean {' or '.join(close)}?" if close else ""
        listing = hint or f"Known: {', '.join(known) or 'none'}."
        super().__init__(f"unknown {kind} {name!r}.{guess} {listing}".rstrip())


class DataError(AbawError):
    """The user's data set is incomplete, or a part of it is unreadable."""


class NoAudioError(DataError):
    """A video file lacks an audio stream; its images may be intact."""


class SubmissionError(AbawError):
    """An official file does not follow its format."""


class SolutionError(AbawError):
    """A solution broke its contract, or refuses a request that it does not support."""


class MissingDependencyError(AbawError):
    """An optional package, or a shared library of the system, is missing."""


class MissingFeaturesError(DataError, MissingDependencyError):
    """Features that the user must bring are missing."""


class StorageError(AbawError):
    """A file could not be written, for example on a full disk or into a read-only folder."""


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

    Line breaks in a place are escaped: the second line would otherwise look like a message of its own.

    Args:
        what: the problem, as the beginning of a sentence.
        where: place of the problem.
        found: value that was found.
        expected: value that was expected.
        do: remedy, as an instruction to the user.
    """
    place = "" if where is None else "".join(_BREAKS.get(c, c) for c in str(where))
    text = f"{place}: {what}" if where is not None else what
    details = [f"{label} {value}" for label, value in (("found", found), ("expected", expected)) if value is not None]
    if details:
        text += "; " + ", ".join(details)
    return f"{_sentence(text)} {_sentence(do)}" if do else _sentence(text)


def _sentence(text: str) -> str:
    """Return a text that ends with one full stop, or with its own question or exclamation mark."""
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def install_command(extra: str) -> str:
    """Return the pip command that adds an extra to this installation. Package indexes don't hold this package.

    A checkout is installed from its folder; any other installation from the address that pip took it from before.
    """
    pip = "pip" if os.environ.get("VIRTUAL_ENV") == sys.prefix else f"{sys.executable} -m pip"
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "pyproject.toml").is_file():
        place = "." if checkout == Path.cwd() else str(checkout)
        return f"{pip} install -e '{place}[{extra}]'"
    from importlib import metadata  # slow: it imports a parser of mail

    name = "abaw-harness"
    try:
        origin = json.loads(metadata.distribution(name).read_text("direct_url.json") or "{}").get("url", "")
    except (metadata.PackageNotFoundError, ValueError):
        origin = ""
    return f"{pip} install '{name}[{extra}]{f' @ {origin}' if origin else ''}'"


DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def storage_error(error: OSError, path: Path) -> StorageError:
    """Return the project's error for an operating-system error that occurred while ``path`` was written."""
    # NumPy reports a short write without an error number: "1000 requested and 496 written"
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
