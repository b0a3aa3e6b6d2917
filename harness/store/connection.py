"""Open, do, close: short connections to the results store, with patience while somebody else holds it.

DuckDB lets one process write a file *or* many read it; even an idle reader blocks a writer. So nobody keeps a
connection, and whoever finds the file locked tries again, with jitter, for a bounded time. An attempt that fails costs
as much as one that succeeds; so this package's own processes first queue at a lock file, which costs nothing. Within a
process connections to a file take turns: DuckDB would give threads the same instance, and refuse one that comes while
another is being closed. A server's address is gone to as shortly, see :mod:`harness.store.server.client`.
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
    """A connection that is closed when the block ends; a transaction that was not committed is undone.

    Args:
        patience: seconds to wait for another process, or another thread, to let go.

    Raises:
        StoreBusyError: it did not.
        StoreUnreachableError: no server there, or it does not answer.
        StoreDamagedError: the file is broken.
        StoreSchemaError: a newer DuckDB wrote it.
        StorageError: the disk is full.
        StoreError: not a store, not readable, or a statement that is wrong.
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
    """Raise KeyboardInterrupt where DuckDB tells in its own way that Ctrl-C stopped a statement."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


@contextlib.contextmanager
def making(path: Path, *, patience: float = PATIENCE) -> Iterator[Connection | None]:
    """A connection to a new file that gets its name when the block has ended well and all is on the disk.

    ``None`` where somebody else has made the file meanwhile. Who is killed in the block, or finds the disk full, leaves
    no file of that name.

    Raises:
        StorageError: the disk is full, the folder can't be written, or another process is at it for too long.
        KeyboardInterrupt: Ctrl-C, also in the middle of a statement.
    """
    path = path.resolve()
    _refuse_other_than_files(path)
    with _ctrl_c_as_such(), _turn(path, patience), exclusive(_lock_file(path), patience=patience):
        if path.exists():
            yield None
            return
        sweep_partials(path.parent)
        Path(f"{path}.wal").unlink(missing_ok=True)  # of a file that is gone, and would be taken for this one's
        with atomic_path(path) as temporary:
            log = Path(f"{temporary}.wal")
            try:
                connection = _open(temporary, False, time.monotonic() + patience, patience, path)
                try:
                    yield connection
                finally:
                    connection.close()
                if log.exists():  # closing could not bring all into the file, and says nothing
                    raise _full(path, f"{log.stat().st_size:,} bytes that are not in the file")
            except duckdb.Error as error:
                raise _explain(path, error, "the results store can't be made") from error
            finally:
                log.unlink(missing_ok=True)


def require_let_go(path: Path) -> None:
    """Make sure that no other process has a file open, without opening it as a store.

    Raises:
        StoreBusyError: one has.
    """
    if sys.platform == "win32":  # nobody can rename a file there that another process has open
        return
    import fcntl

    with contextlib.suppress(FileNotFoundError, PermissionError), path.open("r+b") as stream:
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kind of lock that DuckDB takes
        except BlockingIOError:
            raise _busy(path, "a lock", 0) from None


def without_conflict(work: Callable[[], None], patience: float = PATIENCE) -> None:
    """Do what is whole or not done at all, again and again while other writers get in its way.

    Raises:
        StoreBusyError: they did for longer than ``patience`` seconds.
    """
    for _ in _attempts(time.monotonic() + patience):
        try:
            return work()
        except ConflictError as error:
            conflict = error
    raise conflict


@contextlib.contextmanager
def _open_file(path: Path, *, read_only: bool, patience: float = PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
    """As :func:`connect`, of a file."""
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
            continue  # a new store, or one for DuckDB's own words
        except OSError as error:
            found = "a folder" if isinstance(error, IsADirectoryError) else error.strerror
            do = "Name another --store" if place == path else "Remove it, if it is nothing of yours"
            raise StoreError("not a results store", where=place, found=found, do=do) from None


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
    """Connect to a file; in errors it is called ``place``."""
    for _ in _attempts(deadline):
        try:
            db = duckdb.connect(str(path), read_only=read_only, config=_READER if read_only else _WRITER)
            db.execute("SET enable_progress_bar = false")  # on stdout, and no setting of a whole database
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
    """What runs there, as the user would recognise it: ``python3 abaw leaderboard``. Empty where that can't be told."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    text = " ".join([*(Path(word).name for word in words[:2]), *words[2:]])
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _explain(path: Path, error: duckdb.Error, what: str) -> AbawError:
    """The project's error for one of DuckDB's that is not a lock."""
    found = str(error).splitlines()[0][:300]
    if _mentions(error, _FULL):
        return _full(path, found)
    if _mentions(error, _FORBIDDEN):
        do = "Ask for the right to write there, or name another --store"
        return StoreError("the results store may not be opened", where=path, found=found, do=do)
    if _mentions(error, ["database does not exist"]):
        do = "If it was deleted, bring it back with: abaw reindex"
        return StoreError("there is no results store", where=path, do=do)
    if _mentions(error, ["not a valid duckdb"]):
        return _not_duckdb(path)
    if _mentions(error, ["version number"]):
        do = "Update abaw: git pull in its checkout, then make demo; or install the newer package"
        return StoreSchemaError("written by a newer DuckDB", where=path, found=found, do=do)
    if isinstance(error, _BROKEN) and not _mentions(error, ["too many open files"]):
        return damaged(path, found)
    return StoreError(what, where=path, found=found)


def _full(path: Path, found: str) -> StorageError:
    state = "the results store is as it was" if path.exists() else "no results store was made"
    do = "Free some space, then: abaw reindex (finished runs are whole in their folders)"
    return StorageError(f"the disk is full, {state}", where=path, found=found, do=do)


def _not_duckdb(path: Path) -> StoreError:
    what, found = "not a results store", "another kind of file"
    if path.suffix == ".duckdb":
        return damaged(path, found, what)
    return StoreError(what, where=path, found=found, do="Name another --store")


def damaged(path: Path, found: str, what: str = "the results store is damaged") -> StoreDamagedError:
    """The error for a broken file, with the way out."""
    do = "Run: abaw reindex (it moves this file aside and makes a new store; run folders hold everything)"
    return StoreDamagedError(what, where=path, found=found, do=do)
