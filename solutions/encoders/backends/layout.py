"""A network's graph without its permutations: what is done with channels last is done with channels first instead.

ConvNeXt takes the channels to the end for its norms and its linear layers, and back for its convolutions. With torch
that costs nothing. OpenVINO keeps the channels of pictures last in memory anyway, and moves everything about.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

_ATEN = torch.ops.aten
_PERMUTE = _ATEN.permute.default
_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_ONE_BY_ONE = (_ATEN.gelu.default, _ATEN.relu.default, _ATEN.silu.default, _ATEN.dropout.default)


def channels_first(graph: fx.GraphModule) -> int:
    """Do norms and linear layers between two permutations as convolutions of one pixel, without the permutations.

    Returns:
        How many permutations are gone.
    """
    nodes = graph.graph
    first: dict[fx.Node, fx.Node] = {}
    """What a node with the channels last is with the channels first."""
    gone = 0
    for node in list(nodes.nodes):
        if node.op != "call_function":
            continue
        data = node.args[0] if node.args else None
        if node.target is _PERMUTE and list(node.args[1]) == _TO_LAST:
            first[node] = data
            continue
        if data not in first:
            continue
        with nodes.inserting_before(node):
            if node.target is _PERMUTE and list(node.args[1]) == _TO_FIRST:
                node.replace_all_uses_with(first[data])
                gone += 2
            elif node.target in _ONE_BY_ONE:
                first[node] = nodes.call_function(node.target, (first[data], *node.args[1:]), node.kwargs)
            elif node.target is _ATEN.linear.default:
                weight, bias = (*node.args[1:], None)[:2]
                kernel = _call(nodes, _ATEN.unsqueeze.default, _call(nodes, _ATEN.unsqueeze.default, weight, -1), -1)
                first[node] = _call(nodes, _ATEN.conv2d.default, first[data], kernel, bias)
            elif node.target is _ATEN.layer_norm.default and len(node.args[1]) == 1:
                first[node] = _norm(nodes, first[data], *node.args[2:5])
    nodes.eliminate_dead_code()
    nodes.lint()
    graph.recompile()
    return gone


def _norm(nodes: fx.Graph, data: fx.Node, weight: fx.Node | None = None, bias: fx.Node | None = None, epsilon: float = 1e-5) -> fx.Node:
    """A layer norm over the second axis."""
    centred = _call(nodes, _ATEN.sub.Tensor, data, _call(nodes, _ATEN.mean.dim, data, [1], True))
    variance = _call(nodes, _ATEN.mean.dim, _call(nodes, _ATEN.mul.Tensor, centred, centred), [1], True)
    scale = _call(nodes, _ATEN.rsqrt.default, _call(nodes, _ATEN.add.Tensor, variance, epsilon))
    normed = _call(nodes, _ATEN.mul.Tensor, centred, scale)
    if weight is not None:
        normed = _call(nodes, _ATEN.mul.Tensor, normed, _call(nodes, _ATEN.reshape.default, weight, [1, -1, 1, 1]))
    if bias is not None:
        normed = _call(nodes, _ATEN.add.Tensor, normed, _call(nodes, _ATEN.reshape.default, bias, [1, -1, 1, 1]))
    return normed


def _call(nodes: fx.Graph, target: Any, *arguments: Any) -> fx.Node:
    return nodes.call_function(target, arguments)
