"""Two commands at once on an empty cache: both end well, nothing is made twice, and no failure stays on the board."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.records.failure import failure_files
from harness.store.store import Store
from harness.system.atomic import PARTIAL
from tests.conftest import Repetitions
from tests.support.commands import Commands, Done
from tests.support.digests import digests

pytestmark = pytest.mark.process

MADE = ("*.npy", "*.images", "predictions.txt", "*.csv", "scores.npz", "*.safetensors")
TINY, MOTION = "expr/tiny-mlp-smooth", "vd/motion"
PAIRS = {
    "two tasks": (("run", TINY), ("run", "va/tiny-mlp-smooth")),
    "the same twice": (("run", TINY), ("run", TINY)),
    "clips": (("run", MOTION), ("run", MOTION)),
    "two seeds": (("run", TINY), ("run", TINY, "--seed", "1")),
    "the same twice, made again": (("run", TINY, "--fresh"), ("run", TINY, "--fresh")),
    "features and a run": (("extract", "tiny", "--split", "train"), ("run", TINY)),
}
SHORT_LIST = ("two tasks", "the same twice", "clips")
ROUNDS = 84  # of each, with --long: 504 pairs


Command = tuple[str, ...]


class Pairs:
    """Runs commands on drawn data, alone or two at the same time, each in a process of its own."""

    def __init__(self, servers: tuple[Commands, Commands], folder: Path, faces: Path, fights: Path) -> None:
        self._servers = servers
        self._folder = folder
        self._data = {TINY: faces, MOTION: fights}
        self._alone: dict[Command, dict[str, str]] = {}

    def made_alone(self, command: Command) -> dict[str, str]:
        """Hashes of what a command makes where it has the cache for itself."""
        if command not in self._alone:
            home = self._folder / f"alone{len(self._alone)}"
            done = self._servers[0].run(command, 300, self._places(command, home))
            assert done.returncode == 0, done.stderr
            self._alone[command] = digests(home, *MADE)
        return self._alone[command]

    def run(self, pair: tuple[Command, Command], home: Path) -> list[Done]:
        with ThreadPoolExecutor(2) as pool:
            running = [
                pool.submit(server.run, command, 300, self._places(command, home))
                for server, command in zip(self._servers, pair, strict=True)
            ]
            return [future.result() for future in running]

    def _places(self, command: Command, home: Path) -> dict[str, str]:
        data = self._data[MOTION if MOTION in command else TINY]
        return {"ABAW_DATA": str(data), "ABAW_CACHE": str(home / "cache"), "ABAW_OUT": str(home / "out"),
                "ABAW_WORKERS": "2"}  # fmt: skip


@pytest.fixture(scope="module")
def pairs(
    commands: Commands, short_once: Path, tiny_dvd_once: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pairs]:
    with Commands() as other:
        yield Pairs((commands, other), tmp_path_factory.mktemp("alone"), short_once, tiny_dvd_once)


@pytest.mark.parametrize("name", PAIRS)
def test_two_commands_at_once_on_an_empty_cache_both_end_well(
    name: str, pairs: Pairs, tmp_path: Path, repetitions: Repetitions, record_property: Callable[[str, object], None]
) -> None:
    rounds = repetitions(1 if name in SHORT_LIST else 0, ROUNDS)
    if not rounds:
        pytest.skip("with --long only")
    expected = {name: value for command in PAIRS[name] for name, value in pairs.made_alone(command).items()}
    for k in range(rounds):
        home = tmp_path / f"round{k}"
        for done in pairs.run(PAIRS[name], home):
            assert done.returncode == 0, done.stderr
            assert "Traceback" not in done.stderr
        assert digests(home, *MADE) == expected
        assert failure_files(home / "out") == []
        assert not Store(home / "out" / "results.duckdb").failures()
        assert [path.name for path in home.rglob(f"{PARTIAL}*")] == []
        assert [path.name for path in (home / "cache").rglob("*.lock")] == []
        shutil.rmtree(home)
    record_property("pairs of simultaneous commands", rounds)
