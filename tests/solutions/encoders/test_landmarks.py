"""The landmarks encoder: features describe an expression, not where the head is; a row depends on its image alone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.errors import MissingDependencyError
from harness.system.images import read_rgb
from solutions.encoders.images import landmarks
from solutions.encoders.images.face_geometry import (
    BROWS,
    DIM,
    N_LANDMARKS,
    POINTS,
    expression_features,
    frontal,
)
from solutions.encoders.mediapipe_wheel import missing
from tests.support.places import REAL, REPOSITORY

PHOTOGRAPHS = REAL / "faces"
N_PHOTOGRAPHS = 6

IN_A_FRESH_PROCESS = """
import hashlib, sys
from pathlib import Path
from harness.system.images import read_rgb
from solutions.encoders.images.landmarks import LandmarksEncoder
print(hashlib.sha256(LandmarksEncoder().encode([read_rgb(Path(p)) for p in sys.argv[1:]]).tobytes()).hexdigest())
"""


@pytest.fixture
def points() -> np.ndarray:
    """A mirror-symmetric point cloud with the axes of a face: x across, y down, z away."""
    rng = np.random.default_rng(0)
    cloud = rng.normal(0, 30, (N_LANDMARKS, 3))
    for left, right in POINTS:
        cloud[left, 0] = 0 if left == right else -abs(cloud[left, 0])
        cloud[right] = cloud[left] * [-1, 1, 1]
    for left, right in ((127, 356), (162, 389), (21, 251)):
        cloud[left] = [-70, 0, 40]
        cloud[right] = [70, 0, 40]
    cloud[[9, 10, 151], 1] = -90
    cloud[[2, 94], 1] = 40
    return cloud + np.array([100, 110, 0])


def rotation(axis: int, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    turn[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    return turn


@pytest.mark.parametrize("degrees", [-60, -10, 3, 45])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_turning_the_head_changes_nothing(points, axis, degrees):
    turned = points @ rotation(axis, degrees).T
    np.testing.assert_allclose(expression_features(turned), expression_features(points), atol=1e-5)


def test_moving_and_scaling_the_face_changes_nothing(points):
    np.testing.assert_allclose(expression_features(points * 2.5), expression_features(points), atol=1e-5)
    np.testing.assert_allclose(
        expression_features(points + np.array([40, -70, 3])), expression_features(points), atol=1e-5
    )


def test_mirroring_the_face_changes_nothing(points):
    points[BROWS[0][0]] += [0, 9, 0]  # one brow only
    mirrored = points.copy()
    for left, right in POINTS:
        mirrored[[left, right]] = points[[right, left]]
    mirrored[:, 0] *= -1
    np.testing.assert_allclose(expression_features(mirrored), expression_features(points), atol=0.02)


def test_raised_brow_moves_on_the_face_but_not_within_the_brow(points):
    raised = points.copy()
    brows = np.array(BROWS).reshape(-1)
    raised[brows, 1] -= 12
    change = (expression_features(raised) - expression_features(points)).reshape(-1, 2)
    on_the_face, within_parts = change[: len(POINTS)], change[len(POINTS) :]
    columns = [k for k, (left, _) in enumerate(POINTS) if left in np.array(BROWS)[:, 0]]
    assert (on_the_face[columns, 1] < -0.05).all()
    np.testing.assert_allclose(within_parts, 0, atol=0.02)


def test_a_frontal_face_is_upright_and_its_left_is_left(points):
    face = frontal(points @ rotation(2, 30).T)
    assert face[33, 0] < face[263, 0]
    assert face[10, 1] < face[2, 1]


def test_features_have_the_declared_shape_and_type(points):
    features = expression_features(points)
    assert features.shape == (DIM,)
    assert features.dtype == np.float32


def test_points_without_extent_give_nan_not_a_crash():
    assert np.isnan(expression_features(np.ones((N_LANDMARKS, 3)))).all()


def test_no_point_is_listed_twice():
    flat = [point for pair in POINTS for point in dict.fromkeys(pair)]
    assert len(flat) == len(set(flat))


def test_without_mediapipe_the_error_names_the_remedy(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "mediapipe"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MissingDependencyError, match=r"pip install -e '.*\[mediapipe\]'"):
        landmarks.LandmarksEncoder()


def test_missing_shared_library_error_names_system_package():
    error = missing(
        "the landmarks encoder", ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
    )
    assert "libGL.so.1" in str(error)
    assert "apt-get install -y libgl1" in str(error)


@pytest.fixture(scope="module")
def encoder(mediapipe):
    return landmarks.LandmarksEncoder()


@pytest.fixture(scope="module")
def photographs() -> list[Path]:
    if not PHOTOGRAPHS.is_dir():
        pytest.skip("the real photographs (../shared/real) are not here")
    return sorted((PHOTOGRAPHS / "happiness").glob("*.jpg"))[:N_PHOTOGRAPHS]


def test_noise_gives_rows_of_nan(encoder):
    rng = np.random.default_rng(0)
    sizes = ((112, 112), (60, 150), (2, 30), (1, 1))
    rows = encoder.encode([rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes])
    assert rows.shape == (len(sizes), encoder.dim)
    assert rows.dtype == np.float32
    assert np.isnan(rows).all()


def test_no_images_give_no_rows(encoder):
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_identity_is_plain_data_and_hashes_both_models(encoder):
    identity = encoder.identity()
    assert json.loads(json.dumps(identity)) == identity
    assert [len(digest) for digest in identity["models"].values()] == [64, 64]


@pytest.mark.real
def test_a_row_depends_on_its_own_image_only(encoder, photographs):
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    images = [*map(read_rgb, photographs), noise]
    together = encoder.encode(images)
    assert np.isnan(together[-1]).all()
    assert np.isfinite(together[:-1]).all(axis=1).sum() >= N_PHOTOGRAPHS - 1
    np.testing.assert_array_equal(encoder.encode(images[::-1])[::-1], together)
    np.testing.assert_array_equal(np.concatenate([encoder.encode([image]) for image in images]), together)


@pytest.mark.real
def test_landmarks_are_inside_the_crop_and_follow_its_padding(encoder, photographs):
    image = read_rgb(photographs[0])
    points = encoder.landmarks(image)
    height, width = image.shape[:2]
    assert (points[:, :2].mean(axis=0) > [0.3 * width, 0.3 * height]).all()
    assert (points[:, :2].mean(axis=0) < [0.7 * width, 0.7 * height]).all()
    wider = np.pad(image, ((0, 0), (40, 0), (0, 0)))
    np.testing.assert_allclose(encoder.landmarks(wider)[:, :2] - [40, 0], points[:, :2], atol=0.03 * width)


@pytest.mark.process
@pytest.mark.real
def test_a_fresh_process_gives_the_same_bits_and_a_clean_screen(encoder, photographs):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    fresh = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS, *map(str, photographs)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=True,
    )
    rows = encoder.encode([read_rgb(path) for path in photographs])
    assert fresh.stdout.strip() == hashlib.sha256(rows.tobytes()).hexdigest()
    assert fresh.stderr == ""
