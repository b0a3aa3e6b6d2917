"""Small sets of EMI, AH and AHV with random features: recipes whose encoders are exchanged for features of a team."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.plugins.registry import solution_entries
from harness.tasks import EMI, Task
from solutions import recipes
from solutions.columns import Columns
from solutions.recipe import ColumnStream, Recipe
from tests.support import shortened

DIM = 6
FIRST = {"train": 0, "val": 100, "test": 12_660}
VIDEOS = {"train": 12, "val": 10, "test": 4}


def drawn(root: Path, task: Task) -> Dataset:
    """Return a data set of short videos, two per person, whose labels follow the features."""
    splits = {}
    for split, n in VIDEOS.items():
        videos = []
        for k in range(n):
            rng = np.random.default_rng([k, *split.encode()])
            n_frames = int(rng.integers(8, 14))
            labels, rows = _labels(task, _signal(split, k, n_frames)), None
            if task.level == "video":
                rows = 1
            person = "" if task is EMI else f"{split}-person-{k // 2}"
            known = None if split == "test" else labels
            name = f"{FIRST[split] + k:05d}" if task is EMI else f"{split}-{k:02d}_Video.mp4"
            videos.append(Video(name, n_frames, known, rows=rows, person=person))
        splits[split] = videos
    return Dataset(task.name.lower(), root, task, splits)


def _signal(split: str, k: int, n_frames: int) -> np.ndarray:
    rng = np.random.default_rng([k, n_frames, *split.encode()])
    return rng.normal(0, 1, DIM) + rng.normal(0, 0.5, (n_frames, DIM))


def _labels(task: Task, signal: np.ndarray) -> np.ndarray:
    if task is EMI:
        return np.clip(signal.mean(0)[None] * 0.4 + 0.3, 0, 1)
    if task.level == "video":
        return np.array([int(signal[:, 0].mean() > 0)])
    return (signal[:, 0] > 0).astype(np.int64)


def slug(columns: Columns) -> str:
    """Return the name of the folder that stands for an encoder."""
    kind = "row" if columns.pooling == "row" else "rows"
    return re.sub(r"[^a-z0-9]+", "-", f"{columns.encoder}-{columns.part}-{kind}".lower())


def bring(cache: Path, data: Dataset, columns: Columns) -> None:
    """Write random features of an encoder: a row per frame, or one per video."""
    folder = cache / "precomputed" / slug(columns)
    if (folder / f"{data.videos('train')[0].name}.npy").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    mix = np.random.default_rng([*slug(columns).encode()]).normal(size=(DIM, columns.width or 5))
    for split in VIDEOS:
        for k, video in enumerate(data.videos(split)):
            rows = _signal(split, k, video.n_frames) @ mix
            rows = rows.mean(0)[None] if columns.pooling == "row" else rows
            np.save(folder / f"{video.name}.npy", rows.astype(np.float32))


@contextmanager
def exchanged_encoders() -> Iterator[None]:
    """Let every recipe on columns take features of a team, and train for a moment, until the block ends."""
    with shortened.cut_down_recipes(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "RECIPES", tuple(map(_exchanged, recipes.RECIPES)))
        solution_entries.cache_clear()
        yield
    solution_entries.cache_clear()


def _exchanged(recipe: Recipe) -> Recipe:
    plan = recipe.postprocess
    if plan.video_filter:
        columns = brought(plan.video_filter.columns)
        plan = replace(plan, video_filter=replace(plan.video_filter, columns=columns))
    streams, final = (tuple(map(_with_brought, part)) for part in (recipe.streams, recipe.final))
    constants = recipe.paper_constants
    if constants and constants.video_filter:
        columns = brought(constants.video_filter.columns)
        constants = replace(constants, video_filter=replace(constants.video_filter, columns=columns))
    return replace(recipe, streams=streams, final=final, postprocess=plan, paper_constants=constants)


def _with_brought(stream):
    if not isinstance(stream, ColumnStream):
        return stream
    return replace(stream, columns=tuple(map(brought, stream.columns)))


def brought(columns: Columns) -> Columns:
    """Return the same columns from a folder of features."""
    return replace(columns, encoder=f"precomputed:{slug(columns)}", part="embeddings")


def columns_of(recipe: Recipe) -> Iterator[Columns]:
    """Yield all columns that a recipe reads."""
    for stream in (*recipe.streams, *recipe.final):
        if isinstance(stream, ColumnStream):
            yield from stream.columns
    if recipe.postprocess.video_filter:
        yield recipe.postprocess.video_filter.columns
