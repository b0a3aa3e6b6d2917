"""A network as a graph of torch's core operations, from which any backend can start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from solutions.networks.preprocessing import Preprocessing

EXAMPLES = 2
"""Crops in the batch that a network is exported with. One would be taken for a constant."""

_ONE_THREAD = ThreadPoolExecutor(1, "export")
"""Where all exports run: after one in a thread, torch 2.11 crashes (segmentation fault) at one in another thread."""


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
    return export_graph(_FromCrops(network.eval(), preprocessing), preprocessing)


def export_graph(network: nn.Module, preprocessing: Preprocessing) -> torch.export.ExportedProgram:
    """The same for what normalises by itself: a graph that was exported before, and changed."""
    return _ONE_THREAD.submit(_export, network, preprocessing.size).result()


def _export(network: nn.Module, size: tuple[int, int]) -> torch.export.ExportedProgram:
    example = torch.zeros((EXAMPLES, *size, 3), dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
