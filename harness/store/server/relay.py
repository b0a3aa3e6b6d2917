"""The relay between DuckDB's Quack and a server elsewhere: time limits, certificates, and distinct error messages.

Quack 1.5.5 waits for an answer without end, whatever ``http_timeout`` says, and has one message for all errors.
Therefore Quack talks to a relay in the same process, which passes each request on.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from harness.errors import StoreError, StoreUnreachableError
from harness.store.address import StoreAddress

_AWAY = (502, 503, 504)
_TOO_LARGE = 413
_LATER = "Nothing is lost, runs are whole in their folders. When it is back, record them with: abaw sync"


class Relay:
    """A port of this process that passes requests on to a server while the block runs.

    Args:
        address: address of the server.
        seconds: longest time that the server may be silent.

    Attributes:
        trouble: the first error; after it no request is passed on.
    """

    def __init__(self, address: StoreAddress, seconds: float) -> None:
        """Open the port; it accepts connections from the start of the block."""
        self.address, self.seconds = address, seconds
        self.trouble: StoreError | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def uri(self) -> str:
        """The relay's address in the form that Quack takes."""
        return f"quack:127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Accept connections from now on."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port."""
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would not wake the thread that accepts connections
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, place = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(connection, place), daemon=True).start()

    def _pass_on(self, connection: socket.socket, place: Any) -> None:
        with connection:
            _Requests(connection, place, self)  # type: ignore[arg-type]

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the server; it opens with the first request."""
        host, port = self.address.host, self.address.port
        if self.address.tls:
            return http.client.HTTPSConnection(host, port, timeout=self.seconds, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=self.seconds)


class _Requests(BaseHTTPRequestHandler):
    """The requests of one connection from Quack, which are passed on over one connection to the server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one piece
    server: Relay  # type: ignore[assignment]

    def setup(self) -> None:
        super().setup()
        self._there = self.server.connect()

    def finish(self) -> None:
        self._there.close()
        super().finish()

    def do_POST(self) -> None:
        """Pass a request on to the server, and its answer back."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.trouble is None:
            try:
                self._there.request("POST", self.path, body, {"Content-Type": self.headers.get("Content-Type", "")})
                answer = self._there.getresponse()
                content = answer.read()
                self.server.trouble = _wrong_answer(self.server.address, answer)
            except (OSError, http.client.HTTPException) as error:
                self.server.trouble = _no_answer(self.server.address, error)
        if self.server.trouble is not None:
            self.send_error(502)
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Log no request: errors are kept in ``trouble``."""


def _no_answer(address: StoreAddress, error: Exception) -> StoreError:
    if isinstance(error, ssl.SSLCertVerificationError):
        do = "If it is that of an authority of your own, name its certificate's file in SSL_CERT_FILE"
        what = "the certificate of the store's server is not trusted"
        return StoreError(what, where=address, found=error.verify_message, do=do)
    if isinstance(error, ssl.SSLError):
        do = "If it is meant to speak without encryption, on a network that you trust, write quack+http: for quack:"
        return StoreError("the store's server speaks no TLS", where=address, found=error.reason, do=do)
    cause: object = error.strerror if isinstance(error, OSError) else None
    if isinstance(error, TimeoutError):
        cause = "no answer in time"
    elif cause is None:
        cause = error if str(error) else type(error).__name__
    return StoreUnreachableError("the store's server does not answer", where=address, found=cause, do=_LATER)


def _wrong_answer(address: StoreAddress, answer: http.client.HTTPResponse) -> StoreError | None:
    kind, status = answer.headers.get("Content-Type", "nothing"), f"HTTP {answer.status} {answer.reason}"
    if answer.status in _AWAY:
        what = "there is a proxy, but the store's server behind it does not answer"
        return StoreUnreachableError(what, where=address, found=status, do=_LATER)
    if answer.status == _TOO_LARGE:
        do = "Let the proxy before the store's server pass on requests of 256 MB"
        return StoreError("a proxy refuses what is recorded as too large", where=address, found=status, do=do)
    if answer.status != 200 or "duckdb" not in kind:
        do = "Is this the address that abaw store serve prints?"
        return StoreError("no results store is served here", where=address, found=f"{status}, {kind}", do=do)
    return None
