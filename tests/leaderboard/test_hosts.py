"""The host names that the leaderboard answers to, and what it refuses: harmless requests with other names."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from leaderboard.hosts import OwnNamesOnly, host_of, listens_everywhere, own_names
from tests.support.leaderboard_server import Server, Visitor, served

OTHER = "board.evil.example"
PATHS = ("/", "/_stcore/health", "/_stcore/host-config", "/media/abc.png", "/static/x.js", "/run", "/_stcore/stream")


@dataclass(frozen=True)
class Outside:
    """The only way out of this machine that a server is given, and each request that would have left by it."""

    port: int
    requests: list[str]


async def answer_of(guard: OwnNamesOnly, scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await guard(scope, receive, send)
    return sent


def asked(*headers: tuple[str, str], host: str = "127.0.0.1", kind: str = "http", names: tuple[str, ...] = ()) -> Any:
    """Return the first message that a guarded app sends for a request with these headers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "passed on"})

    guard = OwnNamesOnly(app, own_names(host, names), everywhere=listens_everywhere(host))
    scope = {
        "type": kind, "method": "GET", "path": "/", "server": ("192.0.2.7", 8501),
        "headers": [(key.encode(), value.encode("latin-1")) for key, value in headers],
    }  # fmt: skip
    return asyncio.run(answer_of(guard, scope))[0]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8501", "localhost", "localhost:80", "LOCALHOST.:8501", "[::1]:8501", "[0:0:0:0:0:0:0:1]",
     "[::ffff:127.0.0.1]:1"],
)  # fmt: skip
def test_names_of_this_machine_are_answered(host: str) -> None:
    assert asked(("host", host)) == {"type": "passed on"}


@pytest.mark.parametrize(
    "host",
    [OTHER, f"{OTHER}:8501", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example",
     "evil#localhost", "192.0.2.7", "", ":8501", "localhost:8501:1", "[::1", "localhost evil", "[evil]"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_other_names_are_refused(host: str, kind: str) -> None:
    refused = asked(("host", host), kind=kind)
    assert (refused.get("status"), refused.get("code")) == ((421, None) if kind == "http" else (None, 1008))


@pytest.mark.parametrize(
    "headers", [[], [("host", "localhost"), ("host", OTHER)], [("Host", OTHER), ("host", "localhost")]]
)
def test_a_request_without_one_host_is_refused(headers: list[tuple[str, str]]) -> None:
    assert asked(*headers)["status"] == 421


@pytest.mark.parametrize(
    "origin", [f"http://{OTHER}:8501", "http://localhost:3000", "null", "http://localhost", "ftp://localhost:8501", "x"]
)
def test_pages_of_other_addresses_are_refused(origin: str) -> None:
    assert asked(("host", "localhost:8501"), ("origin", origin))["status"] == 403
    assert asked(("host", "localhost:8501"), ("origin", origin), kind="websocket")["code"] == 1008


def test_the_page_itself_is_answered() -> None:
    for kind in ("http", "websocket"):
        passed = asked(("host", "localhost:8501"), ("origin", "http://localhost:8501"), kind=kind)
        assert passed == {"type": "passed on"}


def test_the_named_host_and_further_names_are_answered() -> None:
    assert asked(("host", "192.0.2.9:1"), host="192.0.2.9")["type"] == "passed on"
    assert asked(("host", "board.lab.example"), names=("Board.Lab.Example",))["type"] == "passed on"
    assert asked(("host", "board.lab.example"))["status"] == 421


def test_wildcard_address_allows_reached_one_and_own_name() -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - nothing is listened on
    assert asked(("host", "192.0.2.7:8501"), host=everywhere)["type"] == "passed on"
    assert asked(("host", socket.gethostname()), host=everywhere)["type"] == "passed on"
    assert asked(("host", "192.0.2.8"), host=everywhere)["status"] == 421
    assert asked(("host", OTHER), host=everywhere)["status"] == 421


def test_a_host_is_read_as_browsers_write_it() -> None:
    assert host_of("Example.COM.:80") == "example.com"
    assert host_of("[FE80::1]:80") == "fe80::1"
    assert host_of("a/b") is None


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    """A proxy that answers nobody and remembers what it was asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked_for: Outside = Outside(listener.getsockname()[1], [])

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        asked_for.requests.append(connection.recv(200).decode(errors="replace"))

        threading.Thread(target=listen, daemon=True).start()
        yield asked_for
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, outside: Outside) -> Iterator[Server]:
    """A server that everybody may reach, which is the case in which Streamlit looks for its own addresses."""
    folder: Path = tmp_path_factory.mktemp("hosts")
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
                patch.setenv(name, f"http://127.0.0.1:{outside.port}")
            for name in ("no_proxy", "NO_PROXY"):
                patch.delenv(name, raising=False)
            everywhere = served(folder / "results.duckdb", folder, "--host", "0.0.0.0")  # noqa: S104 - for a moment
            started = stack.enter_context(everywhere)
        yield started


def status(server: Server, path: str, host: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": host, **headers})
        return connection.getresponse().status


@pytest.mark.process
def test_no_path_answers_to_another_name(server: Server, outside: Outside) -> None:
    for path in PATHS:
        assert status(server, path, f"{OTHER}:{server.port}") == 421, path
        assert status(server, path, f"localhost:{server.port}") != 421, path
    assert status(server, "/", f"localhost:{server.port}") == 200
    assert status(server, "/_stcore/health", f"127.0.0.1:{server.port}") == 200
    assert outside.requests == []


@pytest.mark.process
@pytest.mark.parametrize(
    ("host", "origin"),
    [(OTHER, None), (OTHER, f"http://{OTHER}"), ("localhost", "http://localhost:1"), ("localhost", "null")],
)
def test_the_pages_connection_is_refused_to_others(
    server: Server, outside: Outside, host: str, origin: str | None
) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as reached,
        pytest.raises(InvalidStatus) as refused,
    ):
        connect(f"ws://{host}:{server.port}/_stcore/stream", sock=reached, origin=origin)  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
    assert outside.requests == [], "nobody is asked for this machine's address, to compare with the origin's"


@pytest.mark.process
def test_the_pages_connection_is_open_to_the_page(server: Server, outside: Outside) -> None:
    with Visitor(server) as visitor:
        assert visitor.open().failures == []
    address = f"localhost:{server.port}"
    with connect(f"ws://{address}/_stcore/stream", origin=f"http://{address}"):  # type: ignore[arg-type]
        pass
    assert outside.requests == []
