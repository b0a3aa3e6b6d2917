"""Blend of finished runs: their scores are the streams, and weights are chosen as any other constant."""

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
from harness.system.counts import counted
from harness.system.provenance import sha256_of
from harness.tasks import Task
from solutions.postprocess.plan import PostProcess
from solutions.postprocess.scores import SplitScores
from solutions.predictions import decided

BLEND_FILE = "blend.json"


def is_inherited(note: str) -> bool:
    """Return True for notes that apply to the blend, too: on frames left out, and on networks with random weights."""
    return f"{FRAMES_LEFT_OUT} " in note or RANDOM_WEIGHTS in note


class BlendSolution:
    """Blend of the scores of finished runs; implements :class:`harness.plugins.interface.Solution`.

    A run's scores are those before its decisions: adjusted, smoothed and filtered. On validation they were computed
    with constants that were chosen without the video.

    Args:
        name: name of the blend.
        task: the task of the runs.
        parts: the runs.
        plan: post-processing of the runs' scores, with at least a blend.
    """

    def __init__(self, name: str, task: Task, parts: Sequence[BlendPart], plan: PostProcess) -> None:
        """Store runs and plan; scores are read for the prediction."""
        self.name = name
        self.task = task
        self.parts = tuple(parts)
        self.plan = plan

    def describe(self) -> dict[str, Any]:
        """Return the parts, with run and hash of the scores, and the plan; plain data."""
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
        """Do nothing, because the parts are trained."""

    def predict(self, data: Dataset, split: str) -> Predictions:
        """Return decisions for every row; weights are cross-fitted on val, and chosen on all of val for test."""
        predictions = decided(self.task, self.plan, data, split, lambda split, _: self.scores(data, split))
        return replace(predictions, notes=[*self._inherited_notes(), *predictions.notes])

    def _inherited_notes(self) -> list[str]:
        """Return the notes of the parts that apply to the blend, too."""
        return [
            f"part {part.record.run_id}: {note}"
            for part in self.parts
            for note in part.record.notes
            if is_inherited(note)
        ]

    def scores(self, data: Dataset, split: str) -> SplitScores:
        """Return the parts' scores of a split, one stream per part.

        Raises:
            DataError: a run's scores belong to other videos, frames or labels.
        """
        videos = data.videos(split)
        streams = []
        for part in self.parts:
            if split == "val":
                data.require_labels(split, part.record.data.get("fingerprint"), part.record.run_id)
            scores = part.scores(split)
            wrong = [video.name for video in videos if len(scores.get(video.name, ())) != video.n_rows]
            if wrong or len(scores) != len(videos):
                raise DataError(
                    "not scores of this data set's videos",
                    where=part.folders[split] / SCORES_FILE,
                    found=counted(len(scores), "video")
                    + (f"; {wrong[0]} is missing or of another length" if wrong else ""),
                    expected=f"{len(videos)} {split} videos of {data.name}",
                    do="Blend runs on the same data",
                )
            streams.append([np.concatenate([scores[video.name] for video in videos])])
        lengths = np.array([video.n_rows for video in videos], np.int64)
        flat = np.full(self.task.n_outputs, 1 / self.task.n_outputs)
        return SplitScores(lengths, streams, [flat] * len(streams))

    def save(self, folder: Path) -> None:
        """Write the runs, their folders and the plan."""
        where = [{split: str(place) for split, place in part.folders.items()} for part in self.parts]
        write_text(folder / BLEND_FILE, json.dumps({**self.describe(), "folders": where}, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raise an error, because a blend needs its runs.

        Raises:
            SolutionError: always.
        """
        raise SolutionError(f"{folder}: a blend holds no weights of its own; blend its runs again with: abaw blend")
