"""A data set cut down to a few videos of a few frames, and recipes cut down to a moment's work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.numbered import ImageFiles
from harness.datasets.open import open_dataset
from harness.plugins.registry import solution_entries
from harness.tasks import Task
from solutions import recipes
from solutions.heads.settings import BoostedTrees, MlpSettings
from solutions.postprocess.plan import Choose, PostProcess
from solutions.recipe import Recipe

EPOCHS, TREES = 2, 5


def opened(root: Path, task: Task, videos: Mapping[str, int], frames: int) -> Dataset:
    """The first videos of each split, the first frames of each; without the template, which has them all."""
    data = open_dataset(root, task)
    splits = {split: [shortened(video, frames) for video in data.videos(split)[:n]] for split, n in videos.items()}
    return replace(data, splits=splits, template=None)


def shortened(video: Video, n: int) -> Video:
    """A video that ends after ``n`` frames."""
    crops = video.images
    k = int((crops.frames <= n).sum())
    short = replace(video, n_frames=n, labels=None if video.labels is None else video.labels[:n])
    kept = (column[:k] for column in (crops.frames, crops.names, crops.sizes, crops.modified))
    short.__dict__["images"] = ImageFiles(crops.folder, *kept)
    return short


@contextmanager
def cut_down_recipes() -> Iterator[None]:
    """Cut all recipes down until the block ends: heads train for a moment, constants have three candidates at most."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "RECIPES", tuple(map(_cut_down, recipes.RECIPES)))
        solution_entries.cache_clear()
        yield
    solution_entries.cache_clear()


def _cut_down(recipe: Recipe) -> Recipe:
    streams, plan = tuple(map(_with_short_training, recipe.streams)), recipe.postprocess
    steps = (getattr(plan, field.name) for field in fields(plan))
    return replace(recipe, streams=streams, postprocess=PostProcess(*map(_with_few_candidates, steps)))


def _with_short_training(stream: Any) -> Any:
    head = getattr(stream, "head", None)
    if isinstance(head, MlpSettings):
        return replace(stream, head=replace(head, epochs=min(head.epochs, EPOCHS)))
    if isinstance(head, BoostedTrees):
        return replace(stream, head=replace(head, iterations=min(head.iterations, TREES)))
    return stream


def _with_few_candidates(step: Any) -> Any:
    """Return a step of the post-processing with the first, the middle and the last of its candidates."""
    if step is None:
        return None
    values = {field.name: getattr(step, field.name) for field in fields(step)}
    return replace(step, **{name: _few(value) for name, value in values.items() if isinstance(value, Choose)})


def _few(choice: Choose) -> Choose:
    candidates = choice.candidates
    return Choose((candidates[0], candidates[len(candidates) // 2], candidates[-1]))
