"""OpenVINO, imported so that it reports its use to nobody and is ready for several threads."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, and have it look NumPy's interface up.

    Its converter reports each use to its makers by the package ``openvino_telemetry``. Where importing that fails, it
    has a stub of its own. So this comes before any other import of OpenVINO.

    The bindings of 2026.4 look NumPy's interface up at the first array. Where two threads have their first array at
    once, one holds the interpreter and waits for the other one's initialisation, which waits for the interpreter: for
    ever. So the first array is made here.

    Raises:
        ImportError: OpenVINO is missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    openvino.Tensor(np.zeros(1, np.float32)).data  # noqa: B018  # the property makes an array
    module: ModuleType = openvino
    return module
