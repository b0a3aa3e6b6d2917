"""Folds and wrinkles: the muscles that make each of them, and how strongly it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.datasets.synthetic.expressions import MUSCLES
from harness.datasets.synthetic.people import Person
from harness.datasets.synthetic.rig import Floats


@dataclass(frozen=True)
class Fold:
    """A fold of the skin.

    Attributes:
        rest: strength on a face at rest, 0 to 1.
        gains: by muscle, the added strength when the muscle of its side is fully contracted.
    """

    rest: float
    gains: Mapping[int, float]


# by contour; the muscles of each fold are FACS' appearance changes, the strengths are our own
FOLDS: Mapping[str, Fold] = {
    "lid_crease": Fold(0.45, {7: -0.2, 2: 0.1}),
    "pouch": Fold(0.10, {6: 0.45, 7: 0.35}),
    "crow": Fold(0.0, {6: 0.55}),
    "crow_low": Fold(0.0, {6: 0.5}),
    "laugh_line": Fold(0.14, {12: 0.4, 10: 0.55, 6: 0.15, 15: 0.1, 20: 0.2}),
    "corner": Fold(0.10, {12: 0.45, 15: 0.45, 24: 0.35, 23: 0.15, 20: 0.3}),
    "chin_fold": Fold(0.22, {24: 0.5, 15: 0.35, 23: 0.1}),
    "frown": Fold(0.0, {4: 0.85}),
    "forehead": Fold(0.0, {1: 0.4, 2: 0.45}),
    "forehead_high": Fold(0.0, {1: 0.3, 2: 0.4}),
}


def fold_strengths(person: Person, muscles: Floats) -> Floats:
    """Return how strongly each of :data:`FOLDS` shows ``(frames, 2, folds)``, in [0, 1]."""
    gains = np.zeros((len(MUSCLES), len(FOLDS)))
    for column, fold in enumerate(FOLDS.values()):
        for muscle, gain in fold.gains.items():
            gains[MUSCLES.index(muscle), column] = gain
    rest = np.array([fold.rest for fold in FOLDS.values()])
    return np.asarray(np.clip((muscles @ gains + rest) * person.lines, 0, 1), np.float64)
