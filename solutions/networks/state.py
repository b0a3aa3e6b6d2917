"""Loading of weights into a network, with a check of all names, shapes and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from harness.errors import SolutionError
from harness.system.counts import counted

_SHOWN = 3
_COUNTER = "num_batches_tracked"  # BatchNorm's counter: used in training only, absent in files before torch 0.4.1


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
        network: the network, changed in place.
        tensors: tensors by the network's names; other floating-point types are converted.
        source: name of the weights, for messages.
        unused: prefixes of names that may be missing, because they have no influence on outputs.
        assign: True to share the tensors with the network instead of copying; the network may have been built with
            :class:`Unfilled`.

    Raises:
        SolutionError: a tensor is missing, unexpected, of another shape, or has infinite or NaN values; the network is
            then unchanged.
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
        summary = "; ".join(f"{len(keys)} {kind}: {_first(keys)}" for kind, keys in complaints.items() if keys)
        raise SolutionError(
            f"the weights of {source} are not those of {type(network).__name__}",
            found=summary,
            expected=f"{counted(len(state), 'tensor')} with its names and shapes",
            do="Was the right file imported? See abaw weights list",
        )
    if assign:
        tensors = {key: tensor.to(state[key].dtype) for key, tensor in tensors.items()}
    network.load_state_dict({**state, **tensors}, assign=assign)


class Unfilled(TorchFunctionMode):
    """Block in which networks are built without initial values, so that their memory stays untouched.

    The device ``meta`` would have the same effect, but makes torch import modules that take 130 MB.
    """

    _FILL = frozenset({torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.fill_, torch.Tensor.zero_})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Skip functions that fill a tensor; call all others."""
        if func in self._FILL or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _finite(tensor: torch.Tensor) -> bool:
    """Return True if all values are finite, without a temporary tensor of the same size."""
    return not tensor.numel() or all(bool(torch.isfinite(end)) for end in torch.aminmax(tensor))


def _first(keys: Iterable[str]) -> str:
    keys = list(keys)
    return ", ".join(keys[:_SHOWN]) + (", …" if len(keys) > _SHOWN else "")
