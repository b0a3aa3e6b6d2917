"""The one place where a network is executed. What runs it is replaceable; what it computes is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.settings import Settings
from solutions.encoders.encoder import Parallel
from solutions.encoders.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import nn


class Forward(Protocol):
    """A network, ready to run."""

    dim: int
    """Columns that it gives."""

    parallel: Parallel
    """``batches`` if a call keeps one core busy and threads may call at the same time, else ``threads``."""

    batch_size: int
    """Images a call that it is fast with."""

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
    """The network, ready to run on the backend, the device and in the precision of the settings.

    Args:
        network: float32 ``(n, 3, h, w)``, normalised, to float32 ``(n, dim)``. It may be changed.

    Raises:
        MissingDependencyError: the backend is not installed.
        UsageError: it can't do that on this machine.
    """
    if settings.backend == "openvino":
        from solutions.encoders.backends.openvino import OpenVINOForward

        return OpenVINOForward(network, preprocessing, settings.device, settings.precision, settings.workers)
    from solutions.encoders.backends.torch import TorchForward

    return TorchForward(network, preprocessing, settings.device, settings.precision)
