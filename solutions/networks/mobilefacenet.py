"""MobileFaceNet (Chen et al., CCBR 2018) in the size that face recognition uses: blocks 1/4/6/2, twice the width.

Names and order of parameters are those of the published checkpoint ``mbf_va_mtl``.
"""

from __future__ import annotations

import torch
from torch import nn

EMBEDDING = 512
"""Columns of the embedding."""

SIZE = 112
"""Side length of the square input in pixels. The last convolution covers the map that four halvings leave."""


class MobileFaceNet(nn.Module):
    """Network from a face to its embedding, followed by a linear layer with ``n_outputs`` outputs.

    Args:
        n_outputs: 8 classes of AffectNet, or 10 with valence and arousal.
    """

    def __init__(self, n_outputs: int) -> None:
        """Create the layers."""
        super().__init__()
        self.features = _Body()
        self.fc = nn.Linear(EMBEDDING, n_outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return outputs ``(n, n_outputs)`` for normalised faces ``(n, 3, 112, 112)``."""
        return self.fc(self.features(images))


class _Layers(nn.Module):
    """Sequence of modules under the name ``layers``, as in the checkpoint."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def _linear(ins: int, outs: int, kernel: int = 1, stride: int = 1, padding: int = 0, groups: int = 1) -> _Layers:
    """Return a convolution with batch normalisation."""
    return _Layers(*_normalised(ins, outs, kernel, stride, padding, groups))


def _activated(ins: int, outs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> _Layers:
    """Return a convolution with batch normalisation and PReLU; the size changes only by the stride."""
    return _Layers(*_normalised(ins, outs, kernel, stride, kernel // 2, groups), nn.PReLU(outs))


def _normalised(ins: int, outs: int, kernel: int, stride: int, padding: int, groups: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(ins, outs, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(outs)


class _Bottleneck(_Layers):
    """Block that widens to ``width``, convolves depthwise 3 x 3, narrows without activation, and may add its input."""

    def __init__(self, ins: int, outs: int, width: int, stride: int = 1, *, residual: bool = False) -> None:
        super().__init__(_activated(ins, width), _activated(width, width, 3, stride, width), _linear(width, outs))
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


def _residuals(blocks: int, channels: int, width: int) -> _Layers:
    return _Layers(*(_Bottleneck(channels, channels, width, residual=True) for _ in range(blocks)))


class _Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                _activated(3, 128, 3, stride=2),
                _activated(128, 128, 3, groups=64),
                _Bottleneck(128, 128, 128, stride=2),
                _residuals(4, 128, 128),
                _Bottleneck(128, 256, 256, stride=2),
                _residuals(6, 256, 256),
                _Bottleneck(256, 256, 512, stride=2),
                _residuals(2, 256, 256),
            ]
        )
        self.conv_sep = _activated(256, 512)
        self.features = _Layers(
            _linear(512, 512, kernel=SIZE // 16, groups=512),
            nn.Flatten(),
            nn.Linear(512, EMBEDDING, bias=False),
            nn.BatchNorm1d(EMBEDDING),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images
        for layer in self.layers:
            x = layer(x)
        return self.features(self.conv_sep(x))
