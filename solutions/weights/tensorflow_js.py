"""Weights of TensorFlow.js: a JSON manifest, followed by the raw values of all tensors in sequence."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.errors import DataError

if TYPE_CHECKING:
    import torch

_PLAIN: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "int32": np.dtype("<i4")}
_STORED: dict[str, np.dtype[Any]] = {"uint8": np.dtype("u1"), "uint16": np.dtype("<u2"), "float16": np.dtype("<f2")}
_MOST_AXES = 8


def read_tensors(manifest: bytes, values: bytes, where: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a model by name, quantised ones as float32; axes stay in TensorFlow's order.

    A value stored as uint8 or uint16 is ``stored * scale + min``, computed in float64 and rounded once.

    Args:
        manifest: JSON: the list of weight groups, or a model with the entry ``weightsManifest``.
        values: the groups' raw values, little-endian, without gaps.
        where: name of the two files, for messages.

    Raises:
        DataError: the manifest is invalid, or has another number of values.
    """
    import torch

    try:
        tensors: dict[str, torch.Tensor] = {}
        at = 0
        for entry in _entries(json.loads(manifest)):
            name, shape = entry["name"], [int(side) for side in entry["shape"]]
            if not isinstance(name, str) or name in tensors or len(shape) > _MOST_AXES or min(shape, default=1) < 0:
                raise ValueError(f"the entry {str(entry)[:100]}")
            array, size = _array(entry, shape, values, at)
            tensors[name] = torch.from_numpy(array)
            at += size
        if at != len(values):
            raise ValueError(f"{len(values):,} bytes of values, {at:,} in the manifest")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        what, expected = "not readable as weights of TensorFlow.js", "a weights manifest and exactly its values"
        cause = f"the entry {error} is missing" if isinstance(error, KeyError) else error
        raise DataError(what, where=where, found=cause, expected=expected) from None
    return tensors


def _entries(content: Any) -> list[Any]:
    """Return the manifest's entries in the order of their values."""
    groups = content["weightsManifest"] if isinstance(content, dict) else content
    return [entry for group in groups for entry in group["weights"]]


def _array(entry: Any, shape: list[int], values: bytes, at: int) -> tuple[npt.NDArray[Any], int]:
    """Return one tensor, and its size in bytes."""
    quantization = entry.get("quantization")
    stored = _PLAIN[entry["dtype"]] if quantization is None else _STORED[quantization["dtype"]]
    count = math.prod(shape)
    size = count * stored.itemsize
    if size > len(values) - at:
        raise ValueError(f"{len(values):,} bytes of values end within {entry['name']}")
    array = np.frombuffer(values, stored, count, at).reshape(shape)
    if quantization is None:
        return array.astype(stored.newbyteorder("=")), size
    if stored.kind == "f":
        return array.astype(np.float32), size
    scale, least = float(quantization["scale"]), float(quantization["min"])
    return (array * scale + least).astype(np.float32), size
