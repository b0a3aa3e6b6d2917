"""Origin of a result: code, packages and platform, recorded to explain a difference months later."""

from __future__ import annotations

import errno
import functools
import hashlib
import importlib.util
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.system.regular import open_file

PACKAGES = (
    "abaw-harness", "torch", "torchvision", "torchaudio", "timm", "numpy", "scipy", "scikit-learn", "pandas",
    "duckdb", "opencv-python-headless", "opencv-contrib-python", "mediapipe", "openvino", "safetensors",
)  # fmt: skip


def sha256_of(path: Path) -> str:
    """Return the hex digest of a file's bytes.

    Raises:
        OSError: the file is unreadable, or is a pipe or a device.
    """
    with open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_blob_of(path: Path) -> str:
    """Return the object id that git gives a file: SHA-1 of ``blob <size>``, a NUL and the file's bytes.

    Raises:
        OSError: the file is unreadable, is a pipe or a device, or changes while it is read.
    """
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        hashlib.file_digest(stream, lambda: digest)
        if stream.tell() != size:
            raise OSError(errno.EBUSY, "the file changed while it was read")
    return digest.hexdigest()


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the hex digest of plain data, independent of key order."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@functools.cache
def source_digest(*packages: str) -> str:
    """Return a hex digest of the Python sources of packages, or modules of one file; any change of code changes it."""
    digest = hashlib.sha256()
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        for path in sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]:
            digest.update(str(path.relative_to(origin.parent)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def provenance(device: str, workers: int, backend: str = "", precision: str = "") -> dict[str, Any]:
    """Return git state, versions, platform and settings of the work, as plain data.

    Args:
        device: device of the networks, such as ``cuda``.
        workers: number of worker processes.
        backend: library that ran networks; ``""`` without networks.
        precision: precision of networks; ``""`` without networks.
    """
    return {
        "git": _git(),
        "packages": dict(_versions()),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device,
        "backend": backend,
        "precision": precision,
        "workers": workers,
    }


@functools.cache
def _versions() -> Mapping[str, str]:
    """Return the version of each installed package; a process reads them only once."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git() -> dict[str, Any] | None:
    """Return commit, state and origin of the checkout of this code; ``None`` for an installed package."""
    folder = Path(__file__).resolve().parents[1]

    def run(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - git from PATH, as the user has it
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout.strip()  # fmt: skip

    try:
        top = Path(run("rev-parse", "--show-toplevel"))
        if top.resolve() != folder.parent:
            return None
        return {
            "commit": run("rev-parse", "HEAD"),
            "dirty": bool(run("status", "--porcelain")),
            "origin": _without_credentials(run("config", "--default", "", "--get", "remote.origin.url")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def _without_credentials(url: str) -> str:
    return re.sub(r"://[^/]*@", "://", url)  # up to the last @ before the path: a password may hold one
