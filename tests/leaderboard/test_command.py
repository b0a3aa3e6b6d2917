"""``abaw leaderboard`` up to the moment when it becomes the server: addresses, options, words."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.errors import UsageError
from leaderboard import command
from leaderboard.command import Plan
from leaderboard.hosts import OF_THIS_MACHINE
from tests.support.leaderboard_server import free_port


@pytest.fixture
def port() -> Iterator[int]:
    """A port that somebody else has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the command would become: command line and environment."""
    calls: list[Any] = []
    monkeypatch.setattr(command, "serve", lambda *call: calls.append(call))
    return calls


def start(*arguments: object) -> Result:
    return CliRunner().invoke(command.leaderboard, [str(argument) for argument in arguments])


def test_app_listens_locally_and_passes_named_options_on(served, tmp_path):
    number = free_port()
    result = start("--store", tmp_path / "x.duckdb", "--out", tmp_path / "runs", "--port", number, "--no-browser")
    assert result.exit_code == 0, result.output
    assert f"http://127.0.0.1:{number}" in result.output
    assert "no password" not in result.output
    ((options, environment),) = served
    assert environment["ABAW_STORE"] == str(tmp_path / "x.duckdb")
    assert environment["ABAW_OUT"] == str(tmp_path / "runs")
    plan = Plan.load(options[-1])
    assert plan.options | {
        "server.address": "127.0.0.1", "server.enableXsrfProtection": True, "server.enableCORS": True,
        "server.maxUploadSize": 1, "server.showEmailPrompt": False, "browser.gatherUsageStats": False,
        "server.headless": True,
    } == plan.options  # fmt: skip
    assert (plan.names, plan.everywhere, plan.browse) == (list(OF_THIS_MACHINE), False, None)
    assert "-P" in options, "a library's namesake in the working folder is not imported"


def test_public_address_is_announced_and_hides_tracebacks(served):
    number = free_port()
    result = start("--host", "0.0.0.0", "--port", number)  # noqa: S104
    assert "no password" in result.output
    assert f"http://127.0.0.1:{number}" in result.output, "0.0.0.0 is no address that a browser can open"
    plan = Plan.load(served[0][0][-1])
    assert plan.options["client.showErrorDetails"] == "none"
    assert plan.everywhere
    assert f"It answers to the host names {', '.join(plan.names)}, any address of this machine." in result.output


def test_browser_opens_printed_address_and_proxy_name_works(served):
    number = free_port()
    assert start("--port", number, "--name", "Board.Lab.Example").exit_code == 0
    plan = Plan.load(served[0][0][-1])
    assert plan.browse == f"http://127.0.0.1:{number}"
    assert plan.names == [*OF_THIS_MACHINE, "board.lab.example"]
    assert isinstance(start("--port", number, "--name", "http://x/").exception, UsageError)
    assert len(served) == 1


def test_a_port_in_use_names_one_that_is_free(served, port):
    result = start("--port", port)
    assert isinstance(result.exception, UsageError)
    other = int(str(result.exception).rsplit("--port ", 1)[1].rstrip("."))
    assert other != port
    assert start("--port", other).exit_code == 0
    assert len(served) == 1


def test_an_address_of_no_machine_here_is_refused(served):
    result = start("--host", "203.0.113.7")
    assert isinstance(result.exception, UsageError)
    assert "203.0.113.7" in str(result.exception)
    assert not served


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]"), ("localhost", "localhost")],
)
def test_the_address_that_is_printed_can_be_opened(host, shown):
    assert command.address(host, 8501) == f"http://{shown}:8501"
