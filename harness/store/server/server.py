"""One store for a team: its file open in one process, which others reach over Quack."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from harness.errors import UsageError
from harness.store.address import StoreAddress
from harness.store.connection import connect
from harness.store.interface import Connection
from harness.store.server.extensions import load_extensions
from harness.store.server.supervisor import LimitExceededError
from harness.store.sql import quoted
from harness.store.store import create, prepare
from harness.system.backoff import backoff

_PATIENCE = 3.0
_PULSE = 0.5
_LOOK = 5.0
_RELEASE = 1.0
_FULL = 5.0
_SETTINGS = (
    # DuckDB's defaults: a commit first writes to the log beside the file, which takes half the time
    "SET checkpoint_threshold = '16MB'",
    "SET auto_checkpoint_skip_wal_threshold = 100000",
    "SET enable_external_access = false",  # the token opens this store, and no other file of the machine
    "SET lock_configuration = true",
)


_MEMORY = 2048  # MB


def usual_memory() -> int:
    """Return the default limit of DuckDB's memory in MB: 2,048, but at most half of the machine's memory."""
    try:
        half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 21
    except (AttributeError, OSError, ValueError):  # Windows does not tell
        return _MEMORY
    return max(64, min(_MEMORY, half))


@dataclass(frozen=True)
class Limits:
    """Limits of the clients' share of the machine. The server starts again, within seconds, when one is exceeded.

    Attributes:
        memory: bytes that DuckDB may take for all queries; it writes no temporary files beyond that.
        query_seconds: longest time of one query in seconds; clients of this package wait for 30 at most.
        clients: largest number of open sessions, including those of killed clients.
    """

    memory: int = _MEMORY << 20
    query_seconds: float = 60.0
    clients: int = 250

    @property
    def resident(self) -> int:
        """Limit of the process's memory in bytes: DuckDB's, half of that again, and 1 GiB that DuckDB can't count."""
        return self.memory + self.memory // 2 + (1 << 30)


@contextlib.contextmanager
def serving(
    path: Path,
    address: StoreAddress,
    token: str,
    limits: Limits = Limits(),
) -> Iterator[Connection]:
    """Serve a store, unencrypted, while the block runs; then write all data into its file.

    A store of an earlier version is first migrated to this version's schema.

    Args:
        path: the store's file; a missing one is made.
        address: one of this machine's addresses.
        token: password that clients must send.
        limits: limits of the clients' share of the machine.

    Yields:
        The store's connection.

    Raises:
        UsageError: the address belongs to another machine or is in use.
        StoreBusyError: another process holds the file.
        StoreError: the file is not a results store.
        MissingDependencyError: the extra ``team`` is not installed.
    """
    check_free(address)
    create(path, patience=_PATIENCE)
    with connect(path, read_only=False, patience=_PATIENCE) as db:
        prepare(db, path)
        load_extensions(db)
        options = f"token = {quoted(token)}, allow_other_hostname = {not address.local}"
        db.execute(f"CALL quack_serve({quoted(address.uri)}, {options})").fetchall()
        for setting in (f"SET memory_limit = '{limits.memory}B'", "SET temp_directory = ''", *_SETTINGS):
            db.execute(setting)
        _bound_memory(limits)
        try:
            yield db
        finally:
            with contextlib.suppress(duckdb.Error):  # a client may have stopped it
                db.execute(f"CALL quack_stop({quoted(address.uri)})").fetchall()
            db.execute("CHECKPOINT")


def until(
    stopped: Callable[[float], bool],
    db: Connection,
    address: StoreAddress,
    limits: Limits,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Wait until the user stops the server, and check the clients' limits twice per second.

    Args:
        stopped: function that waits for the number of seconds it gets. It returns False afterwards, or True as soon as
            the user stops the server.
        db: the store's connection.
        address: address at which the store is served.
        limits: limits of the clients' share of the machine.
        alive: function to call after each check, as a sign of life.

    Raises:
        LimitExceededError: clients used more than their share of the machine, or one of them stopped the server.
        StoreError: the database can't go on, for example because the disk is full.
    """
    looked = well = time.monotonic()
    while not stopped(_PULSE):
        now = time.monotonic()
        try:
            _check_limits(db, address, limits)
            if now - looked >= _LOOK:
                db.execute("SELECT count(*) FROM runs").fetchall()
                looked = now
            well = now
        except duckdb.OutOfMemoryException:  # clients may have all of it for a while
            if now - well >= _FULL:
                raise LimitExceededError(f"its memory was full for more than {_FULL:g} s") from None
        alive()


def _check_limits(db: Connection, address: StoreAddress, limits: Limits) -> None:
    if _resident() > limits.resident:
        raise LimitExceededError(f"it took more than {limits.resident >> 20:,} MB of memory")
    served = dict(db.execute("SELECT listen_uri, active_connections FROM quack_server_list()").fetchall())
    if address.uri not in served:
        raise LimitExceededError("a client stopped it")
    if served[address.uri] > limits.clients:
        raise LimitExceededError(f"more than {limits.clients} sessions were open")
    query = "SELECT epoch(min(query_started_at)) FROM quack_active_connections() WHERE state = 'active'"
    ((start,),) = db.execute(query).fetchall()
    if start is not None and time.time() - start > limits.query_seconds:
        raise LimitExceededError(f"a query took longer than {limits.query_seconds:g} s")


def _resident() -> int:
    """Return the bytes of memory that this process takes; 0 on a system without ``/proc``."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _bound_memory(limits: Limits) -> None:
    """Let the system refuse memory far beyond the limit: between two checks, a query can take more than there is."""
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = 2 * limits.resident
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard < 0 else min(most, hard), hard))


def _answers(address: StoreAddress) -> bool:
    """Return True if a process accepts connections at an address."""
    try:
        with socket.create_connection((address.host, address.port), timeout=_PATIENCE):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return True


def check_free(address: StoreAddress) -> None:
    """Raise an error unless this machine can listen at an address.

    Raises:
        UsageError: the address belongs to another machine, or a process listens there.
    """
    deadline = time.monotonic() + _RELEASE
    try:
        family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(place[:2], family=family):
            return
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            # the process of a server that was killed may be about to end
            if not all(_answers(address) for _ in backoff(deadline)):
                return  # the server has ended: connections of its clients linger for a minute
            do = "Is the store served already? If not, name another --port"
            raise UsageError("somebody listens there already", where=address, do=do) from None
        if error.errno == errno.EACCES:
            do = "Name a --port above 1023"
            raise UsageError(f"port {address.port} may not be used", where=address, do=do) from None
        do = "Give --host localhost, an address of this machine, or 0.0.0.0 (all of them)"
        raise UsageError("can't listen there", where=address, found=error.strerror, do=do) from None
