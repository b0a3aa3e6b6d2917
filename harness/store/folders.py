"""The run folders on disk: they are the truth, the store is an index over them."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.records.document import load_json
from harness.records.run import RUN_FILE
from harness.store.address import StoreAddress
from harness.system.ownership import belongs_to_user
from harness.system.regular import is_taken

_LARGEST_RECORD = 32 << 20  # bytes


def run_folders(out: Path) -> list[Path]:
    """Return the folders of all runs below ``out``, sorted by path.

    Each of them is complete, because a run's folder gets its name after its last file is written.
    """
    # a glob of the record itself would skip a link whose target is missing
    candidates = (folder for folder in out.glob("*/*") if not folder.name.startswith("."))
    return sorted(folder for folder in candidates if is_taken(folder / RUN_FILE))


def run_folder(out: Path, run_id: str) -> Path | None:
    """Return the folder of a run below ``out``, or ``None`` for an unknown run."""
    return next((folder for folder in run_folders(out) if folder.name == run_id), None)


def within_reach(path: Path) -> bool:
    """Return True for a path that exists on this machine and that this user may look at."""
    try:
        return is_taken(path)
    except OSError:
        return False


def may_be_opened(folder: Path, run_id: str, place: Path | StoreAddress) -> bool:
    """Return True for a run's folder that is safe to open, although its path comes from a store.

    The user's own commands wrote the paths in a store's file, so that all of them are safe. Clients of a server can
    write any path: a path from a server is safe when the folder holds that run and belongs to the user.

    Args:
        folder: path of the folder in the store.
        run_id: id of the run.
        place: file or address of the store.
    """
    if not isinstance(place, StoreAddress):
        return True
    return written_record(folder).get("run_id") == run_id and belongs_to_user(folder / RUN_FILE)


def written_record(folder: Path) -> Mapping[str, Any]:
    """Return the content of a run's ``run.json``; empty where the file is missing, special, too large or damaged."""
    path = folder / RUN_FILE
    try:
        if not is_plain_file(path):
            return {}
        content = load_json(path, _LARGEST_RECORD)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_plain_file(path: Path) -> bool:
    """Return True for a plain file; False for a link, a folder, a pipe or a device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False
