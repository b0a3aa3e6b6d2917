"""Finished runs blended: their scores are the streams, weights are chosen as any other constant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from harness.datasets.dataset import Dataset
from harness.errors import DataError, SolutionError
from harness.plugins.interface import BlendPart, Predictions
from harness.records.options import FRAMES_LEFT_OUT, RANDOM_WEIGHTS
from harness.records.run import FINAL, ON_BOTH
from harness.records.scores import SCORES_FILE
from harness.system.atomic import write_text
from harness.system.provenance import sha256_of
from harness.tasks import Task
from solutions.postprocess.plan import PostProcess
from solutions.postprocess.scores import SplitScores
from solutions.predictions import decided

BLEND_FILE = "blend.json"


def is_inherited(note: str) -> bool:
    """Return True for notes on frames that were left out, and on networks that were never trained."""
    return f"{FRAMES_LEFT_OUT} " in note or RANDOM_WEIGHTS in note


class BlendSolution:
    """Scores of finished runs, blended; implements :class:`harness.plugins.interface.Solution`.

    A run's scores are what it had before its own decisions: adjusted, smoothed and filtered already, on validation with
    constants that were chosen without the video.

    Args:
        plan: what is done with them; a blend at least.
    """

    def __init__(self, name: str, task: Task, parts: Sequence[BlendPart], plan: PostProcess) -> None:
        self.name = name
        self.task = task
        self.parts = tuple(parts)
        self.plan = plan

    def describe(self) -> dict[str, Any]:
        """The parts, by run and by what their scores hash to, and the plan."""
        parts = [
            {
                "run_id": part.record.run_id,
                "name": part.record.name,
                "seed": part.record.seed,
                "scores": sha256_of(part.folders["val"] / SCORES_FILE),
                "recipe": part.record.recipe,
            }
            for part in self.parts
        ]
        description: dict[str, Any] = {"name": self.name, "parts": parts, "plan": self.plan.describe()}
        if any(part.trained_on == ON_BOTH for part in self.parts):
            description[FINAL] = [
                {"run_id": part.folders["test"].name, "trained_on": part.trained_on} for part in self.parts
            ]
        return description

    def fit(self, data: Dataset, *, seed: int) -> None:
        """Nothing to train: the parts are."""

    def predict(self, data: Dataset, split: str) -> Predictions:
        """Decisions for every frame; weights cross-fitted on val, chosen on all of val for test."""
        answer = decided(self.task, self.plan, data, split, lambda split, _: self.scores(data, split))
        return replace(answer, notes=[*self._inherited_notes(), *answer.notes])

    def _inherited_notes(self) -> list[str]:
        """Return notes of the parts that say as much of the blend."""
        return [
            f"part {part.record.run_id}: {note}"
            for part in self.parts
            for note in part.record.notes
            if is_inherited(note)
        ]

    def scores(self, data: Dataset, split: str) -> SplitScores:
        """The parts' scores of a split, one stream each.

        Raises:
            DataError: a run's scores are not of these videos, frames and labels.
        """
        videos = data.videos(split)
        streams = []
        for part in self.parts:
            if split == "val":
                data.require_labels(split, part.record.data.get("fingerprint"), part.record.run_id)
            own = part.scores(split)
            wrong = [video.name for video in videos if len(own.get(video.name, ())) != video.n_rows]
            if wrong or len(own) != len(videos):
                raise DataError(
                    "not scores of this data set's videos",
                    where=part.folders[split] / SCORES_FILE,
                    found=f"{len(own)} videos" + (f"; {wrong[0]} is missing or of another length" if wrong else ""),
                    expected=f"{len(videos)} {split} videos of {data.name}",
                    do="Blend runs on the same data",
                )
            streams.append([np.concatenate([own[video.name] for video in videos])])
        lengths = np.array([video.n_rows for video in videos], np.int64)
        flat = np.full(self.task.n_outputs, 1 / self.task.n_outputs)
        return SplitScores(lengths, streams, [flat] * len(streams))

    def save(self, folder: Path) -> None:
        """Which runs were blended, and where they lay."""
        where = [{split: str(place) for split, place in part.folders.items()} for part in self.parts]
        write_text(folder / BLEND_FILE, json.dumps({**self.describe(), "folders": where}, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Refused: a blend is nothing without its runs.

        Raises:
            SolutionError: always.
        """
        raise SolutionError(f"{folder}: a blend holds no weights of its own; blend its runs again with: abaw blend")
