"""The run folders on disk: they are the truth, the store is an index over them."""

from __future__ import annotations

from pathlib import Path

from harness.record import RUN_FILE


def run_folders(out: Path) -> list[Path]:
    """Folders of all runs below ``out``, complete by construction, in order of their names."""
    found = (path.parent for path in out.glob(f"*/*/{RUN_FILE}"))
    return sorted(folder for folder in found if not folder.name.startswith("."))


def run_folder(out: Path, run_id: str) -> Path | None:
    """The folder of a run below ``out``; ``None`` if there is none."""
    return next((folder for folder in run_folders(out) if folder.name == run_id), None)


def within_reach(path: Path) -> bool:
    """Whether a file or folder that a store names is on this machine, and may be looked at."""
    try:
        return path.exists()
    except OSError:
        return False
