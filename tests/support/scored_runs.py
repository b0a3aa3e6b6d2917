"""Records of runs that the tests make up: with numbers as one asks for, or really scored on invented answers."""

from __future__ import annotations

import functools
import hashlib
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card, video_statistics
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord, constant_row, score_rows, statistics_of
from harness.store.store import Store
from harness.tasks import EXPR, VA, Task

FRAMES = 40
NOWHERE = Path("/nowhere")
CLASSES = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")


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
        "files": {"predictions.txt": hashlib.sha256(repr((name, score, split, seed, changes)).encode()).hexdigest()},
        "provenance": {"git": {"commit": "6e09578e0f3a", "dirty": False}, "device": "cpu"},
        "timings": {"total": 12.5, "frames_per_second": 94.9},
        "constant": "always Happiness",
    }
    return RunRecord(**{**fields, **changes})


@functools.cache
def _card(name: str, skill: float, seed: int, videos: int, task: Task) -> ScoreCard:
    """The score of answers that follow from name and seed; the labels are the same for all of one task and size."""
    truth, chance = np.random.default_rng(7), np.random.default_rng([zlib.crc32(name.encode()), seed])
    labels, answers = {}, {}
    for video in (f"video{k:02d}" for k in range(videos)):
        if task is VA:
            own = truth.uniform(-1, 1, (FRAMES, 2))
            said = np.clip(skill * own + (1 - skill) * chance.uniform(-1, 1, own.shape), -1, 1)
        else:
            own = truth.integers(0, task.n_outputs, FRAMES)
            guessed = chance.random(FRAMES) >= skill
            said = np.where(guessed, chance.integers(0, task.n_outputs, FRAMES), own)
        labels[video], answers[video] = own, said
    return score_card(task, tuple(labels), video_statistics(task, metric_for(task), labels, answers))


def scored_run(
    name: str,
    skill: float,
    *,
    seed: int = 0,
    tuned: float | None = None,
    videos: int = 12,
    task: Task = EXPR,
    data_name: str = "Aff-Wild2",
    **changes: Any,
) -> RunRecord:
    """A run that knows a share ``skill`` of the frames and guesses the rest, by :func:`make_run`.

    Args:
        tuned: its skill where it was tuned and reported on the same videos.
    """
    card = _card(name, skill, seed, videos, task)
    scores = [*score_rows(card, HEADLINE), constant_row(card)]
    if tuned is not None:
        scores += score_rows(_card(f"{name} tuned", tuned, seed, videos, task), TUNED_ON_ALL)
    fields: dict[str, Any] = {
        "scores": scores,
        "statistics": {HEADLINE: statistics_of(card)},
        "constant": card.constant[0],
        "data": {"name": data_name, "fingerprint": f"{videos:064d}", "videos": videos, "frames": FRAMES * videos},
    }
    return make_run(name, None, seed=seed, task=task.name, data_name=data_name, **{**fields, **changes})


def record(store: Store, *runs: RunRecord, folder: Path = NOWHERE) -> None:
    """Record runs whose folders lie in ``folder``, where none need be.

    A new store is a copy of one that was made for an earlier test: of the one with the same runs, else of an empty one.
    """
    places = [(run, folder / run.run_id) for run in runs]
    if store.path.exists():
        store.record(places)
        return
    key = repr([(vars(run), place) for run, place in places])  # a record does not name its statistics
    store.path.write_bytes(_made(key, lambda made: made.record(places)))


_MOST_KEPT = 12
_files: dict[str, bytes] = {}
"""Stores by what they hold, the one last used at the end; the empty one is always kept."""


def _made(key: str, fill: Callable[[Store], None]) -> bytes:
    """Return the file of a store that was filled now, or is kept since it was."""
    if key in _files:
        _files[key] = _files.pop(key)
        return _files[key]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "results.duckdb")
        if key:
            store.path.write_bytes(_made("", lambda made: made.record([])))
        fill(store)
        _files[key] = store.path.read_bytes()
    for surplus in [name for name in _files if name][:-_MOST_KEPT]:
        del _files[surplus]
    return _files[key]
