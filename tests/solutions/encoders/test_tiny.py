"""The demo's encoder: the same picture gives the same row, whatever is encoded beside it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from solutions.encoders.images.tiny import TinyEncoder


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = [(112, 112), (150, 130), (64, 64), (40, 90), (1, 1), (200, 210)] * 4
    return [TinyEncoder().prepare(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for h, w in sizes]


def test_shape_type_and_range(images):
    encoder = TinyEncoder()
    rows = encoder.encode(images)
    assert rows.shape == (len(images), encoder.dim)
    assert rows.dtype == np.float32
    assert rows.min() >= 0
    assert rows.max() <= 1


def test_no_images_give_no_rows():
    encoder = TinyEncoder()
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_a_row_depends_on_its_own_image_only(images):
    encoder = TinyEncoder()
    together = encoder.encode(images)
    assert np.array_equal(encoder.encode(images[::-1])[::-1], together)
    assert np.array_equal(np.concatenate([encoder.encode([image]) for image in images]), together)


def test_threads_may_share_one_encoder(images):
    encoder = TinyEncoder()
    expected = encoder.encode(images)
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(encoder.encode, [images] * 12):
            assert np.array_equal(rows, expected)


def test_it_sees_gradients_and_light():
    dark, bright = np.full((64, 64, 3), 20, np.uint8), np.full((64, 64, 3), 220, np.uint8)
    upright = np.zeros((64, 64, 3), np.uint8)
    upright[:, 32:] = 255
    rows = TinyEncoder().encode([dark, bright, upright, upright.transpose(1, 0, 2).copy()])
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    assert distances[~np.eye(4, dtype=bool)].min() > 1


def test_identity_is_plain_data():
    identity = TinyEncoder().identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["encoder"] == "tiny"
