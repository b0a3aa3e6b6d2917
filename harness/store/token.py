"""The password of a team's store: from the environment or a file, never from a command line that others can list."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from harness.errors import UsageError, problem, storage_error
from harness.regular import read_text, require_file

TOKEN, TOKEN_FILE = "ABAW_STORE_TOKEN", "ABAW_STORE_TOKEN_FILE"
_SHORTEST = 16
_LARGEST = 1 << 16
_OTHERS = 0o077


def given_token(file: Path | None = None) -> str | None:
    """The token of ``file``, of the environment's, or of the file that the environment names; ``None`` without any.

    Raises:
        UsageError: others may read the file, it can't be read, or what it holds is no token.
    """
    if file is not None:
        return read_token(file)
    if own := os.environ.get(TOKEN):
        return _checked(own, TOKEN)
    named = os.environ.get(TOKEN_FILE)
    return read_token(Path(named).expanduser()) if named else None


def read_token(file: Path) -> str:
    """The token in a file that is its owner's alone.

    Raises:
        UsageError: it is not, or holds none.
    """
    try:
        mode = require_file(file).st_mode
        if os.name == "posix" and mode & _OTHERS:
            raise UsageError(
                problem(
                    "others may read the store's token", where=file, found=f"mode {mode & 0o777:o}", expected="600",
                    do=f"Run: chmod 600 {file}",
                )
            )  # fmt: skip
        return _checked(read_text(file, _LARGEST), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(problem("the store's token can't be read", where=file, found=error)) from None


def make_token(file: Path) -> str:
    """A new token in a new file that only its owner can read; the one that is there, if there is one.

    Raises:
        UsageError: what is there can't be used.
        StorageError: the folder can't be written.
    """
    token = secrets.token_urlsafe(32)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_token(file)
    except OSError as error:
        raise storage_error(error, file) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(f"{token}\n")
    return token


def _checked(text: str, where: str) -> str:
    token = text.strip()
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        expected = f"one word of at least {_SHORTEST} letters, digits and signs"
        raise UsageError(problem("not a token for the store", where=where, expected=expected))
    return token
