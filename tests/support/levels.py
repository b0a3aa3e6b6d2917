"""Small data sets of EMI, AH and AHV in memory, and a solution that answers at random: what every level must carry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.dataset import Dataset, Video
from harness.files.format import FRAME_FROM_ZERO
from harness.files.template import read_template
from harness.plugins.interface import Predictions, SolutionEntry, VideoPrediction
from harness.settings import Settings
from harness.tasks import AH, EMI, Task

SPLITS = {"train": 8, "val": 7, "test": 3}
QUESTIONS = 4


def settings_in(folder: Path) -> Settings:
    return Settings(out=folder / "runs", store=folder / "runs" / "results.duckdb", cache=folder / "cache")


def bah_names(split: str) -> list[str]:
    """Names of all videos of a split, as the packs have them: with spaces, and four videos per person."""
    first = 10 * list(SPLITS).index(split)
    return [
        f"{person:05d}/Visite {q % 2}/{person:05d}_Question_{q}_2024-01-15 10-20-0{q}_Video.mp4"
        for person in range(first, first + SPLITS[split])
        for q in range(1, QUESTIONS + 1)
    ]


def levels_data(task: Task, root: Path, seed: int = 0) -> Dataset:
    """A data set of the task; labels of one person resemble each other, and test videos have none."""
    rng = np.random.default_rng(seed)
    splits = {split: tuple(_videos(task, split, rng)) for split in SPLITS}
    template = None
    if task is AH:
        path = root / "trial-0.txt"
        root.mkdir(parents=True, exist_ok=True)
        rows = [FRAME_FROM_ZERO.name(v.name, k) for v in splits["test"][::-1] for k in range(v.n_frames)]
        path.write_text("".join(f"{row},0\n" for row in rows))
        template = read_template(path, task)
    return Dataset(f"drawn-{task.name}", root, task, splits, template)


def _videos(task: Task, split: str, rng: np.random.Generator) -> list[Video]:
    if task is EMI:
        start = 100 * list(SPLITS).index(split)
        names = [f"{start + k:05d}" for k in range(5 * SPLITS[split])]
        votes = rng.integers(0, 4, (len(names), 6)) / 4
        labels = [None if split == "test" else row[None] for row in votes]
        return [Video(n, int(rng.integers(3, 60)), own, rows=1) for n, own in zip(names, labels, strict=True)]
    found = []
    for name in bah_names(split):
        person = name.split("/")[0]
        share, n = np.random.default_rng(int(person)).uniform(0.05, 0.6), int(rng.integers(5, 30))
        rows = n if task is AH else 1
        labels = None if split == "test" else (rng.random(rows) < share).astype(np.int64)
        found.append(Video(name, n, labels, rows=rows, person=person))
    return found


class Random:
    """Answers at random, and a little better than that: a third party's solution without any file of ours."""

    name = "any/random"

    def __init__(self, settings: Settings, task: Task, key: int = 0, *, probabilities: bool = True) -> None:
        self.settings, self.task, self.key, self.probabilities = settings, task, key, probabilities
        self.seed = 0

    def describe(self) -> dict[str, Any]:
        return {"task": self.task.name, "key": self.key, "probabilities": self.probabilities}

    def fit(self, data: Dataset, *, seed: int) -> None:
        self.seed = seed

    def predict(self, data: Dataset, split: str) -> Predictions:
        rng = np.random.default_rng([self.seed, self.key])
        return Predictions(
            self.task, {v.name: self._answer(v, rng) for v in data.videos(split)}, {"tuned_on": "nothing"}
        )

    def _answer(self, video: Video, rng: np.random.Generator) -> VideoPrediction:
        if self.task.kind == "values":
            known = 0.5 if video.labels is None else video.labels
            values = np.clip(0.4 * known + 0.6 * rng.random((video.n_rows, self.task.n_outputs)), 0, 1)
            return VideoPrediction(values.astype(np.float32), values)
        known = 0.5 if video.labels is None else video.labels
        positive = (0.3 * known + 0.7 * rng.random(video.n_rows)).astype(np.float32)
        scores = np.stack([1 - positive, positive], axis=1)
        scores = scores if self.probabilities else 5 * scores - 2
        return VideoPrediction(scores.astype(np.float32), (positive > 0.5).astype(np.int64))

    def save(self, folder: Path) -> None:
        (folder / "random.json").write_text(json.dumps({**self.describe(), "seed": self.seed}))

    @classmethod
    def load(cls, folder: Path) -> Random:
        from harness.tasks import TASKS

        content = json.loads((folder / "random.json").read_text())
        made = cls(Settings(), TASKS[content["task"]], content["key"], probabilities=content["probabilities"])
        made.seed = content["seed"]
        return made


def random_entry(task: Task, key: int = 0, *, probabilities: bool = True) -> SolutionEntry:
    return SolutionEntry(
        Random.name, task, "", create=lambda given: Random(given, task, key, probabilities=probabilities)
    )
