"""Execution of networks: one interface for all backends, which compute the same results."""

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
    """Network that is ready to run."""

    dim: int
    """Number of output columns."""

    parallel: Parallel
    """``batches`` if a call keeps one core busy and several threads may call at the same time, else ``threads``."""

    batch_size: int
    """Number of images per call that is fast."""

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the output columns of a batch.

        Args:
            images: RGB uint8 ``(n, h, w, 3)``, prepared, n at least 1.

        Returns:
            float32 ``(n, dim)``.
        """

    def identity(self) -> dict[str, Any]:
        """Return plain data on the execution that may change results: backend, precision, kind of device."""


def make_forward(
    network: nn.Module, preprocessing: Preprocessing, settings: Settings, cpu_batch: int | None = None
) -> Forward:
    """Prepare a network for the backend, device and precision of the settings.

    Args:
        network: module from normalised images, float32 ``(n, 3, h, w)``, to float32 ``(n, dim)``. It may be changed.
        preprocessing: preparation and normalisation of images.
        settings: backend, device, precision and workers.
        cpu_batch: number of images per call of torch on a CPU; ``None`` for the default.

    Raises:
        MissingDependencyError: the backend is missing.
        UsageError: the backend lacks this device or precision.
    """
    if settings.backend == "openvino":
        from solutions.encoders.backends.openvino import OpenVINOForward

        return OpenVINOForward(network, preprocessing, settings.device, settings.precision, settings.workers)
    from solutions.encoders.backends.torch import CPU_BATCH, TorchForward

    return TorchForward(network, preprocessing, settings.device, settings.precision, cpu_batch or CPU_BATCH)


class LateForward:
    """Forward pass that is prepared at its first call; implements :class:`Forward`.

    Its identity is known before, so that cached features are available without building a graph.

    Args:
        network: as for :func:`make_forward`.
        preprocessing: as for :func:`make_forward`.
        settings: as for :func:`make_forward`.
        dim: number of output columns.
        cpu_batch: as for :func:`make_forward`.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        settings: Settings,
        dim: int,
        cpu_batch: int | None = None,
    ) -> None:
        """Store the network, and work out its identity."""
        self.dim = dim
        self.parallel, self.batch_size = _batches(settings, cpu_batch)
        self._make = partial(make_forward, network, preprocessing, settings, cpu_batch)
        self._identity = {
            "backend": settings.backend,
            "precision": settings.precision,
            "device": _device_type(settings),
        }
        self._prepared: Forward | None = None
        self._lock = threading.Lock()

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See :class:`Forward`; errors are those of :func:`make_forward`."""
        with self._lock:
            if self._prepared is None:
                self._prepared = self._checked(self._make())
        return self._prepared(images)

    def identity(self) -> dict[str, Any]:
        """See :class:`Forward`."""
        return dict(self._identity)

    def _checked(self, forward: Forward) -> Forward:
        if forward.dim != self.dim:
            raise SolutionError("the network's columns", found=forward.dim, expected=self.dim)
        if forward.identity() != self._identity:
            raise SolutionError("how a network runs", found=forward.identity(), expected=self._identity)
        return forward


def _device_type(settings: Settings) -> str:
    return "cpu" if settings.backend == "openvino" else resolve_device(settings.device).partition(":")[0]


def _batches(settings: Settings, cpu_batch: int | None) -> tuple[Parallel, int]:
    if settings.backend == "openvino":
        from solutions.encoders.backends.openvino import OpenVINOForward

        return OpenVINOForward.parallel, OpenVINOForward.batch_size
    from solutions.encoders.backends.torch import CPU_BATCH, TorchForward

    return TorchForward.batches(_device_type(settings), cpu_batch or CPU_BATCH)
