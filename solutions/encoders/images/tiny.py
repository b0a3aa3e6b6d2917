"""Encoder ``tiny`` of the demo: gradients and colours of a small image, without weights, download or extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.system.images import Image, opencv
from solutions.encoders.encoder import Parallel, Part

FORMAT = 1
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""

SIDE = 64
"""Side length in pixels of the grey image whose gradients are computed."""

CELL, BLOCK, STRIDE, BINS = 8, 16, 8, 9
"""Sizes in pixels, and number of orientations over 180 degrees: the default of Dalal and Triggs, CVPR 2005."""

THUMBNAIL = 8
"""Side length in pixels of the colour thumbnail, which adds slow changes of light and colour that gradients miss."""

_BLOCKS = (SIDE - BLOCK) // STRIDE + 1
_HOG_DIM = _BLOCKS**2 * (BLOCK // CELL) ** 2 * BINS


class TinyEncoder:
    """Histogram of oriented gradients of a 64 x 64 grey image, then an 8 x 8 colour thumbnail.

    Raises:
        MissingDependencyError: importing OpenCV fails.
    """

    name = "tiny"
    dim = _HOG_DIM + 3 * THUMBNAIL**2
    parts: tuple[Part, ...] = (Part("embeddings", dim, np.dtype(np.float16)),)
    parallel: Parallel = "threads"
    batch_size = 64

    def __init__(self) -> None:
        """Import OpenCV."""
        self._cv2 = opencv()

    def identity(self) -> dict[str, Any]:
        """Return the constants of this module and OpenCV's version."""
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
        """Return the image resized by area to ``SIDE``, the first step of both blocks of columns."""
        return np.asarray(self._cv2.resize(image, (SIDE, SIDE), interpolation=self._cv2.INTER_AREA), np.uint8)

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Return float32 ``(len(images), dim)`` in [0, 1]; see :class:`~solutions.encoders.encoder.Encoder`."""
        cv2 = self._cv2
        # create a descriptor per call: it is cheap, and OpenCV does not guarantee that threads may share one
        hog = cv2.HOGDescriptor((SIDE, SIDE), (BLOCK, BLOCK), (STRIDE, STRIDE), (CELL, CELL), BINS)
        rows = np.empty((len(images), self.dim), np.float32)
        for row, small in zip(rows, images, strict=True):
            row[:_HOG_DIM] = hog.compute(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)).reshape(-1)
            thumbnail = cv2.resize(small, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
            row[_HOG_DIM:] = thumbnail.reshape(-1) / np.float32(255)
        return rows
