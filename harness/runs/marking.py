"""Housekeeping of runs: marks on them, and removal that can be undone. Folder first, then the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from harness.errors import DataError, SolutionError, UnknownNameError
from harness.records.files import RUN_FILE
from harness.records.marks import Marks, read_marks
from harness.records.run import RunRecord
from harness.store.folders import within_reach
from harness.store.run_names import short_id
from harness.store.store import Store
from harness.system.regular import is_taken

REMOVED = ".removed"
"""Folder beside a task's runs for those that were removed. No board lists them; they still take disk space."""


def mark(folder: Path, results: Store, change: Callable[[Marks], Marks]) -> Marks:
    """Change the marks of a run, and record the run with them. Return the marks.

    Args:
        folder: of the run.
        results: store that records it.
        change: of the marks.

    Raises:
        DataError: the folder is on another machine, or its record or marks can't be read; or a mark can't be shown.
        StoreError: the store can't be written. The folder has the marks: ``abaw sync`` records them.
    """
    require_folder(folder)
    record, before = RunRecord.read(folder), read_marks(folder)
    try:
        after = change(before)
    except ValueError as error:
        raise DataError(str(error), where=folder, do="Give fewer, or shorter ones") from None
    if after != before:
        after.write(folder)
    results.record([(record, folder)])
    return after


def remove(folder: Path, results: Store, out: Path) -> Path:
    """Move a run out of sight, and take it out of the store. Return where its folder lies now.

    Args:
        folder: of the run.
        results: store that records it.
        out: folder of the runs, below which :func:`removed_folders` finds it again.

    Raises:
        DataError: the folder is on another machine, is none of a run, or lies outside of ``out``.
        SolutionError: a run of this name was removed before.
        StoreError: the store can't be written: the folder is moved, and ``abaw reindex`` takes the run out.
    """
    require_folder(folder)
    record = RunRecord.read(folder)
    if folder.parent.parent.resolve() != out.resolve():
        do = f"Name that folder of runs: --out {folder.parent.parent}"
        raise DataError("this run lies outside of the folder of the runs", where=folder, expected=out, do=do)
    target = folder.parent / REMOVED / folder.name
    if target.parent.is_symlink():
        do = "Remove the link; what was removed has to lie beside the runs"
        raise DataError("the folder of removed runs is a symbolic link", where=target.parent, do=do)
    if is_taken(target):
        do = f"Remove that one for good: abaw remove --for-good {folder.name}"
        raise SolutionError("a run of this name was removed before", where=target, do=do)
    target.parent.mkdir(exist_ok=True)
    folder.rename(target)
    results.record([], gone=[record.run_id])
    return target


def restore(folder: Path, results: Store) -> Path:
    """Move a removed run back, and record it. Return its folder.

    Args:
        folder: of :func:`removed_folder`.
        results: store that records it.

    Raises:
        DataError: its record can't be read.
        SolutionError: another run has its place now.
        StoreError: the store can't be written: ``abaw sync`` records the run.
    """
    record, target = RunRecord.read(folder), folder.parent.parent / folder.name
    if is_taken(target):
        raise SolutionError("another run has this place now", where=target, do="Remove that one first")
    folder.rename(target)
    results.record([(record, target)])
    return target


def delete(folder: Path) -> None:
    """Delete the folder of a removed run. Nothing brings it back."""
    shutil.rmtree(folder)


def removed_folders(out: Path) -> list[Path]:
    """Return the folders of the runs that were removed, in order of their names.

    Symbolic links are passed over: what they lead to lies elsewhere, and no command deletes it.
    """
    folders = (path for path in out.glob(f"*/{REMOVED}/*") if not (path.is_symlink() or path.parent.is_symlink()))
    return sorted(path for path in folders if is_taken(path / RUN_FILE))


def removed_folder(out: Path, name: str) -> Path:
    """Return the folder of the removed run of this id, or short id.

    Raises:
        UnknownNameError: there is none, or several.
    """
    folders = removed_folders(out)
    matching = [folder for folder in folders if name in (folder.name, short_id(folder.name), str(folder))]
    if len(matching) != 1:
        raise UnknownNameError("removed run", name, [folder.name for folder in folders])
    return matching[0]


def require_folder(folder: Path) -> None:
    """Make sure that a run's folder is on this machine.

    Raises:
        DataError: it is not: who made the run marks it.
    """
    if not within_reach(folder / RUN_FILE):
        what = "this run's folder is on another machine, or was moved or removed"
        raise DataError(what, where=folder, do="Have its maker mark it, or import the run: abaw import")
