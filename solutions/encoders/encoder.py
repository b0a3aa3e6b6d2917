"""What an encoder is: crops in, one row of features a frame out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


class Encoder(Protocol):
    """A pretrained or fixed map from face crops to features.

    Attributes:
        name: as recipes name it, ``landmarks`` or ``timm:resnet18``.
        dim: columns of the features.
        dtype: what the cache stores; float16 only where a test shows that scores don't change.
        parallel: ``processes`` if one instance keeps one core busy (one instance a worker process is made),
            ``threads`` if it uses all cores by itself (crops are then decoded by threads, ahead of it).
        batch_size: crops per call of ``encode``.
    """

    name: str
    dim: int
    dtype: np.dtype[Any]
    parallel: Literal["processes", "threads"]
    batch_size: int

    def identity(self) -> dict[str, Any]:
        """Everything that changes the numbers: weights' hash, preprocessing, precision, versions. Plain data."""

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Features of a batch.

        Args:
            images: RGB uint8 ``(h, w, 3)`` each; sizes may differ.

        Returns:
            float32 ``(len(images), dim)``; a row of NaN where the encoder found nothing to describe (no face).
            A row depends on its own image only, never on the rest of the batch.
        """
