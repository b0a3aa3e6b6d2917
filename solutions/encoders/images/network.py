"""A pretrained image network as an encoder: prepared crops in batches through a forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError
from harness.system.images import Image
from solutions.encoders.encoder import Parallel, Part, PictureKind, total_dim
from solutions.encoders.forward import Forward
from solutions.networks.preprocessing import Preprocessing

FORMAT = 2
"""Raised whenever the meaning of a column changes: features cached under another number are made anew."""


class ImageNetworkEncoder:
    """Embeddings, and logits where the network has them, of face crops.

    Args:
        name: the encoder's, in the registry.
        parts: of the columns that ``forward`` gives, in order.
        weights: what says which network with which weights this is; goes into the identity.
    """

    def __init__(
        self,
        name: str,
        parts: tuple[Part, ...],
        preprocessing: Preprocessing,
        forward: Forward,
        weights: Mapping[str, Any],
    ) -> None:
        if forward.dim != total_dim(parts):
            raise SolutionError(f"{name}: the network's columns", found=forward.dim, expected=total_dim(parts))
        self.name = name
        self.parts = parts
        self.parallel: Parallel = forward.parallel
        self.batch_size = forward.batch_size
        self.sees: PictureKind = "frames"
        self.preprocessing = preprocessing
        self._forward = forward
        self._weights = dict(weights)

    @property
    def device(self) -> str:
        """Kind of device that the network runs on."""
        return str(self._forward.identity()["device"])

    def identity(self) -> dict[str, Any]:
        """Weights, preprocessing, how the network is executed, and how its columns are stored."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            **self._weights,
            "preprocessing": self.preprocessing.describe(),
            "execution": self._forward.identity(),
            "parts": [[part.name, part.dim, str(part.dtype)] for part in self.parts],
        }

    def prepare(self, image: Image) -> Image:
        """The crop at the size of the network's input; see :meth:`Preprocessing.prepare`."""
        return self.preprocessing.prepare(image)

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Columns of prepared crops; see :class:`~solutions.encoders.encoder.Encoder`. Never NaN."""
        rows = np.empty((len(images), total_dim(self.parts)), np.float32)
        for at in range(0, len(images), self.batch_size):
            batch = images[at : at + self.batch_size]
            rows[at : at + len(batch)] = self._forward(np.stack(batch))
        return rows
