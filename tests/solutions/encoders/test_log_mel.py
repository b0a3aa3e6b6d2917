"""Mel bands and their statistics against SciPy and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import get_window

from solutions.encoders.audio.log_mel import BANDS, FLOOR, LogMelEncoder, LogMelStatisticsEncoder


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


def mel_bands(audio: np.ndarray) -> np.ndarray:
    """Return log energies in 40 triangles on HTK's scale, each row of a Hann window of 25 ms, in float64."""
    starts = np.arange(0, len(audio) - 399, 160)
    windows = audio.astype(np.float64)[starts[:, None] + np.arange(400)] * get_window("hann", 400)
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), BANDS + 2) / 2595) - 1)
    frequencies = np.linspace(0, 8000, 201)
    rising = (frequencies[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies[:, None]) / np.diff(edges)[1:]
    return np.log(power @ np.maximum(0, np.minimum(rising, falling)) + FLOOR)


def test_rows_equal_numpy() -> None:
    audio = noise(16_000)
    got = LogMelEncoder().encode(audio)
    assert (got.shape, got.dtype) == ((98, BANDS), np.float32)
    np.testing.assert_allclose(got, mel_bands(audio), atol=2e-4)


@pytest.mark.parametrize(("n", "rows"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (1024, 4)])
def test_rows_of_short_audio(n: int, rows: int) -> None:
    assert LogMelEncoder().encode(noise(n)).shape == (rows, BANDS)


def test_digital_silence_is_finite() -> None:
    rows = LogMelEncoder().encode(np.zeros(16_000, np.float32))
    np.testing.assert_allclose(rows, np.log(FLOOR), atol=1e-6)


@pytest.mark.parametrize("cuts", [[], [1], [40, 41, 90]])
def test_statistics_equal_numpy_wherever_rows_are_cut(cuts: list[int]) -> None:
    encoder = LogMelStatisticsEncoder()
    rows = encoder.encode(noise(16_000) * np.linspace(0, 1, 16_000, dtype=np.float32))
    collector = encoder.collector()
    for chunk in np.split(rows, cuts):
        collector.add(chunk)
    got = collector.result()
    wide = rows.astype(np.float64)
    expected = np.concatenate([wide.mean(0), wide.std(0), np.diff(wide, axis=0).std(0), [(97 * 160 + 400) / 16_000]])
    assert got.shape == (1, 121)
    np.testing.assert_allclose(got[0], expected, atol=1e-5)


def test_statistics_of_one_row_have_no_deviation() -> None:
    encoder = LogMelStatisticsEncoder()
    collector = encoder.collector()
    collector.add(encoder.encode(noise(400)))
    got = collector.result()[0]
    assert not got[BANDS : 3 * BANDS].any()
    assert got[-1] == pytest.approx(0.025)
