"""What the gaps of a file have in common is told from what is missing here and there."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.files.checking.patterns import find_pattern

LENGTHS = {"a": 100, "b": 250, "c": 77}


def wanted(lengths=None):
    return {name: np.arange(1, n + 1) for name, n in (lengths or LENGTHS).items()}


def changed(change):
    return {name: change(frames) for name, frames in wanted().items()}


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda f: f - 1, "shift", "numbered from 0 in 3 of 3 videos"),
        (lambda f: f + 1, "shift", "numbers are 1 too high in 3 of 3 videos"),
        (lambda f: f[:-1], "end", "no row for the last frame of 3 of 3 videos"),
        (lambda f: f[:-7], "end", "no row for the last 7 frames of 3 of 3 videos"),
        (lambda f: f[3:], "start", "no row for the first 3 frames of 3 of 3 videos"),
        (lambda f: np.append(f, f[-1] + 1), "longer", "1 row too many at the end of 3 of 3 videos"),
        (lambda f: f[::2], "stride", "only every second frame of 3 of 3 videos has a row"),
        (lambda f: f[2::5], "stride", "only every 5th frame"),
        (lambda f: f[: round(len(f) * 0.8)], "rate", "0.80 times the frames .* 20.0 frames per second for 25"),
        (lambda f: np.arange(1, round(len(f) * 1.2) + 1), "rate", "1.20 times .* 30.0 frames per second for 25"),
    ],
)
def test_pattern_of_every_video_is_named(change, kind, words):
    pattern = find_pattern(changed(change), wanted())
    assert pattern.kind == kind
    assert pattern.video == "a"
    assert re.search(words, pattern.message), pattern.message


@pytest.mark.parametrize(
    "change",
    [lambda f: f, lambda f: np.delete(f, 40), lambda f: np.delete(f, [3, 44, 60])],
    ids=["nothing", "one gap", "three gaps"],
)
def test_scattered_gaps_are_no_pattern(change):
    assert find_pattern(changed(change), wanted()) is None


def test_last_frame_of_one_of_many_videos_is_no_pattern():
    have = wanted()
    have["b"] = have["b"][:-1]
    assert find_pattern(have, wanted()) is None


def test_last_frame_of_the_only_video_is_a_pattern():
    assert find_pattern({"a": np.arange(1, 100)}, {"a": np.arange(1, 101)}).kind == "end"


def test_pattern_of_most_videos_is_named_beside_scattered_gaps():
    lengths = {f"v{k}": 60 + k for k in range(10)}
    have = {name: frames[:-1] for name, frames in wanted(lengths).items()}
    have["v9"] = np.delete(wanted(lengths)["v9"], 30)
    assert find_pattern(have, wanted(lengths)).message.startswith("no row for the last frame of 9 of 10 videos")


def test_videos_without_any_row_are_left_to_others():
    assert find_pattern({"a": wanted()["a"]}, wanted()) is None


def test_way_on_undoes_the_offset():
    assert "--shift +1" in find_pattern(changed(lambda f: f - 1), wanted()).way_on
    assert "--shift -2" in find_pattern(changed(lambda f: f + 2), wanted()).way_on


LONG = {f"v{k}": 100 + 3 * k for k in range(10)}


def of_all(change, n=10):
    """Frames of ten videos, the first ``n`` changed."""
    return {name: change(frames) if k < n else frames for k, (name, frames) in enumerate(wanted(LONG).items())}


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda f: np.delete(f, 49) + 1, "shift", "numbers are 1 too high in 10 of 10 videos"),
        (lambda f: np.delete(f, [20, 70]) - 1, "shift", "numbered from 0 in 10 of 10 videos"),
        (lambda f: np.append(f, f[-1] + 1) + 3, "shift", "numbers are 3 too high"),
        (lambda f: f[2:-2], "ends", "the first 2 and the last 2 frames of 10 of 10 videos, and no other .* both sides"),
        (lambda f: f[1:-1], "ends", "the first 1 and the last frame of 10 of 10"),
        (lambda f: f[f % 25 != 0], "period", "every 25th frame of 10 of 10 videos has no row"),
        (lambda f: np.delete(f, 36), "position", "frame 37 of 10 of 10 videos has no row"),
        (lambda f: np.delete(f, -8), "position", "the frame 7 before the last one of 10 of 10 videos has no row"),
    ],
)
def test_one_cause_is_told_whatever_else_is_missing(change, kind, words):
    pattern = find_pattern(of_all(change), wanted(LONG))
    assert pattern.kind == kind, pattern
    assert re.search(words, pattern.message), pattern.message


def test_last_frame_of_most_videos_is_named_beside_other_gaps():
    have = of_all(lambda f: f[:-1], 7)
    for k, name in enumerate(list(LONG)[7:]):
        have[name] = np.delete(have[name], 30 + 7 * k)
    pattern = find_pattern(have, wanted(LONG))
    assert pattern.message.startswith("no row for the last frame of 7 of 10 videos, and no other is missing")


def test_gaps_that_fall_where_chance_puts_them_are_no_pattern():
    """Each video lacks frames anywhere: half a thousand files, none of which has a pattern."""
    dice = np.random.default_rng(0)
    for _ in range(500):
        have = of_all(lambda f: np.delete(f, dice.choice(len(f), dice.integers(0, 6), replace=False)))
        assert find_pattern(have, wanted(LONG)) is None


def test_an_offset_of_some_videos_is_not_undone_in_all():
    pattern = find_pattern(of_all(lambda f: f - 1, 5), wanted(LONG))
    assert "numbered from 0 in 5 of 10 videos" in pattern.message
    assert "--shift would move all" in pattern.way_on
    have = of_all(lambda f: f - 1, 5) | {"v9": wanted(LONG)["v9"] + 1, "v8": wanted(LONG)["v8"] + 1}
    pattern = find_pattern(have, wanted(LONG))
    assert pattern.message == "frame numbers of 7 of 10 videos are off by -1 to +1"
    assert "--shift would move all" in pattern.way_on


def test_what_is_not_filled_is_not_promised():
    assert "--trust-numbers" in find_pattern(of_all(lambda f: f[:-5]), wanted(LONG)).way_on
    assert "--trust-numbers" not in find_pattern(of_all(lambda f: f[:-9]), wanted(LONG)).way_on
