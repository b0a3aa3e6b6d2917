"""The filter of whole videos: scikit-learn's own verdicts, on labels of the training videos alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.svm import SVC

from harness.errors import DataError
from harness.settings import Settings
from harness.tasks import AH
from solutions.cache.features import FeatureSource
from solutions.columns import Columns
from solutions.postprocess.plan import VideoFilter
from solutions.streams.video_filter import FittedFilter
from tests.support.random_features import bring, brought, drawn

WORDS = Columns("words", pooling="mean")
STEP = VideoFilter(brought(WORDS))


@pytest.fixture
def source(tmp_path):
    return FeatureSource(Settings(cache=tmp_path / "cache", device="cpu", workers=1))


@pytest.fixture
def data(tmp_path, source):
    """Return videos whose labels are 0 or 1 by turns, beside those of frames."""
    opened = drawn(tmp_path, AH)
    bring(source.settings.cache, opened, WORDS)
    videos = [replace(video, video_label=k % 2) for k, video in enumerate(opened.videos("train"))]
    return replace(opened, splits={**opened.splits, "train": videos})


def vectors(source, data, split) -> np.ndarray:
    folder = source.settings.cache / "precomputed" / STEP.columns.encoder.removeprefix("precomputed:")
    return np.array([np.load(folder / f"{video.name}.npy").astype(np.float64).mean(0) for video in data.videos(split)])


def test_verdicts_are_those_of_scikit_learn(source, data, tmp_path):
    oracle = SVC(C=1.1, kernel="rbf", gamma="scale", class_weight="balanced")
    oracle.fit(vectors(source, data, "train").astype(np.float32), np.arange(12) % 2)
    fitted = FittedFilter.fit(STEP, source, data)
    fitted.save(tmp_path / "filter")
    for own in (fitted, FittedFilter.load(STEP, tmp_path / "filter")):
        for split in ("train", "val"):
            notes: list[str] = []
            passing = own.passing(source, data, split, notes)
            verdicts = oracle.predict(vectors(source, data, split).astype(np.float32))
            expected = [bool(verdict) for verdict, video in zip(verdicts, data.videos(split), strict=True)
                        for _ in range(video.n_frames)]  # fmt: skip
            assert passing.tolist() == expected
            assert notes == []


def test_labels_of_val_do_not_reach_the_filter(source, data):
    other = [replace(video, labels=1 - video.labels, video_label=1) for video in data.videos("val")]
    changed = replace(data, splits={**data.splits, "val": other})
    one, two = (FittedFilter.fit(STEP, source, each).passing(source, data, "val", []) for each in (data, changed))
    assert one.tolist() == two.tolist()


def test_labels_of_videos_are_inferred_with_a_note(source, data):
    frames = [replace(video, video_label=None) for video in data.videos("train")]
    inferred = replace(data, splits={**data.splits, "train": frames})
    notes: list[str] = []
    FittedFilter.fit(STEP, source, inferred).passing(source, inferred, "val", notes)
    assert notes == [
        "labels of 12 of 12 training videos were inferred for the filter: present where any of their frames is"
    ]


def test_a_video_without_words_passes_with_a_note(source, data):
    fitted = FittedFilter.fit(STEP, source, data)
    folder = source.settings.cache / "precomputed" / STEP.columns.encoder.removeprefix("precomputed:")
    video = data.videos("test")[1]
    np.save(folder / f"{video.name}.npy", np.full((video.n_frames, 5), np.nan, np.float32))
    notes: list[str] = []
    passing = fitted.passing(source, data, "test", notes)
    start = data.videos("test")[0].n_frames
    assert passing[start : start + video.n_frames].all()
    assert notes == [f"{STEP.columns.encoder} knows nothing of {video.name}: the filter lets them pass"]


def test_no_labelled_training_video_is_said(source, data):
    bare = [replace(video, labels=None, video_label=None) for video in data.videos("train")]
    with pytest.raises(DataError, match="no training video with label and features"):
        FittedFilter.fit(STEP, source, replace(data, splits={**data.splits, "train": bare}))
