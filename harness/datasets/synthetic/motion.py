"""Motion besides expressions: slow drifts, the head, the gaze, the lamp."""

from __future__ import annotations

import numpy as np

from harness.datasets.synthetic.rig import Floats, Pose

FPS = 30.0  # frames per second, as in most of Aff-Wild2


def drift(rng: np.random.Generator, frames: int, columns: int, scale: float, width: int) -> Floats:
    """Return low-pass noise ``(frames, columns)`` of deviation ``scale`` that changes over about ``width`` frames."""
    window = np.hanning(width + 2)[1:-1]
    window /= np.sqrt((window**2).sum())
    white = rng.normal(0, scale, (frames + width - 1, columns))
    return np.stack([np.convolve(column, window, mode="valid") for column in white.T], 1)


def blinks(rng: np.random.Generator, frames: int, fps: float = FPS) -> Floats:
    """Return the closure of the lids ``(frames,)``: six frames long, every three seconds or so."""
    closure = np.zeros(frames + 6)
    for at in np.flatnonzero(rng.random(frames) < 1 / (3 * fps)):
        closure[at : at + 6] = (0.4, 0.95, 1.0, 0.8, 0.45, 0.15)
    return closure[:frames]


def move_head(rng: np.random.Generator, frames: int) -> Pose:
    """Return the pose of a person who mostly looks into the camera, in the jittery box of a face detector."""
    turn = (
        rng.normal(0, (5.0, 3.5, 3.0))
        + drift(rng, frames, 3, 1.0, 45) * (7.0, 3.5, 3.0)
        + drift(rng, frames, 3, 0.4, 9)
    )
    shift = drift(rng, frames, 2, 0.012, 31) + drift(rng, frames, 2, 0.003, 3)
    zoom = 1 + rng.normal(0, 0.03) + drift(rng, frames, 1, 0.02, 41)[:, 0]
    # eyes jump rather than glide: a new target every 20 frames or so
    jumps = np.cumsum(rng.random(frames) < 0.05)
    gaze = rng.normal(0, (0.028, 0.012), (frames + 1, 2))[jumps]
    return Pose(np.clip(turn, -22, 22), shift, np.clip(zoom, 0.88, 1.1), np.clip(gaze, -0.06, 0.06))


def move_lamp(rng: np.random.Generator, frames: int) -> Floats:
    """Return the direction to the lamp times its gain ``(frames, 3)``: from above, from one side, flickering."""
    towards = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.7, -0.1), rng.uniform(0.5, 0.9)])
    direction = towards + drift(rng, frames, 3, 0.06, 61)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return np.asarray(direction * (rng.uniform(0.75, 1.1) + drift(rng, frames, 1, 0.04, 25)), np.float64)
