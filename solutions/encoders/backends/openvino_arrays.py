"""NumPy arrays in OpenVINO: made ready before several threads hand them over."""

from __future__ import annotations

from types import ModuleType

import numpy as np


def initialise_arrays(openvino: ModuleType) -> None:
    """Look NumPy's interface up in this thread, before threads run requests.

    OpenVINO 2026.4's bindings do so at the first array. Where two threads have their first array at once, one holds
    the interpreter and waits for the other one's initialisation, which waits for the interpreter: for ever.
    """
    openvino.Tensor(np.zeros(1, np.float32)).data  # noqa: B018  # the property makes an array
