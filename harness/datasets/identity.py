"""Is this really Aff-Wild2? Published numbers may stand beside a run only if it is."""

from __future__ import annotations

import csv
import functools
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, problem
from harness.tasks import Task

if TYPE_CHECKING:
    from harness.datasets.dataset import Video

AFFWILD2 = "Aff-Wild2"
MARKER = "DATASET.toml"
# OpenCV's frame count differs from the official one by up to 49 in the released videos (table below)
_TOLERANCE = 60
# the competition's calls, 5th edition on; the 3rd had 71 for VA
_VALIDATION_VIDEOS = {"EXPR": 70, "VA": 76, "AU": 105}
_ENOUGH = 0.9


@functools.cache
def affwild2_frame_counts() -> Mapping[str, int]:
    """Frame count of every raw video of Aff-Wild2 as OpenCV reports it, by base name.

    Source: outputs printed in public notebooks of the HSEmotion team (EmotiEffLib, ABAW 3 to 8).
    """
    text = (resources.files("harness") / "reference" / "affwild2_frame_counts.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["base_video"]: int(row["cap_frames"]) for row in rows if row["cap_frames"]}


def dataset_name(root: Path, task: Task, splits: Mapping[str, Sequence[Video]]) -> str:
    """``Aff-Wild2`` if nearly all videos are its, by name and length, and the validation set is whole.

    Else ``DATASET.toml``'s name, or the folder's. A part of Aff-Wild2 is called so: a score on 12 of the 70 validation
    videos can't stand beside scores on all of them.

    Raises:
        DataError: ``DATASET.toml`` can't be read.
    """
    marker = root / MARKER
    if marker.is_file():
        try:
            name = tomllib.loads(marker.read_text(encoding="utf-8")).get("name")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(problem("not readable as TOML", where=marker, found=error)) from None
        if isinstance(name, str) and name and name != AFFWILD2:
            return name
    counts = affwild2_frame_counts()
    videos = [video for members in splits.values() for video in members]
    known = sum(abs(counts.get(video.base, -_TOLERANCE - 1) - video.n_frames) <= _TOLERANCE for video in videos)
    if videos and known >= 0.95 * len(videos):
        val, official = len(splits.get("val", ())), _VALIDATION_VIDEOS.get(task.name, 0)
        return AFFWILD2 if val >= _ENOUGH * official else f"{AFFWILD2}, {val} of {official} validation videos"
    folder = root.resolve().name
    # whatever the folder is called, published numbers must not stand beside it
    return f"{folder} (not recognised)" if folder.casefold() == AFFWILD2.casefold() else folder
