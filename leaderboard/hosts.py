"""Host names that the leaderboard answers to, and a guard that refuses requests for other names.

Browsers separate sites by host name. The owner of a domain can let its name point at this machine; a page of that
domain, open in a reader's browser, could then read the answers of this server (DNS rebinding). Each request of such a
page carries the foreign name in its ``Host`` header. The server therefore answers only to its own names.
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
    """Return True if ``--host`` stands for all addresses of this machine."""
    return host in _EVERY_ADDRESS


def own_names(host: str, others: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the host names and addresses that a server answers to.

    Args:
        host: address or name that the server listens on. If ``host`` stands for all addresses of the machine, this
            function adds the machine's names, and the guard adds the address at which a request arrived.
        others: further names, such as that of a proxy.
    """
    named = [socket.gethostname(), socket.getfqdn()] if listens_everywhere(host) else [host]
    return tuple(dict.fromkeys([*OF_THIS_MACHINE, *map(plain, [*named, *others])]))


def plain(name: str) -> str:
    """Return a normalised host name or address: lower case, without brackets and final dot, IPv4 taken out of IPv6."""
    name = name.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name
    return str(getattr(address, "ipv4_mapped", None) or address)


def host_of(header: str) -> str | None:
    """Return the normalised name in a ``Host`` header, without the port; ``None`` if the header is malformed."""
    match = _HOST.fullmatch(header)
    return plain(match["v6"] or match["name"]) if match else None


class OwnNamesOnly:
    """ASGI middleware that refuses every HTTP or WebSocket request whose ``Host`` header names another host.

    Requests from pages of other addresses are refused, too: their ``Origin`` must equal the address in ``Host``.

    Args:
        app: ASGI application that receives the other requests.
        names: normalised names that the server answers to, from :func:`own_names`.
        everywhere: also answer to the address of this machine at which a request arrived.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], *, everywhere: bool = False) -> None:
        """Guard an application."""
        self.app, self.names, self.everywhere = app, frozenset(names), everywhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application, or refuse it before the application sees it."""
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
        """Return HTTP status and text of the refusal; ``None`` for a request that may pass."""
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
    """Return True if an ``Origin`` header names the same host and port as a ``Host`` header."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
