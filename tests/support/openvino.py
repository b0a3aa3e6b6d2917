"""OpenVINO for tests, brought in as the product brings it in."""

from __future__ import annotations

from types import ModuleType

import pytest

from solutions.encoders.openvino_package import import_openvino


def openvino_or_skip() -> ModuleType:
    """Return OpenVINO without its telemetry, which ``pytest.importorskip`` would load; skip where it is missing."""
    try:
        return import_openvino()
    except ImportError as error:
        pytest.skip(f"OpenVINO is missing: {error}", allow_module_level=True)
