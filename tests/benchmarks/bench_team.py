"""A run into a team's store, through a server, beside the same run into a file of one's own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from many_runs import Frames, make_records
from team import Team, team_store

from harness.record import RunRecord
from harness.store.store import Store

RUNS = 20
WRITERS = 3
WRITE = """
import json, pathlib, sys
from dataclasses import replace
from harness.record import RunRecord
from harness.store.address import store_place
from harness.store.store import Store
argument = json.loads(sys.argv[1])
folder, store = pathlib.Path(argument["folder"]), Store(store_place(argument["store"]), patience=60)
record = RunRecord.read(folder)
print("ready", flush=True)
sys.stdin.readline()
for k in range(argument["runs"]):
    store.record([(replace(record, run_id=f"{argument['name']}-{k}"), folder)])
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
        theirs=lambda: into(file), ours=lambda: into(server), same=same, repeats=7,
    )  # fmt: skip


def test_recording_from_three_processes_at_once(beside, team, run, tmp_path):
    _, folder = run
    file, server, numbers = Store(tmp_path / "own.duckdb"), Store(team.address), itertools.count()

    def into(store: Store) -> int:
        command = [sys.executable, "-c", WRITE]
        arguments = {"store": str(store.place), "folder": str(folder), "runs": RUNS}
        texts = [json.dumps(arguments | {"name": f"of-{next(numbers)}"}) for _ in range(WRITERS)]
        writers = [
            subprocess.Popen([*command, text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
            for text in texts
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            writer.communicate("\n")
            assert writer.returncode == 0
        return len(store.folders())

    for store in (file, server):
        into(store)
    beside(
        "recording through a server, three at once", f"{WRITERS} × {RUNS} runs", "a file, in turns",
        theirs=lambda: into(file), ours=lambda: into(server), same=same, repeats=5,
    )  # fmt: skip


def same(theirs: int, ours: int) -> None:
    """As many runs in one as in the other."""
    assert theirs == ours
