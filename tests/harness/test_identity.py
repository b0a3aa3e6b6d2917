"""Published numbers may stand beside a run only if the data is what its name says."""

from __future__ import annotations

import pytest

from harness.datasets.dataset import Video
from harness.datasets.identity import AFFWILD2, affwild2_frame_counts, dataset_name
from harness.errors import DataError
from harness.tasks import EXPR, VA

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
