"""Import of OpenVINO without telemetry, prepared for several threads."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, and initialise its interface to NumPy.

    OpenVINO's converter reports each use to its makers through the package ``openvino_telemetry``. If importing this
    package fails, the converter uses a stub. Call this function before any other import of OpenVINO.

    The bindings of 2026.4 initialise their interface to NumPy at the first array. If two threads use their first array
    at once, one holds the interpreter and waits for the initialisation in the other, which waits for the interpreter: a
    deadlock. Therefore this function creates the first array.

    Raises:
        ImportError: OpenVINO is missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    openvino.Tensor(np.zeros(1, np.float32)).data  # noqa: B018  # the property makes an array
    module: ModuleType = openvino
    return module
