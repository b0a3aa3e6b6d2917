"""The source archive and the wheel hold all that the package needs: the demo runs from them, outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.places import REPOSITORY

PACKAGES = ("abaw", "harness", "leaderboard", "solutions")
VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
pytestmark = [pytest.mark.process, pytest.mark.slow]


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built as ``make dist`` does: from the source archive, and that from the files that git tracks."""
    if find_spec("setuptools") is None or find_spec("pip") is None:
        pytest.skip("building a wheel needs setuptools and pip in this environment")
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        source.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, source)
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools import build_meta; build_meta.build_sdist('dist')"
    run(sys.executable, "-c", build, cwd=source)
    archive = source / f"dist/abaw_harness-{VERSION}.tar.gz"
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, archive, cwd=folder)
    return folder / f"abaw_harness-{VERSION}-py3-none-any.whl"


def test_wheel_holds_every_file_of_the_packages(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    files = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*") if path.is_file()]
    expected = {path.relative_to(REPOSITORY).as_posix() for path in files if "__pycache__" not in path.parts}
    assert len([name for name in expected if not name.endswith(".py")]) > 12
    assert {name for name in expected if not name.endswith((".md", ".pyc"))} - names == set()
    assert not any(name.startswith(("tests/", "docs/", "examples/")) for name in names)


def test_demo_runs_from_the_wheel_alone(wheel, tmp_path):
    environment = tmp_path / "empty"
    venv.create(environment, with_pip=False)
    python = environment / "bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", purelib, cwd=tmp_path).stdout.strip())
    # the other packages are those of this environment; a line of a .pth file runs no .pth file of that folder,
    # so that an editable install of the checkout stays out
    (packages / "present.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    where = "import abaw, harness, solutions, leaderboard; print(abaw.__version__, harness.__file__)"
    version, _, file = run(python, "-c", where, cwd=tmp_path).stdout.strip().partition(" ")
    assert version == VERSION
    assert Path(file).is_relative_to(packages)
    keep, cache = tmp_path / "demo", str(tmp_path / "cache")
    demo = (environment / "bin/abaw", "demo", "--task", "expr", "--keep", keep)
    done = run(*demo, cwd=tmp_path, ABAW_CACHE=cache, OMP_NUM_THREADS="1")
    assert "nothing more" in done.stdout
    assert sorted(path.parent.name.partition("-s0-")[0] for path in keep.rglob("run.json")) == [
        "tiny-mlp-smooth-test",
        "tiny-mlp-smooth-val",
    ]
