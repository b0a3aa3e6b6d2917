"""Locks that processes take turns with, and that vanish with the process that held them."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from harness.errors import StorageError, problem, storage_error

_FIRST_WAIT, _LONGEST_WAIT = 0.005, 0.05


@contextlib.contextmanager
def exclusive(path: Path, *, patience: float = 20.0) -> Iterator[None]:
    """Hold the lock while the block runs.

    Args:
        path: the lock's file, empty, made if needed and left in its place.
        patience: seconds to wait for another process or thread.

    Raises:
        StorageError: another one kept it for longer, or the folder can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        if not _wait(descriptor, False, time.monotonic() + patience):
            do = f"Tried for {patience:.0f} s; wait for it, then run the same command again"
            raise StorageError(problem("another process is at work here", where=path, do=do))
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def queued(path: Path, *, shared: bool, deadline: float) -> Iterator[None]:
    """Wait for a turn before something that has a lock of its own, where failing to get that is dear.

    Never fails: where no lock file can be made (a read-only folder), or past the deadline, the block runs all the same.

    Args:
        path: the lock's file, empty, made if needed and left in its place.
        shared: others who share may run at the same time.
        deadline: of ``time.monotonic()``.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        yield
        return
    try:
        _wait(descriptor, shared, deadline)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, shared: bool, deadline: float) -> bool:
    """Whether the lock was got in time."""
    wait = _FIRST_WAIT
    while not _taken(descriptor, shared):
        if time.monotonic() >= deadline:
            return False
        time.sleep(wait * random.uniform(0.5, 1.5))
        wait = min(2 * wait, _LONGEST_WAIT)
    return True


def _taken(descriptor: int, shared: bool) -> bool:
    if sys.platform == "win32":  # has no such locks: one writer at a time is the user's to see to there
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
