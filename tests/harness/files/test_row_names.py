"""Names of videos in another spelling: read where one video can be meant, left alone where several can."""

from __future__ import annotations

import pytest

from harness.files.formats import FORMATS
from harness.files.template import affwild2_videos, known_names
from harness.files.template import test_set_counts as known_counts
from harness.files.video_names import difference, known_as, under_several

KNOWN = {"102", "102-30-640x360", "a", "b_left", "b_right", "0001", "0002", "video10_1_left"}
CLIPS = {"Videos/82711/Visite_1/a b.mp4", "Videos/82711/Visite_1/c.mp4"}


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("102_aligned", "102"),
        ("102_cropped", "102"),
        ("102_pred", "102"),
        ("102_mp4", "102"),
        ("102.m4v", "102"),
        ("102.mp4_faces", "102"),
        ("102 (1)", "102"),
        ("102-30-640X360", "102-30-640x360"),
        ("102_30_640x360", "102-30-640x360"),
        ("102-30-640x360_aligned", "102-30-640x360"),
        ("B_LEFT", "b_left"),
        ("b left", "b_left"),
        ("VIDEO10_1_left.AVI", "video10_1_left"),
        ("1", "0001"),
        ("00002", "0002"),
        ("0002_pred", "0002"),
    ],
)
def test_name_with_what_a_tool_adds_is_read(name, video):
    assert known_as([name], KNOWN) == {name: video}
    assert repr(video) in difference(name, video)


@pytest.mark.parametrize(
    "name",
    [
        "videos/82711/visite_1/C.mp4",
        "82711/Visite_1/c.mp4",
        "Videos/82711/Visite 1/c",
        "/data/BAH/Videos/82711/Visite_1/c.avi",
        "c.mp4",
    ],
)
def test_clip_with_other_folders_is_read(name):
    assert known_as([name], CLIPS) == {name: "Videos/82711/Visite_1/c.mp4"}


@pytest.mark.parametrize("pair", [("102_v2", "0001_v2"), ("affwild_102", "affwild_a")])
def test_names_that_share_a_rest_are_read(pair):
    assert set(known_as(pair, KNOWN).values()) <= KNOWN
    assert set(known_as(pair, KNOWN)) == set(pair)
    assert known_as(pair[:1], KNOWN) == {}


@pytest.mark.parametrize(
    "names",
    [
        ["102"],
        ["stranger"],
        ["ab"],
        ["b"],  # b_left or b_right
        ["a_left", "102_left"],  # another person
        ["a_1", "102_1"],  # another part
        ["102_v2", "0001_v3"],
        ["102", "102_aligned"],  # two for one video
        ["102_aligned", "102_cropped"],
        ["9" * 5000],
        [],
    ],
)
def test_name_that_may_mean_several_videos_is_left_alone(names):
    assert known_as(names, KNOWN) == {}


def test_names_of_another_data_set_are_left_alone():
    others = [f"clip{k}" for k in range(20)]
    assert known_names([*others, "102_aligned"], FORMATS["VA"]) == set()
    assert known_names(["102_aligned"], FORMATS["CE"]) == set()
    assert known_names(["0102"], FORMATS["VD"]) == set()


@pytest.mark.parametrize("name", ["EXPR", "VA", "AU", "MTL", "VA-videos"])
def test_affwild2_names_are_read_in_every_format_with_names(name):
    videos = sorted(affwild2_videos())[:4]
    names = [f"{video}_aligned" for video in videos]
    assert known_as(names, known_names(names, FORMATS[name])) == dict(zip(names, videos, strict=True))


def test_real_names_are_never_read_as_others():
    assert all(set(known_counts(task)) <= affwild2_videos() for task in ("EXPR", "VA", "AU"))
    assert under_several(affwild2_videos(), affwild2_videos()) == {}
    for video in sorted(affwild2_videos())[::25]:
        assert known_as([video], affwild2_videos() - {video}) == {}


def test_names_of_one_video_are_found():
    names = ["102", "102_aligned", "a", "0001_pred", "1", "stranger"]
    assert under_several(names, KNOWN) == {"102": ["102", "102_aligned"], "0001": ["0001_pred", "1"]}
    assert under_several(["102", "a_aligned", "stranger"], KNOWN) == {}
