"""Transformations that make a network's graph faster on a CPU, with equal results: folded norms, fused sums."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

_ATEN = torch.ops.aten
_CONVOLUTION = _ATEN.conv2d.default
_LINEAR = _ATEN.linear.default
_BATCH_NORM = _ATEN.batch_norm.default
_PERMUTE = _ATEN.permute.default
_PAD = _ATEN.pad.default
_SUMS = (_ATEN.add.Tensor, _ATEN.add_.Tensor)
_PRODUCTS = (_ATEN.mul.Tensor, _ATEN.mul_.Tensor)
_ACTIVATIONS: dict[Any, str] = {
    _ATEN.relu.default: "relu",
    _ATEN.relu_.default: "relu",
    _ATEN.sigmoid.default: "sigmoid",
    _ATEN.silu.default: "swish",
    _ATEN.silu_.default: "swish",
    _ATEN.hardswish.default: "hardswish",
    _ATEN.hardswish_.default: "hardswish",
    _ATEN.gelu.default: "gelu",
}
"""Activations that oneDNN fuses with a convolution or a linear layer, with oneDNN's names."""

_RELUS = (_ATEN.relu.default, _ATEN.relu_.default)

_NEW_MAPS = (_ATEN.relu.default, _ATEN.max_pool2d.default, _ATEN.add.Tensor)
"""Operations that write their result into memory of its own, beside oneDNN's convolutions."""

_FEW_CHANNELS = 4
"""Most input channels of a kernel that grows by a row and a column of zeros: these cost less than a padded copy."""

_DEFAULTS: tuple[Any, ...] = (None, [1, 1], [0, 0], [1, 1], 1)
"""Defaults of a convolution: bias, stride, padding, dilation, groups."""


def drop_dropouts(graph: fx.GraphModule) -> None:
    """Remove dropouts, which have no effect in evaluation but separate other operations."""
    for dropout in graph.graph.find_nodes(op="call_function", target=_ATEN.dropout.default):
        data, _, training = dropout.args
        if not training:
            dropout.replace_all_uses_with(data)
            graph.graph.erase_node(dropout)  # torch keeps it as live code, because it may draw random numbers
    _finish(graph)


def fold_batch_norms(graph: fx.GraphModule) -> int:
    """Fold each batch norm that follows a convolution into the convolution's weights, in float64, rounded once.

    Returns:
        The number of folded norms.
    """
    folded = 0
    for convolution in _layers(graph, _CONVOLUTION):
        norm = _only_user(convolution)
        if norm is None or norm.target is not _BATCH_NORM:
            continue
        scale, shift, mean, variance = (_value(graph, node) for node in norm.args[1:5])
        training, _, epsilon = norm.args[5:8]
        if mean is None or variance is None or training:
            continue
        factor = (1 if scale is None else scale.double()) / torch.sqrt(variance.double() + epsilon)
        offset = (0 if shift is None else shift.double()) - mean.double() * factor
        _scale(graph, convolution, factor, offset, f"normed_{folded}")
        norm.replace_all_uses_with(convolution)
        graph.graph.erase_node(norm)
        folded += 1
    _finish(graph)
    return folded


def fold_scales(graph: fx.GraphModule) -> int:
    """Fold each layer scale, one factor per channel, into the weights of the linear layer or convolution before it.

    Returns:
        The number of folded scales.
    """
    folded = 0
    for node in _layers(graph, _CONVOLUTION, _LINEAR):
        last, order = _moved(node)
        product = _only_user(last)
        if product is None or product.target not in _PRODUCTS:
            continue
        factor = _value(graph, product.args[product.args[0] is last])  # the other argument of the two
        channels = order.index(1 if node.target is _CONVOLUTION else len(order) - 1) - len(order)
        if not isinstance(factor, torch.Tensor) or factor.ndim > len(order) or factor.ndim < -channels:
            continue
        if factor.numel() != factor.shape[channels] or factor.numel() != _value(graph, node.args[1]).shape[0]:
            continue
        _scale(graph, node, factor.flatten().double(), 0, f"scaled_{folded}")
        product.replace_all_uses_with(last)
        graph.graph.erase_node(product)
        folded += 1
    _finish(graph)
    return folded


def fold_pads(graph: fx.GraphModule) -> int:
    """Replace each padding on one side before a convolution by padding on both sides and a kernel with zeros.

    TensorFlow's ``SAME`` pads an even map below and on the right; a convolution of torch pads all sides alike. Kernels
    of more than a few input channels stay as they are, because products with zeros would take longer than the copy.

    Returns:
        The number of folded pads.
    """
    folded = 0
    for convolution in _layers(graph, _CONVOLUTION):
        data, weight, bias, stride, padding, dilation, groups = _arguments(convolution)
        if data.target is not _PAD or _only_user(data) is not convolution or isinstance(padding, str):
            continue
        source, sides, *how = data.args
        kernel = _value(graph, weight)
        if (
            how not in ([], ["constant"], ["constant", None], ["constant", 0])
            or data.kwargs
            or _pair(dilation) != [1, 1]
        ):
            continue
        if len(sides) != 4 or not all(isinstance(n, int) for n in sides) or kernel.shape[1] > _FEW_CHANNELS:
            continue
        left, right, above, below = sides
        differences = (right - left, below - above)
        if min(sides) < 0 or max(map(abs, differences)) > 1:
            continue
        down, along = _pair(padding)
        grown = [side for n in differences for side in (max(n, 0), max(-n, 0))]
        with graph.graph.inserting_before(convolution):
            name = f"unpadded_{folded}_weight"
            weight = _constant(graph, name, torch.nn.functional.pad(kernel.detach(), grown))
        both = [down + max(above, below), along + max(left, right)]
        convolution.args = (source, weight, bias, stride, both, dilation, groups)
        folded += 1
    _finish(graph)
    return folded


def fuse_convolutions(graph: fx.GraphModule, batch: int, dtype: torch.dtype = torch.float32) -> int:
    """Replace convolutions, each with the activation after it, by operations of oneDNN with packed weights.

    Args:
        graph: the network's graph, changed in place.
        batch: images per call that weights are packed for; other numbers work, too.
        dtype: dtype of the computation; bfloat16 sums in float32, and returns bfloat16.

    Returns:
        The number of replaced convolutions; 0 if torch was built without oneDNN.
    """
    if not _onednn("_convolution_pointwise", dtype):
        return 0
    fused = 0
    for convolution in _layers(graph, _CONVOLUTION):
        data, weight, _, stride, padding, dilation, groups = _arguments(convolution)
        kernel = _value(graph, weight)
        stride, padding, dilation = (_pair(value) for value in (stride, padding, dilation))
        shape = [batch, *map(int, data.meta["val"].shape[1:])]
        packed = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]
            kernel.detach().to(dtype).to_mkldnn(), padding, stride, dilation, groups, shape
        )
        options = (padding, stride, dilation, groups)
        _replace(graph, convolution, torch.ops.mkldnn._convolution_pointwise.default, packed, options, dtype)
        fused += 1
    _finish(graph)
    return fused


def fuse_sums(graph: fx.GraphModule) -> int:
    """Let oneDNN's convolutions add their result to another map in its memory, with the ReLU after the sum.

    The sum is fused if it is the last use of the other map, whose memory is its alone. Call this function after
    :func:`fuse_convolutions`, for float32 alone: a sum in bfloat16 would be rounded once instead of twice.

    Returns:
        The number of fused sums.
    """
    if not _onednn("_convolution_pointwise_", torch.float32):
        return 0
    convolve, accumulate = (
        torch.ops.mkldnn._convolution_pointwise.default,
        torch.ops.mkldnn._convolution_pointwise_.binary,
    )
    plain = {convolve, accumulate, *_NEW_MAPS}
    fused = 0
    for convolution in graph.graph.find_nodes(op="call_function", target=convolve):
        data, *weights, activation, _, _ = convolution.args
        total = _only_user(convolution)
        if activation != "none" or total is None or total.target not in _SUMS or total.kwargs:
            continue
        other = total.args[total.args[0] is convolution]
        place = {node: k for k, node in enumerate(graph.graph.nodes)}
        if (
            not isinstance(other, fx.Node)
            or other is data
            or other.target not in plain
            or not _alike(other, convolution)
        ):
            continue
        before = [node for node in other.users if node is not total]
        if place[other] > place[convolution] or any(
            node.target not in plain or place[node] > place[convolution] for node in before
        ):
            continue
        relu = _only_user(total)
        last = relu if relu is not None and relu.target in _RELUS else total
        name = "relu" if last is relu else None
        with graph.graph.inserting_before(convolution):
            new = graph.graph.call_function(accumulate, (other, data, *weights, "add", 1.0, name, [], None))
        new.meta["val"] = last.meta["val"]
        last.replace_all_uses_with(new)
        for node in dict.fromkeys((last, total, convolution)):
            graph.graph.erase_node(node)
        fused += 1
    _finish(graph)
    return fused


def fuse_linears(graph: fx.GraphModule, batch: int, dtype: torch.dtype = torch.float32) -> int:
    """Replace linear layers by operations of oneDNN, as :func:`fuse_convolutions` does with convolutions.

    Returns:
        The number of replaced linear layers.
    """
    if not _onednn("_linear_pointwise", dtype):
        return 0
    fused = 0
    for linear in _layers(graph, _LINEAR):
        rows = batch * math.prod(int(side) for side in linear.meta["val"].shape[1:-1])
        kernel = _value(graph, linear.args[1]).detach().to(dtype)
        packed = torch.ops.mkldnn._reorder_linear_weight(kernel, rows)
        _replace(graph, linear, torch.ops.mkldnn._linear_pointwise.default, packed, (), dtype)
        fused += 1
    _finish(graph)
    return fused


def _layers(graph: fx.GraphModule, *targets: Any) -> list[fx.Node]:
    """Return the layers whose weights are parameters of the network, rather than computed from its input."""
    return [
        node
        for node in graph.graph.nodes
        if node.target in targets and all(one is None or _value(graph, one) is not None for one in node.args[1:3])
    ]


def _onednn(operation: str, dtype: torch.dtype) -> bool:
    """Return True if this build of torch has the operation, and this processor has the instructions for it."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, operation):
        return False
    return dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _scale(graph: fx.GraphModule, node: fx.Node, factor: Any, offset: Any, name: str) -> None:
    """Change the weights of a convolution or linear layer so that each output channel is scaled and shifted."""
    data, weight, bias, *rest = (*node.args, None)[: max(3, len(node.args))]
    kernel, before = _value(graph, weight), _value(graph, bias)
    moved = offset if before is None else before.double() * factor + offset
    with graph.graph.inserting_before(node):
        scaled = kernel.double() * factor.view(-1, *[1] * (kernel.ndim - 1))
        weight = _constant(graph, f"{name}_weight", scaled.to(kernel.dtype))
        if isinstance(moved, torch.Tensor):
            bias = _constant(graph, f"{name}_bias", moved.to(kernel.dtype))
    node.args = (data, weight, bias, *rest)


def _arguments(convolution: fx.Node) -> tuple[Any, ...]:
    """Return data, weight, bias, stride, padding, dilation and groups of a convolution."""
    arguments = convolution.args
    return (*arguments, *_DEFAULTS[len(arguments) - 2 :])


def _pair(value: list[int]) -> list[int]:
    return list(value) * 2 if len(value) == 1 else list(value)


def _moved(node: fx.Node) -> tuple[fx.Node, list[int]]:
    """Return the last of the permutations that follow a node, and the resulting order of axes."""
    order = list(range(node.meta["val"].ndim))
    while (user := _only_user(node)) is not None and user.target is _PERMUTE:
        axes: Any = user.args[1]
        order = [order[axis] for axis in axes]
        node = user
    return node, order


def _replace(
    graph: fx.GraphModule,
    node: fx.Node,
    target: Any,
    packed: torch.Tensor,
    options: tuple[Any, ...],
    dtype: torch.dtype,
) -> None:
    """Replace a convolution or a linear layer, and the activation after it, by an operation of oneDNN."""
    data, _, bias = (*node.args, None)[:3]
    user = _only_user(node)
    activation = _ACTIVATIONS.get(user.target) if user else None
    last = user if user and activation else node
    algorithm = last.kwargs.get("approximate", "none")
    with graph.graph.inserting_before(node):
        if dtype != torch.float32:
            data = graph.graph.call_function(_ATEN.to.dtype, (data, dtype))
        weight = _constant(graph, f"{node.name}_packed", packed)
        if bias is not None:
            bias = _constant(graph, f"{node.name}_bias", _value(graph, bias).to(dtype))
        new = graph.graph.call_function(target, (data, weight, bias, *options, activation or "none", [], algorithm))
    new.meta["val"] = last.meta["val"]
    last.replace_all_uses_with(new)
    graph.graph.erase_node(last)
    if last is not node:
        graph.graph.erase_node(node)


def _alike(one: fx.Node, other: fx.Node) -> bool:
    """Return True if two nodes have float32 results of the same shape."""
    first, second = one.meta["val"], other.meta["val"]
    return first.dtype == second.dtype == torch.float32 and list(map(str, first.shape)) == list(map(str, second.shape))


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _value(graph: fx.GraphModule, node: Any) -> Any:
    """Return the value of a node that is independent of the network's input, such as a weight; ``None`` for others."""
    if not isinstance(node, fx.Node):
        return node
    if node.op == "get_attr":
        holder, _, name = str(node.target).rpartition(".")
        return getattr(graph.get_submodule(holder), name)
    known = {one: _value(graph, one) for one in node.all_input_nodes}
    if node.op != "call_function" or not known or any(value is None for value in known.values()):
        return None
    return node.target(*fx.map_arg(node.args, known.__getitem__), **node.kwargs)  # type: ignore[operator]


def _constant(graph: fx.GraphModule, name: str, value: torch.Tensor) -> fx.Node:
    graph.register_buffer(name, value.detach(), persistent=False)
    return graph.graph.get_attr(name)


def _finish(graph: fx.GraphModule) -> None:
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.graph.lint()
    graph.recompile()
