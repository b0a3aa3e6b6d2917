"""Columns of poses: the authors' as the audit's table reads, and cleaned ones that keep what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solutions.encoders.pose import features as pose_features
from solutions.encoders.pose.features import CLEAN_DIM, JOINTS, PAIR_BLOCKS, PERSON_BLOCKS, clean, paper

PER_PERSON = sum(PERSON_BLOCKS.values())


def raw_rows(people: list[list[np.ndarray]], aspect: float = 1.5) -> np.ndarray:
    """What the encoder gives for frames with up to two people ``(33, 4)`` each."""
    rows = np.zeros((len(people), 267), np.float32)
    for row, frame in zip(rows, people, strict=True):
        for k, person in enumerate(frame):
            row[132 * k : 132 * (k + 1)] = person.reshape(-1)
            row[264 + k] = 1
        row[266] = aspect
    return rows


def body(x: float, y: float = 0.5, *, seed: int = 0, size: float = 0.1, visible: float = 0.9) -> np.ndarray:
    """Somebody whose landmarks lie round a point; the same seed, the same shape."""
    rng = np.random.default_rng(seed)
    person = np.zeros((33, 4))
    person[:, :3] = rng.normal(0, 1, (33, 3)) * size
    person[:, :2] += [x, y]
    person[:, 3] = visible
    return person


def columns(block: str, person: int = 0) -> slice:
    """Of a block of ``pose:clean``."""
    at = 0
    if block in PAIR_BLOCKS:
        at, blocks = 2 * PER_PERSON, PAIR_BLOCKS
    else:
        at, blocks = person * PER_PERSON, PERSON_BLOCKS
    for name, width in blocks.items():
        if name == block:
            return slice(at, at + width)
        at += width
    raise KeyError(block)


def as_the_audit_reads(raw: np.ndarray) -> np.ndarray:
    """Section 3.2, a number at a time."""
    out = np.zeros((len(raw), 406))
    previous = [[0.0] * 99, [0.0] * 99]
    for t, row in enumerate(raw.astype(float)):
        here = [row[264] > 0, row[265] > 0]
        poses = []
        for person in range(2):
            pose = []
            for landmark in range(33):
                for axis in range(3):
                    pose.append(row[person * 132 + landmark * 4 + axis] if here[person] else 0.0)
            poses.append(pose)
        for person in range(2):
            for k in range(99):
                out[t, 99 * person + k] = poses[person][k]
                out[t, 198 + 99 * person + k] = poses[person][k] - previous[person][k]
        previous = poses

        def point(person, landmark, poses=poses):
            return poses[person][3 * landmark], poses[person][3 * landmark + 1]

        def middle(person, here=here, point=point):
            if not here[person]:
                return 0.0, 0.0
            points = [point(person, k) for k in range(33)]
            return sum(x for x, _ in points) / 33, sum(y for _, y in points) / 33

        def distance(a, b):
            return math.hypot(a[0] - b[0], a[1] - b[1])

        out[t, 396] = distance(middle(0), middle(1))
        if all(here):
            pairs = [(15, 15), (15, 16), (16, 15), (16, 16), (11, 11), (12, 12), (23, 23), (24, 24)]
            for k, (one, other) in enumerate(pairs):
                out[t, 397 + k] = distance(point(0, one), point(1, other))
            out[t, 405] = out[t, 396]
    return out


def test_the_406_columns_are_those_of_the_audits_table():
    frames = [
        [body(0.3, seed=1), body(0.7, seed=2)],
        [body(0.32, seed=1), body(0.7, seed=3)],
        [body(0.6, seed=4)],
        [],
        [body(0.1, seed=5)],
        [body(0.7, seed=6), body(0.2, seed=7)],
    ]
    raw = raw_rows(frames)
    rows = paper(raw)
    assert (rows.shape, rows.dtype) == ((6, 406), np.float32)
    np.testing.assert_allclose(rows, as_the_audit_reads(raw), atol=2e-6)


def test_the_papers_quirks_are_kept():
    first, second = body(0.3, seed=1), body(0.7, seed=2)
    rows = paper(raw_rows([[first, second], [first], []]))
    np.testing.assert_array_equal(rows[0, 198:297], rows[0, :99])  # the first frame's velocity is the pose
    np.testing.assert_array_equal(rows[1, 297:396], -rows[0, 99:198])  # going away is a jump
    assert rows[0, 405] == rows[0, 396] > 0  # the last distance is the first once more
    np.testing.assert_allclose(rows[1, 396], np.hypot(*first[:, :2].mean(0)), rtol=1e-6)  # to the corner
    assert not rows[1, 397:].any()
    assert not rows[2, :198].any()


@pytest.mark.parametrize("compute", [paper, clean])
def test_no_frames_give_no_rows(compute):
    width = {paper: 406, clean: CLEAN_DIM}[compute]
    assert compute(np.zeros((0, 267), np.float32)).shape == (0, width)


def test_a_row_of_nobody_is_all_zeros():
    rows = clean(np.zeros((3, 267), np.float32))
    assert (rows.shape, rows.dtype) == ((3, CLEAN_DIM), np.float32)
    assert not rows.any()


def test_people_keep_their_places_however_they_are_sorted():
    left, right = ([body(0.2 + 0.01 * t, seed=1) for t in range(8)], [body(0.8, seed=2) for _ in range(8)])
    straight = clean(raw_rows([[a, b] for a, b in zip(left, right, strict=True)]))
    swapped = clean(raw_rows([[a, b] if t % 2 else [b, a] for t, (a, b) in enumerate(zip(left, right, strict=True))]))
    np.testing.assert_array_equal(straight[:, columns("centre", 0)], swapped[:, columns("centre", 1)])
    speeds = swapped[:, columns("speed", 0)]
    np.testing.assert_allclose(speeds, straight[:, columns("speed", 1)], atol=1e-6)
    assert not speeds.any()  # the one on the right stands still
    assert swapped[1:, columns("speed", 1)].all()


def test_who_goes_and_comes_back_finds_his_place():
    left, right = body(0.2, seed=1), body(0.8, seed=2)
    rows = clean(raw_rows([[left, right], [right], [right], [right, left], [left]]))
    here = np.column_stack([rows[:, columns("here", k)] for k in (0, 1)])
    assert here.tolist() == [[1, 1], [0, 1], [0, 1], [1, 1], [1, 0]]
    assert not rows[:, columns("velocity", 0)].any()
    assert not rows[:, columns("velocity", 1)].any()


def test_velocity_is_zero_when_person_appears_leaves_or_swaps():
    here, there = body(0.2, seed=1), body(0.9, seed=2)
    rows = clean(raw_rows([[here], [], [here], [there], [there]]))
    assert not rows[:, columns("velocity", 0)].any()
    assert not rows[:, columns("speed", 0)].any()
    moved = clean(raw_rows([[here], [body(0.22, seed=1)]]))
    assert moved[1, columns("speed", 0)].all()


def test_shape_does_not_depend_on_place_size_or_aspect_ratio():
    wide = raw_rows([[body(0.3, seed=1)]], aspect=2.0)
    narrow = body(0.3, seed=1)
    narrow[:, :2] = (narrow[:, :2] - 0.5) / [1.0, 2.0] * 1.7 + [0.4, 0.6]  # as seen in a square of twice the height
    square = raw_rows([[narrow]], aspect=1.0)
    # the first picture is twice as wide as high: its x counts double
    np.testing.assert_allclose(clean(wide)[:, columns("joints")], clean(square)[:, columns("joints")], atol=1e-5)
    np.testing.assert_allclose(clean(wide)[:, columns("joints")].reshape(-1, 2).mean(0), 0, atol=1e-6)
    np.testing.assert_allclose((clean(wide)[:, columns("joints")] ** 2).sum(), len(JOINTS), rtol=1e-5)


def test_columns_on_both_are_there_only_where_both_are():
    one, other = body(0.4, seed=1), body(0.6, seed=1)
    rows = clean(raw_rows([[one, other], [one], [one, body(0.5, seed=1)], [one, one]]))
    pair = rows[:, 2 * PER_PERSON :]
    assert not pair[1].any()
    assert (rows[:, columns("both")].ravel() == [1, 0, 1, 1]).all()
    near, overlap = rows[:, columns("near")].ravel(), rows[:, columns("overlap")].ravel()
    assert near[0] < near[2] < near[3] == 1
    assert overlap[0] < overlap[2] < overlap[3] == 1
    np.testing.assert_allclose(rows[3, columns("reach")], 1)
    assert (rows[0, columns("apart")] != 0).any()


def test_coming_nearer_is_positive():
    frames = [[body(0.2, seed=1), body(0.8 - 0.02 * t, seed=2)] for t in range(3)]
    assert (clean(raw_rows(frames))[1:, columns("closing")] > 0).all()


def test_no_two_columns_say_the_same():
    rng = np.random.default_rng(0)
    frames = [
        [body(*rng.uniform(0.2, 0.8, 2), seed=int(rng.integers(1e6)), size=0.1) for _ in range(2)] for _ in range(200)
    ]
    rows = clean(raw_rows(frames, aspect=1.3))
    varying = rows[:, rows.std(0, dtype=float) > 1e-4]
    seen = np.abs(np.corrcoef(varying.T))
    np.fill_diagonal(seen, 0)
    worst = np.unravel_index(seen.argmax(), seen.shape)
    assert seen.max() < 0.9999, worst


def test_both_are_cheap_for_an_hour_of_film(monkeypatch):
    """No loop over frames: what is called is called as often for many frames as for few."""
    calls = []
    norm = np.linalg.norm
    monkeypatch.setattr(pose_features.np.linalg, "norm", lambda *a, **k: calls.append(1) or norm(*a, **k))
    counts = []
    for n in (10, 1000):
        calls.clear()
        raw = raw_rows([[body(0.3, seed=1), body(0.7, seed=2)]] * n)
        paper(raw)
        clean(raw)
        counts.append(len(calls))
    assert counts[0] == counts[1] > 0
