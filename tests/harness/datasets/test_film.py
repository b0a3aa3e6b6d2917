"""Pictures out of films and folders: in order, by many threads, and honest about what can't be decoded."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from harness.datasets.dataset import Video
from harness.datasets.images.numbered import list_images
from harness.datasets.images.sources import UnreadablePictures
from harness.datasets.video_files import images as film_module
from harness.datasets.video_files.images import SUFFIXES, count_packets, open_film
from harness.errors import DataError
from tests.support.numbered_films import cut_short, number_in, write_film


@pytest.fixture
def film(tmp_path):
    return write_film(tmp_path / "0007.mp4", 60)


def test_a_film_numbers_its_frames_from_1(film):
    pictures = open_film(film)
    assert pictures.frames.tolist() == list(range(1, 61))
    assert (pictures.random_access, pictures.noun, pictures.sizes.tolist()) == (False, "picture", [film.stat().st_size])
    assert count_packets(film) == 60
    with pictures.reader() as reader:
        read = reader.read(range(60))
    assert [(p.frame, number_in(p.image)) for p in read] == [(k + 1, k) for k in range(60)]
    assert read[0].image.shape == (48, 128, 3)


def test_a_films_pictures_are_red_green_and_blue_in_this_order(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "a.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    writer.write(np.full((48, 64, 3), (20, 60, 200), np.uint8))
    writer.release()
    with open_film(tmp_path / "a.mp4").reader() as reader:
        red, green, blue = reader.read([0])[0].image.reshape(-1, 3).mean(0)
    assert red > green > blue


@pytest.mark.parametrize(("suffix", "codec"), [(".avi", "MJPG"), (".mkv", "mp4v"), (".mov", "mp4v")])
def test_other_containers_are_read_too(tmp_path, suffix, codec):
    assert suffix in SUFFIXES
    pictures = open_film(write_film(tmp_path / f"a{suffix}", 12, codec=codec))
    with pictures.reader() as reader:
        assert [number_in(p.image) for p in reader.read(range(len(pictures)))] == list(range(12))


def test_threads_may_take_turns_in_any_order(film):
    """Each asks for the frame before its batch, too, as whoever compares neighbours does."""
    batches = [range(max(0, at - 1), at + 6) for at in (12, 0, 6, 30, 24, 18, 54, 48, 36, 42)]
    with open_film(film).reader() as reader, ThreadPoolExecutor(3) as pool:
        for batch, read in zip(batches, pool.map(reader.read, batches), strict=True):
            assert [p.frame for p in read] == [k + 1 for k in batch]
            assert [number_in(p.image) for p in read] == list(batch)


def test_nothing_is_decoded_twice_and_little_is_kept(film, monkeypatch):
    monkeypatch.setattr(film_module, "_LOOK_BACK", 4)
    with open_film(film).reader() as reader:
        decode, decoded = reader._decode, []
        monkeypatch.setattr(reader, "_decode", lambda: (decoded.append(1), decode()))
        for at in range(0, 60, 5):
            reader.read(range(max(0, at - 2), at + 5))
            assert len(reader._kept) <= 5 + 4
    assert len(decoded) == 60


def test_a_frame_that_was_let_go_is_decoded_again(film, monkeypatch):
    monkeypatch.setattr(film_module, "_LOOK_BACK", 2)
    with open_film(film).reader() as reader:
        reader.read(range(40))
        assert [number_in(p.image) for p in reader.read([3, 50])] == [3, 50]


def test_who_leaves_frames_out_does_not_fill_the_memory(film, monkeypatch):
    monkeypatch.setattr(film_module, "_LOOK_BACK", 0)
    monkeypatch.setattr(film_module, "_MOST_KEPT", 10)
    with open_film(film).reader() as reader:
        for at in range(1, 60, 3):
            assert number_in(reader.read([at])[0].image) == at
            assert len(reader._kept) <= 10


def test_a_film_that_ends_early_gives_what_it_has(film):
    cut_short(film, 0.5)
    pictures = open_film(film)
    assert (pictures.count.header, count_packets(film)) == (60, 60)
    assert 0 < len(pictures) < 60
    with pictures.reader() as reader:
        read = reader.read(range(60))
        assert reader.read([59]) == []
    assert [p.frame for p in read] == list(range(1, len(pictures) + 1))


@pytest.mark.parametrize("content", [b"", b"not a film", b"\0" * 5000])
def test_what_is_no_film_is_refused(tmp_path, content):
    path = tmp_path / "0001.mp4"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"0001\.mp4: can't be opened as a film; found {len(content):,} bytes"):
        open_film(path)


def test_a_film_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="can't be opened as a film; found No such file"):
        open_film(tmp_path / "0001.mp4")


def test_a_film_of_which_nothing_can_be_decoded_is_said_to_be(film):
    data = bytearray(film.read_bytes())
    data[data.index(b"mdat") + 4 : data.index(b"moov") - 4] = bytes(data.index(b"moov") - data.index(b"mdat") - 8)
    film.write_bytes(data)
    with (
        open_film(film).reader() as reader,
        pytest.raises(
            UnreadablePictures,
            match=r"frames can't be decoded; found codec \S+, OpenCV .* Extract .*-fps_mode passthrough",
        ),
    ):
        reader.read([0])


def test_a_rewritten_film_has_another_signature_and_hash(film):
    before = open_film(film)
    assert open_film(film).listing_signature() == before.listing_signature()
    digest = hashlib.sha256(film.read_bytes()).hexdigest()
    assert before.source_hash() == digest
    write_film(film, 59)
    after = open_film(film)
    assert after.listing_signature() != before.listing_signature()
    assert after.source_hash() != digest


def test_a_video_takes_its_film_only_where_it_has_no_folder(film, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    cv2.imwrite(str(folder / "00002.png"), np.zeros((4, 4, 3), np.uint8))
    assert len(Video("0007", 60, film=film).images) == 60
    assert Video("0007", 60, image_folder=folder, film=film).images.frames.tolist() == [2]


def test_a_folder_reads_any_picture_at_any_time(tmp_path):
    for k in (1, 3, 4):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((4, 6, 3), k, np.uint8))
    pictures = list_images(tmp_path, "picture")
    assert pictures.random_access
    with pictures.reader() as reader:
        read = reader.read([2, 0])
    assert [(p.frame, int(p.image[0, 0, 0])) for p in read] == [(4, 4), (1, 1)]
    assert read[0].raw == (tmp_path / "4.png").read_bytes()


def test_a_folder_names_every_picture_that_cannot_be_read(tmp_path):
    for k in (1, 2, 3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((4, 6, 3), k, np.uint8))
    pictures = list_images(tmp_path, "picture")
    (tmp_path / "2.png").write_bytes(b"\x89PNG")
    (tmp_path / "3.png").unlink()
    with pictures.reader() as reader, pytest.raises(UnreadablePictures) as caught:
        reader.read([0, 1, 2])
    broken, gone = caught.value.messages
    assert "2.png: not a readable image; found 4 bytes" in broken
    assert "counts as one without a picture" in broken
    assert "3.png: can't read the picture; found No such file" in gone
