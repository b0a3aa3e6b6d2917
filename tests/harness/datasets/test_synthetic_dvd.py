"""Drawn scenes: the same bytes for a seed, labels that change, and motion that tells violence from the rest."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.datasets.dvd import open_dvd
from harness.datasets.synthetic import write_dvd
from harness.datasets.synthetic.fights import SHORTEST, stretches
from harness.errors import UsageError
from harness.files.checking.submission import validate
from harness.files.labels.truth import read_truth
from tests.support.digests import digests

VIDEOS = {"train": 2, "val": 2, "test": 2}


def drawn(root: Path, **options) -> Path:
    write_dvd(root, **{"seed": 3, "videos": VIDEOS, "frames": 30, "size": (64, 48)} | options)
    return root


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return drawn(tmp_path_factory.mktemp("small") / "data")


def test_equal_seeds_give_equal_bytes_others_differ(small, tmp_path):
    first = digests(small)
    assert digests(drawn(tmp_path / "b")) == first
    other = digests(drawn(tmp_path / "c", seed=4))
    pictures = {path for path in first.keys() & other.keys() if path.endswith(".jpg")}
    assert pictures
    assert all(first[path] != other[path] for path in pictures)


def test_more_videos_leave_the_first_ones_as_they_were(small, tmp_path):
    fewer, more = digests(drawn(tmp_path / "a", videos={"train": 1, "val": 1})), digests(small)
    del fewer["DATASET.toml"]
    assert fewer.items() <= more.items()


def test_templates_and_held_out_labels_are_of_the_test_videos(small):
    truth = read_truth(small / "held_out", "VD")
    assert truth.n_frames == open_dvd(small).template.n_frames
    assert set().union(*(set(labels.tolist()) for labels in truth.labels.values())) == {0, 1}
    assert validate(small / "held_out", task="VD", template=small / "Expected_Output_Files").valid


def test_gaps_are_where_they_are_said_to_be(tiny_dvd_once):
    data = open_dvd(tiny_dvd_once)
    unlabelled = [int((v.labels < 0).sum()) for split in ("train", "val") for v in data.videos(split)]
    bare = [v.n_frames - len(v.images) for split in ("train", "val", "test") for v in data.videos(split)]
    assert [k for k, n in enumerate(unlabelled) if n] == [1]
    assert [k for k, n in enumerate(bare) if n] == [7]


@pytest.mark.parametrize("frames", [20, 60, 900])
def test_labels_change_several_times_and_stay_a_while(frames):
    for seed in range(20):
        labels = stretches(np.random.default_rng(seed), frames)
        assert len(labels) == frames
        ends = np.flatnonzero(np.diff(labels))
        assert len(ends) >= 3
        assert np.diff([-1, *ends, frames - 1]).min() >= SHORTEST


def test_violence_is_where_things_move(tiny_dvd_once):
    """A threshold on how much neighbouring pictures differ, over all videos, beats chance by far."""
    moved, labels = [], []
    for video in open_dvd(tiny_dvd_once).videos("train"):
        grey = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in video.images.paths()]).astype(float)
        change = np.abs(np.diff(grey, axis=0)).mean((1, 2))
        smooth = np.convolve(np.pad(change, 4, mode="edge"), np.ones(9) / 9, mode="valid")
        moved.append((smooth - np.median(smooth)) / smooth.std())
        labels.append(video.labels[1:])
    x, y = np.concatenate(moved), np.concatenate(labels)
    x, y = x[y >= 0], y[y >= 0]
    order = np.argsort(x)
    ranks = np.empty(len(x))
    ranks[order] = np.arange(len(x))
    positive = y == 1
    auc = (ranks[positive].mean() - (positive.sum() - 1) / 2) / (~positive).sum()
    assert auc > 0.75


def test_one_picture_alone_does_not_tell(tiny_dvd_once):
    """Nothing but the people changes with the label: corners look alike."""
    for video in open_dvd(tiny_dvd_once).videos("train"):
        corners = np.array([cv2.imread(str(path))[:6, :6].mean() for path in video.images.paths()])
        violent = video.labels == 1
        calm = video.labels == 0
        assert abs(corners[violent].mean() - corners[calm].mean()) < 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 19}, "more frames per video.* found 19, expected at least 20"),
        ({"videos": {}}, "a data set needs videos"),
        ({"seed": -1}, "a seed can't be negative"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        drawn(tmp_path / "a", **options)


def test_the_command_draws_it(tmp_path, abaw):
    done = abaw("data", "synth", tmp_path / "drawn", "--layout", "dvd", "--videos", "8", "--frames", "80")
    assert done.returncode == 0, done.stderr
    data = open_dvd(tmp_path / "drawn")
    assert sum(map(len, data.splits.values())) == 8
    assert data.name == "abaw-synth-dvd"
