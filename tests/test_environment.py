"""What gets installed: torch's three packages fit one another, and locks fit what the project asks for."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.locked import differences, locked_versions
from tests.support.places import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TRIPLE = ("torch", "torchvision", "torchaudio")
PYTHONS = ("3.11", "3.12")
LOCKS = {"all": ("mediapipe", "dev"), "core": ("test",), "automl": ("mediapipe", "lightautoml", "dev")}


def asked(*extras: str) -> list[Requirement]:
    """Requirements of the project with these extras, and with those that they name."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    requirements = []
    for requirement in map(Requirement, lines):
        requirements += asked(*requirement.extras) if requirement.name == PROJECT["name"] else [requirement]
    return requirements


def fit_together(versions: dict[str, str]) -> bool:
    """Whether three versions are of one release: torch 2.11.0, torchvision 0.26.0, torchaudio 2.11.0."""
    torch, vision, audio = (Version(versions[name]) for name in TRIPLE)
    return torch == audio and vision.release == (0, torch.minor + 15, torch.micro)


def test_torch_packages_are_pinned_to_one_release():
    pins = {r.name: r.specifier for r in asked() if r.name in TRIPLE}
    exact = {name: [(pin.operator, "*" in pin.version) for pin in specifier] for name, specifier in pins.items()}
    assert set(pins) == set(TRIPLE)
    assert exact == {name: [("==", False)] for name in pins}
    assert fit_together({name: next(iter(specifier)).version for name, specifier in pins.items()})


def test_torch_packages_of_two_releases_do_not_pass():
    assert not fit_together({"torch": "2.11.0", "torchvision": "0.26.0", "torchaudio": "2.11.1"})
    assert not fit_together({"torch": "2.11.0", "torchvision": "0.25.0", "torchaudio": "2.11.0"})


@pytest.mark.process
def test_torchaudio_loads_and_resamples():
    code = """
import torch, torchaudio
second = torch.arange(44100) / 44100
tone = torch.sin(2 * torch.pi * 440 * second)[None]
heard = torchaudio.functional.resample(tone, 44100, 16000)[0]
expected = torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)
print(len(heard), round(float((heard - expected)[100:-100].abs().max()), 2))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "16000 0.0\n"), done.stderr


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_a_version_for_all_that_is_asked_for(lock, python):
    versions = locked_versions(REPOSITORY / f"requirements/{lock}.txt", python)
    for requirement in asked(*LOCKS[lock]):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement
    assert fit_together(versions)


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_of_the_docs_has_all_of_the_extra_and_no_torch(python):
    versions = locked_versions(REPOSITORY / "requirements/docs.txt", python)
    for requirement in map(Requirement, PROJECT["optional-dependencies"]["docs"]):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement
    assert "torch" not in versions


@pytest.mark.parametrize("lock", [*LOCKS, "docs"])
def test_lock_has_hashes_and_no_address(lock):
    text = (REPOSITORY / f"requirements/{lock}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    pins = [block for block in text.replace("\\\n", "").splitlines() if block and block[0] not in "# "]
    assert len(pins) > (40 if lock == "docs" else 80)
    assert all("--hash=sha256:" in pin for pin in pins)


def test_installed_versions_are_those_of_the_lock():
    lock = Path(sys.prefix) / "lock.txt"
    if not lock.is_file():
        pytest.skip("this environment was not made from a lock")
    assert differences(lock) == {}


def test_python_versions_are_those_that_every_wheel_is_for():
    assert PROJECT["requires-python"] == ">=3.11,<3.13"
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert "Python 3.11 or 3.12" in readme
