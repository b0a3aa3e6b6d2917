"""Tiny data sets in Aff-Wild2's layout, written as a team would have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.tasks import EXPR, Task


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
