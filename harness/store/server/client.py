"""A store that a server holds: short sessions over Quack, DuckDB's own protocol.

Each request is whole in itself, and a transaction is one request: a server keeps what a client that was killed left
open for as long as it runs.
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
    """What runs SQL on the server; see :class:`harness.store.interface.Connection`."""

    def __init__(self, client: duckdb.DuckDBPyConnection, name: str) -> None:
        self._client, self._name = client, name

    def execute(self, query: str, parameters: Sequence[str] = (), /) -> Rows:
        """Run one statement, or several with ``;`` between them: the rows are the last one's."""
        if parameters:
            given = ", ".join(f"{literal(value)}->>'$'" for value in parameters)
            query = f"PREPARE asked AS {query};\nEXECUTE asked({given})"
        try:
            rows: Rows = self._client.execute(f"FROM quack_query_by_name({quoted(self._name)}, {quoted(query)})")
        except duckdb.Error as error:
            if "does not exist!" in str(error):  # the server's errors come as text, all of one class
                raise duckdb.CatalogException(str(error)) from None
            raise
        return rows


@contextlib.contextmanager
def session(address: StoreAddress, *, patience: float) -> Iterator[Session]:
    """A session that ends with the block.

    Args:
        patience: seconds to wait for each answer, but at most 30.

    Raises:
        StoreUnreachableError: nobody answers there.
        StoreError: somebody else does, or a wrong token, or a statement that is wrong.
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
    """The database in memory that a process's sessions go out from: extensions take half a second to load."""
    client = duckdb.connect(config={"threads": 1, "python_enable_replacements": False})
    client.execute("SET enable_progress_bar = false")  # a slow disk's, on the way to the extensions
    load_extensions(client)
    client.execute("SET GLOBAL http_retries = 0")  # who was not answered can't know what was done
    # what it talks to is this process: libcurl would ask the proxy that the environment names even so
    client.execute("SET GLOBAL httpfs_client_implementation = 'httplib'")
    client.execute("SET GLOBAL http_proxy = ''")
    return client


def explained(address: StoreAddress, error: duckdb.Error) -> AbawError:
    """The project's error for one of DuckDB's, or of the server's DuckDB."""
    found = str(error).splitlines()[0][:300]
    text = found.lower()
    if "authentication failed" in text:
        do = f"Ask whoever serves the store for its token; it goes into {TOKEN}, or into the file named in {TOKEN_FILE}"
        return StoreError("the store's server does not take this token", where=address, do=do)
    if any(phrase in text for phrase in _CONFLICTS):
        do = "Run the same command again"
        return ConflictError("others keep changing the same runs", where=address, found=found, do=do)
    return StoreError("the results store can't be used", where=address, found=found)
