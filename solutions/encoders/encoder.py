"""What an encoder is: crops in, one row of features a frame out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
PartName = Literal["embeddings", "logits"]
Parallel = Literal["processes", "batches", "threads"]


@dataclass(frozen=True)
class Part:
    """A block of an encoder's columns, cached by itself.

    Attributes:
        name: ``embeddings`` (what the last layer sees), or ``logits`` (what it says: class logits in the network's own
            order, then valence and arousal where the network has them).
        dim: columns.
        dtype: what the cache stores; float16 only where a test shows that scores don't change.
    """

    name: PartName
    dim: int
    dtype: np.dtype[Any]


class Encoder(Protocol):
    """A pretrained or fixed map from face crops to features.

    Attributes:
        name: as recipes name it, ``landmarks`` or ``timm:resnet18``.
        parts: the blocks of its columns, in order.
        parallel: how all cores are kept busy. ``processes``: an instance keeps one core busy, and is made once in each
            worker process. ``batches``: a call of ``encode`` keeps one core busy, and threads call it at the same time:
            each decodes, prepares and encodes batches of its own. ``threads``: ``encode`` takes all cores, or a GPU, by
            itself, and is called once at a time; crops are decoded and prepared by threads ahead of it.
        batch_size: crops per call of ``encode``.
    """

    name: str
    parts: tuple[Part, ...]
    parallel: Parallel
    batch_size: int

    def identity(self) -> dict[str, Any]:
        """Everything that changes the numbers: weights' hash, preprocessing, precision, versions. Plain data."""

    def prepare(self, image: Image) -> Image:
        """A crop as ``encode`` wants it, resized to the network's input. Called by several threads at once.

        Args:
            image: RGB uint8 ``(h, w, 3)``.

        Returns:
            RGB uint8 ``(h', w', 3)``.
        """

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Features of a batch.

        Args:
            images: what ``prepare`` gave.

        Returns:
            float32 ``(len(images), total_dim(parts))``, the parts side by side; a row of NaN where the encoder found
            nothing to describe (no face). A row depends on its own image only, never on the rest of the batch.
        """


def total_dim(parts: Sequence[Part]) -> int:
    """Columns of all parts together."""
    return sum(part.dim for part in parts)


def spans(parts: Sequence[Part]) -> dict[str, slice]:
    """Columns of each part in what ``encode`` gives."""
    found: dict[str, slice] = {}
    at = 0
    for part in parts:
        found[part.name] = slice(at, at + part.dim)
        at += part.dim
    return found
