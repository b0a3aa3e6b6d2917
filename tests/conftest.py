"""What every test stands on: settings that can't reach the user's own, and one small drawn data set."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "real"
Abaw = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ABAW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ABAW_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn data set, shared: read it, don't change it."""
    from harness.datasets.synthetic import write_affwild2

    root = tmp_path_factory.mktemp("drawn") / "data"
    write_affwild2(root, seed=0, videos={"train": 5, "val": 4, "test": 2}, frames=90)
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


@pytest.fixture
def abaw() -> Iterator[Abaw]:
    """Run the console command in a process of its own."""

    def call(*arguments: str | Path, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **environment},
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def mediapipe() -> None:
    """Skips where the extra is not installed."""
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("the extra 'mediapipe' is not installed")


@pytest.fixture(scope="session")
def real_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real photographs in Aff-Wild2's layout; skips where they are missing."""
    if not (SHARED / "build.py").is_file():
        pytest.skip("the real photographs (../shared/real) are not here")
    root = tmp_path_factory.mktemp("real") / "data"
    subprocess.run(
        [sys.executable, str(SHARED / "build.py"), "affwild2", str(root), "--limit", "120"],
        check=True, capture_output=True,
    )  # fmt: skip
    return root
