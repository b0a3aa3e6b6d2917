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
    """Folders of all runs below ``out``, complete by construction, in order of their names."""
    # not a glob of the record itself, which passes over a link that leads to nothing
    found = (folder for folder in out.glob("*/*") if not folder.name.startswith("."))
    return sorted(folder for folder in found if is_taken(folder / RUN_FILE))


def run_folder(out: Path, run_id: str) -> Path | None:
    """The folder of a run below ``out``; ``None`` if there is none."""
    return next((folder for folder in run_folders(out) if folder.name == run_id), None)


def within_reach(path: Path) -> bool:
    """Whether a file or folder that a store names is on this machine, and may be looked at."""
    try:
        return is_taken(path)
    except OSError:
        return False


def may_be_opened(folder: Path, run_id: str, place: Path | StoreAddress) -> bool:
    """Return whether a run's folder that a store names is opened: a server's clients can name any folder.

    Args:
        folder: as the store names it.
        run_id: of the run.
        place: of the store. What a file holds was recorded by its user's own commands; of what a server holds, only
            folders are opened that hold that very run and belong to the user.
    """
    if not isinstance(place, StoreAddress):
        return True
    return written_record(folder).get("run_id") == run_id and belongs_to_user(folder / RUN_FILE)


def written_record(folder: Path) -> Mapping[str, Any]:
    """Return what ``run.json`` says; nothing where it is no plain file, too large, or no record."""
    path = folder / RUN_FILE
    try:
        if not is_plain_file(path):
            return {}
        content = load_json(path, _LARGEST_RECORD)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_plain_file(path: Path) -> bool:
    """Return whether a path is a plain file itself: no link, folder, pipe or device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False
