"""Locks between processes; a lock ends with the process that holds it."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from harness.errors import StorageError, storage_error
from harness.system.backoff import backoff

_NOTICE_AFTER = 5.0  # seconds of waiting until a message tells the user the reason
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)  # errors of a file system without locks
_log = logging.getLogger("abaw")


@contextlib.contextmanager
def exclusive(path: Path, *, patience: float = 20.0) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        path: the lock's file, empty, made if needed and left in its place.
        patience: seconds to wait for another process or thread.

    Raises:
        StorageError: another process or thread held the lock for longer, or the folder can't be written.
    """
    descriptor = _opened(path)
    try:
        if not _wait(descriptor, False, time.monotonic() + patience):
            do = f"Tried for {patience:.0f} s; wait for it, then run the same command again"
            raise StorageError("another process is at work here", where=path, do=do)
        yield
    finally:
        os.close(descriptor)


class Claim:
    """Right of this process alone to a piece of work, until the release of the claim or the end of the process.

    The release removes the claim's file. A killed process leaves an empty file, which locks nothing.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        """Hold the claim of the locked file ``path``, open as ``descriptor``."""
        self._path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Release the claim. A second call has no effect."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        if sys.platform == "win32":  # an open file can't be removed there, neither ours nor the next one's
            os.close(descriptor)
        with contextlib.suppress(OSError):
            self._path.unlink()
        if sys.platform != "win32":
            os.close(descriptor)


def claim(path: Path, *, wait_for: str = "") -> Claim | None:
    """Claim a piece of work that must not be done twice at the same time.

    On a file system without locks every claim is granted. Then the work may be done twice, which costs time alone.

    Args:
        path: file that stands for the work, made if needed.
        wait_for: name of the work, for a message to the user: wait until the other process releases the claim or ends.
            By default return at once.

    Returns:
        The claim, to be released; ``None`` if another process or thread has it.

    Raises:
        StorageError: the folder can't be written.
    """
    notice_at = time.monotonic() + _NOTICE_AFTER
    for _ in backoff():
        descriptor = _opened(path)
        try:
            if _claimed(descriptor, path):
                return Claim(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if not wait_for:
            break
        if time.monotonic() > notice_at:
            _log.warning("waiting for another process: %s", wait_for)
            notice_at = math.inf
    return None


def _claimed(descriptor: int, path: Path) -> bool:
    """Lock the file. Return False if another process holds the lock, or if ``path`` is another file by now."""
    try:
        if not _locked(descriptor, False):
            return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return True
    locked = os.fstat(descriptor)
    try:
        there = path.stat()
    except OSError:
        return False
    return (locked.st_dev, locked.st_ino) == (there.st_dev, there.st_ino)


@contextlib.contextmanager
def alone(path: Path, *, wait_for: str) -> Iterator[None]:
    """Run the block in one process at a time, and wait without limit; see :func:`claim`.

    Raises:
        StorageError: the folder can't be written.
    """
    held = claim(path, wait_for=wait_for)
    try:
        yield
    finally:
        if held is not None:
            held.release()


@contextlib.contextmanager
def queued(path: Path, *, shared: bool, deadline: float) -> Iterator[None]:
    """Wait for a turn before an action that takes another lock, if a failure to get that lock is expensive.

    The block runs in any case: also in a read-only folder, which can hold no lock file, and after the deadline.

    Args:
        path: the lock's file, empty, made if needed and left in its place.
        shared: True to run together with others who share.
        deadline: latest time of ``time.monotonic()`` to wait for.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            _wait(descriptor, shared, deadline)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    """Return a descriptor of the lock's file, which is made, with its folder, if needed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise storage_error(error, path) from error


def _wait(descriptor: int, shared: bool, deadline: float) -> bool:
    """Wait for the lock. Return False after the deadline."""
    return any(_locked(descriptor, shared) for _ in backoff(deadline))


def _locked(descriptor: int, shared: bool) -> bool:
    """Lock a file. Return False if another process or thread holds it.

    The lock is that of filelock: ``flock``, and on Windows ``LockFileEx``, for which filelock itself is asked. Its
    import takes a hundred times as long as the lock.
    """
    if sys.platform == "win32":
        from filelock import lock_descriptor

        # shared turns need no wait, as the action takes its lock itself
        return shared or lock_descriptor(descriptor, blocking=False)
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # some file systems use the second for a lock of others
        return False
    return True
