"""Facts about official files that other code made, collected while the files are scored.

This module does without the store: memory that DuckDB takes is free while a file is parsed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.files.video_files import FOLDER_NAME
from harness.system.provenance import asking_git, provenance, sha256_of


@dataclass(frozen=True)
class FileFacts:
    """Facts that a record holds beside the score.

    Attributes:
        hashes: sha256 of each official file, by its name in the run folder.
        provenance: result of :func:`harness.system.provenance.provenance`.
    """

    hashes: Mapping[str, str]
    provenance: Mapping[str, Any]


@contextlib.contextmanager
def finding_facts(path: Path) -> Iterator[Callable[[], FileFacts]]:
    """Hash the files and ask git while the block runs, which need not wait for either.

    Args:
        path: official file, or folder or zip with one file per video.

    Yields:
        Function that waits for the facts and returns them, to be called in the block. It raises an OSError if a file is
        unreadable.
    """
    with asking_git() as git, ThreadPoolExecutor(1) as pool:
        hashes = pool.submit(_hashes, path)
        yield lambda: FileFacts(hashes.result(), provenance("", 0, git=git))


def _hashes(path: Path) -> dict[str, str]:
    place = FOLDER_NAME if path.is_dir() else ""
    return {f"{place}/{file.name}".lstrip("/"): sha256_of(file) for file in files_of(path)}


def files_of(path: Path) -> list[Path]:
    """Return the files of a submission: the path itself, or all files below a folder."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
