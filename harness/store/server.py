"""One store for a team: its file open in one process, which others reach over Quack."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import UsageError, problem
from harness.store.address import StoreAddress
from harness.store.connection import Connection, connect
from harness.store.extensions import load_extensions
from harness.store.quack import quoted
from harness.store.store import create, prepare

_PATIENCE = 3.0
_PULSE = 5.0
_SETTINGS = (
    # as DuckDB has them: who commits first writes to the log beside the file, which takes half the time
    "SET checkpoint_threshold = '16MB'",
    "SET auto_checkpoint_skip_wal_threshold = 100000",
    "SET enable_external_access = false",  # who has the token gets at this store, and at no other file of the machine
    "SET lock_configuration = true",
)


@contextlib.contextmanager
def serving(path: Path, address: StoreAddress, token: str) -> Iterator[Connection]:
    """Serve a store while the block runs, on any of this machine's addresses, unencrypted; then put all into its file.

    A store of an earlier version is first brought up to this version's schema.

    Raises:
        UsageError: the address can't be listened on.
        StoreBusyError: another process holds the file.
        StoreError: not a results store.
        MissingDependencyError: the extra ``team`` is not installed.
    """
    check_free(address)
    create(path, patience=_PATIENCE)
    with connect(path, read_only=False, patience=_PATIENCE) as db:
        prepare(db, path)
        load_extensions(db)
        options = f"token = {quoted(token)}, allow_other_hostname = {not address.local}"
        db.execute(f"CALL quack_serve({quoted(address.uri)}, {options})").fetchall()
        for setting in _SETTINGS:
            db.execute(setting)
        try:
            yield db
        finally:
            db.execute(f"CALL quack_stop({quoted(address.uri)})").fetchall()
            db.execute("CHECKPOINT")


def until(stopped: Callable[[float], bool], db: Connection) -> None:
    """Wait to be told to stop.

    Args:
        stopped: waits so many seconds, and returns at once when the server is to stop; says whether it is.

    Raises:
        StoreError: the database can't go on, as when the disk is full.
    """
    while not stopped(_PULSE):
        db.execute("SELECT count(*) FROM runs").fetchall()


def _answers(address: StoreAddress) -> bool:
    """Return whether a process accepts connections at an address."""
    try:
        with socket.create_connection((address.host, address.port), timeout=_PATIENCE):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return True


def check_free(address: StoreAddress) -> None:
    """Make sure that an address is this machine's and that nobody listens there.

    Raises:
        UsageError: it is not, or somebody does.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(place[:2], family=family):
            return
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            if not _answers(address):
                return  # a server that has ended: what clients had open with it lingers for a minute
            do = "Is the store served already? If not, name another --port"
            raise UsageError(problem("somebody listens there already", where=address, do=do)) from None
        if error.errno == errno.EACCES:
            do = "Name a --port above 1023"
            raise UsageError(problem(f"port {address.port} may not be used", where=address, do=do)) from None
        do = "Give --host localhost, an address of this machine, or 0.0.0.0 (all of them)"
        raise UsageError(problem("can't listen there", where=address, found=error.strerror, do=do)) from None
