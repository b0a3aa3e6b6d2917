"""The place of a results store: a DuckDB file, or the address of a server that has one open for a team."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

PORT = 9494
"""Quack's default port."""

_SCHEMES = {"quack": None, "quack+http": False, "quack+https": True}
_ADDRESS = re.compile(r"(?P<scheme>[\w+]+):/{0,2}(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?/?")
_FORM = "quack:HOST:PORT, as `abaw store serve` prints it"


@dataclass(frozen=True)
class StoreAddress:
    """A server of ``abaw store serve``.

    Attributes:
        host: name or address, without brackets.
        port: TCP port.
        tls: True for an encrypted connection, the default for every server but one on this machine.
    """

    host: str
    port: int = PORT
    tls: bool = True

    @property
    def local(self) -> bool:
        """True for an address of this machine, as far as the host's name tells."""
        return is_loopback(self.host)

    @property
    def uri(self) -> str:
        """DuckDB's name of the address: ``quack:HOST:PORT``."""
        return f"quack:{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def __str__(self) -> str:
        """Return the text that names the address in a setting; the scheme is spelled out where ``tls`` is unusual."""
        usual = self.tls is not self.local
        return self.uri if usual else self.uri.replace("quack:", "quack+https:" if self.tls else "quack+http:", 1)


def store_place(text: str | Path) -> Path | StoreAddress:
    """Return the file or the address that a setting names.

    A file is named ``submissions/results.duckdb``, an address ``quack:board.lab.example:443``. Two schemes override the
    default encryption: ``quack+http:`` reaches another machine without encryption, for a trusted network, and
    ``quack+https:`` reaches this machine with encryption.

    Raises:
        UsageError: the text begins like an address, but is malformed.
    """
    scheme = str(text).partition(":")[0]
    if ":" not in str(text) or scheme not in _SCHEMES:
        return Path(text).expanduser()
    match = _ADDRESS.fullmatch(str(text))
    port = int(match["port"] or PORT) if match else 0
    if match is None or not 0 < port < 65536:
        raise UsageError("not the address of a results store", found=repr(str(text)), expected=_FORM)
    host, tls = match["host"].strip("[]"), _SCHEMES[scheme]
    return StoreAddress(host, port, not is_loopback(host) if tls is None else tls)


def is_loopback(host: str) -> bool:
    """Return True for a host name or address by which a machine reaches itself, such as ``localhost``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
