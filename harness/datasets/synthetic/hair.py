"""Hair styles: outlines in face coordinates, behind the head and in front of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class HairStyle:
    """Closed outlines of both halves, ``None`` where there is no hair.

    Attributes:
        back: drawn behind head and neck.
        front: drawn over the forehead.
        cover: how far the front hides the skin, 0 to 1 (a shaved head shows it).
        share: how common it is, relative to the others.
    """

    back: Outline | None = None
    front: Outline | None = None
    cover: float = 1.0
    share: float = 1.0


def _mirrored(*half: tuple[float, float]) -> Outline:
    """Return the closed outline whose right half, from the middle to the middle, is ``half``."""
    return (*half, *((-x, y) for x, y in reversed(half) if x))


def _curls(width: float, top: float, bottom: float, bumps: int) -> Outline:
    """Return an oval with a wavy edge."""
    middle, height = (top + bottom) / 2, (bottom - top) / 2
    turns = [2 * math.pi * k / (2 * bumps) for k in range(2 * bumps)]
    waves = [1.0 if k % 2 else 0.92 for k in range(2 * bumps)]
    return tuple(
        (width * r * math.sin(a), middle - height * r * math.cos(a)) for a, r in zip(turns, waves, strict=True)
    )


_CROWN = ((1.05, -0.62), (0.94, -1.08), (0.52, -1.42), (0.0, -1.50))
_CAP = ((0.99, -0.28), *_CROWN)
STYLES: dict[str, HairStyle] = {
    "short": HairStyle(
        front=_mirrored((0, -0.90), (0.36, -0.90), (0.70, -0.74), (0.86, -0.30), (0.90, -0.02), *_CAP),
    ),
    "side part": HairStyle(
        front=(
            (-0.30, -0.98), (0.10, -0.80), (0.52, -0.72), (0.80, -0.62), (0.88, -0.30), (0.90, -0.05), *_CAP[:-1],
            (-0.1, -1.52), (-0.6, -1.36), (-0.96, -1.02), (-1.04, -0.6), (-0.98, -0.3), (-0.90, -0.05), (-0.87, -0.35),
            (-0.74, -0.72),
        ),
    ),
    "long": HairStyle(
        back=_mirrored((0, -1.46), (0.72, -1.28), (1.14, -0.70), (1.20, 0.20), (1.24, 1.10), (1.10, 1.75), (0, 1.8)),
        front=_mirrored(
            (0, -1.06), (0.34, -0.88), (0.72, -0.58), (0.87, -0.10), (0.92, 0.55), (1.08, 0.60), (1.14, 0), *_CROWN,
        ),
    ),
    "fringe": HairStyle(
        back=_mirrored((0, -1.46), (0.74, -1.28), (1.16, -0.66), (1.20, 0.10), (1.16, 0.72), (0.98, 0.98), (0, 0.9)),
        front=_mirrored(
            (0, -0.75), (0.40, -0.73), (0.72, -0.64), (0.87, -0.30), (0.93, 0.30), (1.08, 0.40), (1.14, -0.1), *_CROWN,
        ),
    ),
    "curls": HairStyle(
        back=_curls(1.36, -1.62, 0.75, 15),
        front=_mirrored(
            (0, -0.86), (0.22, -0.80), (0.42, -0.87), (0.64, -0.74), (0.82, -0.60), (0.88, -0.28), (1.04, -0.10), *_CAP,
        ),
    ),
    "bun": HairStyle(
        back=_curls(0.46, -1.86, -1.10, 9),
        front=_mirrored((0, -0.96), (0.40, -0.90), (0.74, -0.66), (0.90, -0.15), (0.96, 0.02), *_CAP),
    ),
    "shaved": HairStyle(
        front=_mirrored(
            (0, -0.88), (0.40, -0.88), (0.74, -0.74), (0.88, -0.34), (0.92, -0.05), (0.97, -0.25), (0.93, -0.75),
            (0.56, -1.17), (0, -1.26),
        ),
        cover=0.45,
        share=0.6,
    ),
    "bald": HairStyle(share=0.3),
}  # fmt: skip
