"""OpenVINO, imported so that it reports its use to nobody."""

from __future__ import annotations

import sys
from types import ModuleType


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry.

    Its converter reports each use to its makers by the package ``openvino_telemetry``. Where importing that fails, it
    has a stub of its own. So this comes before any other import of OpenVINO.

    Raises:
        ImportError: OpenVINO is missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    module: ModuleType = openvino
    return module
