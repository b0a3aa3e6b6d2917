"""Work by Ray's workers on this machine's cores beside the same in one command without Ray; what Ray costs a video."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import statistics
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.datasets.synthetic import write_affwild2
from harness.engine import engine_of
from harness.settings import Settings
from harness.tasks import EXPR
from solutions.cache.images import extract_features
from solutions.encoders.registry import make_encoder
from tests import cluster_workers as workers
from tests.support.digests import digests

ray = pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
CORES = os.cpu_count() or 1
N_CROPS = int(os.environ.get("ABAW_BENCH_N_CROPS", 960))
ENCODERS = ("landmarks", "timm:resnet18")


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> list[Path]:
    """Those below ``ABAW_BENCH_CROPS``, spread over all of them, else drawn ones."""
    if folder := os.environ.get("ABAW_BENCH_CROPS"):
        return sorted(Path(folder).resolve().rglob("*.jpg"))
    root = tmp_path_factory.mktemp("drawn") / "data"
    write_affwild2(root, videos={"val": 6}, frames=100)
    return [path for video in open_dataset(root, EXPR).videos("val") for path in video.images.paths()]


@pytest.fixture
def filmed(tmp_path, crops):
    """Makes a data set of so many videos with so many frames each, out of links to the crops."""

    def film(videos: int, frames: int) -> Dataset:
        root = tmp_path / f"{videos}x{frames}"
        for k in range(videos):
            (root / str(k)).mkdir(parents=True)
            for frame in range(frames):
                at = (k * frames + frame) * len(crops) // (videos * frames)
                (root / str(k) / f"{frame + 1:05d}.jpg").symlink_to(crops[at])
        return Dataset(
            root.name, root, EXPR, {"val": [Video(str(k), frames, None, root / str(k)) for k in range(videos)]}
        )

    return film


@pytest.fixture(scope="module")
def started() -> float:
    """Ray on all cores of this machine; the seconds that its start took."""
    start = time.perf_counter()
    engine_of(Settings(engine="ray", workers=CORES, device="cpu"))
    yield time.perf_counter() - start
    ray.shutdown()


def extract_anew(encoder, data, settings, make):
    shutil.rmtree(settings.cache, ignore_errors=True)
    data = replace(data, splits={"val": [replace(video) for video in data.videos("val")]})
    with contextlib.redirect_stderr(io.StringIO()):  # progress
        extract_features(encoder, data, ["val"], settings, make=make)
    return digests(settings.cache, "*.npy")


def sides(tmp_path):
    """Settings without Ray, and with it."""
    here = Settings(cache=tmp_path / "here", device="cpu", workers=CORES, weights="random")
    return here, replace(here, cache=tmp_path / "there", engine="ray")


def same(theirs, ours):
    assert theirs == ours != {}


@pytest.mark.parametrize("name", ENCODERS)
def test_extraction(beside, filmed, tmp_path, started, name, request):
    if name == "landmarks":
        request.getfixturevalue("mediapipe")
    data, (here, there) = filmed(6, N_CROPS // 6), sides(tmp_path)
    make = partial(make_encoder, name)
    beside(
        f"extraction, {name}, by {CORES} of Ray's workers; theirs start with the work, too",
        f"{N_CROPS:,} crops, 6 videos",
        "the same command without Ray, on as many cores",
        theirs=lambda: extract_anew(make(here), data, here, make),
        ours=lambda: extract_anew(make(there), data, there, make),
        same=same, repeats=3,
    )  # fmt: skip


def test_cost_of_a_video(filmed, tmp_path, started):
    """An encoder that does next to nothing, one crop a video: the difference by number of videos is Ray's."""
    here, there = sides(tmp_path)
    few, many = 20, 120
    taken: dict[tuple[bool, int], list[float]] = {}
    films = {n: filmed(n, 1) for n in (few, many)}
    for _ in range(3):
        for n, data in films.items():
            for settings in (here, there):
                start = time.perf_counter()
                extract_anew(workers.Colours(settings), data, settings, workers.Colours)
                taken.setdefault((settings is there, n), []).append(time.perf_counter() - start)
    middle = {key: statistics.median(seconds) for key, seconds in taken.items()}
    without, with_ray = ((middle[side, many] - middle[side, few]) / (many - few) for side in (False, True))
    start = middle[True, few] - middle[False, few] - few * (with_ray - without)
    print(
        f"\nRay: {started:.1f} s to start it here, {start:.1f} s to start {CORES} workers, then a video of one crop "
        f"{with_ray * 1000:.1f} ms, without Ray {without * 1000:.1f} ms "
    )
