"""A solution of a third party that predicts one class."""

from __future__ import annotations

import numpy as np

from harness.plugins.interface import Predictions, VideoPrediction
from harness.settings import Settings
from harness.tasks import EXPR


class Constant:
    """Predicts one class; knows nothing of encoders, heads or caches."""

    task = EXPR
    name = "expr/constant"

    def __init__(self, settings: Settings, answer: int) -> None:
        self.settings = settings
        self.answer = answer
        self.fitted = 0

    def describe(self):
        return {"answer": self.answer}

    def fit(self, data, *, seed):
        self.fitted += 1

    def predict(self, data, split):
        scores = np.eye(8, dtype=np.float32)[self.answer % 8]
        videos = {
            v.name: VideoPrediction(np.tile(scores, (v.n_frames, 1)), np.full(v.n_frames, self.answer))
            for v in data.videos(split)
        }
        return Predictions(EXPR, videos)

    def save(self, folder):
        (folder / "answer.txt").write_text(str(self.answer))

    @classmethod
    def load(cls, folder):
        return cls(Settings(), int((folder / "answer.txt").read_text()))
