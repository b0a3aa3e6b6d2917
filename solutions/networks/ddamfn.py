"""DDAMFN, the dual-direction attention mixed feature network (Zhang et al., Electronics 2023), with two heads.

Names and order of parameters are those of the published checkpoints (``model_state_dict``).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

EMBEDDING = 512
"""Columns of the embedding."""

SIZE = 112
"""Side length of the square input in pixels. The attention heads pool over the map that four halvings leave."""

_MAP = SIZE // 16
_REDUCTION = 32

# per stage: (kernel, channels) of the mixed depthwise convolution in the first block, which halves the map; (kernel,
# channels) in the residual blocks; number of residual blocks; channels between blocks
_Mix = tuple[tuple[int, int], ...]
_STAGES: tuple[tuple[_Mix, _Mix, int, int], ...] = (
    (((3, 64), (5, 32), (7, 32)), ((3, 96), (5, 32)), 9, 64),
    (((3, 128), (5, 64), (7, 64)), ((3, 192), (5, 64)), 16, 128),
    (((3, 256), (5, 256), (7, 256), (9, 256)), ((3, 172), (5, 170), (7, 170)), 6, 256),
)


class DDAMFN(nn.Module):
    """Network from a face to its embedding, followed by a linear layer with ``n_outputs`` outputs.

    Args:
        n_outputs: 8 classes of AffectNet, or 10 with valence and arousal.
    """

    def __init__(self, n_outputs: int) -> None:
        """Create the layers."""
        super().__init__()
        self.features = _body()
        self.cat_head0 = _Head(512)
        self.cat_head1 = _Head(512)
        self.Linear = _Convolution(512, 512, (_MAP, _MAP), groups=512)
        self.fc = nn.Linear(EMBEDDING, n_outputs)
        self.bn = nn.BatchNorm1d(n_outputs)  # part of the checkpoint, but never applied

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return outputs ``(n, n_outputs)`` for normalised faces ``(n, 3, 112, 112)``."""
        features = self.features(images)
        attention = torch.maximum(self.cat_head0(features), self.cat_head1(features))
        return self.fc(self.Linear(features * attention).flatten(1))


class _Convolution(nn.Module):
    """Convolution and batch normalisation."""

    def __init__(
        self, ins: int, outs: int, kernel: tuple[int, int] = (1, 1), stride: int = 1, padding: int = 0, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(ins, outs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x))


class _Activated(_Convolution):
    """Convolution, batch normalisation and PReLU; the size changes only by the stride."""

    def __init__(self, ins: int, outs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(ins, outs, (kernel, kernel), stride, kernel // 2, groups)
        self.prelu = nn.PReLU(outs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.prelu(super().forward(x))


class _Mixed(nn.Module):
    """Depthwise convolutions of several kernel sizes, each on its share of the channels.

    The checkpoint has a normalisation and an activation, too, which the original network never applies.
    """

    def __init__(self, mix: _Mix, stride: int) -> None:
        super().__init__()
        self.shares = [channels for _, channels in mix]
        self.mixed_depthwise_conv = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
            for kernel, channels in mix
        )
        self.bn = nn.BatchNorm2d(sum(self.shares))
        self.prelu = nn.PReLU(sum(self.shares))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shares = zip(self.mixed_depthwise_conv, x.split(self.shares, 1), strict=True)
        return torch.cat([convolution(share) for convolution, share in shares], 1)


class _CoordinateGate(nn.Module):
    """Gate with a weight in (0, 1) for each channel, row and column, from values pooled along the other direction.

    The gate is coordinate attention (Hou et al., CVPR 2021) without the pooling.
    """

    def add_gate(self, channels: int) -> None:
        """Create the gate's layers; the moment of the call determines their position in the state."""
        middle = max(8, channels // _REDUCTION)
        self.conv1 = nn.Conv2d(channels, middle, 1)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, channels, 1)
        self.conv3 = nn.Conv2d(middle, channels, 1)

    def gate(self, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Return weights ``(n, c, h, w)`` from pooled rows ``(n, c, h, 1)`` and pooled columns ``(n, c, 1, w)``."""
        both = torch.cat([rows, columns.transpose(2, 3)], 2)
        both = functional.hardswish(self.bn1(self.conv1(both)))
        by_row, by_column = both.split([rows.shape[2], columns.shape[3]], 2)
        return self.conv2(by_row).sigmoid() * self.conv3(by_column.transpose(2, 3)).sigmoid()


class _CoordinateAttention(_CoordinateGate):
    """Attention that multiplies the input by its gate; pooling is by means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.add_gate(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(x.mean(3, keepdim=True), x.mean(2, keepdim=True))


class _LearnedAttention(_CoordinateGate):
    """Attention that returns the gate alone; pooling is by learned weights along each direction."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Linear_h = _Convolution(channels, channels, (1, _MAP), groups=channels)
        self.Linear_w = _Convolution(channels, channels, (_MAP, 1), groups=channels)
        self.add_gate(channels)
        # part of the checkpoint, but never applied
        self.Linear = _Convolution(channels, channels, (_MAP, _MAP), groups=channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gate(self.Linear_h(x), self.Linear_w(x))


class _Head(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.CoordAtt = _LearnedAttention(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.CoordAtt(x)


class _Bottleneck(nn.Module):
    """Block that widens, convolves depthwise, attends to coordinates and narrows; only the first step is activated."""

    def __init__(self, ins: int, outs: int, mix: _Mix, stride: int) -> None:
        super().__init__()
        width = sum(channels for _, channels in mix)
        self.conv = _Activated(ins, width)
        self.conv_dw = _Mixed(mix, stride)
        self.CA = _CoordinateAttention(width)
        self.project = _Convolution(width, outs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.project(self.CA(self.conv_dw(self.conv(x))))


class _Residuals(nn.Module):
    def __init__(self, blocks: int, channels: int, mix: _Mix) -> None:
        super().__init__()
        self.model = nn.Sequential(*(_Bottleneck(channels, channels, mix, stride=1) for _ in range(blocks)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.model:
            x = x + block(x)
        return x


def _body() -> nn.Sequential:
    """Return the layers from ``(n, 3, 112, 112)`` to ``(n, 512, 7, 7)``."""
    layers: list[nn.Module] = [_Activated(3, 64, 3, stride=2), _Activated(64, 64, 3, groups=64)]
    widths = [64, *(channels for *_, channels in _STAGES)]
    for (ins, outs), (first, rest, blocks, _) in zip(pairwise(widths), _STAGES, strict=True):
        layers += [_Bottleneck(ins, outs, first, stride=2), _Residuals(blocks, outs, rest)]
    return nn.Sequential(*layers, _Activated(widths[-1], 512))
