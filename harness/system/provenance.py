"""Origin of a result: code, packages and platform, recorded to explain a difference months later."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import importlib.util
import json
import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.system.regular import open_file

PACKAGES = (
    "abaw-harness", "torch", "torchvision", "torchaudio", "timm", "numpy", "scipy", "scikit-learn", "pandas",
    "duckdb", "opencv-python-headless", "opencv-contrib-python", "mediapipe", "openvino", "safetensors",
)  # fmt: skip

_VERSION = re.compile(r"^Version:[ \t]*(\S+)[ \t]*$", re.MULTILINE)
_QUESTIONS = (
    ("rev-parse", "--show-toplevel", "HEAD"),
    ("status", "--porcelain"),
    ("config", "--default", "", "--get", "remote.origin.url"),
)
_PATIENCE = 10.0  # seconds for git's answers


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


def provenance(
    device: str,
    workers: int,
    backend: str = "",
    precision: str = "",
    git: Callable[[], dict[str, Any] | None] | None = None,
) -> dict[str, Any]:
    """Return git state, versions, platform and settings of the work, as plain data.

    Args:
        device: device of the networks, such as ``cuda``.
        workers: number of worker processes.
        backend: library that ran networks; ``""`` without networks.
        precision: precision of networks; ``""`` without networks.
        git: function that returns the state of the checkout, from :func:`asking_git`; by default git is asked now.
    """
    with contextlib.ExitStack() as stack:
        state = (git or stack.enter_context(asking_git()))()
    return {
        "git": state,
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
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        # this line alone: the library's own parser, one for mail, reads the long descriptions behind it, too
        line = _VERSION.search(distribution.read_text("METADATA") or "")
        versions[name] = line[1] if line else distribution.version
    return versions


@contextlib.contextmanager
def asking_git() -> Iterator[Callable[[], dict[str, Any] | None]]:
    """Ask git about the checkout of this code while the block runs.

    Yields:
        Function that waits for git and returns commit, state and origin; ``None`` for an installed package. It must be
        called in the block; later calls return the same.
    """
    folder = Path(__file__).resolve().parents[1]
    with contextlib.ExitStack() as stack:
        processes = []
        if (folder.parent / ".git").exists():  # a folder, or a file in a work tree
            with contextlib.suppress(OSError):  # there is no git
                # all at once: each of them takes several milliseconds
                processes = [stack.enter_context(_start_git(folder, *question)) for question in _QUESTIONS]
        yield functools.cache(functools.partial(_state_of, folder.parent, processes))


def _state_of(checkout: Path, processes: Sequence[subprocess.Popen[str]]) -> dict[str, Any] | None:
    """Return git's answers to the questions; ``None`` if one fails, or if they are about another checkout."""
    try:
        answers = [process.communicate(timeout=_PATIENCE)[0].strip() for process in processes]
    except subprocess.TimeoutExpired:
        for process in processes:
            process.kill()
        return None
    if not answers or any(process.returncode for process in processes):
        return None
    (top, commit), status, origin = answers[0].rsplit("\n", 1), answers[1], answers[2]
    if Path(top).resolve() != checkout:
        return None
    return {"commit": commit, "dirty": bool(status), "origin": _without_credentials(origin)}


def _start_git(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = ["git", "-C", str(folder), *arguments]  # git from PATH, as the user has it
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _without_credentials(url: str) -> str:
    return re.sub(r"://[^/]*@", "://", url)  # up to the last @ before the path: a password may hold one
