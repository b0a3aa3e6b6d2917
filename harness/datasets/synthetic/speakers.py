"""People who speak: a face, a voice and words that all follow from the same labels.

Each state has action units, a formant and phrases of its own. Its level in a frame, from 0 to 1, is the strength with
which it shows there; levels of all states add up. A face, a voice or a text alone therefore reveals the label, each
with its own noise.
"""

from __future__ import annotations

import enum
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.media import open_in_sequence
from harness.datasets.synthetic.expressions import MUSCLES
from harness.datasets.synthetic.motion import blinks, drift
from harness.datasets.synthetic.rig import Floats
from harness.datasets.synthetic.voice import SAMPLE_RATE, speak

_HARMONICS = 24  # of 100 Hz, the lowest voice, these reach the highest formant
_CALM = (1.0, 0.6, 0.42, 0.22, 0.12, 0.06)  # of the vowel of a calm voice, as in voice.py
_FORMANT_WIDTH = 110.0  # Hz, more than half the distance of two harmonics of the highest voice
_TWITCH = 0.05  # deviation of muscles that mean nothing


class Purpose(enum.IntEnum):
    """The use of a random stream; part of its key, so never renumber."""

    LENGTH = 0
    LABELS = 1
    PERSON = 2
    FACE = 3
    CAMERA = 4
    VOICE = 5
    WORDS = 6


@dataclass(frozen=True)
class State:
    """One state that labels name.

    Attributes:
        units: action units at full level, with their intensity in [0, 1].
        arousal: arousal of the voice at full level, in [-1, 1].
        formant: frequency in Hz at which the voice gets louder, by as much as its level.
        phrases: by language, phrases that people in this state use.
        one_sided: action units that move one half of the face only.
    """

    units: Mapping[int, float]
    arousal: float
    formant: float
    phrases: Mapping[str, tuple[str, ...]]
    one_sided: frozenset[int] = frozenset()


def move_face(rng: np.random.Generator, levels: Floats, states: Sequence[State], fps: float) -> Floats:
    """Return the contraction of muscles ``(frames, 2, muscles)`` in [0, 1].

    Args:
        rng: random numbers of this face.
        levels: ``(frames, states)`` in [0, 1].
        states: the states of the columns.
        fps: frames per second.
    """
    frames = len(levels)
    peak = np.zeros((len(states), 2, len(MUSCLES)))
    quiet = int(rng.integers(2))
    for k, state in enumerate(states):
        for unit, intensity in state.units.items():
            peak[k, :, MUSCLES.index(unit)] = intensity * rng.uniform(0.75, 1.1)
        for unit in sorted(state.one_sided):
            peak[k, quiet, MUSCLES.index(unit)] *= 0.12
    muscles = np.einsum("fs,shm->fhm", levels, peak)
    muscles += np.maximum(drift(rng, frames, len(MUSCLES), _TWITCH, 25), 0)[:, None, :]
    muscles[..., MUSCLES.index(45)] = blinks(rng, frames, fps)[:, None]
    return np.asarray(np.clip(muscles, 0, 1), np.float64)


def record_voice(
    rng: np.random.Generator, levels: Floats, states: Sequence[State], pitch: float, fps: float
) -> npt.NDArray[np.int16]:
    """Return a voice whose arousal and timbre follow the states, int16 ``(samples,)``, mono at 16 kHz.

    Args:
        rng: random numbers of this voice.
        levels: ``(frames, states)`` in [0, 1].
        states: the states of the columns.
        pitch: natural frequency of the voice in Hz.
        fps: frames per second.
    """
    calm = np.pad(np.array(_CALM), (0, _HARMONICS - len(_CALM)))
    frequencies = pitch * np.arange(1, _HARMONICS + 1)
    formants = np.array([[state.formant] for state in states])
    timbre = calm + levels @ np.exp(-0.5 * ((frequencies - formants) / _FORMANT_WIDTH) ** 2)
    arousal = levels @ np.array([state.arousal for state in states]) + drift(rng, len(levels), 1, 0.1, 41)[:, 0]
    return speak(rng, np.clip(arousal, -1, 1), pitch, fps=fps, timbre=timbre)


def write_mp3(path: Path, samples: npt.NDArray[np.int16]) -> None:
    """Write an mp3 file, mono at 16 kHz."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        soundfile.write(file, samples, SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")


def write_wav(path: Path, samples: npt.NDArray[np.int16]) -> None:
    """Write a wav file of 16 bits, mono at 16 kHz, after an mp3 codec has filtered the samples.

    Otherwise the codec's low-pass filter would set voices in mp3 files apart from those in wav files.
    """
    import soundfile

    encoded = io.BytesIO()
    soundfile.write(encoded, samples, SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")
    encoded.seek(0)
    with open_in_sequence(encoded) as sound:
        decoded = sound.read(sound.frames, dtype="int16")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        soundfile.write(file, decoded, SAMPLE_RATE, format="WAV", subtype="PCM_16")
