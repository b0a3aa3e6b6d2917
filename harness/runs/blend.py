"""Finished runs as parts of a blend: their records, and the scores that they were decided on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import AbawError, DataError, SolutionError, problem
from harness.files.archives.limits import Limits
from harness.files.archives.read import open_members
from harness.plugins.interface import Predictions
from harness.records.run import RUN_FILE, RunRecord
from harness.system.arrays import read_array
from harness.system.atomic import atomic_file
from harness.system.provenance import sha256_of
from harness.system.regular import read_text
from harness.tasks import Task

SCORES_FILE = "scores.npz"

_LIMITS = Limits(total_bytes=4 << 30, ratio=2000)
"""A constant's scores are packed as tightly as a zip can."""

Scores = dict[str, npt.NDArray[np.float32]]


def write_scores(path: Path, predictions: Predictions) -> None:
    """An ``.npz``, one array a video; ``np.savez`` takes names as keywords and can't store a video called ``file``."""
    with atomic_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, video in predictions:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.save(member, video.scores, allow_pickle=False)


def read_scores(folder: Path, only: Collection[str] | None = None) -> Scores:
    """Scores of a run, float32 ``(n_frames, n_outputs)`` by video.

    The file is held against the hash in the run's record, so that a single flipped bit is found.

    Args:
        only: the videos to read, of those that are there; all by default.

    Raises:
        DataError: they can't be read, or are not what the run wrote.
    """
    path = folder / SCORES_FILE
    try:
        recorded = _recorded_hash(folder)
        if recorded is not None and sha256_of(path) != recorded:
            raise ValueError("a changed file: it is not what the run wrote")
        with open_members(path, _LIMITS) as members:
            names = {name.removesuffix(".npy"): name for name in members.names if name.endswith(".npy")}
            meter = members.meter()
            return {
                video: _scores(b"".join(members.chunks(name, meter)), f"{path}!{name}")
                for video, name in names.items()
                if only is None or video in only
            }
    except (OSError, ValueError, AbawError) as error:
        record = "" if (folder / RUN_FILE).is_file() else " (not a run folder)"
        found = (error.strerror if isinstance(error, OSError) else None) or error
        do = "Make the run again with --fresh"
        raise DataError(problem("a run's scores can't be read", where=path, found=f"{found}{record}", do=do)) from None


def scored_videos(folder: Path) -> list[str]:
    """Videos that a run has scores of; none where they can't be read."""
    try:
        with open_members(folder / SCORES_FILE, _LIMITS) as members:
            return [name.removesuffix(".npy") for name in members.names if name.endswith(".npy")]
    except (OSError, AbawError):
        return []


def _recorded_hash(folder: Path) -> str | None:
    """The hash of the scores in a run's record; ``None`` where there is no record that holds one."""
    try:
        files = json.loads(read_text(folder / RUN_FILE))["files"]
        return str(files[SCORES_FILE])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # what is wrong with it, its reader says
        return None


def _scores(data: bytes, where: str) -> npt.NDArray[np.float32]:
    """Scores of a video.

    Raises:
        DataError: the bytes are no array of scores.
    """
    scores = read_array(data, where)
    if scores.ndim != 2 or scores.dtype != np.float32:
        found = f"{scores.dtype} {scores.shape}"
        raise DataError(problem("not scores", where=where, found=found, expected="float32 (frames, outputs)"))
    return scores


@dataclass(frozen=True)
class BlendPart:
    """A run on validation, and the same solution's on test where a test file is to be made.

    Attributes:
        record: on validation.
        folders: of the runs, by split.
    """

    record: RunRecord
    folders: Mapping[str, Path]

    def scores(self, split: str) -> Scores:
        """Scores of the run on a split.

        Raises:
            SolutionError: there is no such run.
            DataError: they can't be read.
        """
        if split not in self.folders:
            raise SolutionError(f"{self.record.run_id}: no run of the same solution on {split}")
        return read_scores(self.folders[split])


def blend_parts(folders: Sequence[Path], task: Task) -> list[BlendPart]:
    """Runs on validation as parts.

    Raises:
        DataError: a record can't be read.
        SolutionError: a run is of another task or split, or on other labels than the first one.
    """
    parts = [BlendPart(RunRecord.read(folder), {"val": folder}) for folder in folders]
    for part in parts:
        record = part.record
        if (record.task, record.split) != (task.name, "val"):
            raise SolutionError(
                problem(
                    f"{record.run_id} can't be part of this blend",
                    found=f"a run of {record.task} on {record.split}",
                    expected=f"a run of {task.name} on val",
                )
            )
        check_labels(record, parts[0].record)
    return parts


def check_labels(record: RunRecord, other: RunRecord) -> None:
    """Make sure that two runs were scored on the same labels.

    Raises:
        SolutionError: they were not: what was chosen for one was chosen on other labels.
    """
    own, its = (str(run.data.get("fingerprint", "")) for run in (record, other))
    if own != its:
        raise SolutionError(
            problem(
                f"{record.run_id} can't be blended with {other.run_id}: they are on different labels",
                found=f"labels {own[:8]}",
                expected=f"labels {its[:8]}",
                do="Make both runs on the same data",
            )
        )


def with_test_runs(parts: Sequence[BlendPart], runs: Iterable[Path]) -> list[BlendPart]:
    """Each part with the newest run on test of the same solution, seed and recipe that learned from the same labels.

    Args:
        runs: folders of all runs.

    Raises:
        SolutionError: one has none; says how to make it.
    """
    read = ((RunRecord.read(folder), folder) for folder in runs)
    tests = [(record, folder) for record, folder in read if record.split == "test"]
    tests.sort(key=lambda pair: pair[0].created, reverse=True)
    found = []
    for part in parts:
        record = part.record
        twin = next((folder for test, folder in tests if record.learned_as(test)), None)
        if twin is None:
            raise SolutionError(
                problem(
                    f"{record.run_id} has no twin on test",
                    do=f"Make it with: abaw submit {record.name} --seed {record.seed} --data {record.data['root']}",
                )
            )
        found.append(BlendPart(record, {**part.folders, "test": twin}))
    return found
