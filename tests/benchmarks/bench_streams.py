"""Streams of the violence recipes: flow and poses by a process a core, beside one process."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.settings import Settings, load_settings
from harness.tasks import VD
from solutions.cache.features import FeatureSource
from tests.support.digests import digests
from tests.support.places import REAL

CLIPS = REAL / "fights"
N_VIDEOS, N_CLIPS = 6, 6


@pytest.fixture(scope="module")
def fights(tmp_path_factory) -> Dataset:
    """Real clips, joined into six videos of frames; skips where they are missing."""
    root = Path(os.environ.get("ABAW_BENCH_FIGHTS", CLIPS))
    paths = sorted(root.rglob("*.mp4"))[: N_VIDEOS * N_CLIPS]
    if not paths:
        pytest.skip("the real clips (../shared/real) are not here, and ABAW_BENCH_FIGHTS does not name them")
    frames = tmp_path_factory.mktemp("fights")
    videos = []
    for k in range(N_VIDEOS):
        folder = frames / str(k)
        folder.mkdir()
        n = 0
        for path in paths[k::N_VIDEOS]:
            capture = cv2.VideoCapture(str(path))
            while (read := capture.read())[0]:
                n += 1
                cv2.imwrite(str(folder / f"{n:05d}.jpg"), read[1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        videos.append(Video(str(k), n, image_folder=folder, noun="picture"))
    return Dataset("fights", frames, VD, {"val": videos})


def extract_anew(name: str, data: Dataset, settings: Settings) -> dict[str, str]:
    """What the cache holds afterwards, by file."""
    shutil.rmtree(settings.cache, ignore_errors=True)
    again = dataclasses.replace(data, splits={"val": [dataclasses.replace(video) for video in data.videos("val")]})
    FeatureSource(settings).extract(name, again, ["val"])
    return digests(settings.cache)


@pytest.mark.parametrize("name", ["flow", "flow-fixed", "flow-statistics", "pose"])
def test_streams(beside, fights, tmp_path, request, name):
    if name == "pose":
        request.getfixturevalue("mediapipe")
    settings = dataclasses.replace(load_settings(), cache=tmp_path / "cache")
    many = dataclasses.replace(settings, workers=max(2, os.cpu_count() or 1))
    frames = sum(video.n_frames for video in fights.videos("val"))

    def same(one, other):
        assert one.keys() == other.keys()
        assert all(np.array_equal(content, other[path]) for path, content in one.items())

    beside(
        f"extraction, {name}, {many.workers} workers with their start",
        f"{frames:,} frames, {N_VIDEOS} videos",
        "the same with one process",
        theirs=lambda: extract_anew(name, fights, dataclasses.replace(settings, workers=1)),
        ours=lambda: extract_anew(name, fights, many),
        same=same, repeats=2,
    )  # fmt: skip
