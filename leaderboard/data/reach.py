"""Files that the board may open for a run: those of the run's own folder, and a data set that the user named.

A record may come from anybody: from an imported zip, or from a team's store, whose folders and data sets are paths on
other machines. The board never opens a path that such a record names. A run counts as the user's own if its folder is
on this machine, ``run.json`` in the folder belongs to the user and names the same data set, and nobody imported it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.records.origin import ORIGIN_FILE
from harness.records.run import RUN_FILE, RunRecord, submission_of
from harness.store.folders import is_plain_file, written_record
from harness.system.ownership import belongs_to_user

_NAME_IT = "To see them, name your copy of the data set: abaw leaderboard --data ROOT"


def holds_run(record: RunRecord, folder: Path) -> bool:
    """Return True if a folder on this machine holds the run of the record."""
    return written_record(folder).get("run_id") == record.run_id


def made_here(record: RunRecord, folder: Path) -> bool:
    """Return True if the user made the run here; the paths in the records of other runs are never opened."""
    written = written_record(folder)
    same = written.get("run_id") == record.run_id and _paths(written.get("data"), written.get("options")) == _paths(
        record.data, record.options
    )
    return same and belongs_to_user(folder / RUN_FILE) and not os.path.lexists(folder / ORIGIN_FILE)


def data_root(record: RunRecord, folder: Path, named: Path | None) -> Path:
    """Return the root of the data set that a run's labels and images are read from.

    Args:
        record: record of the run.
        folder: folder of the run, as the store names it.
        named: root of a data set that the user named; used for runs that other people made.

    Raises:
        DataError: the run has no data set that may be opened, or the data set is missing.
    """
    if made_here(record, folder) and record.data.get("root"):
        root = Path(str(record.data["root"]))
    elif named is not None:
        root = named
    elif not record.data.get("root"):
        raise DataError("the run's record names no data set", do=_NAME_IT)
    else:
        what = "labels and images are not read: this run was not made here, and no path in its record is opened"
        raise DataError(what, do=_NAME_IT)
    try:
        there = root.is_dir()
    except OSError:
        there = False
    if not there:
        raise DataError("the data set is not there", where=root, do=_NAME_IT)
    return root


def template_of(record: RunRecord, folder: Path) -> Path | None:
    """Return the template of a run that the user made; ``None`` without a template, or for runs of other people."""
    return _named_by(record, folder, record.options.get("template"))


def labels_of(record: RunRecord, folder: Path) -> Path | None:
    """Return the labels that the user's own file was scored on; ``None`` if missing, or for runs of other people."""
    return _named_by(record, folder, record.data.get("labels"))


def _named_by(record: RunRecord, folder: Path, named: object) -> Path | None:
    """Return a path that the user's own run names; ``None`` for a missing path, or for runs of other people."""
    if not isinstance(named, str) or not named or not made_here(record, folder):
        return None
    path = Path(named)
    try:
        return path if path.is_file() or path.is_dir() else None
    except OSError:
        return None


def own_file(record: RunRecord, folder: Path, name: str) -> Path | None:
    """Return a plain file in a run's folder; ``None`` if the file is missing, or its name or a link leads outside."""
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return None
    return path if inside and holds_run(record, folder) and is_plain_file(path) else None


def require_own_file(record: RunRecord, folder: Path, name: str, what: str) -> Path:
    """Return a file of a run, as :func:`own_file` does.

    Args:
        record: record of the run.
        folder: folder of the run.
        name: path inside the folder.
        what: content of the file with its verb, for the message: ``scores are``.

    Raises:
        DataError: the file is missing, is no plain file, or its name or a link leads out of the run's folder.
    """
    path = own_file(record, folder, name)
    if path is None:
        raise _not_there(what, folder / name)
    return path


def official_of(record: RunRecord, folder: Path) -> Path:
    """Return the official file of a run, or the folder of its official files, inside the run's own folder.

    Raises:
        DataError: an official file is missing, or lies outside the run's folder.
    """
    path = submission_of(record.files, folder)
    if path == folder or not holds_run(record, folder):
        raise _not_there("official file is", path)
    members = [name for name in record.files if (folder / name) == path or (folder / name).parent == path]
    if not members or any(own_file(record, folder, name) is None for name in members):
        raise _not_there("official file is", path)
    return path


def _not_there(what: str, path: Path) -> DataError:
    do = "Was the run made on another machine, or its folder moved?"
    return DataError(f"the run's {what} not there", where=path, do=do)


def _paths(data: Any, options: Any) -> tuple[object, ...]:
    """Return the paths in a record: root of the data set, labels, template."""
    named = ((data, "root"), (data, "labels"), (options, "template"))
    return tuple(part.get(key) if isinstance(part, Mapping) else None for part, key in named)
