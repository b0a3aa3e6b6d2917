"""Rows that also depend on the pictures before; pictures out of a film: the same however the work is cut."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError
from harness.settings import Settings
from harness.tasks import VD
from solutions.cache.images import extract_features
from solutions.encoders.encoder import Part
from tests.support.moving_squares import moving_square, write_film, write_frames


class Earlier:
    """Mean of a picture, of as many before it as it may see, and how many those are."""

    name = "earlier"
    parts = (Part("embeddings", 4, np.dtype(np.float32)),)
    parallel = "threads"
    batch_size = 8
    context = 2

    def identity(self) -> dict[str, object]:
        return {"encoder": self.name}

    def prepare(self, image: np.ndarray) -> np.ndarray:
        return image

    def encode(self, images: Sequence[np.ndarray], before: Sequence[np.ndarray]) -> np.ndarray:
        assert len(before) <= self.context
        shown = [*before, *images]
        rows = np.zeros((len(images), 4), np.float32)
        for row, at in zip(rows, range(len(before), len(shown)), strict=True):
            seen = [image.mean() for image in shown[max(0, at - self.context) : at + 1]]
            row[: len(seen)] = seen[::-1]
            row[3] = len(seen)
        return rows


class Apart(Earlier):
    """As Earlier, in processes of its own."""

    name = "apart"
    parallel = "processes"


def apart(settings: Settings) -> Apart:
    """How a worker makes it; it imports this module."""
    return Apart()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Write a film and a folder of the same 21 pictures, and a film of one, shared: read them, don't change them."""
    root, pictures = tmp_path_factory.mktemp("filmed"), moving_square(21)
    write_film(root / "film.mp4", pictures)
    write_film(root / "one.mp4", pictures[:1])
    write_frames(root / "folder", pictures)
    return root


@pytest.fixture
def filmed(folder, tmp_path) -> Dataset:
    """Return a copy of the films and the folder that a test may spoil."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    videos = [
        Video("film", 21, film=tmp_path / "film.mp4", noun="picture"),
        Video("folder", 21, image_folder=tmp_path / "folder", noun="picture"),
        Video("one", 1, film=tmp_path / "one.mp4", noun="picture"),
    ]
    return Dataset("filmed", tmp_path, VD, {"train": videos})


def rows_of(encoder: Earlier, data: Dataset, cache: Path, workers: int = 1) -> dict[str, np.ndarray]:
    settings = Settings(cache=cache, device="cpu", workers=workers)
    made, _ = extract_features(encoder, data, ["train"], settings, make=apart)
    return {video.name: np.array(made.get(video).values) for video in data.videos("train")}


def test_row_sees_earlier_images_and_first_row_sees_none(album, tmp_path):
    rows = rows_of(Earlier(), album.open(), tmp_path / "cache")
    for own in rows.values():
        assert own[:, 3].tolist() == [1, 2, *[3] * (len(own) - 2)]
        np.testing.assert_array_equal(own[1:, 1], own[:-1, 0])
        np.testing.assert_array_equal(own[2:, 2], own[:-2, 0])


@pytest.mark.parametrize("parallel", ["threads", "batches"])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_rows_do_not_depend_on_where_batches_are_cut(album, filmed, tmp_path, batch_size, workers, parallel):
    for k, data in enumerate((album.open(), filmed)):
        whole = rows_of(Earlier(), data, tmp_path / f"whole-{k}")
        encoder = Earlier()
        encoder.batch_size, encoder.parallel = batch_size, parallel
        cut = rows_of(encoder, data, tmp_path / f"cut-{k}", workers)
        for name, own in whole.items():
            np.testing.assert_array_equal(cut[name], own)


@pytest.mark.process
def test_processes_give_the_same(filmed, tmp_path):
    here = rows_of(Earlier(), filmed, tmp_path / "here")
    for name, own in rows_of(Apart(), filmed, tmp_path / "apart", workers=2).items():
        np.testing.assert_array_equal(own, here[name])


def test_a_film_gives_a_row_a_frame_in_order(filmed, tmp_path):
    rows = rows_of(Earlier(), filmed, tmp_path / "cache", workers=3)
    assert (len(rows["film"]), len(rows["one"])) == (21, 1)
    np.testing.assert_allclose(rows["film"][:, 0], rows["folder"][:, 0], atol=4)  # the film is lossy
    assert len(set(rows["film"][:, 0].tolist())) > 15


def test_a_film_is_not_encoded_again_unless_it_changed(filmed, tmp_path):
    settings = Settings(cache=tmp_path / "cache", workers=1)
    assert extract_features(Earlier(), filmed, ["train"], settings)[1].frames == 43
    assert extract_features(Earlier(), filmed, ["train"], settings)[1].frames == 0
    write_film(tmp_path / "film.mp4", moving_square(20))
    videos = [Video("film", 21, film=tmp_path / "film.mp4"), *filmed.videos("train")[1:]]
    again = Dataset("filmed", tmp_path, VD, {"train": videos})
    assert extract_features(Earlier(), again, ["train"], settings)[1].frames == 20


def test_a_film_that_ends_early_has_as_many_rows_as_pictures(filmed, tmp_path):
    film = filmed.videos("train")[0]
    film.__dict__["images"] = replace(film.images, frames=np.arange(1, 31))
    cache, _ = extract_features(Earlier(), filmed, ["train"], Settings(cache=tmp_path / "cache", workers=2))
    assert cache.get(film).frames.tolist() == list(range(1, 22))


def test_a_broken_film_is_named_once_and_the_others_are_kept(filmed, tmp_path):
    settings = Settings(cache=tmp_path / "cache", workers=3)
    broken = Video("broken", 21, film=tmp_path / "film.mp4", noun="picture")
    assert len(broken.images) == 21
    (tmp_path / "film.mp4").write_bytes(b"no film" * 1000)
    videos = [broken, *filmed.videos("train")[1:]]
    data = Dataset("filmed", tmp_path, VD, {"train": videos})
    with pytest.raises(DataError) as caught:
        extract_features(Earlier(), data, ["train"], settings)
    message = str(caught.value)
    assert message.startswith(
        "1 picture of 1 video can't be read; features of the other 2 videos are kept, and the same command "
    )
    assert message.count("film.mp4") == 1


def test_unreadable_image_is_reported_once_for_two_batches(album, tmp_path):
    encoder = Earlier()
    encoder.batch_size = 5
    album.crop("a", 5).write_bytes(b"not a picture")
    with pytest.raises(DataError, match="1 crop of 1 video can't be read"):
        extract_features(encoder, album.open(), ["train"], Settings(cache=tmp_path / "cache", workers=2))


def test_readers_are_closed_even_if_encoding_fails(filmed, tmp_path, monkeypatch):
    before = threading.active_count()
    film = filmed.videos("train")[0].images
    opened, closed = [], []
    reader = type(film).reader

    @contextmanager
    def watched(self):
        with reader(self) as own:
            opened.append(self)
            try:
                yield own
            finally:
                closed.append(self)

    def refuse(self, images, before):
        raise ValueError("no")

    monkeypatch.setattr(type(film), "reader", watched)
    monkeypatch.setattr(Earlier, "encode", refuse)
    with pytest.raises(ValueError, match="no"):
        extract_features(Earlier(), filmed, ["train"], Settings(cache=tmp_path / "cache", workers=2))
    assert opened
    assert len(opened) == len(closed)
    assert threading.active_count() == before
