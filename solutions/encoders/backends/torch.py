"""Backend torch: the module as it is on a GPU, a fused graph on a CPU, where each core runs batches of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness.settings import Precision
from harness.system.device import resolve_device
from solutions.encoders.backends.export import export
from solutions.encoders.backends.fusion import (
    drop_dropouts,
    fold_batch_norms,
    fold_pads,
    fold_scales,
    fuse_convolutions,
    fuse_linears,
    fuse_sums,
)
from solutions.encoders.encoder import Parallel
from solutions.networks.preprocessing import Preprocessing

Run = Callable[[torch.Tensor], torch.Tensor]

CPU_BATCH = 4
"""Images per call on a CPU, by default. Batches are small: the activations between ConvNeXt's linear layers take 5 MB
per image, and the system allocates blocks of more than 32 MB again each time."""


class TorchForward:
    """Image network that runs in torch; a :class:`~solutions.encoders.forward.Forward`.

    In float32 all results are exact to float32's rounding, on every device. In bfloat16 convolutions and matrix
    products have bfloat16 inputs and outputs and sum in float32, as in torch's autocast.

    Args:
        network: module from normalised images, float32 ``(n, 3, h, w)``, to float32 ``(n, dim)``.
        preprocessing: preparation and normalisation of crops.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``float32`` or ``bfloat16``.
        cpu_batch: number of images per call on a CPU.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        device: str = "cpu",
        precision: Precision = "float32",
        cpu_batch: int = CPU_BATCH,
    ) -> None:
        """Move the network to the device, and fuse its graph on a CPU."""
        self._device = torch.device(resolve_device(device))
        self._precision = precision
        on_cpu = self._device.type == "cpu"
        self.parallel, self.batch_size = self.batches(self._device.type, cpu_batch)
        network = network.eval().to(self._device)
        self._run = self._fused(network, preprocessing) if on_cpu else _as_it_is(network, preprocessing)
        # measured by a call, because a timm network may widen its features after pooling
        self.dim = self(np.zeros((1, *preprocessing.size, 3), np.uint8)).shape[1]

    @staticmethod
    def batches(device: str, cpu_batch: int = CPU_BATCH) -> tuple[Parallel, int]:
        """Return the kind of parallelism on a kind of device, and the size of batches."""
        return ("batches", cpu_batch) if device == "cpu" else ("threads", 64)

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See :class:`~solutions.encoders.forward.Forward`."""
        half = torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bfloat16")
        with torch.inference_mode(), half, self._exact():
            batch = torch.from_numpy(images)
            if self._device.type == "cuda":
                batch = batch.pin_memory()
            return np.asarray(self._run(batch.to(self._device, non_blocking=True)).float().cpu().numpy(), np.float32)

    def identity(self) -> dict[str, Any]:
        """Return the backend, its precision and the kind of device."""
        return {"backend": "torch", "precision": self._precision, "device": self._device.type}

    def _exact(self) -> AbstractContextManager[None]:
        """Return a context without TF32, to whose 11 bits a GPU's convolutions round float32 by default."""
        if self._device.type != "cuda":
            return nullcontext()
        cudnn = torch.backends.cudnn
        return cudnn.flags(
            enabled=cudnn.enabled, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
        )

    def _fused(self, network: nn.Module, preprocessing: Preprocessing) -> Run:
        try:
            graph = export(network, preprocessing).module(check_guards=False)
        except Exception:  # torch has no class for failed exports; the network then runs as it is
            return _as_it_is(network, preprocessing)
        drop_dropouts(graph)
        fold_batch_norms(graph)
        fold_scales(graph)
        fold_pads(graph)
        for fuse in (fuse_convolutions, fuse_linears):
            fuse(graph, self.batch_size, getattr(torch, self._precision))
        if self._precision == "float32":
            fuse_sums(graph)
        return graph


def _as_it_is(network: nn.Module, preprocessing: Preprocessing) -> Run:
    from torch.nn.utils import convert_conv2d_weight_memory_format

    network = convert_conv2d_weight_memory_format(network, torch.channels_last)
    return lambda images: network(preprocessing.normalise(images))
