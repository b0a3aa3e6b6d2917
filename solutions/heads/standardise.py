"""Zero mean and unit variance by column, with the training set's moments as part of the network."""

from __future__ import annotations

import torch


class Standardise(torch.nn.Module):
    """``(x - mean) / std``.

    Args:
        mean, std: float32 ``(dim,)``; saved with the weights, not trained.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rows float32 ``(n, dim)``, in place: they are large, and copies of what is stored."""
        # one pass over the rows instead of two; what that rounds is about what a float32 mean is rounded by already
        return torch.addcmul(-self.mean / self.std, x, 1 / self.std, out=x)
