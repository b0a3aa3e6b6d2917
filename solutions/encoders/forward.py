"""The one place where a network is executed. What runs it is replaceable; what it computes is not."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError
from harness.settings import Settings
from harness.system.device import resolve_device
from solutions.encoders.encoder import Parallel
from solutions.networks.preprocessing import Preprocessing

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


class LateForward:
    """A forward pass that is made ready when it is first called; implements :class:`Forward`.

    What it is called is known before: features that are cached never wait for a graph to be built.

    Args:
        network: as for :func:`make_forward`.
        dim: columns that it gives.
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing, settings: Settings, dim: int) -> None:
        self.dim = dim
        self.parallel, self.batch_size = _batches(settings)
        self._make = partial(make_forward, network, preprocessing, settings)
        self._identity = {
            "backend": settings.backend,
            "precision": settings.precision,
            "device": _device_type(settings),
        }
        self._made: Forward | None = None
        self._lock = threading.Lock()

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See :class:`Forward`; raises what :func:`make_forward` does."""
        with self._lock:
            if self._made is None:
                self._made = self._checked(self._make())
        return self._made(images)

    def identity(self) -> dict[str, Any]:
        """See :class:`Forward`."""
        return dict(self._identity)

    def _checked(self, made: Forward) -> Forward:
        if made.dim != self.dim:
            raise SolutionError("the network's columns", found=made.dim, expected=self.dim)
        if made.identity() != self._identity:
            raise SolutionError("how a network runs", found=made.identity(), expected=self._identity)
        return made


def _device_type(settings: Settings) -> str:
    return "cpu" if settings.backend == "openvino" else resolve_device(settings.device).partition(":")[0]


def _batches(settings: Settings) -> tuple[Parallel, int]:
    if settings.backend == "openvino":
        from solutions.encoders.backends.openvino import OpenVINOForward

        return OpenVINOForward.parallel, OpenVINOForward.batch_size
    from solutions.encoders.backends.torch import TorchForward

    return TorchForward.batches(_device_type(settings))
