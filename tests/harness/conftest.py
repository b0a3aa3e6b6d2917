"""Tiny data sets in Aff-Wild2's layout, official files and run records, written as a team would have them."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.record import RunRecord
from harness.tasks import EXPR, Task

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Tree:
    """A data set below ``root``; each method adds what its name says."""

    root: Path

    def labels(
        self,
        split: str,
        video: str,
        rows: Iterable[object],
        *,
        task: Task = EXPR,
        annotations: str = "6th_ABAW_Annotations",
        challenge: str | None = None,
    ) -> Path:
        folder = self.root / annotations / (challenge or task.annotation_folders[0])
        path = folder / {"train": "Train_Set", "val": "Validation_Set"}[split] / f"{video}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([task.header, *map(str, rows), ""]))
        return path

    def crops(self, video: str, frames: Iterable[int], *, folder: str = "cropped") -> Path:
        place = self.root / folder / video
        place.mkdir(parents=True, exist_ok=True)
        for frame in frames:
            (place / f"{frame:05d}.jpg").write_bytes(b"\xff\xd8" + frame.to_bytes(4, "little"))
        return place

    def template(
        self,
        videos: Mapping[str, int],
        *,
        task: Task = EXPR,
        value: str = "0",
        path: str = "test_set_examples/CVPR_6th_ABAW_Expr_test_set_example.txt",
    ) -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"{name}/{k:05d}.jpg,{value}" for name, n in videos.items() for k in range(1, n + 1)]
        place.write_text("\n".join([task.submission_header, *rows, ""]))
        return place


@pytest.fixture
def tree(tmp_path) -> Tree:
    """An empty data set."""
    root = tmp_path / "data"
    root.mkdir()
    return Tree(root)


@pytest.fixture
def small_tree(tree) -> Tree:
    """Two training videos, one of validation, one of test, for EXPR."""
    tree.labels("train", "a", [0, 1, 2])
    tree.labels("train", "b_left", [3, -1, 5, 6])
    tree.labels("val", "c", [7, 7])
    tree.template({"d": 3})
    for name, n in {"a": 3, "b_left": 4, "c": 2, "d": 3}.items():
        tree.crops(name, range(1, n + 1))
    return tree


@pytest.fixture
def submission(tmp_path) -> Callable[..., Path]:
    """Writes an official file: a header, then the rows as given."""

    def write(*rows: str, task: Task = EXPR, header: str | None = None, end: str = "\n") -> Path:
        path = tmp_path / "predictions.txt"
        lines = [task.submission_header if header is None else header, *rows]
        path.write_bytes("\n".join(lines).encode() + end.encode())
        return path

    return write


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
        "files": {"predictions.txt": "0" * 64},
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


@pytest.fixture
def run_record() -> Callable[..., RunRecord]:
    """Makes a run record; any field can be given."""
    return make_record


@pytest.fixture
def python() -> Callable[..., subprocess.Popen[str]]:
    """Starts a Python process that runs ``code`` with the repository importable; what it gets is ``argument``."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, argument: Any = None) -> subprocess.Popen[str]:
        prefix = f"import json, sys\nargument = json.loads({json.dumps(json.dumps(argument, default=str))})\n"
        process = subprocess.Popen(
            [sys.executable, "-c", prefix + textwrap.dedent(code)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
