"""Conversion of TensorFlow's weights to torch's order of axes."""

from __future__ import annotations

import torch


def convolution_weight(kernel: torch.Tensor) -> torch.Tensor:
    """Return a kernel ``(height, width, inputs, outputs)`` as ``(outputs, inputs, height, width)``."""
    return kernel.permute(3, 2, 0, 1).contiguous()


def depthwise_weight(kernel: torch.Tensor) -> torch.Tensor:
    """Return a depthwise kernel ``(height, width, channels, 1)`` as ``(channels, 1, height, width)``."""
    return kernel.permute(2, 3, 0, 1).contiguous()


def linear_weight(matrix: torch.Tensor) -> torch.Tensor:
    """Return a linear layer's matrix ``(inputs, outputs)`` as ``(outputs, inputs)``."""
    return matrix.t().contiguous()
