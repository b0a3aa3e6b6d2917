"""Expression network of face-api: four dense blocks of depthwise separable convolutions on a face of 112 pixels.

Architecture and normalisation are those of ``faceExpressionNet`` and ``faceFeatureExtractor`` in the npm package
``@vladmandic/face-api`` 1.7.15 (MIT); names of tensors are those of its ``face_expression_model``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from solutions.networks.tensorflow_layout import convolution_weight, depthwise_weight, linear_weight

CLASSES = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
"""Order of the outputs."""

SIZE = 112
"""Side length of the square input in pixels. Four halvings leave the 7 x 7 map that is pooled."""

EMBEDDING = 256
"""Input columns of the classifier."""

_MEAN_255 = (122.782, 117.001, 104.298)
MEAN = (_MEAN_255[0] / 255, _MEAN_255[1] / 255, _MEAN_255[2] / 255)
"""Mean of red, green and blue in [0, 1]; the deviation is 1."""

_WIDTHS = (32, 64, 128, EMBEDDING)


class FaceExpressionNetwork(nn.Module):
    """Network from a face to its embedding and its logits, side by side."""

    def __init__(self) -> None:
        """Build the network with random weights."""
        super().__init__()
        before = (3, *_WIDTHS)
        self.blocks = nn.ModuleList(
            _DenseBlock(ins, outs, plain=k == 0) for k, (ins, outs) in enumerate(zip(before, _WIDTHS, strict=False))
        )
        self.classifier = nn.Linear(EMBEDDING, len(CLASSES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return embeddings and logits.

        Args:
            images: float32 ``(n, 3, 112, 112)``, RGB divided by 255, :data:`MEAN` subtracted.

        Returns:
            float32 ``(n, 256 + 7)``.
        """
        x = images
        for block in self.blocks:
            x = block(x)
        embeddings = x.mean((2, 3))  # average pooling over the whole 7 x 7 map
        return torch.cat([embeddings, self.classifier(embeddings)], 1)


class _SeparableConvolution(nn.Module):
    """Depthwise 3 x 3 convolution, then a convolution of single pixels with bias; padding is TensorFlow's ``SAME``."""

    def __init__(self, ins: int, outs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.depthwise = nn.Conv2d(ins, ins, 3, stride, 0 if stride == 2 else 1, groups=ins, bias=False)
        self.pointwise = nn.Conv2d(ins, outs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pointwise(self.depthwise(_padded(x) if self.stride == 2 else x))


class _DenseBlock(nn.Module):
    """Four convolutions, each on the sum of the outputs of those before; the first one halves the map.

    Args:
        ins: input channels.
        outs: output channels.
        plain: True if the first convolution is a plain one, False if it is separable.
    """

    def __init__(self, ins: int, outs: int, *, plain: bool) -> None:
        super().__init__()
        self.plain = plain
        self.first = nn.Conv2d(ins, outs, 3, 2) if plain else _SeparableConvolution(ins, outs, 2)
        self.others = nn.ModuleList(_SeparableConvolution(outs, outs, 1) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = activated = functional.relu(self.first(_padded(x) if self.plain else x))
        for layer in self.others:
            total = total + layer(activated)
            activated = functional.relu(total)
        return activated


def _padded(x: torch.Tensor) -> torch.Tensor:
    """Return a map of even sides padded below and on the right: TensorFlow's ``SAME`` for 3 x 3 at a stride of 2."""
    return functional.pad(x, (0, 1, 0, 1))


def torch_tensors(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of ``face_expression_model`` by the names and in the layout of this module.

    Args:
        tensors: tensors by the names of the manifest, convolutions in TensorFlow's order of axes.
    """
    renamed: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition("/")
        if layer == "fc":
            end = {"weights": "weight", "bias": "bias"}.get(kind, kind)
            renamed[f"classifier.{end}"] = linear_weight(tensor) if end == "weight" else tensor
            continue
        block, _, convolution = layer.partition("/")
        number = convolution.removeprefix("conv")
        place = "first" if number == "0" else f"others.{int(number) - 1}" if number.isdigit() else convolution
        target = f"blocks.{block.removeprefix('dense')}.{place}"
        if kind == "depthwise_filter":
            renamed[f"{target}.depthwise.weight"] = depthwise_weight(tensor)
        elif kind == "pointwise_filter":
            renamed[f"{target}.pointwise.weight"] = convolution_weight(tensor)
        elif kind == "filters":
            renamed[f"{target}.weight"] = convolution_weight(tensor)
        else:
            plain = f"{layer}/filters" in tensors
            renamed[f"{target}.{kind}" if plain else f"{target}.pointwise.{kind}"] = tensor
    return renamed
