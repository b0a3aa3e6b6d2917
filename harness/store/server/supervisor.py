"""A process that keeps the store's server running: the server is a child, which is started again when it dies.

DuckDB can't end a client's query, and its limits leave some ways to fill the memory. Therefore the server may die, or
end itself, at any time: its file is whole after that, and clients read that the server did not answer.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import json
import math
import os
import select
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from harness import errors
from harness.errors import AbawError, StoreError


class LimitExceededError(StoreError):
    """A client took more than its share. The server has to start again, because nothing else ends a query."""


_SERVING, _ALIVE = "serving", "alive"
_SILENCE = 60.0  # seconds; a server says every second that it is alive
_POLITE = 30.0
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
_OFTEN, _WITHIN = 5, 600.0


class Reports:
    """Reports of a server to its supervisor.

    Args:
        pipe: descriptor to write to.
        started: called when clients are served, for a server without a supervisor.
    """

    def __init__(self, pipe: int, started: Callable[[], None] = lambda: None) -> None:
        """Store pipe and function."""
        self._pipe, self._started = pipe, started

    def serving(self) -> None:
        """Report that clients are served from now on."""
        self._write(_SERVING)
        self._started()

    def alive(self) -> None:
        """Report that the server is alive; call this at least once per minute."""
        self._write(_ALIVE)

    def failed(self, error: BaseException) -> None:
        """Report the error that ends the server."""
        kind = type(error).__name__ if isinstance(error, AbawError) else StoreError.__name__
        text = str(error) if isinstance(error, AbawError) else f"{type(error).__name__}: {error}"
        self._write(json.dumps([kind, text]))

    def abandon(self, error: AbawError) -> NoReturn:
        """End this process at once, with all queries in it: the store's file is whole at any moment."""
        self.failed(error)
        os._exit(1)

    def _write(self, word: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._pipe, f"{word}\n".encode())


Serve = Callable[[Reports], None]
"""A function that serves until the process is asked to stop."""


@dataclass(frozen=True)
class Death:
    """The reason for a server's end that the supervisor did not ask for.

    Attributes:
        reason: the reason in words.
        error: the error of this project that ended the server, if there was one.
        served: True if the server had served clients.
        by_client: True if a client took more than its share.
    """

    reason: str
    error: AbawError | None = None
    served: bool = False
    by_client: bool = False


@dataclass
class _Child:
    """A server's process.

    Attributes:
        pid: id of the process.
        reports: descriptor to read the reports from.
        status: exit status of ``os.waitpid``; ``None`` before the wait.
    """

    pid: int
    reports: int
    status: int | None = None

    def wait(self) -> int:
        """Wait for the end of the process; return its exit code, below 0 for a signal."""
        if self.status is None:
            _, self.status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(self.status)

    def kill(self) -> None:
        """End the process, if it has not ended."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


def supervise(serve: Serve, stop: int, started: Callable[[], None], restarted: Callable[[str], None]) -> None:
    """Keep a server running in a child process until it is asked to stop.

    Args:
        serve: function that runs in the child.
        stop: file descriptor that becomes readable when the server is to stop.
        started: called once, when the server serves for the first time.
        restarted: called with the reason each time when the server serves again.

    Raises:
        AbawError: the server's own error at its first start; or it died again and again.
    """
    if not hasattr(os, "fork"):  # Windows: the server runs here, and ends with its first failure
        serve(Reports(os.open(os.devnull, os.O_WRONLY), started))
        return
    deaths: collections.deque[float] = collections.deque(maxlen=_OFTEN)
    death: Death | None = None
    pauses, last = -1, -math.inf
    while True:
        on_serving = started if death is None else functools.partial(restarted, death.reason)
        with _child(serve) as child:
            death = _follow(child, stop, on_serving)
        if death is None:
            return
        if math.isinf(last) and death.error is not None and not death.served:
            raise death.error
        now = time.monotonic()
        pauses = pauses + 1 if now - last < _WITHIN else 0
        last = now
        if not death.by_client:  # deaths by clients don't count, or anybody with the token could end the server
            deaths.append(now)
            if len(deaths) == _OFTEN and deaths[-1] - deaths[0] < _WITHIN:
                what = f"the store's server died {_OFTEN} times within {_WITHIN / 60:.0f} minutes"
                do = (
                    "Run folders hold everything: if its file is broken, abaw reindex and abaw sync bring the runs back"
                )
                raise StoreError(what, found=death.reason.rstrip("."), do=do)
        if select.select([stop], [], [], _PAUSES[min(pauses, len(_PAUSES) - 1)])[0]:
            return


@contextlib.contextmanager
def _child(serve: Serve) -> Iterator[_Child]:
    """Fork a server, and end it with the block."""
    reports, reporting = os.pipe()
    held, holding = os.pipe()  # the latter closes when this process ends
    with warnings.catch_warnings():
        # Python 3.12 warns where there are threads, as in a program that calls this: the child needs no lock of theirs
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os.close(reports)
        os.close(holding)
        _be_child(serve, Reports(reporting), held)
    os.close(reporting)
    os.close(held)
    child = _Child(pid, reports)
    try:
        yield child
    finally:
        child.kill()
        os.close(reports)
        os.close(holding)


def _be_child(serve: Serve, reports: Reports, held: int) -> NoReturn:
    """Serve, then end the process in any case, before it could run the parent's code."""
    code = 1
    try:
        threading.Thread(target=_end_with, args=(held,), daemon=True).start()
        serve(reports)
        code = 0
    except BaseException as error:
        reports.failed(error)
    finally:
        os._exit(code)


def _end_with(held: int) -> None:
    """End this process when its parent has ended, for any reason."""
    with contextlib.suppress(OSError):
        os.read(held, 1)
    os._exit(1)


def _follow(child: _Child, stop: int, on_serving: Callable[[], None]) -> Death | None:
    """Follow a server to its end; return ``None`` for an end that was asked for."""
    text, asked, served, deadline = b"", False, False, time.monotonic() + _SILENCE
    failure: Death | None = None
    while True:
        watched = [child.reports] if asked else [child.reports, stop]
        ready = select.select(watched, [], [], max(0.0, deadline - time.monotonic()))[0]
        if stop in ready:
            os.kill(child.pid, signal.SIGTERM)
            asked, deadline = True, time.monotonic() + _POLITE
        elif not ready:
            child.kill()
            return None if asked else Death(f"it said nothing for {_SILENCE:.0f} s", served=served)
        if child.reports in ready:
            part = os.read(child.reports, 65536)
            if not part:
                break
            *lines, text = (text + part).split(b"\n")
            for line in lines:
                if line == _SERVING.encode():
                    served = True
                    on_serving()
                elif line != _ALIVE.encode():
                    failure = _failure(line)
            deadline = deadline if asked else time.monotonic() + _SILENCE
    code = child.wait()
    if code == 0 or (asked and failure is None):
        return None
    name = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return dataclasses.replace(failure or Death(f"it ended with {name}"), served=served)


def _failure(line: bytes) -> Death:
    kind, message = json.loads(line)
    return Death(message, getattr(errors, kind, StoreError)(message), by_client=kind == LimitExceededError.__name__)
