"""Which clips an epoch trains on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import DataError
from solutions.clips.sampling import UNLABELLED, Sampler
from tests.support.tiny_clips import PLAIN

PAPER = replace(PLAIN, mode="paper", step=2, clip_length=8)  # 15 frames from the first to the last
LENGTHS = ([1], [2, 5], [10, 33, 64, 65, 100], [200, 3, 62, 63, 64, 1])


def partly_annotated(lengths, seed=0):
    rng = np.random.default_rng(seed)
    labels = [np.where(rng.random(n) < 0.8, rng.integers(0, 2, n), UNLABELLED) for n in lengths]
    labels[0][0] = 1
    return labels


def counted(sampler, drawn):
    """How often each frame of all videos counts."""
    first = np.cumsum(sampler.lengths) - sampler.lengths
    places = (first[drawn.videos][:, None] + drawn.frames)[drawn.targets != UNLABELLED]
    return np.bincount(places, minlength=len(sampler.labels))


def test_the_authors_take_one_clip_a_video_however_long():
    sampler = Sampler([np.zeros(n, int) for n in (16, 5000, 20)], PAPER)
    drawn = sampler.epoch(np.random.default_rng(0))
    assert sampler.n_clips == 3
    assert sorted(drawn.videos.tolist()) == [0, 1, 2]
    assert (np.diff(drawn.frames, axis=1) == 2).all()


def test_a_clip_of_the_authors_starts_anywhere_that_it_fits():
    sampler = Sampler([np.zeros(18, int)], PAPER)
    rng = np.random.default_rng(0)
    starts = np.array([sampler.epoch(rng).frames[0, 0] for _ in range(4000)])
    assert np.bincount(starts, minlength=4) == pytest.approx([1000] * 4, abs=120)


def test_short_video_repeats_last_frame_counted_in_mode_paper():
    labels = [np.array([0, 1, 0, 1, 1])]
    drawn = Sampler(labels, PAPER).epoch(np.random.default_rng(0))
    assert drawn.frames.tolist() == [[0, 2, 4, 4, 4, 4, 4, 4]]
    assert drawn.targets.tolist() == [[0, 0, 1, 1, 1, 1, 1, 1]]


@pytest.mark.parametrize("mode", ["paper", "fixed"])
def test_clips_around_a_violent_frame(mode):
    labels = [np.zeros(400, int), np.zeros(300, int)]
    labels[0][[50, 200]] = 1
    training = replace(PAPER, mode=mode, positive_clips=1.0, epoch_clips=30)
    drawn = Sampler(labels, training).epoch(np.random.default_rng(1))
    from_first = drawn.frames[drawn.videos == 0]
    assert len(from_first)
    assert {int(start) + 7 for start in from_first[:, 0]} <= {50, 200}  # the span is 15 frames
    if mode == "fixed":  # violent frames of all videos, each as likely
        assert (drawn.videos == 0).all()


def test_a_violent_frame_near_the_end_keeps_the_clip_inside():
    labels = np.zeros(100, int)
    labels[99] = 1
    drawn = Sampler([labels], replace(PAPER, positive_clips=1.0)).epoch(np.random.default_rng(0))
    assert drawn.frames[0, -1] == 99


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_a_cut_of_all_videos_counts_each_annotated_frame_once(lengths, step):
    sampler = Sampler(partly_annotated(lengths), replace(PLAIN, step=step))
    rng = np.random.default_rng(0)
    for _ in range(20):
        cut = sampler._cut(rng)
        assert (counted(sampler, cut) == (sampler.labels != UNLABELLED)).all()
        assert (cut.targets != UNLABELLED).any(1).all()


def test_a_clip_stays_inside_a_video_that_is_long_enough():
    sampler = Sampler([np.ones(40, int), np.ones(16, int)], replace(PLAIN, step=2))
    for seed in range(20):
        drawn = sampler.epoch(np.random.default_rng(seed))
        assert (np.diff(drawn.frames, axis=1) == 2).all()
        assert (drawn.frames >= 0).all()
        assert (drawn.frames < sampler.lengths[drawn.videos][:, None]).all()


def test_frames_repeated_in_a_short_video_count_once():
    drawn = Sampler([np.array([1, 0, 1])], PLAIN).epoch(np.random.default_rng(0))
    assert drawn.frames[0].tolist() == [0, 1, 2, 2, 2, 2, 2, 2]
    assert (drawn.targets[0] != UNLABELLED).sum() <= 3


def test_long_videos_give_more_clips_with_equal_frame_rates():
    labels = [np.zeros(n, int) for n in (800, 80, 9)]
    sampler = Sampler(labels, replace(PLAIN, epoch_clips=50))
    rng = np.random.default_rng(0)
    total = sum(counted(sampler, sampler.epoch(rng)) for _ in range(400))
    expected = total.mean()
    for part in np.split(total, [800, 880]):
        assert part.mean() == pytest.approx(expected, rel=0.1)
    assert total.min() > expected / 2


@pytest.mark.parametrize(("asked", "clips"), [(0, 14), (5, 5), (100, 100)])
def test_clips_of_an_epoch(asked, clips):
    """As many as hold the annotated frames once, fewer, or several cuts."""
    labels = [np.zeros(100, int), np.r_[np.zeros(10, int), np.full(90, UNLABELLED)]]
    sampler = Sampler(labels, replace(PLAIN, epoch_clips=asked))
    assert sampler.n_clips == clips
    drawn = sampler.epoch(np.random.default_rng(0))
    assert len(drawn) == clips
    if asked == 100:
        often = counted(sampler, drawn)[sampler.labels != UNLABELLED]
        assert often.min() >= 5
        assert often.max() <= 10


def test_same_random_numbers_same_clips():
    sampler = Sampler(partly_annotated(LENGTHS[3]), replace(PLAIN, positive_clips=0.3))
    one, two, other = (sampler.epoch(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(one.frames, two.frames)
    assert np.array_equal(one.targets, two.targets)
    assert not np.array_equal(one.frames, other.frames)


@pytest.mark.parametrize("labels", [[], [np.full(20, UNLABELLED)], [np.empty(0, int)]])
@pytest.mark.parametrize("mode", ["paper", "fixed"])
def test_nothing_annotated_is_refused(labels, mode):
    with pytest.raises(DataError, match="no training frame is annotated"):
        Sampler(labels, replace(PLAIN, mode=mode))


@pytest.mark.parametrize("mode", ["paper", "fixed"])
def test_a_video_without_frames_is_passed_over(mode):
    drawn = Sampler([np.empty(0, int), np.ones(30, int)], replace(PLAIN, mode=mode)).epoch(np.random.default_rng(0))
    assert set(drawn.videos.tolist()) == {1}
