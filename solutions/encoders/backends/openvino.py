"""Backend OpenVINO on the CPU, with the weights and graph of torch, without downloads or files."""

from __future__ import annotations

import threading
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness.errors import MissingDependencyError, UsageError, install_command
from harness.settings import Precision
from solutions.encoders.backends.export import export, export_graph
from solutions.encoders.backends.fusion import drop_dropouts
from solutions.encoders.backends.layout import channels_first
from solutions.encoders.encoder import Parallel
from solutions.encoders.openvino_package import import_openvino
from solutions.networks.preprocessing import Preprocessing

_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}

_AT_ONCE: dict[Precision, int] = {"float32": 1, "bfloat16": 4}
"""Crops per request. In float32 single crops are as fast as batches, and each row is independent of the others. The
matrix units for bfloat16 are faster with several rows."""


class OpenVINOForward:
    """Image network run by OpenVINO, a :class:`~solutions.encoders.forward.Forward`: one stream and core per worker.

    The precision is set explicitly, because OpenVINO uses bfloat16 by default if the processor supports it.

    Args:
        network: module from normalised images, float32 ``(n, 3, h, w)``, to float32 ``(n, dim)``.
        preprocessing: preparation and normalisation of crops.
        device: ``auto`` or ``cpu``.
        precision: ``float32`` or ``bfloat16``.
        workers: number of streams.

    Raises:
        MissingDependencyError: OpenVINO is missing.
        UsageError: another device is requested, or a precision that this processor lacks.
    """

    parallel: Parallel = "batches"
    batch_size = 8

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        device: str = "cpu",
        precision: Precision = "float32",
        workers: int = 1,
    ) -> None:
        """Convert and compile the network."""
        if device not in ("auto", "cpu"):
            raise UsageError(
                "the openvino backend runs on the CPU only", found=f"device {device!r}", do="Give --device cpu"
            )
        openvino = _openvino()
        self._precision = precision
        self._at_once = _AT_ONCE[precision]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converter warns of deprecations in torch
            model = openvino.convert_model(_program(network, preprocessing))
        model.reshape([self._at_once, *preprocessing.size, 3])
        self._compiled = openvino.Core().compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _HINTS[precision],
                "PERFORMANCE_HINT": "THROUGHPUT",
                "NUM_STREAMS": workers,
                "INFERENCE_NUM_THREADS": workers,
                "ENABLE_CPU_PINNING": False,  # threads decode on the same cores
            },
        )
        taken = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if taken != _HINTS[precision]:
            raise UsageError("this processor can't be held to the precision", found=taken, expected=_HINTS[precision])
        self.dim = int(self._compiled.output(0).partial_shape[1].get_length())
        self._local = threading.local()

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See :class:`~solutions.encoders.forward.Forward`."""
        if not hasattr(self._local, "request"):
            self._local.request = self._compiled.create_infer_request()
        rows = np.empty((len(images), self.dim), np.float32)
        for at in range(0, len(images), self._at_once):
            some = images[at : at + self._at_once]
            missing = self._at_once - len(some)
            if missing:
                some = np.concatenate([some, np.zeros((missing, *some.shape[1:]), np.uint8)])
            outputs = self._local.request.infer({0: some}, share_inputs=True, share_outputs=True)[0]
            rows[at : at + self._at_once] = outputs[: self._at_once - missing]
        return rows

    def identity(self) -> dict[str, Any]:
        """Return the backend and its precision."""
        return {"backend": "openvino", "precision": self._precision, "device": "cpu"}


def _program(network: nn.Module, preprocessing: Preprocessing) -> torch.export.ExportedProgram:
    program = export(network, preprocessing)
    graph = program.module(check_guards=False)
    drop_dropouts(graph)
    return export_graph(graph, preprocessing) if channels_first(graph) else program


def _openvino() -> ModuleType:
    try:
        return import_openvino()
    except ImportError as error:
        raise MissingDependencyError(
            "the openvino backend needs OpenVINO", found=str(error), do=f"Run: {install_command('openvino')}"
        ) from None
