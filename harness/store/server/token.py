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
    """Return the token of ``file``, else the environment's, else that of the file that the environment names.

    ``None`` is for an environment without a token.

    Raises:
        UsageError: other users may read the file, this user can't read it, or its content is malformed.
    """
    if file is not None:
        return read_token(file)
    if from_environment := os.environ.get(TOKEN):
        return _checked(from_environment, TOKEN)
    named = os.environ.get(TOKEN_FILE)
    return read_token(Path(named).expanduser()) if named else None


def read_token(file: Path) -> str:
    """Return the token in a file that only its owner may read.

    Raises:
        UsageError: other users may read the file, or it holds no token.
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
    """Write a new token to a new file that only its owner can read. The token of an existing file is returned instead.

    Raises:
        UsageError: the existing file holds no token, or other users may read it.
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
    """Raise an error unless the token in the environment may go to the server that a settings file names.

    A token may go to the servers that took it before. A settings file can come with a stranger's project; therefore
    the file alone can't add a server to these. A token that was never sent may go to the server that a near file names.

    Args:
        address: address that the file names.
        file: the settings file.
        near: True for a file in the working folder, or below the user's home.

    Raises:
        UsageError: only other servers took the token; or no server did, and the file is far.
    """
    try:
        token = given_token()
    except UsageError:
        return  # the code that needs the token raises this error
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
    """Remember that a server took a token, if the user has a folder for settings."""
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
    """Return the salt, and the servers' addresses by digest of the token: the file holds no token."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        owners = {str(key): [str(address) for address in addresses] for key, addresses in content["servers"].items()}
        return str(content["salt"]), owners
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return secrets.token_hex(16), {}


def _digest(token: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}{token}".encode()).hexdigest()
