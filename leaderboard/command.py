"""``abaw leaderboard``: start the Streamlit app on localhost."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import subprocess
import sys
from pathlib import Path

import click

from harness.errors import UsageError, problem
from harness.settings import load_settings
from harness.store.address import StoreAddress

APP = Path(__file__).parent / "app.py"


@click.command()
@click.option("--store", type=click.Path(path_type=Path), help="Results store.  [default: submissions/results.duckdb]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the runs.  [default: submissions]")
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; this machine only by default."
)
@click.option("--no-browser", is_flag=True, help="Don't open a browser; print the address only.")
@click.option(
    "--bundle", type=click.Path(path_type=Path),
    help="Write the boards as one HTML file, to send or to put on a project page; nothing is started.",
)  # fmt: skip
def leaderboard(
    store: Path | None, out: Path | None, port: int, host: str, no_browser: bool, bundle: Path | None
) -> None:
    """Browse runs and published results. Reads the store; runs can be recorded while it is open.

    \b
    Examples: abaw leaderboard --store submissions/results.duckdb
              abaw leaderboard --bundle board.html
    """
    settings = load_settings(store=store, out=out)
    if bundle:
        from leaderboard.bundle.page import write_bundle
        from leaderboard.export.writing import open_store

        click.echo(f"{write_bundle(open_store(settings), bundle)}: the boards of {settings.store}")
        return
    own = check_address(host, port)
    click.echo(f"Leaderboard of {settings.store}: {address(host, port)}  (stop with Ctrl-C)")
    if not own:
        click.echo(f"Everyone who reaches {host} can read it, run folders' paths included: there is no password.")
    place = settings.store if isinstance(settings.store, StoreAddress) else settings.store.resolve()
    environment = {**os.environ, "ABAW_STORE": str(place), "ABAW_OUT": str(settings.out.resolve())}
    serve(server_command(host, port, headless=no_browser, own=own), environment)


def server_command(host: str, port: int, *, headless: bool, own: bool) -> list[str]:
    """The server with all that this app relies on, whatever a configuration of Streamlit's says.

    Args:
        own: whether the address is this machine's alone; others are shown no inner workings.
    """
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": headless,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.enableStaticServing": False,
        "server.maxUploadSize": 1,  # megabyte; nothing here takes a file
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "full" if own else "none",
        "client.toolbarMode": "viewer",
        "global.developmentMode": False,
        "logger.hideWelcomeMessage": True,  # for a wildcard address it asks a server elsewhere for ours
    }
    flags = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags]


def serve(command: list[str], environment: dict[str, str]) -> None:
    """Become the server, so that whatever stops this process stops it."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)  # noqa: S606 - a fixed program, no shell
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)


def check_address(host: str, port: int) -> bool:
    """Whether an address that can be listened on is this machine's alone.

    Raises:
        UsageError: it can't be; says what to do.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(place[:2], family=family):
            return ipaddress.ip_address(str(place[0]).partition("%")[0]).is_loopback
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            do = f"Is another leaderboard open? Close it, or name another port: --port {_free(host, family, port)}"
            raise UsageError(problem(f"port {port} is in use", do=do)) from None
        if error.errno == errno.EACCES:
            raise UsageError(problem(f"port {port} may not be used", do="Name one above 1023: --port")) from None
        do = "Give --host 127.0.0.1 (this machine only), an address of this machine, or 0.0.0.0 (all of them)"
        raise UsageError(problem(f"can't listen on {host}", found=error.strerror, do=do)) from None


def _free(host: str, family: int, port: int) -> int:
    """The next port that is free, any where the next few are not."""
    for candidate in (*range(port + 1, min(port + 20, 65536)), 0):
        try:
            with socket.create_server((host, candidate), family=family) as server:
                return int(server.getsockname()[1])
        except OSError:
            continue
    return port


def address(host: str, port: int) -> str:
    """What to type into a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
