"""Open, do, close: short connections to the DuckDB file, with patience while another process holds it.

DuckDB lets one process write *or* many read; even an idle reader blocks a writer. So nobody keeps a connection, and
whoever finds the file locked tries again, with jitter, for a bounded time.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from harness.errors import StoreBusyError, StoreError, problem

PATIENCE = 20.0
_FIRST_WAIT, _LONGEST_WAIT = 0.02, 0.5


@contextlib.contextmanager
def connect(path: Path, *, read_only: bool, patience: float = PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that is closed when the block ends.

    Args:
        patience: seconds to wait for another process to let go.

    Raises:
        StoreBusyError: it did not.
        StoreError: not a store, or not readable.
    """
    connection = _open(path, read_only, patience)
    try:
        yield connection
    except duckdb.Error as error:
        raise StoreError(problem("the results store can't be used", where=path, found=_first_line(error))) from error
    finally:
        connection.close()


def _open(path: Path, read_only: bool, patience: float) -> duckdb.DuckDBPyConnection:
    deadline, wait = time.monotonic() + patience, _FIRST_WAIT
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except (duckdb.IOException, duckdb.ConnectionException) as error:
            if not _is_lock(error, path):
                raise StoreError(_explain(path, error)) from None
            if time.monotonic() >= deadline:
                raise StoreBusyError(
                    problem(
                        "another process holds the results store",
                        where=path,
                        found=_holder(error),
                        do=f"Tried for {patience:.0f} s; close that program, or wait and run the same command again",
                    )
                ) from None
        except duckdb.Error as error:
            raise StoreError(_explain(path, error)) from None
        time.sleep(wait * random.uniform(0.5, 1.5))
        wait = min(2 * wait, _LONGEST_WAIT)


def _is_lock(error: duckdb.Error, path: Path) -> bool:
    # a missing file raises the same class; threads of one process that read and write meet the second wording;
    # the message quotes the path, which may well be /data/blocks
    text = str(error).replace(str(path), "").lower()
    return "lock" in text or "different configuration" in text


def _holder(error: duckdb.Error) -> str:
    match = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
    return f"process {match[2]} ({Path(match[1]).name})" if match else "a lock"


def _explain(path: Path, error: duckdb.Error) -> str:
    text = str(error)
    if "not a valid DuckDB" in text or path.is_dir():
        found = "a folder" if path.is_dir() else "another kind of file"
        return problem("not a results store", where=path, found=found, do="Name another --store")
    if "version number" in text:
        return problem(
            "written by a newer DuckDB", where=path, found=_first_line(error), do="Update: pip install -U abaw-harness"
        )
    if "Permission denied" in text or "Read-only file system" in text:
        return problem(
            "the results store may not be opened",
            where=path,
            found=_first_line(error),
            do="Ask for the right to write there, or name another --store",
        )
    return problem(
        "the results store can't be opened",
        where=path,
        found=_first_line(error),
        do="If it is damaged, move it away and run: abaw reindex (run folders hold everything)",
    )


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0][:300]
