"""The rebuild of a results store from the run folders."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError, StoreDamagedError, problem, storage_error
from harness.records.failure import Failure, failure_files
from harness.records.run import RUN_FILE, RunRecord
from harness.store.connection import require_let_go
from harness.store.folders import run_folders
from harness.store.probe import check_apart
from harness.store.rows import run_rows
from harness.store.store import Store
from harness.system.regular import is_taken


@dataclass(frozen=True)
class Rebuilt:
    """The outcome of a rebuild.

    Attributes:
        recorded: number of runs that were recorded.
        removed: ids of runs whose folders are gone.
        left_out: one message per folder whose run was not recorded, with the reason.
        moved_aside: present path of the broken file, if the store's file was broken.
    """

    recorded: int
    removed: tuple[str, ...]
    left_out: tuple[str, ...]
    moved_aside: Path | None


def rebuild(store: Store, out: Path, *, unread: bool = False) -> Rebuilt:
    """Record every run below ``out``; forget runs that were there and are gone; keep those that lie elsewhere.

    A broken file is renamed, never deleted, and replaced by a new one. A file counts as broken, too, when opening it
    crashes the process: a child process tries that first. Files of other programs and of newer versions are left alone.

    Args:
        store: the results store; it must be a file.
        out: folder with the run folders, ``<TASK>/<run_id>/``.
        unread: rename the store's file without opening it, whatever it is, and make a new one.

    Raises:
        StoreBusyError: another process holds the store.
        StoreSchemaError: a newer version wrote the file.
        StoreError: the file is not a results store.
        StorageError: the disk is full, or the folder can't be written.
    """
    runs, left_out = read_runs(out)
    failures, unreadable = read_failures(out)
    gone: tuple[str, ...] = ()
    aside = unread and store.exists()
    if not aside:
        try:
            check_apart(store)
            known = {record.run_id for record, _ in runs}
            records = {run_id: folder / RUN_FILE for run_id, folder in store.folders().items()}
            gone = tuple(run_id for run_id in _lost(records, out) if run_id not in known)
            store.record(runs, gone=gone, failures=failures, mended=_lost(store.failure_files(), out))
        except StoreDamagedError:
            gone, aside = (), True
    moved_aside = None
    if aside:
        require_let_go(store.path)
        moved_aside = _move_aside(store.path)
        store.record(runs, failures=failures)
    return Rebuilt(len(runs), gone, (*left_out, *unreadable), moved_aside)


def read_runs(out: Path) -> tuple[list[tuple[RunRecord, Path]], tuple[str, ...]]:
    """Read every run below ``out``.

    Returns:
        Records and folders of the runs that the store can take; one message per folder that it cannot take.
    """
    runs: dict[str, tuple[RunRecord, Path]] = {}
    left_out = []
    for folder in run_folders(out):
        try:
            record = RunRecord.read(folder)
            run_rows(record, folder, draws=False)
        except DataError as error:
            left_out.append(str(error))
            continue
        other = runs.get(record.run_id)
        if other and folder.name != record.run_id:
            left_out.append(problem("the folder is a copy of another run", where=folder, found=f"the id of {other[1]}"))
            continue
        if other:
            left_out.append(problem("the folder is a copy of another run", where=other[1], found=f"the id of {folder}"))
        runs[record.run_id] = record, folder
    return list(runs.values()), tuple(left_out)


def read_failures(out: Path) -> tuple[list[tuple[Failure, Path]], tuple[str, ...]]:
    """Read every note of a failure below ``out``.

    Returns:
        The failures with their files; one message per unreadable file.
    """
    failures, left_out = [], []
    for path in failure_files(out):
        try:
            failures.append((Failure.read(path), path))
        except DataError as error:
            left_out.append(str(error))
    return failures, tuple(left_out)


def _lost(files: Mapping[str, Path], out: Path) -> list[str]:
    """Return the ids of runs or failures in the store whose files were below ``out`` and are gone."""
    return sorted(key for key, file in files.items() if file.is_relative_to(out.resolve()) and not is_taken(file))


def _move_aside(path: Path) -> Path:
    """Rename a broken store and its write-ahead log, which would corrupt any other file."""
    names = (f"{path.name}.broken-{n}" for n in itertools.count(1))
    aside, log = next(
        (place, log)
        for name in names
        if not (place := path.with_name(name)).exists() and not (log := path.with_name(f"{name}.wal")).exists()
    )
    try:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}.wal").rename(log)
        path.rename(aside)
    except OSError as error:
        raise storage_error(error, path) from error
    return aside
