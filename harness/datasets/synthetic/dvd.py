"""A generator of procedural scenes, written in DVD's layout."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from harness.datasets.dvd import SPLIT_FOLDERS
from harness.datasets.identity import MARKER
from harness.datasets.synthetic.fights import MIN_FRAMES, Action, act, draw
from harness.datasets.synthetic.layout import check_arguments, marker_text, write_each, write_text
from harness.datasets.synthetic.plan import DrawnVideo
from harness.system.atomic import atomic_folder
from harness.tasks import SPLITS, VD

VERSION = 1  # of the generator: raise it whenever the same seed would give other bytes
SIZE = (192, 144)
NOTE = (
    "Procedural: every scene and label here was drawn and computed by the program's own code. "
    "A score on it shows that the pipeline works and nothing more."
)
_TEMPLATES = "Expected_Output_Files"
# the second training video has a stretch without labels, the second validation video one without images
_UNLABELLED, _WITHOUT_PICTURES = ("train", 1), ("val", 1)


class _Purpose(enum.IntEnum):
    """The use of a random stream; part of its key, so never renumber."""

    LENGTH = 0
    ACTION = 1
    CAMERA = 2
    GAP = 3


@dataclass(frozen=True)
class _Plan(DrawnVideo):
    least_frames: ClassVar[int] = MIN_FRAMES

    @property
    def name(self) -> str:
        """Name of four digits, unique over all splits."""
        return f"{len(SPLITS) * self.index + SPLITS.index(self.split):04d}"

    def there(self, with_gap: tuple[str, int]) -> npt.NDArray[np.bool_]:
        """Return a mask ``(frames,)``, True except for a stretch in the middle of the one video that has a gap.

        Args:
            with_gap: split and index of the video that has a gap.
        """
        mask = np.ones(self.frames, bool)
        if (self.split, self.index) == with_gap:
            start = int(self.frames * self.stream(_Purpose.GAP).uniform(0.3, 0.6))
            mask[start : start + max(2, self.frames // 12)] = False
        return mask


def write_dvd(
    out: Path,
    *,
    seed: int = 0,
    videos: Mapping[str, int],
    frames: int = 240,
    size: tuple[int, int] = SIZE,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Draw a data set in DVD's layout: frames, annotations, templates and held-out test labels.

    The same arguments give the same bytes; more videos leave the first ones as they were. The second training video has
    unlabelled frames in the middle; the second validation video lacks some images.

    Args:
        out: absent or an empty folder. It appears whole or not at all.
        seed: 0 or more.
        videos: number of videos by split; a missing split is left empty.
        frames: mean length of a video, at least 20.
        size: width and height of the images.
        progress: called after each video with its name, how many are done, and how many there are.

    Raises:
        UsageError: ``out`` holds something already, or a number is out of range.
        StorageError: the disk is full or the folder can't be written.
    """
    check_arguments(out, seed, videos, frames, MIN_FRAMES)
    plans = [_Plan(seed, split, k, frames) for split in SPLITS for k in range(videos.get(split, 0))]
    with atomic_folder(out.absolute()) as root:
        write_each(plans, lambda plan: _write_video(root, plan, size), progress)
        write_text(
            root / MARKER,
            marker_text("abaw-synth-dvd", VERSION, NOTE, seed, videos, frames, [f"size = [{size[0]}, {size[1]}]"]),
        )


def _write_video(root: Path, plan: _Plan, size: tuple[int, int]) -> None:
    action: Action = act(plan.stream(_Purpose.ACTION), plan.frames, size[0] / size[1])
    place = root / SPLIT_FOLDERS[plan.split]
    pictures = place / "frames" / plan.name
    pictures.mkdir(parents=True)
    there = plan.there(_WITHOUT_PICTURES)
    for number, jpeg in enumerate(draw(plan.stream(_Purpose.CAMERA), action, size), 1):
        if there[number - 1]:
            (pictures / f"{number:05d}.jpg").write_bytes(jpeg)
    labels = [(k, label) for k, label in enumerate(action.violent.tolist(), 1)]
    if plan.split == "test":
        _write_rows(root / _TEMPLATES / f"{plan.name}.csv", [(k, 0) for k, _ in labels])
        _write_rows(root / "held_out" / f"{plan.name}.csv", labels)
    else:
        labelled = plan.there(_UNLABELLED)
        _write_rows(place / "annotations" / f"{plan.name}.csv", [row for row in labels if labelled[row[0] - 1]])


def _write_rows(path: Path, rows: list[tuple[int, int]]) -> None:
    write_text(path, "\n".join([VD.header, *(f"{k},{label}" for k, label in rows)]) + "\n")
