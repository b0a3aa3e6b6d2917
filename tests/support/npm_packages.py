"""Archives of npm packages with two small expression networks in them, their weights drawn: no download."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.settings import Settings
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import import_weights
from tests.support.noise_weights import noise

WIDTHS = (32, 64, 128, 256)
GRAPH = "StatefulPartitionedCall/model_1/"


def face_shapes() -> dict[str, tuple[int, ...]]:
    """Return names and shapes of ``face_expression_model`` as its manifest lists them."""
    shapes: dict[str, tuple[int, ...]] = {}
    before = 3
    for block, width in enumerate(WIDTHS):
        for k in range(4):
            ins = before if k == 0 else width
            layer = f"dense{block}/conv{k}"
            if block == k == 0:
                shapes[f"{layer}/filters"] = (3, 3, ins, width)
            else:
                shapes[f"{layer}/depthwise_filter"] = (3, 3, ins, 1)
                shapes[f"{layer}/pointwise_filter"] = (1, 1, ins, width)
            shapes[f"{layer}/bias"] = (width,)
        before = width
    return {**shapes, "fc/weights": (256, 7), "fc/bias": (7,)}


def grey_shapes() -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the weights in ``models/emotion``, mini-Xception."""
    separable = "separable_conv2d_{0}/separable_conv2d_{1}"
    shapes: dict[str, tuple[int, ...]] = {
        "unknown_9": (3, 3, 64, 1),
        "unknown_15": (3, 3, 128, 1),
        "unknown_26": (3, 3, 128, 1),
        "unknown_32": (3, 3, 256, 1),
        "unknown_43": (3, 3, 256, 7),
        "unknown_44": (7,),
    }
    convolutions = {1: (3, 3, 1, 32), 2: (3, 3, 32, 64), 3: (1, 1, 64, 128), 4: (1, 1, 128, 256)}
    for k, shape in convolutions.items():
        shapes[f"{GRAPH}conv2d_{k}/Conv2D_weights"] = shape
        shapes[f"{GRAPH}conv2d_{k}/Conv2D_bn_offset"] = shape[-1:]
    for k, (ins, outs) in {1: (64, 128), 2: (128, 128), 3: (128, 256), 4: (256, 256)}.items():
        shapes[GRAPH + separable.format(k, "weights")] = (1, 1, ins, outs)
        shapes[GRAPH + separable.format(k, "bn_offset")] = (outs,)
    return shapes


def drawn(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return float32 weights by a rule, under which different images still differ behind the last layer."""
    weights = {}
    for i, (name, shape) in enumerate(shapes.items()):
        values = noise(int(np.prod(shape)), i).reshape(shape)
        fan_in = np.prod(shape[:-1]) if shape[-1] > 1 else 9
        weights[name] = (0.1 * values if len(shape) == 1 else 2.4 * values / np.sqrt(fan_in)).astype(np.float32)
    return weights


def manifest_of(weights: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return the manifest's entries of plain float32 and int32 values."""
    return [{"name": name, "shape": list(v.shape), "dtype": str(v.dtype)} for name, v in weights.items()]


def write_archive(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a ``.tgz`` of regular files."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def package(name: str, weights: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """Return members of the archive that holds the weights of that name, others beside them."""
    manifest, values = WEIGHTS[name].members
    groups = [{"paths": ["values.bin"], "weights": manifest_of(weights)}]
    content: Any = groups if name == "expression" else {"format": "graph-model", "weightsManifest": groups}
    raw = b"".join(np.ascontiguousarray(v).tobytes() for v in weights.values())
    return {"package/LICENSE": b"MIT", manifest: json.dumps(content).encode(), values: raw, "package/z": b"z"}


def both_weights() -> dict[str, dict[str, np.ndarray]]:
    """Return drawn weights of both networks by their names in ``abaw weights``."""
    axes = {f"{GRAPH}global_average_pooling2d_1/Mean/reduction_indices": np.array([1, 2], np.int32)}
    return {"expression": drawn(face_shapes()), "expression.mini-xception": drawn(grey_shapes()) | axes}


def bring_expression(settings: Settings, folder: Path) -> None:
    """Import archives with drawn weights of both networks."""
    for name, weights in both_weights().items():
        path = write_archive(folder / f"{name}.tgz", package(name, weights))
        import_weights(name, path, settings, replace=True)
