"""Published numbers may stand beside a run only if the data is what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.dataset import Video
from harness.datasets.identity import (
    AFFWILD2,
    BAH_8,
    BAH_10,
    DVD,
    PUBLISHED_ON,
    VIDMIMIC,
    affwild2_frame_counts,
    bah_name,
    dataset_name,
    dvd_name,
    vidmimic_name,
)
from harness.errors import DataError
from harness.tasks import AH, AHV, EMI, EXPR, VA

REAL = dict(list(affwild2_frame_counts().items())[:90])


def splits(lengths: dict[str, int]) -> dict[str, list[Video]]:
    videos = [Video(name, n) for name, n in lengths.items()]
    return {"train": videos[:20], "val": videos[20:], "test": []}


def test_the_lengths_of_the_real_videos_are_known():
    assert len(affwild2_frame_counts()) > 500
    assert affwild2_frame_counts()["10-60-1280x720"] == 2501


def test_names_and_lengths_make_affwild2(tmp_path):
    assert dataset_name(tmp_path, EXPR, splits(REAL)) == AFFWILD2


def test_the_official_length_may_differ_a_little_from_the_files(tmp_path):
    assert dataset_name(tmp_path, EXPR, splits({name: n - 49 for name, n in REAL.items()})) == AFFWILD2


def test_people_of_one_recording_count_by_their_base(tmp_path):
    assert dataset_name(tmp_path, EXPR, splits({f"{name}_left": n for name, n in REAL.items()})) == AFFWILD2


def test_names_alone_do_not(tmp_path):
    assert dataset_name(tmp_path, EXPR, splits({name: n + 100 for name, n in REAL.items()})) == tmp_path.name


def test_lengths_alone_do_not(tmp_path):
    assert dataset_name(tmp_path, EXPR, splits({f"my-{name}": n for name, n in REAL.items()})) == tmp_path.name


def test_a_tenth_of_other_videos_is_too_many(tmp_path):
    own = {f"own-{k}": 100 for k in range(9)}
    assert dataset_name(tmp_path, EXPR, splits(REAL | own)) == tmp_path.name


@pytest.mark.parametrize("name", ["Aff-Wild2", "aff-wild2"])
def test_the_folders_name_alone_does_not(tmp_path, name):
    (tmp_path / name).mkdir()
    assert dataset_name(tmp_path / name, EXPR, splits({"a": 5})) == f"{name} (not recognised)"


def test_a_marker_cannot_claim_it(tmp_path):
    (tmp_path / "DATASET.toml").write_text('name = "Aff-Wild2"')
    assert dataset_name(tmp_path, EXPR, splits({"a": 5})) == tmp_path.name


def test_a_marker_names_other_data(tmp_path):
    (tmp_path / "DATASET.toml").write_text('name = "drawn by abaw"')
    assert dataset_name(tmp_path, EXPR, splits(REAL)) == "drawn by abaw"


def test_a_broken_marker_is_named(tmp_path):
    (tmp_path / "DATASET.toml").write_text("name = drawn")
    with pytest.raises(DataError, match=r"DATASET\.toml: not readable as TOML"):
        dataset_name(tmp_path, EXPR, splits(REAL))


def test_no_videos_are_not_affwild2(tmp_path):
    assert dataset_name(tmp_path, EXPR, {"train": [], "val": [], "test": []}) == tmp_path.name


def test_a_part_of_the_validation_set_is_called_so(tmp_path):
    names = list(affwild2_frame_counts().items())
    whole = {"train": [Video(*pair) for pair in names[100:150]], "val": [Video(*pair) for pair in names[:63]]}
    assert dataset_name(tmp_path, EXPR, whole) == AFFWILD2
    part = {**whole, "val": whole["val"][:12]}
    assert dataset_name(tmp_path, EXPR, part) == "Aff-Wild2, 12 of 70 validation videos"
    assert dataset_name(tmp_path, VA, whole) == "Aff-Wild2, 63 of 76 validation videos"


def violence(n: int, frames: int, *names: str) -> list[Video]:
    """So many videos with so many labelled frames in all, some of them with names that are known."""
    every = [*names, *(f"{k:04d}" for k in range(2000, 2000 + n - len(names)))]
    if "0227" in names:
        every = [*names, *(f"{k:04d}" for k in range(3000, 3000 + n - len(names)))]
    lengths = np.diff(np.linspace(0, frames, n + 1).astype(int)).tolist()
    return [Video(name, k, np.zeros(k, np.int64)) for name, k in zip(every, lengths, strict=True)]


TRAIN, VAL = violence(103, 771_600, "0227"), violence(17, 76_800, "0007", "1312")


def test_numbers_of_videos_and_frames_and_known_names_make_dvd(tmp_path):
    assert dvd_name(tmp_path, {"train": TRAIN, "val": VAL, "test": []}) == DVD
    assert dvd_name(tmp_path, {"val": VAL}) == DVD


@pytest.mark.parametrize(
    "val",
    [
        VAL[:16],
        violence(17, 76_800, "0007"),
        violence(17, 60_000, "0007", "1312"),
        violence(17, 76_800, "0007", "1312", "x"),
        [],
    ],
)
def test_a_validation_set_that_is_not_whole_is_a_part(tmp_path, val):
    assert dvd_name(tmp_path, {"train": TRAIN, "val": val}) == f"DVD, {len(val)} of 17 validation videos"


def test_a_training_set_that_is_not_whole_is_a_part(tmp_path):
    assert dvd_name(tmp_path, {"train": TRAIN[:50], "val": VAL}) == "DVD, 50 of 103 training videos"


def test_a_folder_called_dvd_is_not_dvd_for_that(tmp_path):
    (tmp_path / "dvd").mkdir()
    assert dvd_name(tmp_path / "dvd", {"train": TRAIN[:9], "val": VAL[:3]}) == "dvd (not recognised)"
    (tmp_path / "dvd" / "DATASET.toml").write_text('name = "DVD"')
    assert dvd_name(tmp_path / "dvd", {"train": TRAIN[:9], "val": VAL[:3]}) == "dvd (not recognised)"


def mimicry(n: int, first: int) -> list[Video]:
    return [Video(f"{first + k:05d}", 3, np.zeros((1, 6)), rows=1) for k in range(n)]


def hesitation(n: int, frames: int, positive: int = 0) -> list[Video]:
    """So many videos with so many labelled frames in all; with 0 frames, a label each."""
    if not frames:
        labels = [np.array([int(k < positive)]) for k in range(n)]
    else:
        labels = [np.zeros(k, np.int64) for k in np.diff(np.linspace(0, frames, n + 1).astype(int))]
    return [Video(f"{k}/q.mp4", len(own), own) for k, own in enumerate(labels)]


TRAIN_EMI, VAL_EMI = mimicry(8_072, 0), mimicry(4_588, 8_072)


def test_numbers_of_rows_make_vidmimic(tmp_path):
    assert dataset_name(tmp_path, EMI, {"train": TRAIN_EMI, "val": VAL_EMI, "test": mimicry(4_586, 12_660)}) == VIDMIMIC
    assert vidmimic_name(tmp_path, {"val": VAL_EMI}) == VIDMIMIC
    part = {"train": TRAIN_EMI, "val": VAL_EMI[:9]}
    assert vidmimic_name(tmp_path, part) == "Hume-Vidmimic2, 9 of 4588 validation videos"
    assert vidmimic_name(tmp_path, {"train": TRAIN_EMI, "val": mimicry(4_588, 12_660)}) != VIDMIMIC
    assert vidmimic_name(tmp_path, {"train": TRAIN_EMI[:9], "val": VAL_EMI[:9]}) == tmp_path.name


def test_numbers_of_videos_and_frames_make_bah_of_edition_8(tmp_path):
    train, val = hesitation(304, 205_926), hesitation(127, 89_600)
    assert dataset_name(tmp_path, AH, {"train": train, "val": val, "test": []}) == BAH_8
    assert bah_name(tmp_path, {"train": train, "val": hesitation(127, 89_599)}).startswith("BAH, edition 8, 127 of")
    assert bah_name(tmp_path, {"train": train[:5], "val": val}) == "BAH, edition 8, 5 of 304 training videos"
    assert bah_name(tmp_path, {"train": train[:5], "val": val[:5]}) == tmp_path.name


def test_labels_of_videos_tell_the_editions_of_bah(tmp_path):
    later = {"train": hesitation(778, 0, 385), "val": hesitation(124, 0, 75)}
    assert dataset_name(tmp_path, AHV, later) == BAH_10 == PUBLISHED_ON["AHV"]
    assert bah_name(tmp_path, later | {"val": hesitation(124, 0, 74)}) != BAH_10
    assert dataset_name(tmp_path, AHV, {"train": hesitation(304, 0, 9), "val": hesitation(127, 0, 73)}) == BAH_8


@pytest.mark.parametrize("name", ["BAH, edition 8", "BAH, editions 10 and 11"])
def test_a_marker_cannot_claim_bah(tmp_path, name):
    (tmp_path / "DATASET.toml").write_text(f'name = "{name}"')
    assert bah_name(tmp_path, {"train": hesitation(3, 0)}) == tmp_path.name
    (tmp_path / "DATASET.toml").write_text('name = "my own"')
    assert bah_name(tmp_path, {"val": hesitation(127, 89_600)}) == "my own"
