"""A voice whose pitch and loudness follow arousal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.datasets.synthetic.motion import FPS
from harness.datasets.synthetic.rig import Floats

SAMPLE_RATE = 16000  # Hz, mono, as the field extracts Aff-Wild2's audio
_OCTAVES = 0.7  # that the pitch rises from arousal 0 to 1
_DECIBELS = 9.0  # that the loudness rises from arousal 0 to 1
_QUIET = 0.07  # amplitude at arousal 0, full scale = 1
_BREATH = 0.004  # amplitude of the noise
# relative strength of the harmonics of a hummed vowel; our own choice
_HARMONICS = (1.0, 0.6, 0.42, 0.22, 0.12, 0.06)


def speak(
    rng: np.random.Generator, arousal: Floats, pitch: float, *, fps: float = FPS, timbre: Floats | None = None
) -> npt.NDArray[np.int16]:
    """Return the humming voice of a person, which follows arousal.

    Args:
        rng: random numbers of the voice.
        arousal: ``(frames,)`` in [-1, 1].
        pitch: natural frequency of the voice in Hz.
        fps: frames per second.
        timbre: ``(frames, harmonics)`` relative strengths; by default those of one hummed vowel throughout.

    Returns:
        int16 ``(round(frames / fps * 16000),)``, mono at 16 kHz.
    """
    samples = round(len(arousal) / fps * SAMPLE_RATE)
    seconds = np.arange(samples) / SAMPLE_RATE
    level = np.interp(seconds * fps, np.arange(len(arousal)), arousal)
    phase = 2 * np.pi * np.cumsum(pitch * 2 ** (_OCTAVES * level)) / SAMPLE_RATE
    strengths: Sequence[Floats | float] = _HARMONICS
    if timbre is not None:
        strengths = [np.interp(seconds * fps, np.arange(len(timbre)), column) for column in timbre.T]
    tone = sum(strength * np.sin(k * phase) for k, strength in enumerate(strengths, 1))
    syllables = 0.65 - 0.35 * np.cos(2 * np.pi * 4 * seconds + rng.uniform(0, 2 * np.pi))
    wave = _QUIET * 10 ** (_DECIBELS / 20 * level) * syllables * tone + rng.normal(0, _BREATH, samples)
    return np.asarray(np.clip(np.rint(wave * 32767), -32768, 32767), np.int16)
