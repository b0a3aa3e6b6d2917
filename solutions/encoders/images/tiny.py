"""The demo's encoder: gradients and colours of a small picture. No weights, no download, no extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.system.images import Image, opencv
from solutions.encoders.encoder import Parallel, Part

FORMAT = 1
"""Raised whenever the meaning of a column changes: features cached under another number are made anew."""

SIDE = 64
"""Pixels: the grey picture that gradients are taken of."""

CELL, BLOCK, STRIDE, BINS = 8, 16, 8, 9
"""Pixels, pixels, pixels, orientations over 180 degrees: the default of Dalal and Triggs, CVPR 2005."""

THUMBNAIL = 8
"""Pixels: the colour picture that is taken as it is. Gradients are blind to slow changes of light and colour."""

_BLOCKS = (SIDE - BLOCK) // STRIDE + 1
_HOG_DIM = _BLOCKS**2 * (BLOCK // CELL) ** 2 * BINS


class TinyEncoder:
    """Histogram of oriented gradients of a 64 x 64 grey picture, then an 8 x 8 colour thumbnail.

    Raises:
        MissingDependencyError: OpenCV can't be imported.
    """

    name = "tiny"
    dim = _HOG_DIM + 3 * THUMBNAIL**2
    parts: tuple[Part, ...] = (Part("embeddings", dim, np.dtype(np.float16)),)
    parallel: Parallel = "threads"
    batch_size = 64

    def __init__(self) -> None:
        self._cv2 = opencv()

    def identity(self) -> dict[str, Any]:
        """The settings above, and OpenCV's version."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            "opencv": str(self._cv2.__version__),
            "side": SIDE,
            "hog": {"cell": CELL, "block": BLOCK, "stride": STRIDE, "bins": BINS},
            "thumbnail": THUMBNAIL,
            "dim": self.dim,
        }

    def prepare(self, image: Image) -> Image:
        """Resized by area to ``SIDE``: the first thing that both halves do."""
        return np.asarray(self._cv2.resize(image, (SIDE, SIDE), interpolation=self._cv2.INTER_AREA), np.uint8)

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """float32 ``(len(images), dim)`` in [0, 1]; see :class:`~solutions.encoders.encoder.Encoder`. Never NaN."""
        cv2 = self._cv2
        # made per call: a descriptor is cheap, and OpenCV does not promise that threads may share one
        hog = cv2.HOGDescriptor((SIDE, SIDE), (BLOCK, BLOCK), (STRIDE, STRIDE), (CELL, CELL), BINS)
        rows = np.empty((len(images), self.dim), np.float32)
        for row, small in zip(rows, images, strict=True):
            row[:_HOG_DIM] = hog.compute(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)).reshape(-1)
            thumbnail = cv2.resize(small, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
            row[_HOG_DIM:] = thumbnail.reshape(-1) / np.float32(255)
        return rows
