"""A data set as the rest of the project sees it: names, crops, fingerprints."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from harness.datasets.affwild2 import open_affwild2
from harness.datasets.dataset import Video, base_name
from harness.datasets.images.numbered import list_images
from harness.datasets.images.sources import UnreadablePictures
from harness.errors import DataError
from harness.tasks import EXPR


@pytest.mark.parametrize(
    ("video", "base"),
    [
        ("x_left", "x"),
        ("x_right", "x"),
        ("x", "x"),
        ("left", "left"),
        ("video_lefteft", "video_lefteft"),
        ("tell_left", "tell"),
        ("10-60-1280x720_right", "10-60-1280x720"),
    ],
)
def test_the_recording_that_a_video_was_cut_from(video, base):
    assert base_name(video) == base


def test_both_people_of_a_recording_share_a_base():
    assert Video("x_left", 1).base == Video("x_right", 1).base == Video("x", 1).base


def test_crops_are_listed_in_frame_order_whatever_their_digits(tree):
    folder = tree.crops("a", [3, 1, 100_000])
    crops = list_images(folder)
    assert crops.frames.tolist() == [1, 3, 100_000]
    assert crops.names == ("00001.jpg", "00003.jpg", "100000.jpg")
    assert list(crops.paths())[1] == folder / "00003.jpg"
    assert crops.sizes.tolist() == [6, 6, 6]


def test_other_files_among_the_crops_are_ignored(tree):
    folder = tree.crops("a", [1])
    for name in ("Thumbs.db", "._00002.jpg", ".DS_Store", "00002.jpg.part", "x.jpg", "00002", ".jpg", "²3.jpg"):
        (folder / name).write_bytes(b"")
    (folder / "00004.PNG").write_bytes(b"")
    assert list_images(folder).frames.tolist() == [1, 4]


def test_no_folder_is_no_crops():
    assert len(list_images(None)) == 0
    assert len(Video("a", 3).images) == 0


def test_two_crops_of_one_frame_are_named(tree):
    folder = tree.crops("a", [1, 2])
    (folder / "2.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"found 00002\.jpg and 2\.png"):
        list_images(folder)


def test_frame_zero_is_named(tree):
    with pytest.raises(DataError, match=r"crops must be numbered from 1, one file per frame; found 00000\.jpg"):
        list_images(tree.crops("a", [0, 1]))


def test_a_crop_that_points_nowhere_is_named(tree):
    folder = tree.crops("a", [1])
    (folder / "00002.jpg").symlink_to(folder / "gone.jpg")
    crops = list_images(folder)
    assert crops.no_files == ("00002.jpg, a link that leads to nothing",)
    with crops.reader() as reader, pytest.raises(UnreadablePictures, match=r"00002\.jpg"):
        reader.read([0, 1])


def test_the_listing_changes_with_every_rewritten_crop(tree):
    folder = tree.crops("a", [1, 2])
    before = list_images(folder).listing_signature()
    assert list_images(folder).listing_signature() == before
    os.utime(folder / "00002.jpg", ns=(1, 1))
    assert list_images(folder).listing_signature() != before


def test_a_missing_split_is_an_error_that_says_what_there_is(small_tree):
    data = open_affwild2(small_tree.root, EXPR)
    data = replace(data, splits={**data.splits, "val": ()})
    with pytest.raises(DataError, match="no val videos for EXPR; found splits: train, test"):
        data.videos("val")


def test_the_fingerprint_is_of_names_lengths_and_labels(small_tree):
    data = open_affwild2(small_tree.root, EXPR)
    a, b = data.splits["train"]

    def fingerprint(*train: Video) -> str:
        return replace(data, splits={**data.splits, "train": train}).fingerprint("train")

    assert fingerprint(a, b) == data.fingerprint("train")
    changed = {
        fingerprint(a, b),
        fingerprint(a),
        fingerprint(b, a),
        fingerprint(replace(a, name="z"), b),
        fingerprint(replace(a, labels=np.array([0, 1, 3])), b),
        fingerprint(replace(a, n_frames=4), b),
        data.fingerprint("val"),
    }
    assert len(changed) == 7


def test_fingerprints_stay_when_the_data_set_is_moved(small_tree, tmp_path):
    before = open_affwild2(small_tree.root, EXPR)
    fingerprints = before.fingerprint("train", "val"), before.images_fingerprint("train", "val")
    after = open_affwild2(small_tree.root.rename(tmp_path / "elsewhere"), EXPR)
    assert (after.fingerprint("train", "val"), after.images_fingerprint("train", "val")) == fingerprints


def test_the_crops_fingerprint_knows_which_crops_there_are(small_tree):
    before = open_affwild2(small_tree.root, EXPR).images_fingerprint("train")
    (small_tree.root / "cropped/a/00002.jpg").unlink()
    assert open_affwild2(small_tree.root, EXPR).images_fingerprint("train") != before
