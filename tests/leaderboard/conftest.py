"""Stores with runs that the tests make up: real records in a real DuckDB file, only the numbers are invented."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.record import RunRecord
from harness.store.store import Store
from leaderboard.screens import drawing

CLASSES = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")
RunFactory = Callable[..., RunRecord]


def _row(estimate: str, metric: str, target: str, value: float, half: float | None = None) -> dict[str, Any]:
    low, high = (None, None) if half is None else (value - half, value + half)
    row = {"estimate": estimate, "metric": metric, "version": 1, "target": target}
    return {**row, "value": value, "low": low, "high": high}


def _scores(score: float, tuned: float | None, half: float) -> list[dict[str, Any]]:
    rows = [_row("headline", "macro_f1", "all", score, half)]
    rows += [_row("headline", "f1", name, score, half) for name in CLASSES]
    if tuned is not None:
        rows.append(_row("tuned_on_all", "macro_f1", "all", tuned, half))
    return [*rows, _row("constant", "macro_f1", "all", 0.0567)]


def make_run(
    name: str = "expr/landmarks-mlp-smooth",
    score: float | None = 0.4,
    *,
    tuned: float | None = None,
    half: float = 0.03,
    data_name: str = "Aff-Wild2",
    split: str = "val",
    seed: int = 0,
    **changes: Any,
) -> RunRecord:
    """The record of an EXPR run; ``score=None`` for a split without labels."""
    fields: dict[str, Any] = {
        "run_id": f"{name}-{data_name}-{split}-s{seed}".replace("/", "-"),
        "created": f"2026-11-22T10:{seed:02d}:00+00:00",
        "task": "EXPR",
        "split": split,
        "name": name,
        "seed": seed,
        "encoder": "landmarks",
        "head": "mlp-128",
        "postprocess": "gaps filled",
        "trained_on": "train",
        "tuned_on": "nothing" if tuned is None else "val, cross-fitted by video, 5 folds",
        "recipe": {"name": name},
        "options": {},
        "choices": {"tuned_on": "val", "half_width": {"candidates": [0, 5], "per_fold": [0, 5], "on_all": 5}},
        "data": {"name": data_name, "fingerprint": "f" * 64, "videos": 70, "frames": 280_532},
        "scores": [] if score is None else _scores(score, tuned, half),
        "files": {"predictions.txt": "0" * 64},
        "provenance": {"git": {"commit": "6e09578e0f3a", "dirty": False}, "device": "cpu"},
        "timings": {"total": 12.5, "frames_per_second": 94.9},
        "constant": "always Happiness",
    }
    return RunRecord(**{**fields, **changes})


@pytest.fixture(scope="session")
def run_record() -> RunFactory:
    """Makes records, see :func:`make_run`."""
    return make_run


@pytest.fixture
def checked_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts on a page are held against Vega-Lite's schema, for which no reader is made to wait."""
    monkeypatch.setattr(drawing, "_VALIDATE", True)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store that the page will open; there is no file before something is recorded."""
    path = tmp_path / "results.duckdb"
    monkeypatch.setenv("ABAW_STORE", str(path))
    return Store(path, patience=5)
