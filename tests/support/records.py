"""Run records with every field filled."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from harness.records.run import RunRecord


def make_record(run_id: str = "landmarks-val-s0-00000000", **changes: Any) -> RunRecord:
    """A run record with every field filled."""
    confusion = np.diag([5.0] * 8)
    confusion[0, 1] = 3
    content: dict[str, Any] = {
        "run_id": run_id,
        "created": "2026-03-14T15:09:26+00:00",
        "task": "EXPR",
        "split": "val",
        "name": "expr/landmarks-mlp",
        "seed": 0,
        "encoder": "landmarks",
        "head": "mlp-128",
        "postprocess": "smooth",
        "trained_on": "train",
        "tuned_on": "val, cross-fitted",
        "recipe": {"encoder": "landmarks", "hidden": [128, 64]},
        "options": {"crops": "cropped"},
        "choices": {"half_width": {"on_all": 7, "per_fold": [5, 7]}},
        "data": {"name": "Aff-Wild2", "fingerprint": "f" * 64, "videos": 2, "frames": 86, "frames_without_crop": 1},
        "scores": [
            score_row("headline", "macro_f1", "all", 0.41),
            score_row("headline", "accuracy", "all", 0.52),
            score_row("headline", "f1", "Neutral", 0.60),
            score_row("tuned_on_all", "macro_f1", "all", 0.44),
            score_row("constant", "macro_f1", "all", 0.05, low=None, high=None),
        ],
        "constant": "always Neutral",
        "files": {"predictions.txt": hashlib.sha256(repr(run_id).encode()).hexdigest()},
        "provenance": {"git": None, "packages": {"numpy": "2.0"}},
        "timings": {"fit": 1.0, "total": 2.5, "frames_per_second": 40.0},
        "notes": ["crops: took cropped/"],
        "statistics": {"headline": {"a": confusion.ravel().tolist(), "b_left": confusion.T.ravel().tolist()}},
    }
    return RunRecord(**(content | changes))


def score_row(
    estimate: str, metric: str, target: str, value: float, low: float | None = 0.3, high: float | None = 0.5
) -> dict[str, Any]:
    row = {"estimate": estimate, "metric": metric, "version": 1, "target": target, "value": value}
    return {**row, "low": low, "high": high}
