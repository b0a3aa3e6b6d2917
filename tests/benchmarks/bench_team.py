"""A run into a team's store, through a server, beside the same run into a file of one's own."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records.run import RunRecord
from harness.store.store import Store
from tests.benchmarks.many_runs import Frames, make_records
from tests.support.team_server import Team, team_store

RUNS = 10
WRITERS = 3
WRITE = """
import json, pathlib, sys
from dataclasses import replace
from harness.records.run import RunRecord
from harness.store.address import store_place
from harness.store.store import Store
argument = json.loads(sys.argv[1])
folder, store = pathlib.Path(argument["folder"]), Store(store_place(argument["store"]), patience=60)
record = RunRecord.read(folder)
print("ready", flush=True)
for turn, _ in enumerate(sys.stdin):
    for k in range(argument["runs"]):
        store.record([(replace(record, run_id=f"{argument['name']}-{turn}-{k}"), folder)])
    print("done", flush=True)
"""


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """An empty store, served."""
    with team_store(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, Path]:
    """One on VA's validation set, with its folder."""
    folder = tmp_path_factory.mktemp("run")
    (record,) = make_records(1, Frames.draw(), folder)
    record.write(folder)
    return record, folder


def test_recording_one_after_the_other(beside, team, run, tmp_path):
    record, folder = run
    file, server, numbers = Store(tmp_path / "own.duckdb"), Store(team.address), itertools.count()

    def into(store: Store) -> int:
        for _ in range(RUNS):
            store.record([(replace(record, run_id=f"run-{next(numbers)}"), folder)])
        return len(store.folders())

    for store in (file, server):
        into(store)
    beside(
        "recording through a server", f"{RUNS} runs of 76 videos", "a file",
        theirs=lambda: into(file), ours=lambda: into(server), same=same, repeats=3,
    )  # fmt: skip


@contextlib.contextmanager
def writers(store: Store, folder: Path) -> Iterator[Callable[[], int]]:
    """A function that has three processes record at once; they are started before."""
    arguments = {"store": str(store.place), "folder": str(folder), "runs": RUNS}
    texts = [json.dumps(arguments | {"name": f"writer{k}"}) for k in range(WRITERS)]
    command, pipe = [sys.executable, "-c", WRITE], subprocess.PIPE
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(subprocess.Popen([*command, x], stdin=pipe, stdout=pipe, text=True)) for x in texts
        ]
        for writer in started:
            assert writer.stdout.readline() == "ready\n"

        def record() -> int:
            for writer in started:
                writer.stdin.write("\n")
                writer.stdin.flush()
            for writer in started:
                assert writer.stdout.readline() == "done\n"
            return len(store.folders())

        yield record


def test_recording_from_three_processes_at_once(beside, team, run, tmp_path):
    file, server = Store(tmp_path / "own.duckdb"), Store(team.address)
    with writers(file, run[1]) as into_file, writers(server, run[1]) as into_server:
        beside(
            "recording through a server, three at once", f"{WRITERS} × {RUNS} runs", "a file, in turns",
            theirs=into_file, ours=into_server, same=same, repeats=3,
        )  # fmt: skip


def same(theirs: int, ours: int) -> None:
    """As many runs in one as in the other."""
    assert theirs == ours
