"""The run folders on disk: they are the truth, the store is an index over them."""

from __future__ import annotations

from pathlib import Path

from harness.record import RUN_FILE
from harness.regular import is_taken


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
