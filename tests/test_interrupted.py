"""Every command that writes, killed at random moments and on disks that are too small at random places.

After each, nothing half-made lies under its own name, what was there before still is, the store can be read, and the
same command then completes with the same bytes as if nothing had happened. ``--long``: 750 kills and 300 full disks,
beside 250 kills of a store's creation in ``tests/harness/store/test_store_reliability.py``; each test records its
counts.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.records.run import RUN_FILE
from harness.slots import Ledger
from harness.store.store import Store
from harness.tasks import EXPR
from tests.support.commands import Commands
from tests.support.data_trees import Tree
from tests.support.digests import digests
from tests.support.guessing_runs import guess
from tests.support.small_disk import LARGEST_FILE, SmallDisk, small_disk
from tests.support.whole import broken_store, torn

pytestmark = pytest.mark.process

SOLUTION = "expr/tiny-mlp-smooth"
BYTES = ("*.npy", "predictions.txt", "scores.npz", "*.safetensors", "*.zip", "mended.txt")
FULL = ("disk is full", "not enough space")
Repetitions = Callable[[int, int], int]


@dataclass
class Work:
    """A command that is interrupted.

    Attributes:
        line: what is typed; ``HOME`` is where it works, ``DATA`` a drawn data set, ``MADE`` what :func:`made` holds.
        begins_with: what of ``MADE`` is in ``HOME`` before.
        kills, full: how often with ``--long``.
        adds: whether the command does more each time it is repeated, as a ledger's does.
    """

    line: str
    begins_with: tuple[str, ...] = ()
    kills: int = 75
    full: int = 30
    adds: bool = False
    arguments: list[str] = field(default_factory=list)


WORK = {
    "submit": Work(f"submit {SOLUTION} --data DATA --out HOME/out --workers 2", kills=100),
    "run": Work(f"run {SOLUTION} --data DATA --out HOME/out --workers 2", kills=100),
    "extract": Work("extract tiny --data DATA --workers 2", kills=100),
    "import": Work("import MADE/runs --out HOME/out"),
    "import again": Work("import MADE/runs --out HOME/out --replace", ("runs",), kills=50),
    "reindex": Work("reindex --out HOME/out", ("runs",)),
    "sync": Work("sync --out HOME/out", ("unrecorded",), kills=50),
    "slots": Work("slots send MADE/predictions.txt --task EXPR --yes --out HOME/out", ("runs",), adds=True),
    "pack": Work("pack MADE/predictions.txt --to HOME/out/sent.zip --force"),
    "repair": Work("repair MADE/predictions.txt HOME/out/mended.txt --force", kills=25),
    "score": Work("score MADE/own.txt --labels MADE/labels --record --name ours --out HOME/out", kills=25),
}  # fmt: skip
KILLED, FILLED = ("slots",), ("reindex",)
"""Names of what is interrupted without ``--long``; ``test_pipeline.py`` and ``test_bad_input.py`` do more."""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs with their store and without, an official file, and one with its labels."""
    home = tmp_path_factory.mktemp("made")
    tree, rng = Tree(home / "data"), np.random.default_rng(0)
    for split, names in {"train": "ab", "val": "cde"}.items():
        for name in names:
            tree.labels(split, name, rng.integers(0, 8, 60))
            tree.crops(name, range(1, 61))
    tree.template({"t": 300})
    for seed in range(3):
        guess(home / "data", EXPR, home / "runs", seed=seed)
    finished = guess(home / "data", EXPR, home / "runs", split="test")
    shutil.copytree(home / "runs", home / "unrecorded", ignore=shutil.ignore_patterns("*duckdb*"))
    shutil.copy(finished.submission, home / "predictions.txt")
    shutil.copy(next((home / "runs").glob("*/*-val-s0-*/predictions.txt")), home / "own.txt")
    shutil.copytree(home / "data/6th_ABAW_Annotations/EXPR_Recognition_Challenge/Validation_Set", home / "labels")
    return home


@dataclass
class Interrupted:
    """A work with a home, and counts of what was found after it was interrupted."""

    work: Work
    home: Path
    made: Path
    commands: Commands
    arguments: list[str]
    undisturbed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    written: int = 0
    largest: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("done", "torn", "lost", "broken"), 0))
    said: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Lay the home out as it is before the command."""
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / "out").mkdir(parents=True)
        for name in self.work.begins_with:
            shutil.copytree(self.made / name, self.home / "out", dirs_exist_ok=True)

    def run(self, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command in a process of its own."""
        environment = {"ABAW_CACHE": str(self.home / "cache"), **environment}
        return self.commands.run(tuple(self.arguments), timeout, environment)

    def measure(self) -> None:
        """Do it undisturbed, twice: what comes of it, how long it takes at best, what it writes."""
        self.seconds = float("inf")
        for _ in range(2):
            self.begin()
            before, start = _size(self.home), time.monotonic()
            done = self.run()
            assert done.returncode == 0, done.stderr
            self.seconds = min(self.seconds, time.monotonic() - start)
            self.written, self.undisturbed = max(_size(self.home) - before, 1 << 14), self.bytes()
            self.largest = max(path.stat().st_size for path in self.home.rglob("*"))

    def bytes(self) -> dict[str, str]:
        """Return hashes of all files that are the same each time."""
        found = digests(self.home, *BYTES)
        return {name: digest for name, digest in found.items() if "/." not in f"/{name}"}

    def look(self, runs: set[str], sent: int, what: str) -> None:
        """Count what is torn, lost or broken."""
        problems = {
            "torn": torn(self.home),
            "broken": broken_store(self.home / "out/results.duckdb", self.home / "out"),
        }
        problems["lost"] = [name for name in sorted(runs) if not (self.home / "out" / name / RUN_FILE).is_file()]
        if self.work.adds and len(Ledger(self.home / "out").read()) < sent:
            problems["lost"].append(f"of {sent} submissions some")
        for kind, texts in problems.items():
            self.counts[kind] += bool(texts)
            self.said += [f"{what}: {kind}: {text}" for text in texts]

    def compare(self, done: subprocess.CompletedProcess[str], what: str) -> None:
        """Count what differs between what a command left now and what it leaves undisturbed."""
        differing, unknown = {done.stderr[-300:]}, set[str]()
        if done.returncode == 0:
            differing, store = self.undisturbed.items() ^ self.bytes().items(), Store(self.home / "out/results.duckdb")
            if store.exists():
                unknown = set(store.folders()) ^ {run.rpartition("/")[2] for run in self.runs()}
        if differing or unknown:
            self.counts["broken"] += 1
            self.said.append(f"{what}: not the same afterwards: {sorted(map(str, differing))[:3]}, {unknown}")

    def runs(self) -> set[str]:
        """Return the runs that are complete, as ``TASK/ID``."""
        found = (path.parent for path in (self.home / "out").glob(f"*/[!.]*/{RUN_FILE}"))
        return {folder.relative_to(self.home / "out").as_posix() for folder in found}


def _size(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))


@pytest.fixture
def interrupted(
    request: pytest.FixtureRequest, commands: Commands, made: Path, tmp_path: Path
) -> Callable[[str, Path], Interrupted]:
    """Make the work of a name ready to be interrupted, in a home."""

    def ready(name: str, home: Path) -> Interrupted:
        work = WORK[name]
        data = request.getfixturevalue("short_once") if "DATA" in work.line else None
        places = {"HOME": home, "MADE": made, "DATA": data}
        arguments = [
            next((word.replace(key, str(place), 1) for key, place in places.items() if word.startswith(key)), word)
            for word in work.line.split()
        ]
        found = Interrupted(work, home, made, commands, arguments)
        found.measure()
        return found

    return ready


def report(record_property: Callable[[str, Any], None], name: str, kind: str, found: Interrupted, **more: Any) -> None:
    """Leave the counts in the report, and on the screen of whoever looks (``-rP`` or ``-s``)."""
    counts = found.counts | more
    for key, n in counts.items():
        record_property(f"{kind} {key}", n)
    print(f"{name}: {kind}: " + ", ".join(f"{n} {key}" for key, n in counts.items()))


@pytest.mark.parametrize("name", WORK)
def test_command_killed_at_any_moment_leaves_nothing_half_made(
    name: str,
    interrupted: Callable[[str, Path], Interrupted],
    tmp_path: Path,
    repetitions: Repetitions,
    record_property: Callable[[str, Any], None],
) -> None:
    rounds = repetitions(int(name in KILLED), WORK[name].kills)
    if not rounds:
        pytest.skip("only with --long")
    found, dice, killed, completed = interrupted(name, tmp_path / "home"), random.Random(name), 0, 0
    found.begin()
    while killed < rounds and found.counts["done"] < 3 * rounds + 10:
        before, what = found.runs(), f"round {found.counts['done']}"
        try:
            done = found.run(timeout=dice.uniform(0.01, 1.0) * found.seconds)
        except subprocess.TimeoutExpired:  # the next round goes on from here
            killed += 1
            found.look(before, completed, what)
        else:
            completed += 1
            found.look(before, completed, what)
            if not found.work.adds:
                found.compare(done, what)
                found.begin()
            assert done.returncode == 0, done.stderr
        found.counts["done"] += 1
    done = found.run()
    assert done.returncode == 0, done.stderr
    found.look(found.runs(), completed + 1, "at the end")
    if not found.work.adds:
        found.compare(done, "at the end")
    report(record_property, name, "kills", found, killed=killed, completed=completed)
    assert killed >= rounds, f"{killed} of {found.counts['done']} were killed before their end"
    assert not found.said, "\n".join(found.said)


@pytest.mark.parametrize("name", WORK)
def test_command_on_a_full_disk_leaves_nothing_half_made(
    name: str,
    interrupted: Callable[[str, Path], Interrupted],
    tmp_path: Path,
    repetitions: Repetitions,
    record_property: Callable[[str, Any], None],
) -> None:
    points = repetitions(int(name in FILLED), WORK[name].full)
    if not points:
        pytest.skip("only with --long")
    dice, full = random.Random(f"{name} full"), 0
    with small_disk(tmp_path / "disk") as disk:
        found = interrupted(name, disk.place / "home")
        for point in range(points):
            what = f"point {point}"
            found.begin()
            before = found.runs()
            full += _meets_the_end(found, disk, dice.uniform(0, 1.1), what, real=disk.real and point % 2 == 0)
            found.counts["done"] += 1
            found.look(before, 0, what)
            disk.free()
            done = found.run()
            found.look(before, 1, what)
            if not found.work.adds:
                found.compare(done, what)
    report(record_property, name, "full disks", found, full=full, small_disk=disk.real)
    assert not found.said, "\n".join(found.said)


def _meets_the_end(found: Interrupted, disk: SmallDisk, share: float, what: str, *, real: bool) -> bool:
    """Run the command where there is too little room. Return whether it failed, which it must have explained.

    Args:
        share: of the room that it needs: on the disk, or for its largest file.
        real: the disk is too small; else its files may not be as large.
    """
    room = round(share * (found.written if real else found.largest))
    if real:
        disk.leave(room)
    done = found.run(**({} if real else {LARGEST_FILE: str(room)}))
    unsaid = not real and len(done.stderr.encode()) >= room  # not even the message could be written whole
    explained = any(words in done.stderr for words in FULL) or unsaid
    if "Traceback" in done.stderr or (done.returncode and not explained):
        found.counts["broken"] += 1
        found.said.append(f"{what}, room for {room:,} bytes: {done.returncode} {done.stderr[-600:]}")
    return done.returncode != 0
