"""The one place where a network is executed. What runs it is replaceable; what it computes is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.device import resolve_device
from harness.settings import Settings
from solutions.encoders.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import nn


class Forward(Protocol):
    """A network, ready to run."""

    dim: int
    """Columns that it gives."""

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Columns of a batch.

        Args:
            images: RGB uint8 ``(n, h, w, 3)``, prepared, n at least 1.

        Returns:
            float32 ``(n, dim)``.
        """

    def identity(self) -> dict[str, Any]:
        """What about the execution may change numbers: backend, precision, kind of device. Plain data."""


def make_forward(network: nn.Module, preprocessing: Preprocessing, settings: Settings) -> Forward:
    """Whatever runs the network fastest under these settings.

    Args:
        network: float32 ``(n, 3, h, w)``, normalised, to float32 ``(n, dim)``.
    """
    return TorchForward(network, preprocessing, settings.device)


class TorchForward:
    """Torch itself, float32.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing, device: str) -> None:
        import torch
        from torch.nn.utils import convert_conv2d_weight_memory_format

        self._torch = torch
        self._device = torch.device(resolve_device(device))
        self._network = convert_conv2d_weight_memory_format(network.eval().to(self._device), torch.channels_last)
        self._preprocessing = preprocessing
        # asked, not declared: a timm network may widen its features after pooling
        self.dim = self(np.zeros((1, *preprocessing.size, 3), np.uint8)).shape[1]

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See :class:`Forward`."""
        with self._torch.inference_mode():
            batch = self._preprocessing.normalise(self._torch.from_numpy(images).to(self._device))
            return np.asarray(self._network(batch).float().cpu().numpy(), np.float32)

    def identity(self) -> dict[str, Any]:
        """Torch, float32, on a CPU or a GPU."""
        return {"backend": "torch", "precision": "float32", "device": self._device.type}
