"""A network as a graph of torch's core operations, from which any backend can start."""

from __future__ import annotations

import torch
from torch import nn

from solutions.encoders.preprocessing import Preprocessing

EXAMPLES = 2
"""Crops in the batch that a network is exported with. One would be taken for a constant."""


class _FromCrops(nn.Module):
    """A network with the normalisation before it."""

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        columns: torch.Tensor = self.network(self.preprocessing.normalise(images))
        return columns


def export(network: nn.Module, preprocessing: Preprocessing) -> torch.export.ExportedProgram:
    """The network in evaluation: prepared crops, uint8 ``(n, h, w, 3)`` of any n, to float32 ``(n, dim)``.

    Its weights are shared, not copied.
    """
    return export_again(_FromCrops(network.eval(), preprocessing), preprocessing)


def export_again(network: nn.Module, preprocessing: Preprocessing) -> torch.export.ExportedProgram:
    """The same for what takes crops already: a graph that was exported, and changed."""
    example = torch.zeros((EXAMPLES, *preprocessing.size, 3), dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
