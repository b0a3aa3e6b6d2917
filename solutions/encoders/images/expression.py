"""Encoder ``expression``, two small published expression networks: face-api's on colour crops, mini-Xception on grey.

Embeddings are the inputs of both classifiers. Logits are the logarithm of the mean of both classifiers' probabilities,
in AffectNet's order, so that they can replace those of an EmotiEffLib network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.settings import Settings
from harness.system.images import Image
from solutions.encoders.encoder import Part, total_dim
from solutions.encoders.forward import LateForward
from solutions.encoders.images.network import ImageNetworkEncoder
from solutions.networks.preprocessing import Preprocessing

if TYPE_CHECKING:
    from solutions.networks.expression_pair import ExpressionPair

NAME = "expression"

FACE_WEIGHTS, GREY_WEIGHTS = "expression", "expression.mini-xception"
"""Names of both networks' weights."""

SIDE, GREY_SIDE = 112, 64
"""Side lengths of the colour crop and of the grey crop, in pixels."""

_GREY_ROWS = -(-(GREY_SIDE**2) // (3 * SIDE))
"""Rows of the colour crop that hold as many bytes as the grey one."""

EMBEDDING, CLASSES = 512, 8

CPU_BATCH = 16
"""Images per call on a CPU. The maps take at most 0.4 MB per image; in smaller batches the call of each of some 90
operations takes a fifth of the time and more."""


@dataclass(frozen=True)
class PairPreprocessing(Preprocessing):
    """Preparation of two crops in one image: the colour crop above, the bytes of the grey crop in rows below it.

    Zeros fill the last row. Both crops are resized from the original crop, as :class:`Preprocessing` does it; grey is
    Pillow's ``L`` (ITU-R 601-2). The networks normalise by themselves.
    """

    size: tuple[int, int] = (SIDE + _GREY_ROWS, SIDE)

    def describe(self) -> dict[str, Any]:
        """Return sizes and interpolation as plain data."""
        return {"colour": SIDE, "grey": GREY_SIDE, "interpolation": self.interpolation}

    def prepare(self, image: Image) -> Image:
        """Return both crops in one image.

        Args:
            image: RGB uint8 ``(h, w, 3)``, of any size.

        Returns:
            uint8 ``(*size, 3)``.
        """
        from PIL import Image as Pillow

        whole = Pillow.fromarray(image)
        how = Pillow.Resampling[self.interpolation.upper()]
        both = np.zeros((*self.size, 3), np.uint8)
        both[:SIDE] = np.asarray(whole.resize((SIDE, SIDE), how))
        grey = np.asarray(whole.convert("L").resize((GREY_SIDE, GREY_SIDE), how))
        both[SIDE:].reshape(-1)[: GREY_SIDE**2] = grey.reshape(-1)
        return both

    def normalise(self, batch: Any) -> Any:
        """Return the batch as it is, because each network normalises its own crop."""
        return batch


def expression_encoder(settings: Settings) -> ImageNetworkEncoder:
    """Return both networks with their published weights: parts ``embeddings`` (float16) and ``logits`` (float32).

    Raises:
        MissingDependencyError: weights are missing.
        SolutionError: the weights belong to other networks.
    """
    from solutions.weights.store import load_weights

    face, grey = load_weights(FACE_WEIGHTS, settings), load_weights(GREY_WEIGHTS, settings)
    pair = load_pair(face.tensors, grey.tensors)
    return pair_encoder(pair, {"weights": [face.sha256, grey.sha256], "network": "face-api, mini-Xception"}, settings)


def load_pair(face: Any, grey: Any) -> ExpressionPair:
    """Return both networks with some weights, whose tensors have the names of their publisher.

    Raises:
        SolutionError: the tensors belong to other networks.
    """
    from solutions.networks import face_expression, mini_xception
    from solutions.networks.expression_pair import ExpressionPair
    from solutions.networks.state import load_exactly

    pair = ExpressionPair()
    load_exactly(pair.face, face_expression.torch_tensors(face), source=FACE_WEIGHTS)
    load_exactly(pair.grey, mini_xception.torch_tensors(grey), source=GREY_WEIGHTS)
    return pair


def pair_encoder(pair: ExpressionPair, weights: dict[str, Any], settings: Settings) -> ImageNetworkEncoder:
    """Return an encoder of two networks.

    Args:
        pair: the networks; they may be changed.
        weights: identity of the weights, plain data.
        settings: backend, device, precision and workers.
    """
    parts = (
        Part("embeddings", EMBEDDING, np.dtype(np.float16)),
        Part("logits", CLASSES, np.dtype(np.float32)),
    )
    preprocessing = PairPreprocessing()
    forward = LateForward(pair, preprocessing, settings, total_dim(parts), CPU_BATCH)
    return ImageNetworkEncoder(NAME, parts, preprocessing, forward, weights)
