"""Features of video files belong to one version of the decoder; those of image files to all of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.datasets.video_files import capture
from harness.errors import DataError
from harness.settings import Settings
from harness.system.images import opencv
from harness.tasks import VD
from solutions.cache.features_file import FeatureCache
from solutions.cache.images import extract_features, extract_pictures
from solutions.encoders.encoder import Part
from solutions.encoders.registry import make_encoder
from tests.support.moving_squares import moving_square, write_film, write_frames


class MeanColour:
    """An encoder whose numbers depend on no library."""

    name, parallel, batch_size = "mean-colour", "batches", 4
    parts = (Part("embeddings", 3, np.dtype(np.float32)),)

    def identity(self):
        return {"encoder": self.name}

    def prepare(self, image):
        return image

    def encode(self, images):
        return np.array([image.mean((0, 1)) for image in images], np.float32)


@pytest.fixture
def data(tmp_path):
    """Opens a data set anew: a video in a film of 7 frames, one in a folder of 5."""
    write_film(tmp_path / "film.mp4", moving_square(7))
    write_frames(tmp_path / "folder", moving_square(5))

    def call() -> Dataset:
        film = Video("film", 7, film=tmp_path / "film.mp4", noun="picture")
        return Dataset("d", tmp_path, VD, {"train": [film, Video("folder", 5, image_folder=tmp_path / "folder")]})

    return call


@pytest.fixture
def another_opencv(monkeypatch):
    """Makes this process take OpenCV for another version."""

    def call(version: str) -> None:
        monkeypatch.setattr(opencv(), "__version__", version)
        capture.decoder.cache_clear()

    yield call
    capture.decoder.cache_clear()


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(cache=tmp_path / "cache", workers=1, device="cpu")


def encoded(data: Dataset, settings: Settings) -> tuple[int, int]:
    report = extract_features(MeanColour(), data, ["train"], settings, make=lambda given: MeanColour())[1]
    return report.frames, report.reused


def test_features_of_films_are_made_again_by_another_decoder(data, settings, another_opencv):
    assert encoded(data(), settings) == (12, 0)
    assert encoded(data(), settings) == (0, 12)
    first = opencv().__version__
    another_opencv("4.99.0")
    assert encoded(data(), settings) == (7, 5)
    assert encoded(data(), settings) == (0, 12)
    another_opencv(first)  # each version keeps its own
    assert encoded(data(), settings) == (0, 12)


def test_images_from_video_files_are_made_again_per_decoder(data, settings, another_opencv, monkeypatch):
    monkeypatch.setattr("solutions.encoders.flow.encoder._FlowImages.identity", lambda self: {"flow": self.name})
    assert extract_pictures("flow", data(), ["train"], settings)[1].frames == 12
    another_opencv("4.99.0")
    report = extract_pictures("flow", data(), ["train"], settings)[1]
    assert (report.frames, report.reused) == (7, 5)


def test_a_manifest_names_the_decoder_of_films_alone(data, settings):
    cache, _ = extract_features(MeanColour(), data(), ["train"], settings, make=lambda given: MeanColour())
    manifests = {path.stem: json.loads(path.read_text()) for path in cache.folder.rglob("*.json")}
    assert manifests["film"]["identity"]["decoder"] == capture.decoder()
    assert "decoder" not in manifests["folder"]["identity"]
    assert manifests["folder"]["key"] == cache.key != manifests["film"]["key"]


def test_a_run_on_films_is_another_one_by_another_decoder(data, tmp_path, another_opencv):
    """So are heads that are trained on their features."""
    before = data().images_fingerprint("train")
    folders = Dataset("d", tmp_path, VD, {"train": data().videos("train")[1:]})
    of_folders = folders.images_fingerprint("train")
    another_opencv("4.99.0")
    assert data().images_fingerprint("train") != before
    assert folders.images_fingerprint("train") == of_folders


def test_a_film_is_not_read_by_another_decoder_than_counted_it(data, another_opencv):
    film = data().videos("train")[0].images
    another_opencv("4.99.0")
    with (
        pytest.raises(DataError, match=r"counted by another decoder.*found OpenCV 4\.99\.0.*expected OpenCV"),
        film.reader(),
    ):
        pass


def test_pose_of_films_has_the_decoder_in_its_key(data, settings, another_opencv, mediapipe):
    film, folder = data().videos("train")
    cache = FeatureCache(settings.cache, make_encoder("pose", settings), data())
    keys = cache.key_of(film), cache.key_of(folder)
    another_opencv("4.99.0")
    assert cache.key_of(film) != keys[0]
    assert cache.key_of(folder) == keys[1]
