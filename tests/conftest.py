"""What every test stands on: settings that can't reach the user's own, and one small drawn data set."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.support.commands import Commands, start_command
from tests.support.places import REAL

Abaw = Callable[..., subprocess.CompletedProcess[str]]
Repetitions = Callable[[int, int], int]
PROCESS_FIXTURES = {"abaw", "commands", "real_faces"}
LEFT_OUT_BY_FAST = ("process", "slow")
SMALL_PROGRAMS = {"cc", "gcc", "git", "ld", "ldconfig", "lscpu", "objdump", "uname"}
"""Programs that libraries ask for their surroundings: they end at once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out the tests that start processes or take long")
    parser.addoption("--long", action="store_true", help="many more examples, kills and damaged files: hours")


def pytest_configure(config: pytest.Config) -> None:
    """Property tests: few examples, the same each time; with ``--long`` many, other ones each time."""
    hypothesis.settings.register_profile("short", max_examples=20, derandomize=True, database=None, deadline=None)
    hypothesis.settings.register_profile("long", max_examples=500, database=None, deadline=None)
    hypothesis.settings.load_profile("long" if config.getoption("long") else "short")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if PROCESS_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("process")
    if config.getoption("fast"):
        left_out = [item for item in items if any(map(item.get_closest_marker, LEFT_OUT_BY_FAST))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not any(map(item.get_closest_marker, LEFT_OUT_BY_FAST))]
    items[:] = long_ones_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def long_ones_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Give each worker files whose tests start processes at its start, so that none is left with a long test alone.

    Each worker begins with as many of the items, in their order, and takes from the others when it has none left.
    """
    by_file: dict[Path, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path, []).append(item)
    long = [own for own in by_file.values() if any(item.get_closest_marker("process") for item in own)]
    short = [item for own in by_file.values() if own not in long for item in own]
    shares = [[item for own in long[worker::workers] for item in own] for worker in range(workers)]
    size = -(-len(items) // workers)
    ordered = []
    for share in shares:
        rest = max(size - len(share), 0)
        ordered += [*share, *short[:rest]]
        short = short[rest:]
    return [*ordered, *short]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """With ``--long``, print the counts that tests leave by ``record_property``: kills, and what was lost or torn."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    counted = [report for report in reports if report.when == "call" and report.user_properties]
    if not config.getoption("long") or not counted:
        return
    terminalreporter.section("counts")
    for report in sorted(counted, key=lambda report: str(report.nodeid)):
        counts = ", ".join(f"{key} {value}" for key, value in report.user_properties)
        terminalreporter.line(f"{report.nodeid.rpartition('::')[2]}: {counts}")


@pytest.fixture(scope="session")
def repetitions(request: pytest.FixtureRequest) -> Repetitions:
    """How often to repeat what is left to chance: the first number, or with ``--long`` the second."""
    return lambda few, many: many if request.config.getoption("long") else few


@pytest.fixture(scope="session", autouse=True)
def _no_processes(request: pytest.FixtureRequest) -> None:
    """With ``--fast``, a test that starts a process without saying so fails."""
    if not request.config.getoption("fast"):
        return

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.fork" or (event == "subprocess.Popen" and Path(arguments[0]).name not in SMALL_PROGRAMS):
            raise RuntimeError(f"{arguments} is started by a test that has no pytest.mark.process")

    sys.addaudithook(watch)


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ABAW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ABAW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn data set, shared: read it, don't change it."""
    from harness.datasets.synthetic import write_affwild2

    root = tmp_path_factory.mktemp("drawn") / "data"
    write_affwild2(root, seed=0, videos={"train": 5, "val": 4, "test": 2}, frames=90)
    return root


@pytest.fixture(scope="session")
def short_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As few videos, and as short, as a run needs, for encoders that take their time; shared: don't change it."""
    from harness.datasets.synthetic import write_affwild2

    root = tmp_path_factory.mktemp("short") / "data"
    write_affwild2(root, seed=0, videos={"train": 2, "val": 2, "test": 1}, frames=80)
    return root


@pytest.fixture
def drawn(drawn_once: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(drawn_once, tmp_path / "drawn"))


@pytest.fixture(scope="session")
def tiny_dvd_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scenes in DVD's layout, 6, 3 and 2 videos of about 60 frames, shared: read them, don't change them."""
    from harness.datasets.synthetic import write_dvd

    root = tmp_path_factory.mktemp("fights") / "data"
    write_dvd(root, seed=0, videos={"train": 6, "val": 3, "test": 2}, frames=60, size=(96, 72))
    return root


@pytest.fixture
def tiny_dvd(tiny_dvd_once: Path, tmp_path: Path) -> Path:
    """A copy of them that a test may spoil."""
    return Path(shutil.copytree(tiny_dvd_once, tmp_path / "tiny_dvd"))


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """What runs the console command."""
    with Commands() as server:
        yield server


@pytest.fixture
def abaw(commands: Commands) -> Abaw:
    """Run the console command in a process of its own."""

    def call(*arguments: str | Path, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        if all(name.startswith("ABAW_") or name == "PYTHONPATH" for name in environment):
            return commands.run(arguments, timeout, environment)
        return start_command(arguments, timeout, environment)

    return call


@pytest.fixture(scope="session")
def mediapipe() -> None:
    """Skips where the extra is not installed."""
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("the extra 'mediapipe' is not installed")


@pytest.fixture(scope="session")
def real_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real photographs in Aff-Wild2's layout; skips where they are missing."""
    if not (REAL / "build.py").is_file():
        pytest.skip("the real photographs (../shared/real) are not here")
    root = tmp_path_factory.mktemp("real") / "data"
    subprocess.run(
        [sys.executable, str(REAL / "build.py"), "affwild2", str(root), "--limit", "120"],
        check=True, capture_output=True,
    )  # fmt: skip
    return root
