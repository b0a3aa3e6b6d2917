"""Tensors out of files of weights, without ever executing what a file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, problem

if TYPE_CHECKING:
    import torch


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a file by name, on the CPU, contiguous, no two sharing memory.

    Raises:
        DataError: the file can't be read safely, or holds no tensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise DataError(problem("not readable as weights", where=path, found=error)) from None
