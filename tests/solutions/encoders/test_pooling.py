"""Statistics that are taken while rows come, against NumPy on all rows at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solutions.encoders.encoder import Part
from solutions.encoders.pooling import Rows, Statistics, reduced_parts, statistics_of

F16, F32 = np.dtype(np.float16), np.dtype(np.float32)


def oracle(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    return np.concatenate([wide.mean(0), wide.std(0), wide.min(0), wide.max(0)])[None]


@given(
    st.integers(1, 200), st.integers(1, 5), st.lists(st.integers(0, 200), max_size=6), st.sampled_from([0, 1e3, -1e5])
)
@settings(max_examples=60, deadline=None)
def test_statistics_equal_numpy_wherever_rows_are_cut(n: int, dim: int, cuts: list[int], offset: float) -> None:
    rows = (np.random.default_rng(n * 7 + dim).normal(offset, 1, (n, dim))).astype(np.float32)
    collector = Statistics([Part("embeddings", dim, F32)])
    for chunk in np.split(rows, sorted(min(cut, n) for cut in cuts)):
        collector.add(chunk)
    got = collector.result()
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, oracle(rows), rtol=1e-6, atol=1e-6)


def test_deviation_of_a_constant_is_zero() -> None:
    rows = np.full((50_000, 2), 0.1, np.float32)
    assert statistics_of([Part("embeddings", 2, F32)], rows)[0, 2:4].tolist() == [0, 0]


def test_each_part_is_reduced_by_itself() -> None:
    parts = (Part("embeddings", 3, F16), Part("logits", 2, F32))
    rows = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    assert [(part.name, part.dim, part.dtype) for part in reduced_parts(parts)] == [
        ("embeddings", 12, F32),
        ("logits", 8, F32),
    ]
    got = statistics_of(parts, rows)
    np.testing.assert_allclose(got[:, :12], oracle(rows[:, :3]), atol=1e-6)
    np.testing.assert_allclose(got[:, 12:], oracle(rows[:, 3:]), atol=1e-6)


@pytest.mark.parametrize("make", [lambda: Statistics([Part("embeddings", 4, F32)]), lambda: Rows(4)])
def test_no_rows_stay_no_rows(make) -> None:
    collector = make()
    collector.add(np.empty((0, 4), np.float32))
    assert len(collector.result()) == 0
