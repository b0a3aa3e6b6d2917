"""Columns of an encoder that are the input of a head, as plain data in a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from solutions.encoders.encoder import PartName

Pooling = Literal["none", "row", "mean", "stat"]
N_STATISTICS = 4
"""Number of statistics of STAT: mean, deviation, minimum, maximum."""


@dataclass(frozen=True)
class Columns:
    """Columns of one encoder, reduced to the rows of a head's input.

    Attributes:
        encoder: name in the registry of encoders.
        part: block of the encoder's columns.
        pooling: ``none``: a row per frame; ``row``: the encoder's single row per video, such as a sentence vector;
            ``mean`` over all rows of a video; ``stat``: mean, standard deviation (divided by n), minimum and maximum,
            joined in this order.
        every: step between the used images of a video, starting with the first (abaw8's authors take every fifth).
        width: expected number of columns, if the recipe states it; it is checked for features that users bring.
    """

    encoder: str
    part: PartName = "embeddings"
    pooling: Pooling = "none"
    every: int = 1
    width: int | None = None
