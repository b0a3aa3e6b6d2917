"""Finished runs blended: their scores are the streams, weights are chosen as any other constant."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.atomic import write_text
from harness.datasets.dataset import Dataset
from harness.errors import DataError, SolutionError, problem
from harness.provenance import sha256_of
from harness.record import RUN_FILE, RunRecord
from harness.runner import SCORES_FILE
from harness.solution import Predictions
from harness.tasks import Task
from solutions.postprocess.apply import apply
from solutions.postprocess.plan import PostProcess
from solutions.predictions import choices_of, cross_fitted, predictions, weak_choice
from solutions.tuning.choose import choose, given
from solutions.tuning.frames import SplitScores

BLEND_FILE = "blend.json"


@dataclass(frozen=True)
class Part:
    """A run to blend: one on validation, and the same solution's on test where a test file is to be made."""

    val: Path
    test: Path | None = None

    def folder(self, split: str) -> Path:
        """The run's folder on a split.

        Raises:
            SolutionError: there is none.
        """
        found = {"val": self.val, "test": self.test}.get(split)
        if found is None:
            raise SolutionError(f"{self.val.name}: no run of the same solution on {split}")
        return found


def find_test_runs(parts: Sequence[Path], runs: Sequence[Path]) -> list[Part]:
    """Each validation run with the run of the same solution, seed and recipe on test.

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
    for folder in parts:
        record = RunRecord.read(folder)
        if _what(record) not in tests:
            raise SolutionError(
                problem(
                    f"{folder.name} has no twin on test",
                    do=f"Make it with: abaw submit {record.name} --seed {record.seed} --data {record.data['root']}",
                )
            )
        found.append(Part(folder, tests[_what(record)]))
    return found


def _what(record: RunRecord) -> str:
    return json.dumps([record.task, record.name, record.seed, record.recipe], sort_keys=True)


class BlendSolution:
    """Scores of finished runs, blended; implements :class:`harness.solution.Solution`.

    A run's scores are what it had before its own decisions: adjusted, smoothed and filtered already, on validation with
    constants that were chosen without the video.

    Args:
        plan: what is done with them; a blend at least.
    """

    def __init__(self, name: str, task: Task, parts: Sequence[Part], plan: PostProcess) -> None:
        self.name = name
        self.task = task
        self.parts = tuple(parts)
        self.plan = plan

    def describe(self) -> dict[str, Any]:
        """The parts, by run and by what their scores hash to, and the plan."""
        parts = [
            {
                "run_id": record.run_id,
                "name": record.name,
                "seed": record.seed,
                "scores": sha256_of(part.val / SCORES_FILE),
                "recipe": record.recipe,
            }
            for part, record in zip(self.parts, self.records(), strict=True)
        ]
        return {"name": self.name, "parts": parts, "plan": self.plan.describe()}

    def records(self) -> list[RunRecord]:
        """The parts' records on validation.

        Raises:
            DataError: one can't be read.
            SolutionError: one is of another task or split.
        """
        records = [RunRecord.read(part.val) for part in self.parts]
        for record in records:
            if (record.task, record.split) != (self.task.name, "val"):
                raise SolutionError(
                    problem(
                        f"{record.run_id} can't be part of this blend",
                        found=f"a run of {record.task} on {record.split}",
                        expected=f"a run of {self.task.name} on val",
                    )
                )
        return records

    def fit(self, data: Dataset, *, seed: int) -> None:
        """Nothing to train: the parts are."""

    def predict(self, data: Dataset, split: str) -> Predictions:
        """Decisions for every frame; weights cross-fitted on val, chosen on all of val for test."""
        scores = self.scores(data, split)
        constants = given(self.task, self.plan, [len(stream) for stream in scores.streams])
        if constants is not None:
            applied = apply(self.task, self.plan, scores, constants)
            return predictions(data, split, applied, None, {"tuned_on": "nothing"}, [])
        tuning = scores if split == "val" else self.scores(data, "val")
        groups = [video.base for video in data.videos("val")]
        chosen = choose(self.task, self.plan, tuning, data.labels("val"), groups)
        choices = choices_of(chosen, self.plan.chosen, data, split)
        on_all = apply(self.task, self.plan, scores, chosen.on_all)
        if split != "val":
            return predictions(data, split, on_all, None, choices, [])
        crossed = cross_fitted(self.task, self.plan, scores, chosen)
        return predictions(data, split, crossed, on_all, choices, weak_choice(chosen))

    def scores(self, data: Dataset, split: str) -> SplitScores:
        """The parts' scores of a split, one stream each.

        Raises:
            DataError: a run's scores are not of these videos and frames.
        """
        videos = data.videos(split)
        streams = []
        for part in self.parts:
            own = _read_scores(part.folder(split))
            wrong = [video.name for video in videos if len(own.get(video.name, ())) != video.n_frames]
            if wrong or len(own) != len(videos):
                raise DataError(
                    problem(
                        "not scores of this data set's videos",
                        where=part.folder(split) / SCORES_FILE,
                        found=f"{len(own)} videos" + (f"; {wrong[0]} is missing or of another length" if wrong else ""),
                        expected=f"{len(videos)} {split} videos of {data.name}",
                        do="Blend runs on the same data",
                    )
                )
            streams.append(np.concatenate([own[video.name] for video in videos])[None])
        lengths = np.array([video.n_frames for video in videos], np.int64)
        flat = np.full(self.task.n_outputs, 1 / self.task.n_outputs)
        return SplitScores(lengths, streams, [flat] * len(streams))

    def save(self, folder: Path) -> None:
        """Which runs were blended, and where they lay."""
        where = [{"val": str(part.val), "test": str(part.test) if part.test else None} for part in self.parts]
        write_text(folder / BLEND_FILE, json.dumps({**self.describe(), "folders": where}, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Refused: a blend is nothing without its runs.

        Raises:
            SolutionError: always.
        """
        raise SolutionError(f"{folder}: a blend holds no weights of its own; blend its runs again with: abaw blend")


def _read_scores(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    path = folder / SCORES_FILE
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        record = "" if (folder / RUN_FILE).is_file() else " (not a run folder)"
        raise DataError(
            problem("a run's scores can't be read", where=path, found=f"{error}{record}", do="Make the run again")
        ) from None
