"""The password of a team's store: from the environment or a file, never from a command line that others can list."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from pathlib import Path

from harness.errors import AbawError, UsageError, storage_error
from harness.store.address import StoreAddress
from harness.system.atomic import write_text
from harness.system.regular import read_text, require_file

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
                    "others may read the store's token", where=file, found=f"mode {mode & 0o777:o}", expected="600",
                    do=f"Run: chmod 600 {file}",
                )  # fmt: skip
        return _checked(read_text(file, _LARGEST), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the store's token can't be read", where=file, found=error) from None


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
        raise UsageError("not a token for the store", where=where, expected=expected)
    return token


def check_owner(address: StoreAddress, file: Path, *, near: bool) -> None:
    """Make sure that the token in the environment belongs to a server that a settings file names.

    A token belongs to the servers that it was sent to before. A settings file may come with somebody's project, so that
    the file can't make an address one of these. A token that was never sent anywhere goes to the server that a near
    file names.

    Args:
        address: that the file names.
        file: the settings file.
        near: whether the file lies in the working folder, or below the user's home.

    Raises:
        UsageError: the token was only sent to other servers; or nowhere, and the file is far.
    """
    try:
        token = given_token()
    except UsageError:
        return  # said where the token is needed
    if token is None:
        return
    known = _owners(token)
    if str(address) not in known and (known or not near):
        raise UsageError(
            "the store's token is not sent to a server that this file alone names",
            where=file,
            found=f"store {address}",
            expected=" or ".join(known or ["a server that took this token before"]),
            do=f"If the token is that server's, say so once yourself: abaw runs --store {address}. "
            f"If not, put that server's own token into {TOKEN}, or its file into {TOKEN_FILE}",
        )


def remember_owner(address: StoreAddress, token: str) -> None:
    """Remember that a token was sent to a server that took it. Without a folder for settings nothing is remembered."""
    known, path = _owners(token), _owners_file()
    if path is None or str(address) in known:
        return
    salt, owners = _read_owners(path)
    owners[_digest(token, salt)] = [*known, str(address)]
    with contextlib.suppress(OSError, AbawError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(path, json.dumps({"salt": salt, "servers": owners}, indent=2) + "\n")


def _owners(token: str) -> list[str]:
    """Return the addresses of servers that took a token before."""
    path = _owners_file()
    if path is None:
        return []
    salt, owners = _read_owners(path)
    return owners.get(_digest(token, salt), [])


def _owners_file() -> Path | None:
    named = os.environ.get("XDG_CONFIG_HOME")
    try:
        return (Path(named) if named else Path.home() / ".config") / "abaw" / "servers.json"
    except RuntimeError:  # a user without a home
        return None


def _read_owners(path: Path) -> tuple[str, dict[str, list[str]]]:
    """Return the salt, and addresses by digest of the token: the file holds no token."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        owners = {str(key): [str(address) for address in found] for key, found in content["servers"].items()}
        return str(content["salt"]), owners
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return secrets.token_hex(16), {}


def _digest(token: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}{token}".encode()).hexdigest()
