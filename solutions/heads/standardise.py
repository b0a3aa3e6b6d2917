"""Standardisation of columns by the training set's moments, as a module of the network."""

from __future__ import annotations

import torch


class Standardise(torch.nn.Module):
    """Module that computes ``(x - mean) / std``. Its moments are saved with the weights and never trained.

    Args:
        mean: float32 ``(dim,)``.
        std: float32 ``(dim,)``.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Register the moments as buffers."""
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Standardise rows, float32 ``(n, dim)``, in place: they are large, and copies of the stored rows."""
        # one pass over the rows instead of two; its rounding is about as large as that of a float32 mean
        return torch.addcmul(-self.mean / self.std, x, 1 / self.std, out=x)
