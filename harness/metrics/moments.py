"""Concordance and correlation from sums that add up over videos without loss.

A coefficient needs six sums per target: n, Σx, Σy, Σx², Σy², Σxy, of labels x and predictions y. Plain sums fail for
nearly constant data: Σx² − (Σx)²/n is then a small difference of large numbers. So each sum is stored in two
parts: a multiple of 2⁻¹⁵ (sums of values) or 2⁻³⁰ (sums of products), and the rest. The multiples are added, weighted
and moved to another origin without any rounding, as long as Σx² stays below four million; the rests are small. For
values in [-1, 1] the coefficients then agree with the two-pass formulas to 1e-12, down to standard deviations of 1e-5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.metrics.frames import Int, share

Float = npt.NDArray[np.float64]

MOMENTS = 11
"""Number of moments: n; Σx, Σy, Σx², Σy², Σxy as multiples; their rests in the same order."""

LABELS_ONLY = (0, 1, 3, 6, 8)
"""Places of the moments that depend on the labels alone."""

_STEP = 2.0**-15
_EXACT_BELOW = 2.0**22
_NO_SPREAD = 1e-10  # standard deviation of a constant after rounding, with a margin
_NO_SPREAD_INEXACT = 1e-7  # this standard deviation relative to the mean, if the multiples are rounded


class Central(NamedTuple):
    """Numbers of frames, means, and sums of squared and mixed deviations from the means; float64 ``(...)`` each."""

    n: Float
    mean_x: Float
    mean_y: Float
    xx: Float
    yy: Float
    xy: Float


class _Side(NamedTuple):
    """Sum about a center, ``n * center + whole + rest``; ``near`` is the distance of the values or the sum from it."""

    center: Float
    whole: Float
    rest: Float
    near: Float


def moments(labels: npt.NDArray[Any], decisions: npt.NDArray[Any], lengths: Int) -> Float:
    """Return the sums of each video and target.

    Args:
        labels: finite values ``(n, targets)`` of all videos, one after the other.
        decisions: finite values ``(n, targets)`` of the same frames.
        lengths: frames of each video, ``(n_videos,)``.

    Returns:
        float64 ``(n_videos, targets, 11)``, see :data:`MOMENTS`; the moments add up over videos.
    """
    targets = labels.shape[1]
    out = np.zeros((len(lengths), targets, MOMENTS))
    has_frames = lengths > 0
    if has_frames.any():
        for k in range(targets):
            x, y = (np.ascontiguousarray(values[:, k], np.float64) for values in (labels, decisions))
            out[has_frames, k] = _video_sums(x, y, lengths[has_frames])
    return out


def _video_sums(x: Float, y: Float, lengths: Int) -> Float:
    """Return the moments of one target, ``(n_videos, 11)``; every video has at least one frame."""
    starts, n = np.cumsum(lengths) - lengths, lengths.astype(np.float64)

    def side(values: Float) -> _Side:
        # distances from a nearby multiple of the step are small, and so are the losses in adding them
        center: Float = np.rint(np.add.reduceat(values, starts) / n / _STEP) * _STEP
        near: Float = values - np.repeat(center, lengths)
        whole, rest = _split(np.add.reduceat(near, starts), _STEP)
        return _Side(center, whole, rest, near)

    def products(a: _Side, b: _Side) -> tuple[Float, Float]:
        small: Float = np.add.reduceat(a.near * b.near, starts)
        whole, rest = _split(small + (a.center * b.rest + b.center * a.rest), _STEP**2)
        return n * a.center * b.center + a.center * b.whole + b.center * a.whole + whole, rest

    a, b = side(x), side(y)
    sums = [(n * s.center + s.whole, s.rest) for s in (a, b)] + [products(a, a), products(b, b), products(a, b)]
    return np.stack([n, *(whole for whole, _ in sums), *(rest for _, rest in sums)], axis=-1)


def _split(values: npt.NDArray[Any], step: float) -> tuple[Float, Float]:
    """Return the nearest multiples of the step, a power of two, and the rests; their sums are exact."""
    whole = np.rint(values / step) * step
    return whole, values - whole


def central(sums: Float) -> Central:
    """Return means and deviations from added moments.

    Args:
        sums: ``(..., 11)``, any weighted sum of results of :func:`moments`.

    Returns:
        Means and deviations, all 0 without frames. Deviations of values that are constant up to rounding are exactly 0.
    """
    n, x, y, xx, yy, xy, rest_x, rest_y, rest_xx, rest_yy, rest_xy = np.moveaxis(sums, -1, 0)

    def side(whole: Float, rest: Float) -> _Side:
        center = np.rint(share(whole, n) / _STEP) * _STEP
        return _Side(center, whole, rest, (whole - n * center) + rest)

    def deviations(a: _Side, b: _Side, whole: Float, rest: Float) -> Float:
        moved = whole - a.center * b.whole - b.center * a.whole + n * a.center * b.center
        return np.asarray(moved + (rest - a.center * b.rest - b.center * a.rest) - share(a.near * b.near, n))

    a, b = side(x, rest_x), side(y, rest_y)
    sxx = _without_noise(deviations(a, a, xx, rest_xx), n, a.center)
    syy = _without_noise(deviations(b, b, yy, rest_yy), n, b.center)
    sxy = np.where((sxx > 0) & (syy > 0), deviations(a, b, xy, rest_xy), 0.0)
    return Central(n, a.center + share(a.near, n), b.center + share(b.near, n), sxx, syy, sxy)


def _without_noise(squares: Float, n: Float, mean: Float) -> Float:
    """Return sums of squared deviations, set to 0 if rounding of a constant can explain them."""
    smallest = np.where(n * mean**2 < _EXACT_BELOW, _NO_SPREAD, _NO_SPREAD_INEXACT * np.abs(mean))
    return np.where(squares > n * smallest**2, squares, 0.0)


def concordance_correlation(sums: Float) -> Float:
    """Return Lin's concordance correlation coefficient, with population variances (ddof 0).

    Args:
        sums: ``(..., 11)``, added moments.

    Returns:
        float64 ``(...)`` in [-1, 1]; 0 where labels or predictions are constant, and without frames.

    Source: Lin 1989; the competition's calls, (2 s_xy) / (s_x² + s_y² + (x̄ − ȳ)²).
    """
    c = central(sums)
    return np.clip(share(2 * c.xy, c.xx + c.yy + c.n * (c.mean_x - c.mean_y) ** 2), -1.0, 1.0)


def pearson_correlation(sums: Float) -> Float:
    """Return Pearson's correlation coefficient.

    Args:
        sums: ``(..., 11)``, added moments.

    Returns:
        float64 ``(...)`` in [-1, 1]; 0 where labels or predictions are constant, and without frames.
    """
    c = central(sums)
    return np.clip(share(c.xy, np.sqrt(c.xx * c.yy)), -1.0, 1.0)
