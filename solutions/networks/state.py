"""Weights into a network, every one accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from harness.errors import SolutionError

_SHOWN = 3
_COUNTER = "num_batches_tracked"  # of a BatchNorm: read in training only, and absent from files older than torch 0.4.1


def load_exactly(
    network: nn.Module,
    tensors: Mapping[str, torch.Tensor],
    *,
    source: str,
    unused: tuple[str, ...] = (),
    assign: bool = False,
) -> None:
    """Set every parameter and buffer of a network.

    Args:
        tensors: by the network's own names; other floating-point types are converted.
        source: what the weights are called, for messages.
        unused: beginnings of names that may be missing, since no output hangs on them.
        assign: take the tensors themselves, which the network then shares, in place of copies; the network may have
            been built :class:`Unfilled`.

    Raises:
        SolutionError: a name is missing, unexpected, of another shape, not a number everywhere. Nothing was set then.
    """
    state = network.state_dict()
    may_miss = {key for key in state if key.endswith(_COUNTER) or key.startswith(unused)}
    complaints = {
        "missing": [key for key in state if key not in tensors and key not in may_miss],
        "unexpected": [key for key in tensors if key not in state],
        "of another shape": [
            f"{key} {tuple(tensors[key].shape)}, expected {tuple(value.shape)}"
            for key, value in state.items()
            if key in tensors and tensors[key].shape != value.shape
        ],
        "with values that are no numbers": [
            key for key, value in tensors.items() if key in state and not _finite(value)
        ],
    }
    if any(complaints.values()):
        found = "; ".join(f"{len(keys)} {kind}: {_first(keys)}" for kind, keys in complaints.items() if keys)
        raise SolutionError(
            f"the weights of {source} are not those of {type(network).__name__}",
            found=found,
            expected=f"{len(state)} tensors with its names and shapes",
            do="Was the right file imported? See abaw weights list",
        )
    if assign:
        tensors = {key: tensor.to(state[key].dtype) for key, tensor in tensors.items()}
    network.load_state_dict({**state, **tensors}, assign=assign)


class Unfilled(TorchFunctionMode):
    """A block in which networks are built without first values, so that their memory stays untouched.

    The device ``meta`` would do the same, but costs 130 MB of modules that torch then imports.
    """

    _FILL = frozenset({torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.fill_, torch.Tensor.zero_})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Leave out what fills a tensor; do everything else."""
        if func in self._FILL or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _finite(tensor: torch.Tensor) -> bool:
    """Return True if all values are numbers; takes no memory as large as the tensor."""
    return not tensor.numel() or all(bool(torch.isfinite(end)) for end in torch.aminmax(tensor))


def _first(keys: Iterable[str]) -> str:
    keys = list(keys)
    return ", ".join(keys[:_SHOWN]) + (", …" if len(keys) > _SHOWN else "")
