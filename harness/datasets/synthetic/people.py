"""Looks of one invented person: skin, hair, proportions and manner."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.datasets.synthetic.hair import STYLES

Colour = tuple[int, int, int]  # RGB, 0 to 255

_SKIN: tuple[Colour, ...] = (
    (250, 220, 200), (243, 202, 172), (232, 186, 152), (216, 166, 128), (194, 142, 104), (164, 114, 82), (132, 90, 66),
    (106, 72, 54),
)  # fmt: skip
_HAIR: tuple[Colour, ...] = (
    (34, 28, 28), (58, 40, 32), (92, 60, 38), (134, 88, 50), (196, 152, 92), (160, 74, 40), (150, 148, 150),
)  # fmt: skip
_IRIS: tuple[Colour, ...] = ((74, 50, 34), (98, 66, 36), (66, 104, 140), (86, 122, 84), (110, 124, 130))
_CLOTHES: tuple[Colour, ...] = (
    (64, 92, 140), (150, 66, 70), (84, 124, 92), (222, 214, 200), (60, 60, 66), (190, 150, 70), (120, 94, 140),
)  # fmt: skip
_WALLS: tuple[Colour, ...] = ((170, 184, 196), (196, 186, 168), (150, 170, 156), (120, 130, 150), (200, 196, 192))

BEARDS = ("none", "stubble", "full", "moustache")


@dataclass(frozen=True)
class Proportions:
    """Differences of a part of this person's face from the average: scaled about the part's centre, then moved."""

    dx: float = 0.0
    dy: float = 0.0
    sx: float = 1.0
    sy: float = 1.0


@dataclass(frozen=True)
class Person:
    """Properties of a face that stay the same through a video.

    Attributes:
        hair_style: a key of :data:`harness.datasets.synthetic.hair.STYLES`.
        beard: one of :data:`BEARDS`.
        brow_width, lash_width: in units of half the head's width.
        lines: how deep folds and wrinkles are drawn, about 0.5 (young) to 1.
        proportions: by part of the face (see :class:`~harness.datasets.synthetic.anatomy.Contour`).
        pitch: natural frequency of the voice in Hz.
    """

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    shirt: Colour
    wall: Colour
    hair_style: str
    beard: str
    glasses: bool
    brow_width: float
    lash_width: float
    lines: float
    proportions: dict[str, Proportions]
    pitch: float


@functools.lru_cache(maxsize=4096)  # asked for the same two dozen mixtures in every frame
def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return a mixture of two colours: ``share`` of the second, the rest of the first."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(first, second, strict=True))
    return r, g, b


def _pick(rng: np.random.Generator, choices: Sequence[Colour], brightness: float = 8.0, hue: float = 2.0) -> Colour:
    """Return one of the colours, a little lighter or darker and a little off in hue."""
    chosen = np.array(choices[int(rng.integers(len(choices)))]) + rng.normal(0, brightness) + rng.normal(0, hue, 3)
    r, g, b = np.clip(chosen, 0, 255).astype(int)
    return int(r), int(g), int(b)


def _pick_hair_style(rng: np.random.Generator, bearded: bool) -> str:
    # beards go with short hair only: at 112 pixels anything else is hard to read
    shares = {name: style.share for name, style in STYLES.items() if not (bearded and style.back)}
    return list(shares)[int(rng.choice(len(shares), p=np.array(list(shares.values())) / sum(shares.values())))]


def invent_person(rng: np.random.Generator) -> Person:
    """Invent a person at random; the same generator state gives the same person."""
    skin = _pick(rng, _SKIN)
    dark = sum(skin) < 420
    hair = _pick(rng, _HAIR[:2] if dark else _HAIR)
    bearded = rng.random() < 0.35
    eyes = Proportions(
        dx=float(rng.normal(0, 0.018)),
        dy=float(rng.normal(0, 0.012)),
        sx=float(rng.uniform(0.92, 1.1)),
        sy=float(rng.uniform(0.88, 1.15)),
    )
    return Person(
        skin=skin,
        hair=hair,
        iris=_pick(rng, _IRIS[:2] if dark else _IRIS),
        lips=mix(skin, (176, 58, 72), float(rng.uniform(0.28, 0.55) if not bearded else rng.uniform(0.2, 0.35))),
        shirt=_pick(rng, _CLOTHES, hue=8),
        wall=_pick(rng, _WALLS, hue=12),
        hair_style=_pick_hair_style(rng, bearded),
        beard=BEARDS[int(rng.integers(len(BEARDS)))] if bearded else "none",
        glasses=bool(rng.random() < 0.22),
        brow_width=float(rng.uniform(0.055, 0.095)),
        lash_width=float(rng.uniform(0.018, 0.026) if bearded else rng.uniform(0.022, 0.042)),
        lines=float(rng.uniform(0.5, 1.0)),
        proportions={
            "head": Proportions(sx=float(rng.uniform(0.93, 1.06)), sy=float(rng.uniform(0.95, 1.04))),
            "eye": eyes,
            "glasses": Proportions(dx=eyes.dx, dy=eyes.dy),
            "brow": Proportions(
                dx=eyes.dx,
                dy=float(rng.normal(-0.005, 0.02)),
                sx=float(rng.uniform(0.92, 1.06)),
                sy=float(rng.uniform(0.5, 1.3)),
            ),
            "nose": Proportions(sx=float(rng.uniform(0.85, 1.25)), sy=float(rng.uniform(0.9, 1.08))),
            "mouth": Proportions(
                dy=float(rng.normal(0, 0.015)), sx=float(rng.uniform(0.88, 1.1)), sy=float(rng.uniform(0.85, 1.2))
            ),
        },
        pitch=float(rng.uniform(100, 140) if bearded else rng.uniform(130, 220)),
    )
