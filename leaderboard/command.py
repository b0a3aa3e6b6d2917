"""``abaw leaderboard``: start the Streamlit app on localhost."""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import click

from harness.errors import UsageError
from harness.settings import load_settings
from harness.store.address import StoreAddress
from leaderboard.hosts import listens_everywhere, own_names

_NAME = re.compile(r"[\w.:-]+")


@dataclass(frozen=True)
class Plan:
    """Settings with which the app is served.

    Attributes:
        options: Streamlit's options by dotted name.
        names: host names that the server answers to.
        everywhere: also answer to any address of this machine at which a request arrives.
        browse: address to open in a browser once the server runs; ``None`` opens no browser.
    """

    options: Mapping[str, Any]
    names: tuple[str, ...]
    everywhere: bool = False
    browse: str | None = None

    def dumped(self) -> str:
        """Return the plan as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """Return the plan that :meth:`dumped` wrote."""
        return cls(**json.loads(text))


@click.command()
@click.option("--store", type=click.Path(path_type=Path), help="Results store.  [default: submissions/results.duckdb]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the runs.  [default: submissions]")
@click.option(
    "--data", type=click.Path(path_type=Path),
    help="Data set to show labels and images from for runs that were not made here.  [ABAW_DATA]",
)  # fmt: skip
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; this machine only by default."
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="Answer to this host name, too, such as that of a proxy. Repeatable.",
)
@click.option("--no-browser", is_flag=True, help="Don't open a browser; print the address only.")
@click.option(
    "--bundle", type=click.Path(path_type=Path),
    help="Write the boards as one HTML file, to send or to put on a project page; nothing is started.",
)  # fmt: skip
def leaderboard(
    store: Path | None,
    out: Path | None,
    data: Path | None,
    port: int,
    host: str,
    names: tuple[str, ...],
    no_browser: bool,
    bundle: Path | None,
) -> None:
    """Browse runs and published results. Reads the store; runs can be recorded while it is open.

    It answers to 127.0.0.1, localhost, ::1 and the host that --host names, and to no other host name.

    \b
    Examples: abaw leaderboard --store submissions/results.duckdb
              abaw leaderboard --bundle board.html
    """
    settings = load_settings(store=store, out=out, data=data)
    if bundle:
        from leaderboard.bundle.page import write_bundle
        from leaderboard.export.writing import open_store

        click.echo(f"{write_bundle(open_store(settings), bundle)}: the boards of {settings.store}")
        return
    is_local = check_address(host, port)
    for name in names:
        if not _NAME.fullmatch(name.strip("[]")):
            raise UsageError("not a host name", found=repr(name), expected="such as board.lab.example")
    click.echo(f"Leaderboard of {settings.store}: {address(host, port)}  (stop with Ctrl-C)")
    if not is_local:
        click.echo(f"Everyone who reaches {host} can read it, run folders' paths included: there is no password.")
        answered = ", ".join([*own_names(host, names), *(["any address of this machine"] * listens_everywhere(host))])
        click.echo(f"It answers to the host names {answered}. Others are refused; to add one: --name HOST")
    place = settings.store if isinstance(settings.store, StoreAddress) else settings.store.resolve()
    environment = {**os.environ, "ABAW_STORE": str(place), "ABAW_OUT": str(settings.out.resolve())}
    if not is_local:
        environment["ABAW_LEADERBOARD_SHARED"] = "1"
    if settings.data is not None:
        environment["ABAW_DATA"] = str(settings.data.resolve())
    serve(server_command(host, port, names=names, headless=no_browser, is_local=is_local), environment)


def server_command(host: str, port: int, *, names: Sequence[str] = (), headless: bool, is_local: bool) -> list[str]:
    """Return the server's command line, whose options overrule any configuration file of Streamlit.

    Args:
        host: address or host name to listen on.
        port: port to listen on.
        names: host names that the server answers to beside ``host``.
        headless: leave the browser closed.
        is_local: the address can be reached from this machine only; for other addresses errors hide their details.
    """
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": headless,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.enableStaticServing": False,
        "server.maxUploadSize": 1,  # megabyte; no page of ours takes a file
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "full" if is_local else "none",
        "client.toolbarMode": "viewer",
        "global.developmentMode": False,
        # blue as runs are on the charts; each at least 4.5:1 against its background, and the text of buttons against it
        "theme.light.primaryColor": "#0067a3",
        "theme.dark.primaryColor": "#6bb7e8",
        "logger.hideWelcomeMessage": True,  # for a wildcard address it would ask an external server for ours
    }
    browse = None if headless else address(host, port)
    plan = Plan(options, own_names(host, names), everywhere=listens_everywhere(host), browse=browse)
    # -P: otherwise a file in the working folder could be imported in place of a library of the same name
    return [sys.executable, "-P", "-m", "leaderboard.serving", plan.dumped()]


def serve(command: list[str], environment: dict[str, str]) -> None:
    """Replace this process by the server, so that a signal to this process reaches the server."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)  # noqa: S606 - a fixed program, no shell
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)


def check_address(host: str, port: int) -> bool:
    """Return True if the address can be reached from this machine only.

    Raises:
        UsageError: no server can listen on the address; the message says what to do.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(place[:2], family=family):
            return ipaddress.ip_address(str(place[0]).partition("%")[0]).is_loopback
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            do = f"Is another leaderboard open? Close it, or name another port: --port {_free(host, family, port)}"
            raise UsageError(f"port {port} is in use", do=do) from None
        if error.errno == errno.EACCES:
            raise UsageError(f"port {port} may not be used", do="Name one above 1023: --port") from None
        do = "Give --host 127.0.0.1 (this machine only), an address of this machine, or 0.0.0.0 (all of them)"
        raise UsageError(f"can't listen on {host}", found=error.strerror, do=do) from None


def _free(host: str, family: int, port: int) -> int:
    """Return a free port soon after ``port``, else any free port; ``port`` itself if no port is free."""
    for candidate in (*range(port + 1, min(port + 20, 65536)), 0):
        try:
            with socket.create_server((host, candidate), family=family) as server:
                return int(server.getsockname()[1])
        except OSError:
            continue
    return port


def address(host: str, port: int) -> str:
    """Return the URL that opens the leaderboard in a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
