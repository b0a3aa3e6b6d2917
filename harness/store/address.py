"""Where a results store lies: a DuckDB file, or the address of a server that has one open for a team."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

PORT = 9494
"""Where Quack listens unless told otherwise."""

_SCHEMES = {"quack": None, "quack+http": False, "quack+https": True}
_ADDRESS = re.compile(r"(?P<scheme>[\w+]+):/{0,2}(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?/?")
_FORM = "quack:HOST:PORT, as `abaw store serve` prints it"


@dataclass(frozen=True)
class StoreAddress:
    """A server of ``abaw store serve``.

    Attributes:
        host: name or address, without brackets.
        tls: whether what goes there is encrypted; by default everywhere but to this machine.
    """

    host: str
    port: int = PORT
    tls: bool = True

    @property
    def local(self) -> bool:
        """Whether it is this machine, as far as the name tells."""
        return is_loopback(self.host)

    @property
    def uri(self) -> str:
        """What DuckDB calls it."""
        return f"quack:{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def __str__(self) -> str:
        """What names it in a setting."""
        usual = self.tls is not self.local
        return self.uri if usual else self.uri.replace("quack:", "quack+https:" if self.tls else "quack+http:", 1)


def store_place(text: str | Path) -> Path | StoreAddress:
    """The file or the address that a setting names: ``submissions/results.duckdb``, ``quack:board.lab.example:443``.

    ``quack+http:`` is an address elsewhere without encryption, for a network that is trusted; ``quack+https:`` is one
    on this machine with it.

    Raises:
        UsageError: begins as an address does and is none.
    """
    scheme = str(text).partition(":")[0]
    if ":" not in str(text) or scheme not in _SCHEMES:
        return Path(text).expanduser()
    found = _ADDRESS.fullmatch(str(text))
    port = int(found["port"] or PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise UsageError("not the address of a results store", found=repr(str(text)), expected=_FORM)
    host, tls = found["host"].strip("[]"), _SCHEMES[scheme]
    return StoreAddress(host, port, not is_loopback(host) if tls is None else tls)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is that of this machine to itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
