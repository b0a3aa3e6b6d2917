"""Two small published expression networks side by side: that of face-api on a colour crop, mini-Xception on a grey one.

Embeddings are what both classifiers see. Logits are what both believe: the logarithm of the mean of their
probabilities, in AffectNet's order, so that whatever asks an EmotiEffLib network for its classes can ask this one.
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
"""Pixels: sides of the colour crop and of the grey one."""

_GREY_ROWS = -(-(GREY_SIDE**2) // (3 * SIDE))
"""Rows of the colour crop that hold as many bytes as the grey one."""

EMBEDDING, CLASSES = 512, 8


@dataclass(frozen=True)
class PairPreprocessing(Preprocessing):
    """Two crops in one image: the colour crop above, the bytes of the grey one in rows below it, zeros at the end.

    Each is resized by itself from the whole crop, as :class:`Preprocessing` does it; grey is Pillow's ``L``
    (ITU-R 601-2). The networks normalise by themselves.
    """

    size: tuple[int, int] = (SIDE + _GREY_ROWS, SIDE)

    def describe(self) -> dict[str, Any]:
        """Plain data."""
        return {"colour": SIDE, "grey": GREY_SIDE, "interpolation": self.interpolation}

    def prepare(self, image: Image) -> Image:
        """Return both crops in one image.

        Args:
            image: RGB uint8 ``(h, w, 3)``, any size from one pixel.

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
        """Return the batch as it is: each network normalises its own crop."""
        return batch


def expression_encoder(settings: Settings) -> ImageNetworkEncoder:
    """Return both networks with their published weights: parts ``embeddings`` (float16) and ``logits`` (float32).

    Raises:
        MissingDependencyError: the weights of one of them are not here.
        SolutionError: the weights are not those of these networks.
    """
    from solutions.weights.store import load_weights

    face, grey = load_weights(FACE_WEIGHTS, settings), load_weights(GREY_WEIGHTS, settings)
    pair = load_pair(face.tensors, grey.tensors)
    return pair_encoder(pair, {"weights": [face.sha256, grey.sha256], "network": "face-api, mini-Xception"}, settings)


def load_pair(face: Any, grey: Any) -> ExpressionPair:
    """Return both networks with tensors by the names of their publisher.

    Raises:
        SolutionError: the tensors are not those of these networks.
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
        pair: may be changed.
        weights: what says which weights these are; goes into the identity.
        settings: device, backend and precision.
    """
    parts = (
        Part("embeddings", EMBEDDING, np.dtype(np.float16)),
        Part("logits", CLASSES, np.dtype(np.float32)),
    )
    preprocessing = PairPreprocessing()
    forward = LateForward(pair, preprocessing, settings, total_dim(parts))
    return ImageNetworkEncoder(NAME, parts, preprocessing, forward, weights)
