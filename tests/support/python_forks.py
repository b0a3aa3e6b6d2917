"""Python code in processes of their own, each forked from one that has imported the store already.

A new interpreter takes longer to import DuckDB and the harness than most tests take for the rest. A fork has its own
memory, folder, environment, streams and exit code; one that is killed is as dead as a new interpreter would be. The
process that is forked opens no database, because DuckDB does not survive a fork.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn, Self

from tests.support.forked import end_fork
from tests.support.places import REPOSITORY

PRELOADED = (
    "pandas", "harness.cli.main", "harness.records.run", "harness.slots", "harness.store.server.client",
    "harness.store.store", "harness.store.sync",
)  # fmt: skip
_LONGEST = 1 << 20  # of the JSON that describes a process


class Fork:
    """A process that runs code, used like a :class:`subprocess.Popen` with pipes of text.

    Attributes:
        returncode: exit code, or the negative number of the signal that ended the process; None while it runs.
    """

    def __init__(self, pipes: tuple[int, int, int], status: int) -> None:
        self.stdin = os.fdopen(pipes[0], "w", encoding="utf-8")
        self.stdout = os.fdopen(pipes[1], encoding="utf-8")
        self.stderr = os.fdopen(pipes[2], encoding="utf-8")
        self._status = os.fdopen(status, encoding="ascii", buffering=1)
        self.pid = int(self._status.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: the process runs longer than ``timeout`` seconds.
        """
        if self._look(timeout) is None:
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """End the process at once, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self, text: str = "", timeout: float | None = None) -> tuple[str, str]:
        """Give the process its input; return its output and errors once it has ended.

        Raises:
            subprocess.TimeoutExpired: the process took longer than ``timeout`` seconds and was killed.
        """
        killer = threading.Timer(timeout or threading.TIMEOUT_MAX, self.kill)
        killer.start()
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(self.stderr.read()))
        reader.start()
        with contextlib.suppress(BrokenPipeError):
            self.stdin.write(text)
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        output = self.stdout.read()
        reader.join()
        self.wait()
        late = not killer.is_alive()
        killer.cancel()
        if late:
            raise subprocess.TimeoutExpired("a fork", timeout or 0, output, errors[0])
        return output, errors[0]

    def close(self) -> None:
        """Kill the process and close all pipes."""
        self.kill()
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr, self._status):
            with contextlib.suppress(OSError):
                stream.close()

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = os.waitstatus_to_exitcode(int(self._status.readline() or signal.SIGKILL))
        return self.returncode


class PythonForks:
    """The process that is forked."""

    def __init__(self) -> None:
        self._socket, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.python_forks", str(there.fileno())],
                pass_fds=[there.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=REPOSITORY,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.wait()

    def start(self, code: str) -> Fork:
        """Run code in a fork, in the repository's folder and with this process's environment."""
        pipes = [os.pipe() for _ in range(4)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1]]
        task = json.dumps({"code": code, "environment": dict(os.environ)}).encode()
        assert len(task) < _LONGEST
        socket.send_fds(self._socket, [len(task).to_bytes(4, "big")], theirs)
        self._socket.sendall(task)
        for descriptor in theirs:
            os.close(descriptor)
        return Fork((pipes[0][1], pipes[1][0], pipes[2][0]), pipes[3][0])


def _serve(questions: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the watchers end unwatched
    while True:
        size, descriptors, _, _ = socket.recv_fds(questions, 4, 4)
        if not size:
            return
        task = json.loads(questions.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
        if os.fork() == 0:
            questions.close()
            _watch(task, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(task: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Fork the process, tell its number, wait for its end and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, status = descriptors
    pid = os.fork()
    if pid == 0:
        os.close(status)
        _become(task, streams)
    for stream in streams:
        os.close(stream)
    os.write(status, f"{pid}\n".encode())
    os.write(status, f"{os.waitpid(pid, 0)[1]}\n".encode())
    os._exit(0)


def _become(task: dict[str, Any], streams: list[int]) -> NoReturn:
    """Run the code as a new interpreter would, to the end."""
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.environ.clear()
    os.environ.update(task["environment"])
    code = 1
    try:
        exec(compile(task["code"], "<code of a test>", "exec"), {"__name__": "__main__"})  # noqa: S102 - the test's own
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        end_fork(code)


def main() -> None:
    """Import everything, then fork as long as somebody asks."""
    questions = socket.socket(fileno=int(sys.argv[1]))
    assert Path.cwd() == REPOSITORY
    for name in PRELOADED:
        with contextlib.suppress(ImportError):  # what needs an extra that is not installed
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    _serve(questions)


if __name__ == "__main__":
    main()
