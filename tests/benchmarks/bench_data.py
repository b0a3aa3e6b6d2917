"""A data set on disk, opened and checked: many small files, and how the time grows with their number."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.datasets.checking.dataset import check_affwild2
from harness.datasets.open import open_dataset
from harness.tasks import AU, EXPR, VA
from tests.benchmarks.drawn import drawn_labels, videos_like

TASKS = (EXPR, VA, AU)
FRAMES = 6_000


def grow_tree(root: Path, n_frames: int) -> Path:
    """Twelve videos with so many frames in all, labelled for three tasks, a crop of a few bytes for 24 frames of 25."""
    rng = np.random.default_rng(0)
    for k, (name, classes) in enumerate(drawn_labels(videos_like(12, n_frames)).items()):
        n = len(classes)
        folder = root / "cropped" / name
        folder.mkdir(parents=True)
        for frame in range(1, n + 1):
            if frame % 25:
                (folder / f"{frame:05d}.jpg").write_bytes(b"\xff\xd8")
        rows = {
            "EXPR": [str(value) for value in classes.tolist()],
            "VA": [f"{v:.3f},{a:.3f}" for v, a in rng.uniform(-1, 1, (n, 2)).tolist()],
            "AU": [",".join(map(str, units)) for units in rng.integers(0, 2, (n, 12)).tolist()],
        }
        for task in TASKS:
            split = "Train_Set" if k % 2 else "Validation_Set"
            path = root / "6th_ABAW_Annotations" / task.annotation_folders[0] / split / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join([task.header, *rows[task.name], ""]))
    return root


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    return {n: grow_tree(tmp_path_factory.mktemp("tree") / "data", n) for n in (FRAMES, 2 * FRAMES, 4 * FRAMES)}


def crop_frames(root):
    """As a script has it: the frame numbers of each folder of crops."""
    found = {}
    for folder, _, files in os.walk(root / "cropped"):
        if files:
            found[Path(folder).name] = np.array(sorted(int(f[:-4]) for f in files if f.endswith(".jpg")))
    return found


def read_with_pandas(root, task):
    files = (root / "6th_ABAW_Annotations" / task.annotation_folders[0]).rglob("*.txt")
    return {path.stem: pd.read_csv(path, skiprows=1, header=None).to_numpy() for path in files}


def test_opening(beside, trees):
    root = trees[4 * FRAMES]

    def theirs():
        crops = crop_frames(root)
        return {name: (labels[:, 0], crops[name]) for name, labels in read_with_pandas(root, EXPR).items()}

    def ours():
        videos = [video for members in open_dataset(root, EXPR).splits.values() for video in members]
        return {video.name: (video.labels, video.images.frames) for video in videos}

    def same(theirs, ours):
        assert theirs.keys() == ours.keys()
        assert all(np.array_equal(a, b) for name in ours for a, b in zip(theirs[name], ours[name], strict=True))

    beside(
        "opening for EXPR; ours with sizes and times of crops",
        "24,000 frames, 12 videos",
        "os.walk, pandas.read_csv of each label file",
        theirs=theirs, ours=ours, same=same, repeats=7,
    )  # fmt: skip


def test_check(beside, trees):
    root = trees[4 * FRAMES]

    def theirs():
        crops = crop_frames(root)
        counts = []
        for task in TASKS:
            labels = read_with_pandas(root, task)
            frames, cropped = sum(map(len, labels.values())), sum(len(crops[name]) for name in labels)
            valid = sum(int((values != task.invalid).all(1).sum()) for values in labels.values())
            counts.append((frames, valid, frames - cropped))
        return counts

    def ours():
        splits = check_affwild2(root).splits
        rows = np.array([(row.frames, row.labelled, row.without_picture) for row in splits])
        names = np.array([row.task for row in splits])
        return [tuple(rows[names == task.name].sum(0).tolist()) for task in TASKS]

    def same(theirs, ours):
        assert theirs == ours

    beside(
        "check of all tasks; ours also of lengths, places, numbers",
        "24,000 frames, 12 videos",
        "os.walk, pandas.read_csv of each label file",
        theirs=theirs, ours=ours, same=same, repeats=7,
    )  # fmt: skip


def test_growth(grows, trees):
    grows("check of all tasks", "frames", {n: lambda root=root: check_affwild2(root) for n, root in trees.items()})
