"""Changes to training pictures: drawn a frame at a time as the authors do, or a clip at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import InterpolationMode, TrivialAugmentWide
from torchvision.transforms.autoaugment import _apply_op

from solutions.clips.augment import EVERYWHERE, IN_PLACE, Change, augment, magnitudes, mirrored_flow
from tests.support.tiny_clips import PLAIN

TRIVIAL, FLIP = replace(PLAIN, augment="trivial"), replace(PLAIN, augment="flip")
SPACE = TrivialAugmentWide(31)._augmentation_space(31)


def picture(seed=0, size=24):
    """Smooth enough for every operation to show."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return np.asarray(small.resize((size, size), Image.Resampling.BICUBIC))


def still(t=6):
    return np.repeat(picture()[None], t, 0)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_an_operation_is_torchvision_s(name):
    image = picture()
    listed, signed = SPACE[name]
    highest, ours_signed = EVERYWHERE[name]
    assert ours_signed == signed
    theirs = listed.tolist() if listed.ndim else [0.0] * 31
    for bin_, magnitude in enumerate(theirs):
        for sign in (1, -1) if signed else (1,):
            expected = _apply_op(Image.fromarray(image), name, sign * magnitude, InterpolationMode.NEAREST, None)
            ours = Change(name, sign * magnitudes(highest)[bin_])(image)
            assert np.array_equal(ours, np.asarray(expected)), (bin_, sign)


def test_every_operation_is_as_likely_and_signs_are_too():
    assert set(EVERYWHERE) == set(SPACE)
    generator = rng()
    changes = [Change.draw(generator) for _ in range(14_000)]
    names = Counter(change.name for change in changes)
    assert min(names.values()) > 850
    assert max(names.values()) < 1150
    signs = [change.magnitude > 0 for change in changes if change.name == "Rotate" and change.magnitude]
    assert np.mean(signs) == pytest.approx(0.5, abs=0.05)
    assert len({abs(change.magnitude) for change in changes if change.name == "Solarize"}) == 31


def test_clip_flickers_in_mode_paper_but_not_in_mode_fixed():
    clips = {
        mode: [augment({"rgb": still()}, replace(TRIVIAL, mode=mode), rng(seed))["rgb"] for seed in range(30)]
        for mode in ("paper", "fixed")
    }
    flickers = {mode: [bool((clip != clip[0]).any()) for clip in of_mode] for mode, of_mode in clips.items()}
    assert np.mean(flickers["paper"]) > 0.9
    assert not any(flickers["fixed"])
    assert np.mean([bool((clip != still()).any()) for clip in clips["fixed"]]) > 0.5  # yet something happens


def test_flips_are_per_frame_in_mode_paper_per_clip_in_fixed():
    mirrored = still()[:, :, ::-1]
    paper = augment({"rgb": still(200)}, replace(FLIP, mode="paper"), rng())["rgb"]
    flipped = (paper == mirrored[0]).all((1, 2, 3))
    assert (flipped | (paper == still(1)).all((1, 2, 3))).all()
    assert flipped.mean() == pytest.approx(0.5, abs=0.1)
    fixed = [augment({"rgb": still()}, FLIP, rng(seed))["rgb"] for seed in range(100)]
    whole = [bool((clip == mirrored).all()) for clip in fixed]
    assert all(one or (clip == still()).all() for one, clip in zip(whole, fixed, strict=True))
    assert np.mean(whole) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("mode", ["paper", "fixed"])
@pytest.mark.parametrize("kind", ["trivial", "flip"])
def test_features_stay_as_they_are(mode, kind):
    features = rng().normal(size=(6, 5)).astype(np.float32)
    for seed in range(10):
        out = augment({"rgb": still(), "pose": features}, replace(PLAIN, mode=mode, augment=kind), rng(seed))
        assert np.array_equal(out["pose"], features)


def test_in_mode_fixed_pictures_keep_their_place_beside_poses():
    """A corner pixel of its own colour stays the only one of its kind, where it was: nothing moves, nothing flips."""
    marked = np.zeros((3, 16, 16, 3), np.uint8) + np.uint8(90)
    marked[:, 2, 3] = [200, 30, 30]
    names = set()
    for seed in range(200):
        change = Change.draw(rng(seed), IN_PLACE)
        names.add(change.name)
        for kind in ("trivial", "flip"):
            inputs = {"rgb": marked, "pose": np.zeros((3, 2), np.float32)}
            out = augment(inputs, replace(PLAIN, augment=kind), rng(seed))["rgb"]
            far = np.delete(out[0].reshape(-1, 3), [r * 16 + c for r in range(1, 4) for c in range(2, 5)], 0)
            assert (far == far[0]).all()  # sharpening touches the neighbours alone
    assert names == set(IN_PLACE)


def test_the_authors_flip_flow_by_itself_and_leave_its_motion():
    flow = rng().integers(0, 256, (400, 6, 6, 3), dtype=np.uint8)
    rgb = rng(1).integers(0, 256, (400, 6, 6, 3), dtype=np.uint8)
    out = augment({"rgb": rgb, "flow": flow}, replace(FLIP, mode="paper"), rng())
    turned = {key: (out[key] == given[:, :, ::-1]).all((1, 2, 3)) for key, given in (("rgb", rgb), ("flow", flow))}
    assert np.mean(turned["rgb"] != turned["flow"]) == pytest.approx(0.5, abs=0.1)


def test_in_mode_fixed_frames_and_flow_flip_together():
    flow, rgb = rng().integers(0, 256, (2, 3, 6, 6, 3), dtype=np.uint8)
    flips = 0
    for seed in range(40):
        out = augment({"rgb": rgb, "flow": flow}, FLIP, rng(seed))
        flipped = not np.array_equal(out["rgb"], rgb)
        flips += flipped
        assert np.array_equal(out["flow"], mirrored_flow(flow, "flow") if flipped else flow)
    assert 8 < flips < 32


def test_in_mode_fixed_flow_is_no_photograph():
    flow, rgb = rng().integers(0, 256, (2, 3, 6, 6, 3), dtype=np.uint8)
    for seed in range(20):
        assert np.array_equal(augment({"rgb": rgb, "flow": flow}, TRIVIAL, rng(seed))["flow"], flow)


def as_paper_picture(dx, dy):
    """The paper's picture of flow: each channel from its least to its greatest, magnitude, dy, dx."""
    channels = [np.hypot(dx, dy), dy, dx]
    scaled = [(c - c.min()) / max(c.max() - c.min(), 1e-12) * 255 for c in channels]
    return np.stack(scaled, -1).round().astype(np.uint8)


def test_mirrored_pictures_of_flow_are_pictures_of_mirrored_flow():
    dx, dy = rng().normal(size=(2, 9, 8))
    mirrored = mirrored_flow(as_paper_picture(dx, dy)[None], "flow")[0]
    expected = as_paper_picture(-dx[:, ::-1], dy[:, ::-1])
    assert np.abs(mirrored.astype(int) - expected).max() <= 1


def test_a_picture_without_motion_has_none_in_the_mirror():
    assert (mirrored_flow(np.zeros((1, 5, 5, 3), np.uint8), "flow") == 0).all()
    still_fixed = np.full((1, 5, 5, 3), 128, np.uint8)
    assert (mirrored_flow(still_fixed, "flow-fixed") == 128).all()


def test_fixed_scale_motion_is_turned_about_128():
    flow = np.zeros((1, 1, 3, 3), np.uint8)
    flow[0, 0, :, 2] = [1, 100, 255]
    assert mirrored_flow(flow, "flow-fixed")[0, 0, :, 2].tolist() == [1, 156, 255]


@pytest.mark.parametrize("training", [PLAIN, TRIVIAL])
def test_rows_and_pictures_left_alone_come_back_as_they_are(training):
    inputs = {"rgb": np.zeros((3, 4), np.float32)}
    assert augment(inputs, training, rng()) is inputs
