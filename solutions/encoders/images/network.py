"""Pretrained image network as an encoder: prepared crops pass through the network in batches."""

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
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""


class ImageNetworkEncoder:
    """Encoder of images with a network's embeddings, and its logits if it has any.

    Args:
        name: name of the encoder in the registry.
        parts: blocks of the columns that ``forward`` returns, in order.
        preprocessing: preparation and normalisation of images.
        forward: the network.
        weights: identity of network and weights, plain data.

    Raises:
        SolutionError: parts and network have different numbers of columns.
    """

    def __init__(
        self,
        name: str,
        parts: tuple[Part, ...],
        preprocessing: Preprocessing,
        forward: Forward,
        weights: Mapping[str, Any],
    ) -> None:
        """Check the number of columns."""
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
        """Return weights, preprocessing, execution of the network, and storage of its columns."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            **self._weights,
            "preprocessing": self.preprocessing.describe(),
            "execution": self._forward.identity(),
            "parts": [[part.name, part.dim, str(part.dtype)] for part in self.parts],
        }

    def prepare(self, image: Image) -> Image:
        """Return the crop at the size of the network's input; see :meth:`Preprocessing.prepare`."""
        return self.preprocessing.prepare(image)

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Return the columns of prepared crops, without NaN; see :class:`~solutions.encoders.encoder.Encoder`."""
        rows = np.empty((len(images), total_dim(self.parts)), np.float32)
        for at in range(0, len(images), self.batch_size):
            batch = images[at : at + self.batch_size]
            rows[at : at + len(batch)] = self._forward(np.stack(batch))
        return rows
