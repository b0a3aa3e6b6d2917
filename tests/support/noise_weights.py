"""Weights made by a rule, the one of the golden outputs: no download, and the same on every machine."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def noise(n: int, i: int) -> np.ndarray:
    """float64 ``(n,)`` in [-1, 1), the i-th of its kind."""
    h = np.sin(12.9898 * np.arange(n) + 78.233 * i) * 43758.5453
    return 2 * (h - np.floor(h)) - 1


def weight(name: str, shape: tuple[int, ...], i: int, gain: float = 1.0) -> np.ndarray:
    """The i-th weight by name (``golden/README.md``); those of BatchNorm and PReLU times ``gain``."""
    s = noise(int(np.prod(shape)), i).reshape(shape)
    if name.endswith("running_var"):
        return 1 + 0.5 * s * s
    if name.endswith(("running_mean", "bias")):
        return 0.1 * s
    if len(shape) == 1:
        return gain * (0.5 + 0.3 * s)
    return 2.4 * s * np.sqrt(2 / np.prod(shape[1:]))


def set_noise(network: nn.Module, gain: float = 1.0) -> None:
    """Such weights in the whole network."""
    state = network.state_dict()
    with torch.no_grad():
        for i, key in enumerate(sorted(key for key, value in state.items() if value.is_floating_point())):
            state[key].copy_(torch.from_numpy(weight(key, tuple(state[key].shape), i, gain)))
