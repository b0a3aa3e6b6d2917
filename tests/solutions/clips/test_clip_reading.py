"""Clips out of folders of pictures and out of cached features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import DataError, SolutionError
from solutions.clips.clips import FeatureClips, PictureClips, Rows, nearest
from solutions.clips.loading import Loading
from solutions.clips.sampling import Sampler
from solutions.clips.schedule import Plan
from solutions.networks.preprocessing import Preprocessing
from tests.support.tiny_clips import PLAIN, drawn, feature_clips, folder_of_pictures


def test_the_nearest_frame_and_of_two_the_earlier():
    assert nearest(np.array([2, 4, 9]), 11).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    assert nearest(np.array([5]), 3).tolist() == [0, 0, 0]


def test_clip_rows_are_those_of_its_frames_or_the_nearest():
    values = np.arange(8, dtype=np.float16).reshape(4, 2)
    clips = FeatureClips(["v"], [np.zeros(6, int)], {"x": [Rows(np.array([1, 2, 5, 6]), values)]})
    found = clips.read(0, np.array([0, 2, 3, 5, 5]))["x"]
    assert found.dtype == np.float32
    assert found.tolist() == values[[0, 1, 2, 3, 3]].tolist()


def test_a_batch_of_clips_is_those_clips(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for k, n in enumerate((50, 9)):
        np.save(tmp_path / f"{k}.npy", rng.normal(size=(n, 3)).astype(np.float16))
        rows.append(Rows(np.arange(1, n + 1), np.load(tmp_path / f"{k}.npy", mmap_mode="r")))
    clips = FeatureClips(["a", "b"], [np.zeros(50, int), np.zeros(9, int)], {"x": rows, "y": rows})
    videos, frames = np.array([1, 0, 1]), rng.integers(0, 9, (3, 5))
    batch = clips.read(videos, frames)
    for key in ("x", "y"):
        assert batch[key].shape == (3, 5, 3)
        for k in range(3):
            assert np.array_equal(batch[key][k], clips.read(int(videos[k]), frames[k])[key])


def test_moments_are_those_of_all_rows():
    clips = drawn([900, 40], dim=4)
    everything = np.concatenate([own.values for own in clips._rows["x"]]).astype(np.float64)
    mean, deviation = clips.moments()["x"]
    assert mean == pytest.approx(everything.mean(0), rel=1e-10)
    assert deviation == pytest.approx(everything.std(0), rel=1e-10)


def test_moments_of_large_numbers_keep_their_digits():
    rng = np.random.default_rng(0)
    clips = feature_clips([np.zeros(500, int)], [(1e4 + rng.normal(size=(500, 2))).astype(np.float32)])
    values = clips._rows["x"][0].values.astype(np.float64)
    assert clips.moments()["x"][1] == pytest.approx(values.std(0), rel=1e-6)


def test_a_video_without_features_is_refused():
    rows = [Rows(np.array([1]), np.zeros((1, 2))), Rows(np.empty(0, int), np.zeros((0, 2)))]
    with pytest.raises(DataError, match="later: no features of pose"):
        FeatureClips(["early", "later"], [np.zeros(3, int)] * 2, {"pose": rows})


def greys(clip):
    return clip[:, 0, 0, 0].tolist()


def test_clip_images_are_the_nearest_for_missing_frames(tmp_path):
    pictures = folder_of_pictures(tmp_path / "v", {1: 10, 2: 20, 5: 50, 6: 60})
    clips = PictureClips(["v"], [np.zeros(8, int)], {"rgb": [pictures]}, 8)
    found = clips.read(0, np.array([0, 1, 2, 3, 4, 7]))["rgb"]
    assert found.shape == (6, 8, 8, 3)
    assert found.dtype == np.uint8
    assert greys(found) == [10, 20, 20, 50, 50, 60]
    assert clips.images == ("rgb",)


def test_pictures_are_resized_as_pillow_does_it(tmp_path, album):
    album.add("photo", [1])
    pictures = album.open("photo").videos("train")[0].images
    clips = PictureClips(["photo"], [np.zeros(1, int)], {"rgb": [pictures]}, 16)
    with pictures.reader() as reader:
        whole = reader.read([0])[0].image
    assert np.array_equal(clips.read(0, np.array([0]))["rgb"][0], Preprocessing((16, 16)).prepare(whole))


def test_a_picture_is_decoded_once_a_clip(tmp_path):
    inner = folder_of_pictures(tmp_path / "v", {1: 10, 2: 20})
    asked = []

    class Spy:
        frames, random_access = inner.frames, True

        def __len__(self):
            return 2

        def reader(self):
            import contextlib

            @contextlib.contextmanager
            def opened():
                with inner.reader() as reader:

                    class Reader:
                        def read(self, indices):
                            asked.append(list(indices))
                            return reader.read(indices)

                    yield Reader()

            return opened()

    clips = PictureClips(["v"], [np.zeros(9, int)], {"rgb": [Spy()]}, 8)
    assert greys(clips.read(0, np.array([3, 0, 4, 0]))["rgb"]) == [20, 10, 20, 10]
    assert asked == [[0, 1]]


def test_pictures_and_features_of_the_same_frames(tmp_path):
    pictures = folder_of_pictures(tmp_path / "v", {k: k for k in range(1, 6)})
    features = feature_clips([np.zeros(5, int)], [np.arange(5, dtype=np.float32)[:, None]], key="pose")
    clips = PictureClips(["v"], [np.zeros(5, int)], {"rgb": [pictures], "flow": [pictures]}, 8, features)
    found = clips.read(0, np.array([4, 2]))
    assert greys(found["rgb"]) == greys(found["flow"]) == [5, 3]
    assert found["pose"][:, 0].tolist() == [4, 2]


def test_a_film_is_refused_with_what_to_do(tmp_path):
    class Film:
        frames, random_access = np.arange(1, 5), False

        def __len__(self):
            return 4

    with pytest.raises(SolutionError, match=r"video file.*abaw data frames ROOT"):
        PictureClips(["v"], [np.zeros(4, int)], {"rgb": [Film()]}, 8)


def test_a_video_without_pictures_is_refused(tmp_path):
    (tmp_path / "v").mkdir()
    from harness.datasets.images.numbered import list_images

    with pytest.raises(DataError, match=r"v: no images \(rgb\)"):
        PictureClips(["v"], [np.zeros(4, int)], {"rgb": [list_images(tmp_path / "v")]}, 8)


def test_a_broken_picture_is_named(tmp_path):
    pictures = folder_of_pictures(tmp_path / "v", {1: 10, 2: 20})
    (tmp_path / "v" / "00002.png").write_bytes(b"broken")
    clips = PictureClips(["v"], [np.zeros(2, int)], {"rgb": [pictures]}, 8)
    with pytest.raises(DataError, match=r"00002\.png"):
        clips.read(0, np.array([0, 1]))


class Counting:
    """Pictures of one pixel, and how many clips have been read."""

    pictures = ("rgb",)

    def __init__(self, labels):
        self.labels, self.read_so_far = labels, 0

    def read(self, video, frames):
        self.read_so_far += 1
        return {"rgb": np.full((len(frames), 1, 1, 3), video, np.uint8)}


def test_threads_read_no_further_ahead_than_they_may():
    labels = [np.zeros(20, int)] * 40
    training = replace(PLAIN, mode="paper", batch=2)
    clips = Counting(labels)
    drawn_ = Sampler(labels, training).epoch(np.random.default_rng(0))
    passes = [each for step in Plan.of(training, 40).passes(drawn_) for each in step]
    loaded = Loading(clips, training, "flow", workers=2).passes(passes, (0,))
    for done, (given, each) in enumerate(zip(loaded, passes, strict=True), 1):
        assert given["rgb"][:, 0, 0, 0, 0].tolist() == each.videos.tolist()
        assert clips.read_so_far <= 2 * done + 4


def test_what_a_thread_meets_reaches_the_caller():
    class Broken(Counting):
        def read(self, video, frames):
            raise DataError("a picture is broken")

    labels = [np.zeros(20, int)] * 8
    training = replace(PLAIN, mode="paper")
    drawn_ = Sampler(labels, training).epoch(np.random.default_rng(0))
    with pytest.raises(DataError, match="a picture is broken"):
        next(Loading(Broken(labels), training, "flow", workers=2).passes([drawn_], (0,)))
