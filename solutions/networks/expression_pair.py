"""Two expression networks as one: one image holds the crops of both, one row their embeddings and mean logits."""

from __future__ import annotations

import torch
from torch import nn

from solutions.networks import face_expression, mini_xception
from solutions.networks.face_expression import FaceExpressionNetwork
from solutions.networks.mini_xception import MiniXception
from solutions.networks.preprocessing import Preprocessing

AFFECTNET = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""Order of the logits."""

_FACE_NAMES = ("angry", None, "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
_GREY_NAMES = ("angry", None, "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""Names of the same classes in both networks, which lack contempt."""

LEAST = 1e-9
"""Probability of contempt, and lower limit of all probabilities."""


class ExpressionPair(nn.Module):
    """Both networks, with output ``(n, 512 + 8)``: embeddings of both, then the logarithm of their mean probability."""

    def __init__(self) -> None:
        """Build both networks with random weights."""
        super().__init__()
        self.face = FaceExpressionNetwork()
        self.grey = MiniXception()
        side = face_expression.SIZE
        self._normalise = Preprocessing((side, side), face_expression.MEAN, (1.0, 1.0, 1.0)).normalise

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return embeddings and logits.

        Args:
            images: uint8 ``(n, h, 112, 3)``: the RGB crop, and below it the bytes of the grey crop, 64 x 64.

        Returns:
            float32 ``(n, 520)``.
        """
        side, grey_side = face_expression.SIZE, mini_xception.SIZE
        face = self.face(self._normalise(images[:, :side]))
        bytes_below = images[:, side:].flatten(1)[:, : grey_side**2]
        grey = self.grey(bytes_below.view(-1, 1, grey_side, grey_side).float().div_(127.5).sub_(1))
        n_face, n_grey = face_expression.EMBEDDING, mini_xception.EMBEDDING
        believed = torch.cat([face[:, n_face:].float().softmax(1), grey[:, n_grey:].float().softmax(1)], 1)
        mean = (believed @ _mixing(believed)).clamp_min(LEAST)
        return torch.cat([face[:, :n_face], grey[:, :n_grey], mean.log()], 1)


def _mixing(like: torch.Tensor) -> torch.Tensor:
    """Return the matrix ``(14, 8)`` from 7 + 7 probabilities to their mean in AffectNet's order."""
    by_face = [face_expression.CLASSES.index(name) if name else None for name in _FACE_NAMES]
    by_grey = [mini_xception.CLASSES.index(name) if name else None for name in _GREY_NAMES]
    rows = [[0.0] * len(AFFECTNET) for _ in range(len(face_expression.CLASSES) + len(mini_xception.CLASSES))]
    for column, (first, second) in enumerate(zip(by_face, by_grey, strict=True)):
        if first is not None and second is not None:
            rows[first][column] = rows[len(face_expression.CLASSES) + second][column] = 0.5
    return like.new_tensor(rows)
