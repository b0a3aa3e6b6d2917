"""The names that the leaderboard answers to, and the guard in front of it that refuses requests for other names.

A browser keeps the pages of one site from those of another by name. Whoever owns a name can make it point at this
machine, so that a page of theirs, open in a reader's browser, may read what this server sends (DNS rebinding). The name
that such a page was loaded by stands in each of its requests. So the server answers only to names of its own.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

OF_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
"""Names by which a machine reaches itself."""
_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - only compared with
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]/@?#\s\\]+))(?::\d{1,5})?")
_MISDIRECTED, _FORBIDDEN, _POLICY = 421, 403, 1008


def listens_everywhere(host: str) -> bool:
    """Return whether ``--host`` names all addresses of this machine."""
    return host in _EVERY_ADDRESS


def own_names(host: str, others: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names that a server answers to.

    Args:
        host: address or name that the server listens on. Where that is every address of the machine, the machine's own
            names are added here, and the guard adds the address at which a request arrived.
        others: further names, such as that of a proxy.
    """
    named = [socket.gethostname(), socket.getfqdn()] if listens_everywhere(host) else [host]
    return tuple(dict.fromkeys([*OF_THIS_MACHINE, *map(plain, [*named, *others])]))


def plain(name: str) -> str:
    """Return a host's name or address in one spelling: lower case, no brackets, no final dot, no IPv4 inside IPv6."""
    name = name.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name
    return str(getattr(address, "ipv4_mapped", None) or address)


def host_of(header: str) -> str | None:
    """Return the name in a ``Host`` header, without its port; ``None`` where the header holds something else."""
    found = _HOST.fullmatch(header)
    return plain(found["v6"] or found["name"]) if found else None


class OwnNamesOnly:
    """ASGI middleware: refuses each request, for a page, a file or the page's connection, that names another host.

    A request that a page of another address makes is refused, too: its ``Origin`` has to be the address in ``Host``.

    Args:
        app: the server behind.
        names: that it answers to, from :func:`own_names`.
        everywhere: also answer to the address of this machine at which a request arrived.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], *, everywhere: bool = False) -> None:
        self.app, self.names, self.everywhere = app, frozenset(names), everywhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it before anything else looks at it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":  # refused before it is accepted: the browser is answered 403
            await send({"type": "websocket.close", "code": _POLICY, "reason": ""})
        else:
            from starlette.responses import PlainTextResponse

            status, text = refusal
            await PlainTextResponse(text, status, {"Cache-Control": "no-store"})(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and text for a request that is not answered; ``None`` for any other."""
        hosts = _headers(scope, b"host")
        if len(hosts) != 1 or (name := host_of(hosts[0])) is None or name not in self._names_at(scope):
            text = "This leaderboard does not answer to that host name. Open it by the address that abaw printed.\n"
            return _MISDIRECTED, text
        for origin in _headers(scope, b"origin"):
            if not _same_place(origin, hosts[0]):
                return _FORBIDDEN, "This leaderboard does not answer to pages of other addresses.\n"
        return None

    def _names_at(self, scope: Scope) -> frozenset[str]:
        arrived = scope.get("server")
        return self.names | {plain(str(arrived[0]))} if self.everywhere and arrived else self.names


def _headers(scope: Scope, name: bytes) -> list[str]:
    pairs: Any = scope["headers"]
    return [value.decode("latin-1").strip() for key, value in pairs if key.lower() == name]


def _same_place(origin: str, host: str) -> bool:
    """Return whether an ``Origin`` header names the address that a ``Host`` header names, port included."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
