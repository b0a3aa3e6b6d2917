"""A network's graph made faster on a CPU, its numbers kept: batch norms folded away, activations done in passing."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

_CONVOLUTION = torch.ops.aten.conv2d.default
_BATCH_NORM = torch.ops.aten.batch_norm.default
_ACTIVATIONS: dict[Any, str] = {
    torch.ops.aten.relu.default: "relu",
    torch.ops.aten.relu_.default: "relu",
    torch.ops.aten.sigmoid.default: "sigmoid",
    torch.ops.aten.silu.default: "swish",
    torch.ops.aten.silu_.default: "swish",
    torch.ops.aten.hardswish.default: "hardswish",
    torch.ops.aten.hardswish_.default: "hardswish",
}
"""What oneDNN does in passing, by its name there."""

_DEFAULTS: tuple[Any, ...] = (None, [1, 1], [0, 0], [1, 1], 1)
"""Of a convolution: bias, stride, padding, dilation, groups."""


def fold_batch_norms(graph: fx.GraphModule) -> int:
    """Multiply each batch norm that follows a convolution into its weights, in float64, rounded once.

    Returns:
        How many were folded.
    """
    folded = 0
    for convolution in graph.graph.find_nodes(op="call_function", target=_CONVOLUTION):
        norm = _only_user(convolution)
        if norm is None or norm.target is not _BATCH_NORM:
            continue
        data, weight, bias, *rest = _arguments(convolution)
        scale, shift, mean, variance = (_tensor(graph, node) for node in norm.args[1:5])
        training, _, epsilon = norm.args[5:8]
        if mean is None or variance is None or training:
            continue
        factor = (1 if scale is None else scale.double()) / torch.sqrt(variance.double() + epsilon)
        kernel, offset = _tensor(graph, weight), _tensor(graph, bias)
        moved = (0 if offset is None else offset.double()) - mean.double()
        new = {
            "weight": (kernel.double() * factor.view(-1, 1, 1, 1)).to(kernel.dtype),
            "bias": (moved * factor + (0 if shift is None else shift.double())).to(kernel.dtype),
        }
        with graph.graph.inserting_before(convolution):
            own = [_constant(graph, f"folded_{folded}_{name}", value) for name, value in new.items()]
        convolution.args = (data, *own, *rest)
        norm.replace_all_uses_with(convolution)
        graph.graph.erase_node(norm)
        folded += 1
    _finish(graph)
    return folded


def fuse_convolutions(graph: fx.GraphModule, batch: int, dtype: torch.dtype = torch.float32) -> int:
    """Let oneDNN do convolutions, their weights packed beforehand, with the activation that follows as part of it.

    Args:
        batch: images a call that weights are packed for; any other number works too.
        dtype: what they are computed in; bfloat16 sums up in float32, and gives bfloat16.

    Returns:
        How many convolutions were handed over: none where torch was built without oneDNN.
    """
    if not torch.backends.mkldnn.is_available():
        return 0
    fused = 0
    for convolution in graph.graph.find_nodes(op="call_function", target=_CONVOLUTION):
        data, weight, bias, stride, padding, dilation, groups = _arguments(convolution)
        kernel = _tensor(graph, weight)
        stride, padding, dilation = (_pair(value) for value in (stride, padding, dilation))
        shape = [batch, *map(int, data.meta["val"].shape[1:])]
        packed = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]
            kernel.detach().to(dtype).to_mkldnn(), padding, stride, dilation, groups, shape
        )
        last = convolution
        user = _only_user(convolution)
        activation = _ACTIVATIONS.get(user.target) if user else None
        if user and activation:
            last = user
        with graph.graph.inserting_before(convolution):
            if dtype != torch.float32:
                data = graph.graph.call_function(torch.ops.aten.to.dtype, (data, dtype))
                bias = bias and graph.graph.call_function(torch.ops.aten.to.dtype, (bias, dtype))
            constant = _constant(graph, f"packed_{fused}", packed)
            new = graph.graph.call_function(
                torch.ops.mkldnn._convolution_pointwise.default,
                (data, constant, bias, padding, stride, dilation, groups, activation or "none", [], ""),
            )
        new.meta["val"] = last.meta["val"]
        last.replace_all_uses_with(new)
        graph.graph.erase_node(last)
        if last is not convolution:
            graph.graph.erase_node(convolution)
        fused += 1
    _finish(graph)
    return fused


def _arguments(convolution: fx.Node) -> tuple[Any, ...]:
    """Data, weight, bias, stride, padding, dilation, groups."""
    given = convolution.args
    return (*given, *_DEFAULTS[len(given) - 2 :])


def _pair(value: list[int]) -> list[int]:
    return list(value) * 2 if len(value) == 1 else list(value)


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _tensor(graph: fx.GraphModule, node: Any) -> Any:
    """The weight that a node stands for."""
    if node is None:
        return None
    holder, _, name = node.target.rpartition(".")
    return getattr(graph.get_submodule(holder), name)


def _constant(graph: fx.GraphModule, name: str, value: torch.Tensor) -> fx.Node:
    graph.register_buffer(name, value.detach(), persistent=False)
    return graph.graph.get_attr(name)


def _finish(graph: fx.GraphModule) -> None:
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.graph.lint()
    graph.recompile()
