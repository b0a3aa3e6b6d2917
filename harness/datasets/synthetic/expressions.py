"""Effects of each expression on a face and on valence and arousal: the two tables that all drawings and labels follow.

Action units are numbered as in FACS (Ekman & Friesen, Facial Action Coding System, 1978). Besides the twelve of the
competition the faces have three more muscles, drawn but never labelled, as in real life: 5 (upper lids raised),
20 (lips stretched) and 45 (blink).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.tasks import AU, EXPR

LABELLED = tuple(int(name.removeprefix("AU")) for name in AU.targets)
MUSCLES = (*LABELLED, 5, 20, 45)
NEUTRAL = EXPR.targets.index("Neutral")


@dataclass(frozen=True)
class Expression:
    """One expression at full strength.

    Attributes:
        core: action units that are always there, with their intensity in [0, 1].
        extras: action units that come along now and then.
        valence, arousal: where it lies on the circumplex, each in [-1, 1].
        one_sided: action units that move one half of the face only.
    """

    core: dict[int, float]
    extras: dict[int, float] = field(default_factory=dict)
    valence: float = 0.0
    arousal: float = 0.0
    one_sided: frozenset[int] = frozenset()


# Action units: prototypes and major variants of FACS' table 11-1 and EMFACS (Ekman & Friesen 1978; Friesen & Ekman
# 1983), with 10 for disgust (its 9, 16 and 17 aren't drawn) and 12 + 24 on one side for contempt (EMFACS: R12 + R14).
# Valence and arousal: Russell & Mehrabian 1977, pleasure and arousal of angry, disgusted, fearful, happy, sad and
# surprised; "Other" is our own choice. The intensities are our own.
EXPRESSIONS: dict[str, Expression] = {
    "Neutral": Expression({}),
    "Anger": Expression({4: 1.0, 7: 0.8, 23: 0.9, 24: 0.7}, {5: 0.5}, -0.51, 0.59),
    "Disgust": Expression({10: 1.0, 4: 0.6, 7: 0.6}, {6: 0.3, 25: 0.5}, -0.60, 0.35),
    "Fear": Expression({1: 0.9, 2: 0.6, 4: 0.6, 5: 0.9, 20: 0.8, 25: 0.7}, {26: 0.5}, -0.64, 0.60),
    "Happiness": Expression({6: 0.8, 12: 1.0}, {25: 0.8, 26: 0.3, 7: 0.3}, 0.81, 0.51),
    "Sadness": Expression({1: 0.9, 4: 0.6, 15: 1.0}, {7: 0.3, 24: 0.3}, -0.63, -0.27),
    "Surprise": Expression({1: 0.9, 2: 1.0, 25: 0.8, 26: 0.9}, {5: 0.7}, 0.40, 0.67),
    "Other": Expression({12: 0.7, 24: 0.7, 2: 0.4}, {7: 0.4, 4: 0.3}, -0.15, 0.20, frozenset({2, 12})),
}
