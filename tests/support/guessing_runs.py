"""Runs as somebody else's ``abaw run`` leaves them, made by a solution that guesses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from harness.datasets.open import open_dataset
from harness.plugins.interface import Predictions, SolutionEntry, VideoPrediction
from harness.runs.finished import Finished
from harness.runs.runner import run_solution
from harness.settings import Settings
from harness.tasks import Task


class Guesses:
    """Draws classes; what it saves is what heads save, and a file that no run has."""

    def __init__(self, task: Task, offset: int) -> None:
        self.task, self.name, self.offset = task, f"{task.name.lower()}/guesses", offset
        self.seed = 0

    def describe(self):
        return {"offset": self.offset}

    def fit(self, data, *, seed):
        self.seed = seed

    def predict(self, data, split):
        rng, videos = np.random.default_rng([self.seed, self.offset]), {}
        for video in data.videos(split):
            scores = rng.random((video.n_frames, self.task.n_outputs)).astype(np.float32)
            tuned = scores[:, ::-1].argmax(1) if split == "val" else None
            videos[video.name] = VideoPrediction(scores, scores.argmax(1), tuned)
        return Predictions(self.task, videos, {"tuned_on": "val, cross-fitted"})

    def save(self, folder):
        (folder / "stream0").mkdir()
        (folder / "recipe.json").write_text(json.dumps(self.describe()))
        save_file({"weights": np.arange(6, dtype=np.float32)}, folder / "stream0/head.safetensors")
        (folder / "head.pkl").write_bytes(b"cposix\nsystem\n.")

    @classmethod
    def load(cls, folder):
        raise NotImplementedError


def guess(
    root: Path, task: Task, out: Path, *, split: str = "val", seed: int = 0, offset: int = 0, fresh: bool = False
) -> Finished:
    """Run it on the data set below ``root``, into ``out``, with a store of its own."""
    settings = Settings(out=out, store=out / "results.duckdb", device="cpu")
    entry = SolutionEntry(f"{task.name.lower()}/guesses", task, "", create=lambda _: Guesses(task, offset))
    return run_solution(entry, open_dataset(root, task), split, settings, seed=seed, fresh=fresh)
