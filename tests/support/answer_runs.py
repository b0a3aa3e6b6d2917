"""Whole runs on drawn data without training: a solution that knows the labels and gets every so many frames wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.plugins.interface import Predictions, SolutionEntry, VideoPrediction
from harness.runs.finished import Finished
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.tasks import Task


class Answers:
    """Says what the labels say but for every ``wrong``-th frame; of values, half of it."""

    def __init__(self, name: str, task: Task, wrong: int) -> None:
        self.name, self.task, self.wrong = name, task, wrong

    def describe(self) -> dict[str, Any]:
        """All that decides the result."""
        return {"name": self.name, "wrong": self.wrong}

    def fit(self, data: Dataset, *, seed: int) -> None:
        """Nothing to learn, but the seed: it turns around one more frame each."""
        self.seed = seed

    def predict(self, data: Dataset, split: str) -> Predictions:
        """An answer to every video."""
        return Predictions(self.task, {video.name: self._answer(video) for video in data.videos(split)})

    def _answer(self, video: Video) -> VideoPrediction:
        task, n = self.task, video.n_frames
        labels = (
            video.labels if video.labels is not None else np.zeros((n, task.n_outputs)[: 2 - (task.kind == "classes")])
        )
        off = np.arange(n) % self.wrong == self.seed
        if task.kind == "values":
            values = np.where(labels == task.invalid, 0.0, labels / 2).astype(np.float64)
            return VideoPrediction(values.astype(np.float32), values)
        if task.kind == "binaries":
            own = np.where(labels == task.invalid, 0, labels).astype(np.int64)
            own[off] = 1 - own[off]
            return VideoPrediction(own.astype(np.float32), own)
        own = np.where(labels == task.invalid, 0, labels).astype(np.int64)
        own[off] = (own[off] + 1) % task.n_outputs
        return VideoPrediction(np.eye(task.n_outputs, dtype=np.float32)[own], own)

    def save(self, folder: Path) -> None:
        """Nothing worth keeping."""

    @classmethod
    def load(cls, folder: Path) -> Answers:
        """None was kept."""
        raise NotImplementedError


def run_answers(
    root: Path, task: Task, split: str, store: Path, *, wrong: int = 10, seed: int = 0, name: str = "answers"
) -> Finished:
    """A complete run in the store, its folder beside it."""
    settings = Settings(out=store.parent / "submissions", store=store, cache=store.parent / "cache")
    name = f"{task.name.lower()}/{name}"
    entry = SolutionEntry(name, task, "", lambda _: Answers(name, task, wrong), "none", "none", "nothing")
    return run_solution(entry, open_dataset(root, task), split, settings, seed=seed)
