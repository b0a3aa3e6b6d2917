"""Performance of a person in a video: expressions that rise, stay and fade, and the labels that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.datasets.synthetic.expressions import EXPRESSIONS, LABELLED, MUSCLES, NEUTRAL, Expression
from harness.datasets.synthetic.motion import FPS, blinks, drift
from harness.datasets.synthetic.rig import Floats
from harness.tasks import EXPR

MIN_FRAMES = 10 * len(EXPRESSIONS)  # fewer than ten frames per expression leave no room to rise and to fade
_MEAN_SEGMENT = 40  # frames an expression lasts on average in a long video
_LABEL_ABOVE = 0.3  # share of its own peak from which an expression is labelled as such
# FACS grades intensity A (a trace) to E; databases count an action unit as there from B or C on
_UNIT_ABOVE = 0.3
_WEAKEST = 0.25  # the faintest expressions peak here and hardly differ from a neutral face
# how often the classes come back once each has had its turn: their share of Aff-Wild2's training frames, damped
_RETURN_SHARES = np.array([0.28, 0.09, 0.07, 0.07, 0.17, 0.15, 0.10, 0.07])


@dataclass(frozen=True)
class Performance:
    """One person's expressions through a video, and its labels before anything is left out.

    Attributes:
        muscles: float64 ``(frames, 2, muscles)`` contraction in [0, 1], left and right half of the image.
        expression: int64 ``(frames,)`` class index.
        units: int64 ``(frames, 12)`` 0 or 1.
        affect: float64 ``(frames, 2)`` valence and arousal in [-1, 1].
        cuts: first frame of every expression's segment, 0-based, ``frames`` at the end.
    """

    muscles: Floats
    expression: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]
    affect: Floats
    cuts: npt.NDArray[np.int64]


def _programme(rng: np.random.Generator, frames: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return classes in order, each at least once, and the frames at which they start (``frames`` at the end)."""
    count = len(EXPRESSIONS)
    more = max(0, round(frames / _MEAN_SEGMENT) - count)
    classes = np.concatenate([np.arange(count), rng.choice(count, more, p=_RETURN_SHARES)])
    rng.shuffle(classes)
    shares = rng.gamma(4.0, size=len(classes)) + 1.5
    cuts = np.rint(np.concatenate([[0], np.cumsum(shares) / shares.sum()]) * frames).astype(np.int64)
    return classes, cuts


def _envelope(rng: np.random.Generator, frames: int) -> Floats:
    """Return onset, apex and offset of one expression ``(frames,)``, smooth, 0 at both ends and 1 at the apex."""
    onset, offset = rng.uniform(0.12, 0.3), rng.uniform(0.15, 0.35)
    t = (np.arange(frames) + 0.5) / frames
    ramp = np.clip(np.minimum(t / onset, (1 - t) / offset), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float64)


def _mimic(rng: np.random.Generator, expression: Expression, habit: Floats) -> Floats:
    """Return the peak contraction ``(2, muscles)`` of an expression at one time: it varies from time to time."""
    peak = np.zeros((2, len(MUSCLES)))
    for table, chance in ((expression.core, 0.94), (expression.extras, 0.5)):
        for unit, intensity in table.items():
            if rng.random() < chance:
                peak[:, MUSCLES.index(unit)] = intensity * rng.uniform(0.7, 1.15)
    peak *= habit * rng.uniform(0.9, 1.0, (2, 1))
    quiet = int(rng.integers(2))
    for unit in sorted(expression.one_sided):
        peak[quiet, MUSCLES.index(unit)] *= 0.12
    return peak


def _chatter(rng: np.random.Generator, frames: int) -> Floats:
    """Return the opening of a mouth that talks now and then ``(frames,)`` in [0, 1], four syllables per second."""
    talks = np.clip(drift(rng, frames, 1, 1.0, 61)[:, 0] - 0.6, 0, 1)
    phase = np.cumsum(2 * np.pi * 4 / FPS * (1 + drift(rng, frames, 1, 0.3, 15)[:, 0]))
    return np.asarray(talks * (0.5 - 0.5 * np.cos(phase)), np.float64)


def perform(rng: np.random.Generator, frames: int) -> Performance:
    """Act through every expression at least once.

    Args:
        rng: source of random numbers.
        frames: length of the video, at least :data:`MIN_FRAMES`.
    """
    classes, cuts = _programme(rng, frames)
    habit = rng.uniform(0.75, 1.15, len(MUSCLES))
    muscles = np.zeros((frames, 2, len(MUSCLES)))
    labels = np.full(frames, NEUTRAL, np.int64)
    affect = drift(rng, frames, 2, 0.07, 75) + rng.normal(0, 0.05, 2)
    for index, start, end in zip(classes, cuts, cuts[1:], strict=False):
        expression = EXPRESSIONS[EXPR.targets[index]]
        envelope = _envelope(rng, int(end - start))
        felt = _WEAKEST + (1 - _WEAKEST) * rng.beta(2.6, 1.4)
        muscles[start:end] += (felt * envelope)[:, None, None] * _mimic(rng, expression, habit)
        affect[start:end] += (felt * envelope)[:, None] * (expression.valence, expression.arousal)
        labels[start:end][envelope > _LABEL_ABOVE] = index
    muscles += np.maximum(drift(rng, frames, len(MUSCLES), 0.05, 25), 0)[:, None, :]
    talking = _chatter(rng, frames)
    muscles[..., MUSCLES.index(25)] += 0.8 * talking[:, None]
    muscles[..., MUSCLES.index(26)] += 0.4 * talking[:, None]
    muscles[..., MUSCLES.index(45)] = blinks(rng, frames)[:, None]
    muscles = np.clip(muscles, 0, 1)
    units = (muscles[..., : len(LABELLED)].max(1) > _UNIT_ABOVE).astype(np.int64)
    return Performance(muscles, labels, units, np.clip(affect, -1, 1), cuts)
