"""Features of crops: decoded, encoded and stored, beside a loop over files; and again, when they are there."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.datasets.synthetic import write_affwild2
from harness.settings import load_settings
from harness.tasks import EXPR
from solutions.encoders.extraction import extract_features
from solutions.encoders.registry import make_encoder


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> list[Path]:
    """Drawn crops of six people."""
    root = tmp_path_factory.mktemp("drawn") / "data"
    write_affwild2(root, videos={"val": 6}, frames=100)
    return [path for video in open_dataset(root, EXPR).videos("val") for path in video.crops.paths()]


@pytest.fixture
def filmed(tmp_path, crops):
    """Makes a data set of so many videos with so many frames each, out of links to the drawn crops."""

    def film(videos: int, frames: int) -> Dataset:
        root = tmp_path / f"{videos}x{frames}"
        for k in range(videos):
            (root / str(k)).mkdir(parents=True)
            for frame in range(frames):
                os.link(crops[(k * frames + frame) % len(crops)], root / str(k) / f"{frame + 1:05d}.jpg")
        return Dataset(
            root.name, root, EXPR, {"val": [Video(str(k), frames, None, root / str(k)) for k in range(videos)]}
        )

    return film


def loop(encoder, data, out):
    """As a script has it: each file read, encoded, and the features of a video saved."""
    cv2.setNumThreads(os.cpu_count() or 1)  # OpenCV's own choice; ours takes one thread a call
    found = {}
    for video in data.videos("val"):
        paths = sorted(video.crop_folder.glob("*.jpg"))
        rows = [encoder.encode([cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)])[0] for path in paths]
        found[video.name] = np.stack(rows).astype(encoder.dtype)
        np.save(out / f"{video.name}.npy", found[video.name])
    return found


def extract(encoder, data, settings):
    cv2.setNumThreads(1)
    with contextlib.redirect_stderr(io.StringIO()):  # progress
        cache, _ = extract_features(encoder, data, ["val"], settings)
    return {video.name: cache.get(video) for video in data.videos("val")}


def extract_anew(encoder, data, settings):
    shutil.rmtree(settings.cache, ignore_errors=True)
    data = dataclasses.replace(data, splits={"val": [dataclasses.replace(video) for video in data.videos("val")]})
    return extract(encoder, data, settings)


def same_features(theirs, ours):
    assert theirs.keys() == ours.keys()
    for name, features in ours.items():
        found = theirs[name][~np.isnan(theirs[name]).any(1)]
        assert np.array_equal(features.values, found)
        assert len(features.values) > 0.9 * len(theirs[name])


def settings_in(folder):
    return dataclasses.replace(load_settings(), cache=folder / "cache", workers=os.cpu_count() or 1)


def test_tiny(beside, filmed, tmp_path):
    data, settings = filmed(4, 500), settings_in(tmp_path)
    encoder = make_encoder("tiny", settings)
    beside(
        "extraction, tiny, decoded ahead; ours hashes its sources",
        "2,000 crops, 4 videos",
        "a loop: cv2.imread, encode, np.save a video",
        theirs=lambda: loop(encoder, data, tmp_path),
        ours=lambda: extract_anew(encoder, data, settings),
        same=same_features,
    )  # fmt: skip


def test_growth(grows, filmed, tmp_path):
    settings = settings_in(tmp_path)
    encoder = make_encoder("tiny", settings)
    films = {n: filmed(1, n) for n in (1_000, 2_000, 4_000)}
    work = {n: lambda data=data: extract_anew(encoder, data, settings) for n, data in films.items()}
    grows("extraction, tiny, of one video", "crops", work, repeats=2)


def test_again(beside, filmed, tmp_path):
    data, settings = filmed(4, 500), settings_in(tmp_path)
    encoder = make_encoder("tiny", settings)

    def reopened():
        videos = [dataclasses.replace(video) for video in data.videos("val")]  # the crops are listed again, too
        return extract(encoder, dataclasses.replace(data, splits={"val": videos}), settings)

    def same(first, again):
        assert all(np.array_equal(first[name].values, again[name].values) for name in first)

    beside(
        "extraction, tiny, the same command again",
        "2,000 crops, 4 videos",
        "all encoded anew (ours, the first time)",
        theirs=lambda: extract_anew(encoder, data, settings),
        ours=reopened, same=same, repeats=3,
    )  # fmt: skip


def test_landmarks(beside, filmed, tmp_path, mediapipe):
    data, settings = filmed(4, 250), settings_in(tmp_path)
    encoder = make_encoder("landmarks", settings)
    beside(
        "extraction, landmarks, a process a core; ours with their start",
        "1,000 crops, 4 videos",
        "a loop: cv2.imread, encode, np.save a video",
        theirs=lambda: loop(encoder, data, tmp_path),
        ours=lambda: extract_anew(encoder, data, settings),
        same=same_features, repeats=2,
    )  # fmt: skip
