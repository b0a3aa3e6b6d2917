"""Checks of runs, a cache and a store after a kill or on a full disk: nothing under its own name is half-made."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import safe_open

from harness.errors import AbawError
from harness.records.run import RUN_FILE, RunRecord
from harness.slots import LEDGER_FILE, Ledger
from harness.store.rows import run_rows
from harness.store.store import Store
from harness.system.atomic import PARTIAL
from harness.system.provenance import sha256_of

_COUNTED = ("scores", "video_statistics", "files", "sweep_points", "draws")


def torn(home: Path) -> list[str]:
    """Return files and runs below a folder that are there under their own names and not whole, in words."""
    found = []
    for path in sorted(path for path in home.rglob("*") if path.is_file() and not _is_aside(path.relative_to(home))):
        try:
            _read(path)
        except Exception as error:
            found.append(f"{path.relative_to(home)}: {error!r}")
    for record_file in sorted(home.rglob(RUN_FILE)):
        if not _is_aside(record_file.relative_to(home)):
            found += [f"{record_file.parent.name}: {text}" for text in _of_run(record_file.parent)]
    return found


def broken_store(path: Path, out: Path) -> list[str]:
    """Return what is wrong with a store: it can't be opened, or holds a run in part, or one that is not on disk."""
    store = Store(path)
    try:
        store.check()
        with store.reading() as db:
            if db is None:
                return []
            runs = [run_id for (run_id,) in db.execute("SELECT run_id FROM runs").fetchall()]
            counts = {
                table: dict(db.execute(f"SELECT run_id, count(*) FROM {table} GROUP BY run_id").fetchall())  # noqa: S608
                for table in _COUNTED
            }
    except AbawError as error:
        return [str(error)]
    found = [f"{table} of no run" for table in _COUNTED if not counts[table].keys() <= set(runs)]
    for run_id in runs:
        folders = [folder for folder in out.glob(f"*/{run_id}") if (folder / RUN_FILE).exists()]
        if len(folders) != 1:
            found.append(f"{run_id} is in the store and not on disk")
            continue
        rows = run_rows(RunRecord.read(folders[0]), folders[0], draws=True)
        due = {table: len(rows.get(table, ())) for table in _COUNTED}
        have = {table: counts[table].get(run_id, 0) for table in _COUNTED}
        found += [f"{run_id} has {have} rows, not {due}"] if have != due else []
    return found


def _is_aside(path: Path) -> bool:
    return any(part.startswith((PARTIAL, ".")) for part in path.parts)


def _read(path: Path) -> None:
    if path.name == LEDGER_FILE:
        numbers = [entry.number for entry in Ledger(path.parent).read()]
        assert numbers == list(range(1, len(numbers) + 1)), numbers
    elif path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    elif path.suffix in (".zip", ".npz"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
    elif path.suffix == ".npy":
        np.load(path, allow_pickle=False)
    elif path.suffix == ".safetensors":
        with safe_open(path, framework="numpy") as tensors:
            assert list(tensors.keys())


def _of_run(folder: Path) -> Iterator[str]:
    for name, digest in RunRecord.read(folder).files.items():
        if not (folder / name).is_file():
            yield f"no {name}"
        elif sha256_of(folder / name) != digest:
            yield f"another {name}"
