"""Export of a network as a graph of torch's core operations, the input of all backends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from solutions.networks.preprocessing import Preprocessing

EXAMPLES = 2
"""Crops in the batch that a network is exported with; torch would treat a size of 1 as a constant."""

_ONE_THREAD = ThreadPoolExecutor(1, "export")
"""Thread of all exports: torch 2.11 crashes (segmentation fault) if a second thread exports."""


class _FromCrops(nn.Module):
    """Network with the normalisation of crops before it."""

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        columns: torch.Tensor = self.network(self.preprocessing.normalise(images))
        return columns


def export(network: nn.Module, preprocessing: Preprocessing) -> torch.export.ExportedProgram:
    """Return the network in evaluation mode as a graph; its weights are shared.

    The graph maps prepared crops, uint8 ``(n, h, w, 3)`` for any n, to float32 ``(n, dim)``.
    """
    return export_graph(_FromCrops(network.eval(), preprocessing), preprocessing)


def export_graph(network: nn.Module, preprocessing: Preprocessing) -> torch.export.ExportedProgram:
    """Return a module that normalises by itself as a graph, for example an exported graph after changes."""
    return _ONE_THREAD.submit(_export, network, preprocessing.size).result()


def _export(network: nn.Module, size: tuple[int, int]) -> torch.export.ExportedProgram:
    example = torch.zeros((EXAMPLES, *size, 3), dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
