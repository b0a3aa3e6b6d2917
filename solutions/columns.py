"""Columns of an encoder, as a recipe names them and a head sees them: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from solutions.encoders.encoder import PartName

Pooling = Literal["none", "row", "mean", "stat"]
N_STATISTICS = 4
"""Statistics of STAT: mean, deviation, minimum, maximum."""


@dataclass(frozen=True)
class Columns:
    """Columns of one encoder, brought to the rows that a head sees.

    Attributes:
        encoder: name in the registry of encoders.
        part: block of the encoder's columns.
        pooling: ``none``: a row per frame; ``row``: the one row per video that the encoder gives, such as a sentence's
            vector; ``mean`` over all rows of a video; ``stat``: mean, standard deviation (divided by n), minimum and
            maximum, in this order, joined.
        every: of a video's images every so many count, starting with the first (abaw8's authors take every fifth).
        width: columns that the encoder must give, where the recipe states them; checked for features that users bring.
    """

    encoder: str
    part: PartName = "embeddings"
    pooling: Pooling = "none"
    every: int = 1
    width: int | None = None
