"""Scores of a run before any decision: ``scores.npz``, one float32 array per video."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import AbawError, DataError
from harness.files.archives.limits import Limits
from harness.files.archives.read import open_members
from harness.records.document import load_json
from harness.records.run import RUN_FILE
from harness.system.arrays import read_array
from harness.system.atomic import atomic_file
from harness.system.provenance import sha256_of

SCORES_FILE = "scores.npz"


_LIMITS = Limits(total_bytes=4 << 30, ratio=2000)
"""Limits of a file of scores. The ratio is high because the scores of a constant prediction compress very well."""


Scores = dict[str, npt.NDArray[np.float32]]


def write_scores(path: Path, scores: Scores) -> None:
    """Write the scores of every video.

    Raises:
        StorageError: the file can't be written.
    """
    write_arrays(path, scores)


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an ``.npz`` with one array per video.

    ``np.savez`` takes names as keywords and can't store a video called ``file``.

    Raises:
        StorageError: the file can't be written.
    """
    with atomic_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.save(member, array, allow_pickle=False)


def read_scores(folder: Path, only: Collection[str] | None = None) -> Scores:
    """Return the scores of a run, float32 ``(n_frames, n_outputs)`` by video.

    The file is checked against the hash in the run's record, which detects a single flipped bit.

    Args:
        folder: the run's folder.
        only: names of the videos to read, as far as the file holds them; all by default.

    Raises:
        DataError: the file is unreadable, or was changed since the run.
    """
    return read_arrays(folder, SCORES_FILE, np.float32, only)


def read_arrays(
    folder: Path, file: str, dtype: npt.DTypeLike, only: Collection[str] | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Return a run's arrays ``(n_frames, columns)`` by video, as :func:`read_scores` does.

    Args:
        folder: the run's folder.
        file: name of the ``.npz`` file.
        dtype: type of all arrays.
        only: names of the videos to read, as far as the file holds them; all by default.

    Raises:
        DataError: the file is unreadable, or was changed since the run.
    """
    path, expected = folder / file, np.dtype(dtype)
    try:
        recorded = _recorded_hash(folder, file)
        if recorded is not None and sha256_of(path) != recorded:
            raise ValueError("a changed file: it is not what the run wrote")
        with open_members(path, _LIMITS) as members:
            names = {name.removesuffix(".npy"): name for name in members.names if name.endswith(".npy")}
            meter = members.meter()
            return {
                video: _rows(b"".join(members.chunks(name, meter)), f"{path}!{name}", expected)
                for video, name in names.items()
                if only is None or video in only
            }
    except (OSError, ValueError, AbawError) as error:
        record = "" if (folder / RUN_FILE).is_file() else " (not a run folder)"
        cause = (error.strerror if isinstance(error, OSError) else None) or error
        do = "Make the run again with --fresh"
        raise DataError(f"a run's {path.stem} can't be read", where=path, found=f"{cause}{record}", do=do) from None


def scored_videos(folder: Path) -> list[str]:
    """Return the names of the videos whose scores a run holds; an empty list for an unreadable file."""
    try:
        with open_members(folder / SCORES_FILE, _LIMITS) as members:
            return [name.removesuffix(".npy") for name in members.names if name.endswith(".npy")]
    except (OSError, AbawError):
        return []


def _recorded_hash(folder: Path, file: str) -> str | None:
    """Return the hash of a file in a run's record; ``None`` if the record lacks it."""
    try:
        return str(load_json(folder / RUN_FILE)["files"][file])
    except (OSError, ValueError, LookupError, TypeError):  # the record's own reader reports its problems
        return None


def _rows(data: bytes, where: str, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the rows of a video.

    Raises:
        DataError: the bytes hold something else than an array of rows of this type.
    """
    rows = read_array(data, where)
    if rows.ndim != 2 or rows.dtype != dtype:
        actual, what = f"{rows.dtype} {rows.shape}", "not scores" if dtype == np.float32 else "not rows of a run"
        raise DataError(what, where=where, found=actual, expected=f"{dtype} (frames, outputs)")
    return rows
