"""A solution that looks at the labels and errs on purpose: real run folders at once, as good as one asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.runner import Finished, run_solution
from harness.settings import Settings
from harness.solution import Predictions, SolutionEntry, VideoPrediction
from harness.tasks import EXPR, Task


@dataclass
class Peeking:
    """Right in about ``share`` of the frames, at random in the others."""

    name: str
    task: Task
    share: float
    seed: int = 0

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "task": self.task.name, "share": self.share}

    def fit(self, data: Dataset, *, seed: int) -> None:
        self.seed = seed

    def predict(self, data: Dataset, split: str) -> Predictions:
        rng = np.random.default_rng(self.seed)
        return Predictions(self.task, {video.name: self._answer(video, rng) for video in data.videos(split)})

    def _answer(self, video: Video, rng: np.random.Generator) -> VideoPrediction:
        n, outputs = video.n_frames, self.task.n_outputs
        guessed = rng.random(n) >= self.share if video.labels is not None else np.ones(n, bool)
        if self.task.kind == "values":
            truth = np.zeros((n, 2)) if video.labels is None else video.labels.clip(-1, 1)
            values = np.where(guessed[:, None], rng.uniform(-1, 1, (n, 2)), truth).astype(np.float32)
            return VideoPrediction(values, values)
        if self.task.kind == "binaries":
            truth = np.zeros((n, outputs), int) if video.labels is None else video.labels.clip(0, 1)
            units = np.where(guessed[:, None], rng.integers(0, 2, (n, outputs)), truth)
            return VideoPrediction((0.1 + 0.8 * units).astype(np.float32), units)
        truth = np.zeros(n, int) if video.labels is None else video.labels.clip(0)
        classes = np.where(guessed, rng.integers(0, outputs, n), truth)
        scores = rng.random((n, outputs)) + 2 * np.eye(outputs)[classes]
        return VideoPrediction((scores / scores.sum(1, keepdims=True)).astype(np.float32), classes)

    def save(self, folder: Path) -> None:
        (folder / "share.txt").write_text(str(self.share))

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls("", EXPR, float((folder / "share.txt").read_text()))


def peek(
    root: Path, out: Path, name: str, share: float = 0.6, *, task: Task = EXPR, seed: int = 0, split: str = "val"
) -> Finished:
    """A run of it on the data below ``root``, recorded in the store below ``out``."""
    entry = SolutionEntry(
        name, task, "looks at the labels", lambda _: Peeking(name, task, share),
        encoder="eyes", head=f"peeks at {share:.0%}", postprocess="none",
    )  # fmt: skip
    settings = Settings(out=out, store=out / "results.duckdb", cache=out / "cache", device="cpu")
    return run_solution(entry, open_dataset(root, task), split, settings, seed=seed)
