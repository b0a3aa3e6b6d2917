"""``abaw store serve``: one results store for a team."""

from __future__ import annotations

import contextlib
import select
import shlex
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from harness.errors import StoreError, UsageError
from harness.settings import load_settings
from harness.store.address import PORT, StoreAddress, is_loopback
from harness.store.server.token import TOKEN, TOKEN_FILE, given_token, make_token

_ALL = ("0.0.0.0", "::")  # noqa: S104 - only compared with
_TLS = """\
For other machines put a proxy with a certificate before it, which lets nothing through but this. Caddy:
  {name} {{
      reverse_proxy {host}:{port}
  }}
or nginx:
  server {{
      listen 443 ssl;
      server_name {name};
      ssl_certificate     /etc/letsencrypt/live/{name}/fullchain.pem;
      ssl_certificate_key /etc/letsencrypt/live/{name}/privkey.pem;
      client_max_body_size 256m;
      location / {{ proxy_pass http://{host}:{port}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
and there:
  export ABAW_STORE=quack:{name}:443"""


@click.group()
def store() -> None:
    """One results store for a team."""


@store.command()
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the runs.  [default: submissions]")
@click.option("--store", "file", type=click.Path(path_type=Path), help="Its file.  [default: OUT/results.duckdb]")
@click.option("--new", is_flag=True, help="Begin with an empty store where there is no file yet.")
@click.option("--host", default="localhost", show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535))
@click.option("--open-to-network", is_flag=True, help="Listen where other machines can reach it, unencrypted.")
@click.option(
    "--token-file", type=click.Path(path_type=Path),
    help="File with the token.  [ABAW_STORE_TOKEN or ABAW_STORE_TOKEN_FILE; else one is made beside the store]",
)  # fmt: skip
@click.option(
    "--memory", type=click.IntRange(64), help="Of all queries, in MB.  [default: 2048, at most half of the machine's]"
)
@click.option("--query-seconds", default=60.0, show_default=True, type=click.FloatRange(1), help="Of one query.")
@click.option("--clients", default=250, show_default=True, type=click.IntRange(1), help="Sessions at the same time.")
def serve(
    out: Path | None,
    file: Path | None,
    new: bool,
    host: str,
    port: int,
    open_to_network: bool,
    token_file: Path | None,
    memory: int | None,
    query_seconds: float,
    clients: int,
) -> None:
    """Serve the results store to a team.

    All members can record and read at the same time. A user with the token can read and change the whole store, but no
    other file of this machine. Runs stay complete in their makers' folders: `abaw sync` records them again. The server
    starts again, within seconds, when a client exceeds a limit on memory, time or sessions. The extra `team` is needed.
    Ctrl-C stops the server.

    \b
    Example: abaw store serve --store /srv/abaw/results.duckdb
    """
    from harness.store.server.server import Limits, serving, until, usual_memory
    from harness.store.server.supervisor import LimitExceededError, Reports, supervise

    path = load_settings(out=out, store=file).store
    if isinstance(path, StoreAddress):
        raise UsageError("served already", where=path, do="Name the store's file: --store FILE")
    if not path.exists() and not new:
        raise StoreError("there is no results store", where=path, do="To begin with an empty one: --new")
    if not is_loopback(host) and not open_to_network:
        do = (
            "What goes there is not encrypted: stay on localhost and put a proxy before it, or, on a network that you "
            "trust, give --open-to-network"
        )
        raise UsageError(f"other machines could reach {host}", do=do)
    address, new_token_file = StoreAddress(host, port, tls=False), path.with_name(f"{path.name}.token")
    token = given_token(token_file)
    if token is None:
        token, token_file = make_token(new_token_file), new_token_file
    limits = Limits((memory or usual_memory()) << 20, query_seconds, clients)

    def serve_here(reports: Reports) -> None:
        with told_to_stop() as stop, serving(path, address, token, limits) as db:
            reports.serving()
            try:
                until(lambda seconds: _waited(stop, seconds), db, address, limits, reports.alive)
            except LimitExceededError as error:
                reports.abandon(error)

    def started() -> None:
        click.echo(f"Serving {path} at {address}. Stop with Ctrl-C.")
        _tell(address, token_file)

    with told_to_stop() as stop:
        supervise(serve_here, stop, started, _tell_of_restart)
    click.echo("Stopped. All that was recorded is in the file.")


def _tell_of_restart(reason: str) -> None:
    click.echo(f"abaw: the store's server was started again: {reason.rstrip('.')}.", err=True)


def _waited(stop: int, seconds: float) -> bool:
    """Wait for the signal to stop. Return True as soon as it arrives, or False after the given seconds."""
    return bool(select.select([stop], [], [], seconds)[0])


@contextlib.contextmanager
def told_to_stop() -> Iterator[int]:
    """Yield a descriptor that becomes readable on Ctrl-C or SIGTERM, which no longer end the process by themselves.

    A signal leaves a byte in a socket, so that even a signal just before a wait ends the wait.
    """
    near, far = socket.socketpair()
    with near, far:
        far.setblocking(False)
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
        wakeup = signal.set_wakeup_fd(far.fileno())
        try:
            yield near.fileno()
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)


def _tell(address: StoreAddress, token_file: Path | None) -> None:
    """Print the settings with which this and other machines use the store."""
    token = f"export {TOKEN_FILE}={shlex.quote(str(token_file.resolve()))}" if token_file else f"export {TOKEN}=…"
    near, far = address, replace(address, host=socket.gethostname())
    if address.host in _ALL:
        near = replace(address, host="localhost")
    elif not address.local:
        far = address
    lines = ["On this machine, in place of the file, which is in use now:", f"  export ABAW_STORE={near}", f"  {token}"]
    if not address.local:
        lines += ["On other machines, with a copy of the token that its owner alone can read:"]
        lines += [
            f"  export ABAW_STORE={far}",
            "Who listens in between reads all that goes there, the token too. Better:",
        ]
    lines += [_TLS.format(name="board.lab.example", host="127.0.0.1", port=address.port)]
    click.echo("\n".join(lines))
