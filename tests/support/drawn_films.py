"""A small set of drawn films, and recipes cut down to it: a few frames, small pictures, a step or two of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.datasets.dataset import Dataset, Video
from harness.images import opencv
from harness.tasks import VD
from solutions.clips.settings import ClipStream, Windows
from solutions.recipe import Recipe

LENGTHS = {"train": (26, 20, 17), "val": (21, 18, 9), "test": (19, 5)}


def drawn(root: Path, lengths: Mapping[str, tuple[int, ...]] = LENGTHS) -> Dataset:
    """Films in which a square moves about while there is violence."""
    splits = {}
    for split, of in lengths.items():
        seeds, labelled = range(100 * len(split), 100 * len(split) + len(of)), split != "test"
        splits[split] = [
            film(root, f"{split}{seed}", n, seed=seed, labelled=labelled) for seed, n in zip(seeds, of, strict=True)
        ]
    return Dataset("drawn films", root, VD, splits)


def film(root: Path, name: str, n: int, *, seed: int = 0, labelled: bool = True, missing: Iterable[int] = ()) -> Video:
    """One film of ``n`` frames; those missing, numbered from 1, have no picture."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) // 6 + seed) % 2
    back, at = rng.integers(60, 120, (36, 48, 3)), np.array([12, 16])
    folder = root / name
    folder.mkdir(parents=True)
    for k, violent in enumerate(labels):
        if violent:
            at = rng.integers(0, [24, 36])
        image = back + rng.integers(-4, 5, back.shape)
        image[at[0] : at[0] + 12, at[1] : at[1] + 12] = (220, 40, 40)
        if k + 1 not in missing:
            encoded = opencv().imencode(".jpg", image.astype(np.uint8)[..., ::-1])[1]
            (folder / f"{k + 1:05d}.jpg").write_bytes(encoded.tobytes())
    if labelled and n > 10:
        labels[3] = VD.invalid
    return Video(name, n, labels if labelled else None, crop_folder=folder)


def cut_down(recipe: Recipe) -> Recipe:
    """The same recipe, of which only sizes are smaller."""
    return replace(recipe, streams=tuple(_cut_down(stream) for stream in recipe.streams))


def _cut_down(stream: object) -> object:
    if not isinstance(stream, ClipStream):
        return stream
    training = replace(stream.training, clip_length=8, batch=2, accumulate=1, epochs=1, epoch_clips=4)
    windows = Windows(8, 8, stream.windows.step)
    return replace(stream, network=replace(stream.network, size=32), training=training, windows=windows)
