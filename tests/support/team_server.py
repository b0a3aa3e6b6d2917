"""``abaw store serve`` in a process of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from harness.errors import MissingDependencyError
from harness.store.address import StoreAddress
from harness.store.connection import connect
from harness.store.rows import COLUMNS
from harness.store.schema import migrations
from harness.store.server.extensions import load_extensions
from tests.support.leaderboard_server import free_port
from tests.support.places import REPOSITORY

TOKEN = "a-token-of-the-tests"  # noqa: S105 - of nothing else


@dataclass
class Team:
    """A server, which may be killed and started again.

    Attributes:
        file: the store.
        spoiled: whether something may be left in the server that :meth:`empty` can't remove.
    """

    file: Path
    address: StoreAddress
    process: subprocess.Popen[str] | None = None
    said: str = ""
    spoiled: bool = False
    _changed: bool = False

    def borrow(self, *, to_change: bool = True) -> None:
        """Make sure that the server runs and its store is empty: the same server where possible, else a new one."""
        if self.process is None or self.process.poll() is not None or self.spoiled:
            self.kill()
            self.file = next(
                path for k in itertools.count(1) if not (path := self.file.with_name(f"team-{k}.duckdb")).exists()
            )
            self.spoiled = False
            self.start()
        elif self._changed:
            self.empty()
        self._changed = to_change

    def empty(self) -> None:
        """Remove all runs, failures and recordings, and what a test has done to the schema's version."""
        numbers = [number for number, _ in migrations()]
        versions = ", ".join(f"({number})" for number in numbers)
        statements = [
            "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY)",
            f"DELETE FROM schema_version WHERE version > {numbers[-1]}",  # noqa: S608 - a number of ours
            f"INSERT OR IGNORE INTO schema_version VALUES {versions}",  # noqa: S608 - numbers of ours
            *(f"DELETE FROM {table}" for table in COLUMNS if table != "published"),  # noqa: S608 - our tables
        ]
        with connect(self.address, read_only=False) as db:
            db.execute("; ".join(["BEGIN", *statements, "COMMIT"]))

    def start(self, *options: str) -> None:
        """Serve; back when it does."""
        command = [
            sys.executable, "-m", "harness.cli.main", "store", "serve", "--store", str(self.file), "--new",
            "--host", self.address.host, "--port", str(self.address.port), *options,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY, env=os.environ
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        if not self.said.startswith("Serving"):
            with self.process.stdout as stream:
                words = stream.read()
            self.process.wait(timeout=20)
            pytest.fail(self.said + words)

    def kill(self) -> None:
        """End as a power cut would; one that has ended stays so."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Ask it to end: its exit code, and what it said."""
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            words = stream.read()  # and not communicate(), which knows nothing of what readline() read ahead
        return self.process.wait(timeout=20), words


@contextlib.contextmanager
def team_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """An empty store, served, with its token in the environment; skips where DuckDB's extensions can't be had."""
    with duckdb.connect() as db:
        try:
            load_extensions(db)
        except MissingDependencyError as error:
            pytest.skip(str(error))
    monkeypatch.setenv("ABAW_STORE_TOKEN", TOKEN)
    team = Team(folder / "team.duckdb", StoreAddress("127.0.0.1", free_port(), tls=False))
    team.start()
    try:
        yield team
    finally:
        team.kill()


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Look again and again."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
