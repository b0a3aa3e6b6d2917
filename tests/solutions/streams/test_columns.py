"""STAT, means, fusion and thinning of columns beside NumPy written from the audit; what does not fit is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import SolutionError
from harness.settings import Settings
from harness.tasks import AH, EMI
from solutions.cache.features import FeatureSource
from solutions.cache.thinning import thinned
from solutions.columns import Columns
from solutions.heads.settings import LinearModel
from solutions.recipe import ColumnStream, Stream
from solutions.streams.columns import joined_features, reduce_rows
from solutions.streams.frames import FittedFrames
from tests.support.random_features import bring, brought, drawn

ROWS = np.random.default_rng(0).normal(2, 3, (7, 5)).astype(np.float32)
FACES, VOICE = Columns("faces", pooling="stat"), Columns("voice", pooling="mean")
WORDS = Columns("words", pooling="row", width=5)


@pytest.fixture
def opened(tmp_path):
    """Return a function that opens a task's data set, with random features of some columns."""
    source = FeatureSource(Settings(cache=tmp_path / "cache", device="cpu", workers=1))

    def make(task, *columns):
        data = drawn(tmp_path, task)
        for entry in columns:
            bring(source.settings.cache, data, entry)
        return source, data

    return make


def raw_rows(source, entry: Columns, video) -> np.ndarray:
    folder = brought(entry).encoder.removeprefix("precomputed:")
    return np.load(source.settings.cache / "precomputed" / folder / f"{video.name}.npy").astype(np.float64)


def stat(rows: np.ndarray) -> list[float]:
    """Return mean, deviation divided by n, minimum and maximum, each over time, joined."""
    columns = [list(column) for column in np.asarray(rows, np.float64).T]
    means = [sum(c) / len(c) for c in columns]
    deviations = [(sum((x - m) ** 2 for x in c) / len(c)) ** 0.5 for c, m in zip(columns, means, strict=True)]
    return [*means, *deviations, *map(min, columns), *map(max, columns)]


def test_stat_joins_four_statistics_in_order():
    reduced = reduce_rows(ROWS, "stat")
    assert reduced.shape == (20,)
    np.testing.assert_allclose(reduced, stat(ROWS), rtol=0, atol=1e-12)
    np.testing.assert_allclose(reduce_rows(ROWS, "mean"), stat(ROWS)[:5], rtol=0, atol=1e-12)


def test_stat_of_a_single_row_has_no_deviation():
    row = ROWS[:1]
    np.testing.assert_array_equal(reduce_rows(row, "stat"), [*row[0], *[0] * 5, *row[0], *row[0]])


def test_columns_of_a_video_stand_side_by_side(opened):
    source, data = opened(EMI, FACES, VOICE)
    features = joined_features(source, [brought(FACES), brought(VOICE)], data, "train")
    for video in data.videos("train"):
        own = features.of(video)
        faces, voice = (raw_rows(source, entry, video) for entry in (FACES, VOICE))
        assert own.frames.tolist() == [1]
        np.testing.assert_allclose(own.parts["embeddings"][0], [*stat(faces), *voice.mean(0)], atol=1e-5)


def test_means_of_a_video_are_repeated_on_its_frames(opened):
    plain = replace(FACES, pooling="none")
    source, data = opened(AH, plain, VOICE)
    features = joined_features(source, [brought(plain), brought(VOICE)], data, "val")
    for video in data.videos("val"):
        own = features.of(video)
        faces, voice = (raw_rows(source, entry, video) for entry in (plain, VOICE))
        assert own.frames.tolist() == list(range(1, video.n_frames + 1))
        expected = np.hstack([faces, np.tile(voice.mean(0), (video.n_frames, 1))])
        np.testing.assert_allclose(own.parts["embeddings"], expected, atol=1e-5)


def test_every_fifth_row_counts_starting_with_the_first(opened):
    fifth = replace(FACES, every=5)
    source, data = opened(EMI, fifth)
    features = joined_features(source, [brought(fifth)], data, "val")
    video = data.videos("val")[0]
    rows = raw_rows(source, fifth, video)
    fifths = rows[[k for k in range(len(rows)) if k % 5 == 0]]
    np.testing.assert_allclose(features.of(video).parts["embeddings"][0], stat(fifths), atol=1e-5)


def test_thinned_images_are_every_fifth_by_number(album):
    data = replace(album.open("a", "b_left"), task=EMI)
    fifth = thinned(data, ["train"], 5)
    frames = [video.images.frames.tolist() for video in fifth.videos("train")]
    assert frames == [[1, 6, 11, 16], [2]]
    assert fifth.name != data.name
    assert [len(video.images) for video in data.videos("train")] == [20, 5]
    assert thinned(data, ["train"], 1) is data


def test_features_of_thinned_images_are_those_of_their_frames(album, tmp_path):
    """Every fifth image is encoded alone, and features of all images stay beside these in the cache."""
    data = replace(album.open("a", "b_left"), task=EMI)
    source = FeatureSource(Settings(cache=tmp_path / "cache", device="cpu", workers=1))
    every = source.features("tiny", data, "train")
    fifth = joined_features(source, [Columns("tiny", pooling="stat", every=5)], data, "train")
    assert fifth.report.frames == 5
    for video, frames in zip(data.videos("train"), ([1, 6, 11, 16], [2]), strict=True):
        own = every.of(video)
        rows = own.values[np.isin(own.frames, frames)]
        assert len(rows) == len(frames)
        np.testing.assert_allclose(fifth.of(video).parts["embeddings"][0], stat(rows), atol=1e-5)
    assert source.features("tiny", data, "train").report.frames == 0


def test_frames_that_one_encoder_lacks_are_left_out(opened):
    plain, other = Columns("faces"), Columns("hands")
    source, data = opened(AH, plain, other)
    video = data.videos("val")[1]
    folder = source.settings.cache / "precomputed" / brought(other).encoder.removeprefix("precomputed:")
    rows = np.load(folder / f"{video.name}.npy")
    rows[[2, 5]] = np.nan
    np.save(folder / f"{video.name}.npy", rows)
    features = joined_features(source, [brought(plain), brought(other)], data, "val").of(video)
    kept = [k for k in range(video.n_frames) if k not in (2, 5)]
    assert features.frames.tolist() == [k + 1 for k in kept]
    expected = np.hstack([raw_rows(source, plain, video)[kept], rows[kept]])
    np.testing.assert_allclose(features.parts["embeddings"], expected, atol=1e-5)


def test_columns_that_do_not_fit_are_refused(opened):
    plain, wide = replace(FACES, pooling="none"), replace(VOICE, width=7)
    source, data = opened(EMI, plain, VOICE, replace(WORDS, width=None))
    with pytest.raises(SolutionError, match="one row per video, these columns have more"):
        joined_features(source, [brought(plain)], data, "train")
    with pytest.raises(SolutionError, match=r"another width than the recipe.*found 5 columns, expected 7"):
        joined_features(source, [brought(wide)], data, "train")
    with pytest.raises(SolutionError, match=r"several rows for one video.*expected one row"):
        joined_features(source, [replace(brought(VOICE), pooling="row")], data, "train")
    with pytest.raises(SolutionError, match="gives no logits"):
        joined_features(source, [replace(brought(VOICE), part="logits")], data, "train")


def test_a_video_without_features_gets_the_training_mean(opened):
    source, data = opened(EMI, VOICE)
    bare = data.videos("test")[2]
    folder = source.settings.cache / "precomputed" / brought(VOICE).encoder.removeprefix("precomputed:")
    np.save(folder / f"{bare.name}.npy", np.full((bare.n_frames, 5), np.nan, np.float32))
    stream = ColumnStream((brought(VOICE),), LinearModel())
    fitted = FittedFrames.fit(stream, source, data, seed=0)
    notes: list[str] = []
    scores = fitted.scores(source, data, "test", notes)[0]
    mean = np.concatenate([video.labels for video in data.videos("train")]).mean(0)
    np.testing.assert_allclose(scores[2], mean, atol=1e-6)
    assert np.abs(scores[[0, 1, 3]] - mean).max(1).min() > 1e-3
    assert [note for note in notes if bare.name in note] == [
        f"{bare.name}: {brought(VOICE).encoder} knows nothing of it; all get the training set's means"
    ]


def test_a_stream_of_frames_is_refused_for_videos(opened):
    source, data = opened(EMI, VOICE)
    with pytest.raises(SolutionError, match=r"one row per video.*a row per frame"):
        FittedFrames.fit(Stream(brought(VOICE).encoder), source, data, seed=0)
