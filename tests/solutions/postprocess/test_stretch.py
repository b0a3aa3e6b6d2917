"""Rows of audio at frames: the authors' positions on the official count, exact at both ends."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from harness.errors import SolutionError
from solutions.postprocess.stretch import stretch

SIZES = [(50, 30), (30, 50), (7, 7), (1, 9), (9, 1), (17999, 10789), (49, 1473)]


def numbered(t: int) -> np.ndarray:
    return np.arange(t, dtype=np.float32)[:, None] * np.array([1, -1], np.float32)


@pytest.mark.parametrize(("t", "n"), SIZES)
def test_a_point_is_the_row_at_the_frames_beginning(t, n):
    got = stretch(numbered(t), n)
    assert got.shape == (n, 2)
    assert got.dtype == np.float32
    assert got[:, 0].tolist() == [k * t // n for k in range(n)]
    assert (got[:, 1] == -got[:, 0]).all()


@pytest.mark.parametrize(("t", "n"), SIZES)
def test_a_mean_is_of_the_rows_that_begin_in_the_frame(t, n):
    got = stretch(numbered(t), n, "mean")
    for k in {0, 1, n // 3, n // 2, n - 1} & set(range(n)):
        rows = range(k * t // n, max((k + 1) * t // n, k * t // n + 1))
        assert got[k, 0] == np.float32(Fraction(sum(rows), len(rows)))
    assert got.shape == (n, 2)


def test_as_many_frames_as_rows_change_nothing():
    for how in ("point", "mean"):
        assert (stretch(numbered(12), 12, how) == numbered(12)).all()


def test_means_of_whole_spans_use_every_row_once():
    rows = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    np.testing.assert_allclose(stretch(rows, 25, "mean"), rows.reshape(25, 4, 3).mean(1), rtol=1e-5)


def test_a_rounded_scale_would_land_a_row_early():
    """int(k * (t / n)) falls short of a whole number here; the position itself is whole."""
    k, t, n = next(
        (k, t, n) for n in range(2, 200) for t in range(2, 200) for k in range(n) if int(k * (t / n)) < k * t // n
    )
    assert stretch(numbered(t), n)[k, 0] == k * t // n


@pytest.mark.parametrize("how", ["point", "mean"])
def test_half_precision_stays_and_is_summed_without_loss(how):
    rows = np.full((40_000, 1), 1.5, np.float16)
    got = stretch(rows, 3, how)
    assert got.dtype == np.float16
    assert got.tolist() == [[1.5]] * 3


@pytest.mark.parametrize("how", ["point", "mean"])
def test_no_frames_get_no_rows(how):
    assert stretch(numbered(5), 0, how).shape == (0, 2)


def test_no_rows_can_not_be_stretched():
    with pytest.raises(SolutionError, match="no rows"):
        stretch(np.empty((0, 4), np.float32), 10)


@pytest.mark.parametrize(
    ("n_rows", "n_frames"), [(1, 1), (1, 9), (9, 1), (2, 5), (5, 5), (50, 24), (7, 300), (313, 111)]
)
def test_linear_stretch_hits_both_ends_as_the_audit_says(n_rows, n_frames):
    """Source position of frame k is k (T - 1) / (N - 1); NumPy's interpolation between rows is the oracle."""
    rows = np.random.default_rng(n_rows).normal(size=(n_rows, 3)).astype(np.float32)
    stretched = stretch(rows, n_frames, "linear")
    positions = [k * (n_rows - 1) / (n_frames - 1) if n_frames > 1 else 0 for k in range(n_frames)]
    expected = np.column_stack([np.interp(positions, np.arange(n_rows), column) for column in rows.T])
    assert stretched.dtype == np.float32
    np.testing.assert_allclose(stretched, expected, rtol=0, atol=1e-6)
    assert stretched[0].tolist() == rows[0].tolist()
    if n_frames > 1:
        assert stretched[-1].tolist() == rows[-1].tolist()


def test_linear_stretch_of_no_frames_is_empty():
    assert stretch(np.ones((4, 2), np.float32), 0, "linear").shape == (0, 2)
