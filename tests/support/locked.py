"""What is installed, held against a lock.

    python -m tests.support.locked requirements/all.txt

Prints the packages whose version is another one than the lock's.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement


def locked_versions(lock: Path, python: str | None = None) -> dict[str, str]:
    """Read the versions that a lock names, by package.

    Args:
        python: version of Python, such as ``3.12``; that of this process by default.
    """
    machine = {"sys_platform": "linux", "platform_machine": "x86_64"}
    if python:
        machine |= {"python_version": python, "python_full_version": f"{python}.0"}
    versions = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not line or line[0] in "# ":
            continue
        requirement = Requirement(line.rstrip("\\ "))
        if requirement.marker is None or requirement.marker.evaluate(machine):
            (pin,) = requirement.specifier
            versions[requirement.name] = pin.version
    return versions


def differences(lock: Path) -> dict[str, tuple[str, str | None]]:
    """Return the locked and the installed version of each package where they differ; ``None`` is not installed."""
    different = {}
    for name, version in locked_versions(lock).items():
        try:
            installed: str | None = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = None
        if installed != version:
            different[name] = (version, installed)
    return different


if __name__ == "__main__":
    pairs = differences(Path(sys.argv[1]))
    print(f"{len(pairs)} packages differ from {sys.argv[1]}:")
    for package, (before, now) in pairs.items():
        print(f"  {package} {before} -> {now or 'not installed'}")
