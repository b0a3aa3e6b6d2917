"""The console command, in this process or in one of its own, forked from one that has imported everything already.

Importing torch, pandas and scikit-learn takes longer than most commands do. A forked process has its own memory,
folder, environment, streams and exit code, as one that a shell starts. Modules in the folders of ``PYTHONPATH`` are
imported from there. What an interpreter or a library reads at its start (a locale, ``HF_HUB_OFFLINE``) needs a new one.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, NoReturn, Self

from click.testing import CliRunner, Result

from tests.support.forked import end_fork
from tests.support.places import REPOSITORY
from tests.support.small_disk import LARGEST_FILE

PRELOADED = ("harness", "solutions", "leaderboard.command", "leaderboard.export", "timm")
Done = subprocess.CompletedProcess[str]


def start_command(
    arguments: tuple[str | Path, ...], timeout: float = 120, environment: dict[str, str] | None = None
) -> Done:
    """Run the console command in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-m", "harness.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **(environment or {})},
        check=False,
    )


def invoke(*arguments: object) -> Result:
    """Run the console command in this process, and raise the error that it ends with.

    Raises:
        BaseException: of any kind but SystemExit, which is in the result's exit code.
    """
    from harness.cli.main import cli

    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


class Commands:
    """A process that forks once per command."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.commands"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
        )  # fmt: skip
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, arguments: tuple[str | Path, ...], timeout: float, environment: dict[str, str]) -> Done:
        """Run a command here, with these variables beside those of this process.

        Raises:
            subprocess.TimeoutExpired: it took longer than ``timeout`` seconds and was killed.
        """
        with tempfile.TemporaryDirectory() as folder, self._lock:
            streams = [Path(folder) / name for name in ("stdout", "stderr")]
            for path in streams:
                path.touch()  # a command may be killed before it opens them
            command = list(map(str, arguments))
            self._send(command, {**os.environ, **environment}, streams)
            pid = self._receive()
            killer = threading.Timer(timeout, _kill, (pid,))
            killer.start()
            status = self._receive()
            late = not killer.is_alive()
            killer.cancel()
            stdout, stderr = (path.read_text(encoding="utf-8") for path in streams)
        if late:
            raise subprocess.TimeoutExpired(command, timeout, stdout, stderr)
        return Done(command, os.waitstatus_to_exitcode(status), stdout, stderr)

    def _send(self, command: list[str], environment: dict[str, str], streams: list[Path]) -> None:
        assert self._process.stdin is not None
        task = {
            "command": command, "cwd": str(Path.cwd()), "environment": environment, "streams": list(map(str, streams))
        }  # fmt: skip
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that runs the tests' commands has ended"
        return int(line)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
        os.kill(pid, 9)


def _preload() -> None:
    for name in PRELOADED:
        module = importlib.import_module(name)
        for found in pkgutil.walk_packages(getattr(module, "__path__", ()) if name != "timm" else (), f"{name}."):
            with contextlib.suppress(ImportError):  # what needs an extra that is not installed
                importlib.import_module(found.name)
    gc.collect()
    gc.freeze()


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    questions = os.fdopen(os.dup(0))
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for line in questions:
        task = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(task)
        for number in (pid, None):
            print(os.waitpid(pid, 0)[1] if number is None else number, file=answers, flush=True)


def _become(task: dict[str, Any]) -> NoReturn:
    """Be the command, to the end."""
    code = 70
    try:
        for target, path in zip((1, 2), task["streams"], strict=True):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), target)
        os.chdir(task["cwd"])
        os.environ.clear()
        os.environ.update(task["environment"])
        _prefer(task["environment"].get("PYTHONPATH", ""))
        if largest := task["environment"].get(LARGEST_FILE):
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest), int(largest)))
        sys.argv = ["abaw", *task["command"]]
        code = _main()
    finally:
        end_fork(code)


def _prefer(path: str) -> None:
    """Import the modules that lie in these folders from there, whatever was imported under their names."""
    folders = [folder for folder in path.split(os.pathsep) if folder and Path(folder) != REPOSITORY]
    names = {file.stem for folder in folders for file in Path(folder).iterdir() if file.suffix in ("", ".py")}
    for name in [name for name in sys.modules if name.partition(".")[0] in names]:
        del sys.modules[name]
    sys.path[:0] = folders
    importlib.invalidate_caches()


def _main() -> int:
    import traceback

    from harness.cli.main import main

    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _preload()
    _serve()
