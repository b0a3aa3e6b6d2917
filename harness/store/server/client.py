"""Client of a store's server: short sessions over Quack, DuckDB's own protocol.

Each transaction is one request. The server would keep an open transaction of a killed client for as long as it runs.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Iterator, Sequence

import duckdb

from harness.errors import AbawError, StoreError, UsageError
from harness.store.address import StoreAddress
from harness.store.interface import ConflictError, Rows
from harness.store.server.extensions import load_extensions
from harness.store.server.relay import Relay
from harness.store.server.token import TOKEN, TOKEN_FILE, given_token, remember_owner
from harness.store.sql import literal, quoted

_numbers = itertools.count(1)
_CONFLICTS = ("conflict on", "write-write conflict", "duplicate key", "invalid connection id")
_LONGEST = 30
"""Seconds that one answer may take."""


class Session:
    """Connection to a server, which runs SQL there; see :class:`harness.store.interface.Connection`.

    Args:
        client: DuckDB in this process, which the server is attached to.
        name: name by which the server is attached.
    """

    def __init__(self, client: duckdb.DuckDBPyConnection, name: str) -> None:
        """Store client and name."""
        self._client, self._name = client, name

    def execute(self, query: str, parameters: Sequence[str] = (), /) -> Rows:
        """Run one statement, or several separated by ``;``, and return the rows of the last one."""
        if parameters:
            arguments = ", ".join(f"{literal(value)}->>'$'" for value in parameters)
            query = f"PREPARE asked AS {query};\nEXECUTE asked({arguments})"
        try:
            rows: Rows = self._client.execute(f"FROM quack_query_by_name({quoted(self._name)}, {quoted(query)})")
        except duckdb.Error as error:
            if "does not exist!" in str(error):  # all of the server's errors arrive as one class
                raise duckdb.CatalogException(str(error)) from None
            raise
        return rows


@contextlib.contextmanager
def session(address: StoreAddress, *, patience: float) -> Iterator[Session]:
    """Open a session with a server; it ends with the block.

    Args:
        address: address of the server.
        patience: seconds to wait for each answer, but at most 30.

    Raises:
        StoreUnreachableError: the server is absent or silent.
        StoreError: another program answers, the token is wrong, or a statement is wrong.
        UsageError: no token is given.
        MissingDependencyError: the extra ``team`` is not installed.
    """
    token = given_token()
    if token is None:
        do = f"Put it into {TOKEN}, or the path of a file that holds it into {TOKEN_FILE}"
        raise UsageError("a store on a server needs its token", where=address, do=do)
    name = f"store{next(_numbers)}"
    client = _client(os.getpid()).cursor()
    with Relay(address, min(patience, _LONGEST)) as relay:
        try:
            client.execute("SET enable_progress_bar = false")
            options = f"TYPE quack, TOKEN {quoted(token)}, DISABLE_SSL true"
            client.execute(f"ATTACH {quoted(relay.uri)} AS {name} ({options})")
            remember_owner(address, token)
            yield Session(client, name)
        except duckdb.Error as error:
            raise relay.trouble or explained(address, error) from None
        finally:
            with contextlib.suppress(duckdb.Error):
                client.execute(f"DETACH {name}")
            client.close()


@functools.cache
def _client(process: int) -> duckdb.DuckDBPyConnection:
    """Return the database in memory that all sessions of a process share: its extensions load in half a second."""
    client = duckdb.connect(config={"threads": 1, "python_enable_replacements": False})
    client.execute("SET enable_progress_bar = false")  # extensions on a slow disk would show one
    load_extensions(client)
    client.execute("SET GLOBAL http_retries = 0")  # a request without an answer may have changed the store
    # DuckDB talks to this process only, but libcurl would send that through the proxy that the environment names
    client.execute("SET GLOBAL httpfs_client_implementation = 'httplib'")
    client.execute("SET GLOBAL http_proxy = ''")
    return client


def explained(address: StoreAddress, error: duckdb.Error) -> AbawError:
    """Return the project's error for one of DuckDB here or in the server."""
    message = str(error).splitlines()[0][:300]
    text = message.lower()
    if "authentication failed" in text:
        do = f"Ask whoever serves the store for its token; it goes into {TOKEN}, or into the file named in {TOKEN_FILE}"
        return StoreError("the store's server does not take this token", where=address, do=do)
    if any(phrase in text for phrase in _CONFLICTS):
        do = "Run the same command again"
        return ConflictError("others keep changing the same runs", where=address, found=message, do=do)
    return StoreError("the results store can't be used", where=address, found=message)
