"""Removal of permutations from a network's graph: operations with channels last become operations with channels first.

ConvNeXt moves the channels to the end for its norms and linear layers, and back for its convolutions. In torch this is
free, because the memory stays the same. OpenVINO stores channels last by itself, and thus would move them twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

_ATEN = torch.ops.aten
_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_ELEMENTWISE = (_ATEN.gelu.default, _ATEN.relu.default, _ATEN.silu.default)


def channels_first(graph: fx.GraphModule) -> int:
    """Remove pairs of permutations, and adapt the operations between them to channels first.

    Norms run over the second axis, and linear layers become convolutions of one pixel. A pair with any other operation
    between stays as it is.

    Returns:
        The number of removed pairs.
    """
    nodes = graph.graph
    first: dict[Any, fx.Node] = {}
    """Node with channels first, by node with channels last."""
    gone = 0
    for node in list(nodes.nodes):
        if node.op != "call_function" or not node.args:
            continue
        data, *rest = node.args
        if _permutes(node, _TO_LAST):
            first[node] = data
        elif data in first:
            with nodes.inserting_before(node):
                if _permutes(node, _TO_FIRST):
                    node.replace_all_uses_with(first[data])
                    gone += 1
                elif node.target in _ELEMENTWISE:
                    first[node] = nodes.call_function(node.target, (first[data], *rest), node.kwargs)
                elif node.target is _ATEN.linear.default:
                    first[node] = _linear(nodes, first[data], *rest)
                elif node.target is _ATEN.layer_norm.default and len(rest[0]) == 1:
                    first[node] = _layer_norm(nodes, first[data], *rest[1:4])
    nodes.eliminate_dead_code()
    nodes.lint()
    graph.recompile()
    return gone


def _permutes(node: fx.Node, order: list[int]) -> bool:
    return node.target is _ATEN.permute.default and node.args[1] == order


def _linear(nodes: fx.Graph, data: fx.Node, weight: fx.Node, bias: fx.Node | None = None) -> fx.Node:
    kernel = nodes.call_function(_ATEN.unsqueeze.default, (weight, -1))
    kernel = nodes.call_function(_ATEN.unsqueeze.default, (kernel, -1))
    return nodes.call_function(_ATEN.conv2d.default, (data, kernel, bias))


def _layer_norm(
    nodes: fx.Graph, data: fx.Node, weight: fx.Node | None = None, bias: fx.Node | None = None, epsilon: float = 1e-5
) -> fx.Node:
    def call(target: Any, *arguments: Any) -> fx.Node:
        return nodes.call_function(target, arguments)

    centred = call(_ATEN.sub.Tensor, data, call(_ATEN.mean.dim, data, [1], True))
    variance = call(_ATEN.mean.dim, call(_ATEN.mul.Tensor, centred, centred), [1], True)
    normed = call(_ATEN.mul.Tensor, centred, call(_ATEN.rsqrt.default, call(_ATEN.add.Tensor, variance, epsilon)))
    for target, parameter in ((_ATEN.mul.Tensor, weight), (_ATEN.add.Tensor, bias)):
        if parameter is not None:
            normed = call(target, normed, call(_ATEN.reshape.default, parameter, [1, -1, 1, 1]))
    return normed
