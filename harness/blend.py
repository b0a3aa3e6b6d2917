"""Finished runs as parts of a blend: their records, and the scores that they were decided on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.atomic import atomic_file
from harness.errors import DataError, SolutionError, problem
from harness.record import RUN_FILE, RunRecord
from harness.solution import Predictions
from harness.tasks import Task

SCORES_FILE = "scores.npz"

Scores = dict[str, npt.NDArray[np.float32]]


def write_scores(path: Path, predictions: Predictions) -> None:
    """An ``.npz``, one array a video; ``np.savez`` takes names as keywords and can't store a video called ``file``."""
    with atomic_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, video in predictions:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.save(member, video.scores, allow_pickle=False)


def read_scores(folder: Path, only: Collection[str] | None = None) -> Scores:
    """Scores of a run, float32 ``(n_frames, n_outputs)`` by video.

    Args:
        only: the videos to read, of those that are there; all by default.

    Raises:
        DataError: they can't be read.
    """
    path = folder / SCORES_FILE
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if only is None or name in only}
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        record = "" if (folder / RUN_FILE).is_file() else " (not a run folder)"
        raise DataError(
            problem("a run's scores can't be read", where=path, found=f"{error}{record}", do="Make the run again")
        ) from None


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
        SolutionError: a run is of another task or split.
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
    return parts


def with_test_runs(parts: Sequence[BlendPart], runs: Iterable[Path]) -> list[BlendPart]:
    """Each part with the run of the same solution, seed and recipe on test.

    Args:
        runs: folders of all runs.

    Raises:
        SolutionError: one has none; says how to make it.
    """
    tests = {}
    for folder in runs:
        record = RunRecord.read(folder)
        if record.split == "test":
            tests[_what(record)] = folder
    found = []
    for part in parts:
        record = part.record
        if _what(record) not in tests:
            raise SolutionError(
                problem(
                    f"{record.run_id} has no twin on test",
                    do=f"Make it with: abaw submit {record.name} --seed {record.seed} --data {record.data['root']}",
                )
            )
        found.append(BlendPart(record, {**part.folders, "test": tests[_what(record)]}))
    return found


def _what(record: RunRecord) -> str:
    return json.dumps([record.task, record.name, record.seed, record.recipe], sort_keys=True)
