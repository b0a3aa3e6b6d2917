"""Short connections to the results store (open, do, close), which wait while another process holds it.

DuckDB lets one process write a file *or* many read it; even an idle reader blocks a writer. Therefore no code keeps a
connection, and a process that meets a locked file tries again, with jitter, for a bounded time. A failed attempt costs
as much as a successful one; therefore this package's processes first queue at a lock file, which costs little. Within a
process, connections to a file take turns: DuckDB would give threads the same instance, and refuse a connection while
another is being closed. Sessions with a server are as short, see :mod:`harness.store.server.client`.
"""

from __future__ import annotations

import collections
import contextlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import duckdb

from harness.errors import AbawError, StorageError, StoreBusyError, StoreDamagedError, StoreError, StoreSchemaError
from harness.store.address import StoreAddress
from harness.store.interface import ConflictError, Connection
from harness.system.atomic import atomic_path, sweep_partials
from harness.system.backoff import backoff
from harness.system.locks import exclusive, queued
from harness.system.regular import require_file

PATIENCE = 20.0
_attempts = partial(backoff, first=0.02, longest=0.5)
# a store is small: DuckDB's workers, one a core, cost more to start than they bring; and a table that is missing must
# not be taken for a Python variable of that name
_READER = {"threads": 1, "python_enable_replacements": False}
# what is committed goes into the file at once, not first into a log beside it: the file alone is the store, always, and
# a full disk is an error of the commit. DuckDB's own blocks of 256 KB would stay almost empty: a new store would take
# 7.6 MB instead of 1, and a commit half as long again
_WRITER = {
    **_READER,
    "auto_checkpoint_skip_wal_threshold": 0,
    "checkpoint_threshold": "1KB",
    "default_block_size": 16384,
}

# whole phrases: a message about a broken file names its "block", and a path may hold any word; the middle two are
# DuckDB's words for a connection of another kind in the same process, the last is Windows'
_BUSY = (
    "could not set lock",
    "conflicting lock",
    "different configuration",
    "unique file handle conflict",
    "used by another process",
)
_FULL = ("no space left", "file too large", "disk quota")
_FORBIDDEN = ("permission denied", "read-only file system")
_BROKEN = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)

_turns: dict[Path, threading.Lock] = collections.defaultdict(threading.Lock)


@contextlib.contextmanager
def connect(place: Path | StoreAddress, *, read_only: bool, patience: float = PATIENCE) -> Iterator[Connection]:
    """Connect to a store while the block runs; an uncommitted transaction is undone at its end.

    Args:
        place: file of the store, or address of its server.
        read_only: open the file for reading, beside other readers. A server takes reads and writes alike.
        patience: seconds to wait until other processes and threads release the file.

    Raises:
        StoreBusyError: another process or thread held the file for longer.
        StoreUnreachableError: the server is absent or silent.
        StoreDamagedError: the file is broken.
        StoreSchemaError: a newer DuckDB wrote the file.
        StorageError: the disk is full.
        StoreError: the place holds something else than a store, can't be read, or a statement is wrong.
        KeyboardInterrupt: Ctrl-C, also in the middle of a statement.
    """
    with _ctrl_c_as_such():
        if isinstance(place, StoreAddress):
            from harness.store.server.client import session

            with session(place, patience=patience) as remote:
                yield remote
        else:
            with _open_file(place, read_only=read_only, patience=patience) as db:
                yield db


@contextlib.contextmanager
def _ctrl_c_as_such() -> Iterator[None]:
    """Raise KeyboardInterrupt where DuckDB raises a RuntimeError because Ctrl-C stopped a statement."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


@contextlib.contextmanager
def making(path: Path, *, patience: float = PATIENCE) -> Iterator[Connection | None]:
    """Connect to a new file, which gets its name when the block has succeeded and all data is on the disk.

    A process that is killed in the block, or meets a full disk, leaves no file of that name.

    Args:
        path: final name of the file.
        patience: seconds to wait for other processes and threads that make the same file.

    Yields:
        The connection; ``None`` where another process has made the file in the meantime.

    Raises:
        StorageError: the disk is full, the folder can't be written, or another process works on it for too long.
        KeyboardInterrupt: Ctrl-C, also in the middle of a statement.
    """
    path = path.resolve()
    _refuse_other_than_files(path)
    with _ctrl_c_as_such(), _turn(path, patience), exclusive(_lock_file(path), patience=patience):
        if path.exists():
            yield None
            return
        sweep_partials(path.parent)
        Path(f"{path}.wal").unlink(missing_ok=True)  # the log of a deleted file, which DuckDB would apply to this one
        with atomic_path(path) as temporary:
            log = Path(f"{temporary}.wal")
            try:
                connection = _open(temporary, False, time.monotonic() + patience, patience, path)
                try:
                    yield connection
                finally:
                    connection.close()
                if log.exists():  # closing could not write all into the file; DuckDB reports no error
                    raise _full(path, f"{log.stat().st_size:,} bytes that are not in the file")
            except duckdb.Error as error:
                raise _explain(path, error, "the results store can't be made") from error
            finally:
                log.unlink(missing_ok=True)


def require_let_go(path: Path) -> None:
    """Raise an error if another process has a file open. The file itself is not opened as a store.

    Raises:
        StoreBusyError: another process has the file open.
    """
    if sys.platform == "win32":  # Windows refuses to rename a file that another process has open
        return
    import fcntl

    with contextlib.suppress(FileNotFoundError, PermissionError), path.open("r+b") as stream:
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kind of lock that DuckDB takes
        except BlockingIOError:
            raise _busy(path, "a lock", 0) from None


def without_conflict(work: Callable[[], None], patience: float = PATIENCE) -> None:
    """Repeat a transaction as long as other writers conflict with it.

    Args:
        work: a transaction; after a conflict it must have changed nothing.
        patience: seconds until the repetition ends.

    Raises:
        StoreBusyError: other writers conflicted for longer than ``patience`` seconds.
    """
    for _ in _attempts(time.monotonic() + patience):
        try:
            return work()
        except ConflictError as error:
            conflict = error
    raise conflict


@contextlib.contextmanager
def _open_file(path: Path, *, read_only: bool, patience: float = PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to a file; see :func:`connect`."""
    deadline = time.monotonic() + patience
    _refuse_other_than_files(path)
    with _turn(path, patience), queued(_lock_file(path), shared=read_only, deadline=deadline):
        connection = _open(path, read_only, deadline, patience)
        try:
            yield connection
        except duckdb.Error as error:
            raise _explain(path, error, "the results store can't be used") from error
        finally:
            connection.close()


def _refuse_other_than_files(path: Path) -> None:
    """Refuse a pipe, a device or the like as a store or its write-ahead log, which DuckDB would wait for."""
    for place in (path, Path(f"{path}.wal")):
        try:
            require_file(place)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # a new store, or an error that DuckDB reports itself
        except OSError as error:
            kind = "a folder" if isinstance(error, IsADirectoryError) else error.strerror
            do = "Name another --store" if place == path else "Remove it, if it is nothing of yours"
            raise StoreError("not a results store", where=place, found=kind, do=do) from None


@contextlib.contextmanager
def _turn(path: Path, patience: float) -> Iterator[None]:
    lock = _turns[path.resolve()]
    if not lock.acquire(timeout=max(patience, 0)):
        raise _busy(path, "another thread of this process", patience)
    try:
        yield
    finally:
        lock.release()


def _lock_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _open(
    path: Path, read_only: bool, deadline: float, patience: float, place: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """Connect to a file; errors name ``place`` instead of a temporary path."""
    for _ in _attempts(deadline):
        try:
            db = duckdb.connect(str(path), read_only=read_only, config=_READER if read_only else _WRITER)
            db.execute("SET enable_progress_bar = false")  # it goes to stdout, and is a setting of the connection only
            return db
        except duckdb.Error as error:
            if not _mentions(error, _BUSY):
                raise _explain(place or path, error, "the results store can't be opened") from None
            busy = error
    raise _busy(place or path, _holder(busy), patience)


def _mentions(error: duckdb.Error, phrases: Iterable[str]) -> bool:
    # by words: DuckDB raises the same class for a locked file, a missing one and a broken one
    text = str(error).lower()
    return any(phrase in text for phrase in phrases)


def _busy(path: Path, holder: str, patience: float) -> StoreBusyError:
    return StoreBusyError(
        "another process holds the results store",
        where=path,
        found=holder,
        do=f"Tried for {patience:.0f} s; close that program, or wait and run the same command again",
    )


def _holder(error: duckdb.Error) -> str:
    match = re.search(r"held in (.*?)\(?PID (\d+)\)?", str(error))
    if match is None:
        return "a lock"
    pid = int(match[2])
    if pid == 0:
        return "a process of another machine or container"
    return f"process {pid} ({_command_line(pid) or Path(match[1].strip()).name})"


def _command_line(pid: int) -> str:
    """Return a process's command as the user would recognise it: ``python3 abaw leaderboard``; empty where unknown."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    text = " ".join([*(Path(word).name for word in words[:2]), *words[2:]])
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _explain(path: Path, error: duckdb.Error, what: str) -> AbawError:
    """Return the project's error for one of DuckDB's other than a lock."""
    message = str(error).splitlines()[0][:300]
    if _mentions(error, _FULL):
        return _full(path, message)
    if _mentions(error, _FORBIDDEN):
        do = "Ask for the right to write there, or name another --store"
        return StoreError("the results store may not be opened", where=path, found=message, do=do)
    if _mentions(error, ["database does not exist"]):
        do = "If it was deleted, bring it back with: abaw reindex"
        return StoreError("there is no results store", where=path, do=do)
    if _mentions(error, ["not a valid duckdb"]):
        return _not_duckdb(path)
    if _mentions(error, ["version number"]):
        do = "Update abaw: git pull in its checkout, then make demo; or install the newer package"
        return StoreSchemaError("written by a newer DuckDB", where=path, found=message, do=do)
    if isinstance(error, _BROKEN) and not _mentions(error, ["too many open files"]):
        return damaged(path, message)
    return StoreError(what, where=path, found=message)


def _full(path: Path, message: str) -> StorageError:
    state = "the results store is as it was" if path.exists() else "no results store was made"
    do = "Free some space, then: abaw reindex (finished runs are whole in their folders)"
    return StorageError(f"the disk is full, {state}", where=path, found=message, do=do)


def _not_duckdb(path: Path) -> StoreError:
    what, kind = "not a results store", "another kind of file"
    if path.suffix == ".duckdb":
        return damaged(path, kind, what)
    return StoreError(what, where=path, found=kind, do="Name another --store")


def damaged(path: Path, message: str, what: str = "the results store is damaged") -> StoreDamagedError:
    """Return the error for a broken file, with the remedy."""
    do = "Run: abaw reindex (it moves this file aside and makes a new store; run folders hold everything)"
    return StoreDamagedError(what, where=path, found=message, do=do)
