"""Both expression networks in NumPy, written from the publishers' graphs: TensorFlow's padding, one image at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.support.npm_packages import GRAPH

Array = np.ndarray


def same(x: Array, kernel: int, stride: int, fill: float = 0.0) -> Array:
    """Return a map ``(h, w, c)`` padded by TensorFlow's rule: what can't be shared out evenly goes to the end."""
    pads = []
    for side in x.shape[:2]:
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [*pads, (0, 0)], constant_values=fill)


def windows(x: Array, kernel: int, stride: int) -> Array:
    """Return the windows ``(h', w', c, kernel, kernel)`` of a map."""
    return sliding_window_view(x, (kernel, kernel), (0, 1))[::stride, ::stride]


def convolve(x: Array, weights: Array, stride: int = 1, padding: str = "SAME") -> Array:
    kernel = weights.shape[0]
    x = same(x, kernel, stride) if padding == "SAME" else x
    return np.einsum("hwcij,ijco->hwo", windows(x, kernel, stride), weights)


def depthwise(x: Array, weights: Array, stride: int = 1) -> Array:
    return np.einsum("hwcij,ijc->hwc", windows(same(x, 3, stride), 3, stride), weights[..., 0])


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return e / e.sum()


def face_expression(image: Array, weights: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return embedding and logits of an RGB image ``(112, 112, 3)`` of 0 to 255."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    x = (image.astype(np.float64) - (122.782, 117.001, 104.298)) / 255

    def separable(x: Array, layer: str, stride: int) -> Array:
        y = depthwise(x, w[f"{layer}/depthwise_filter"], stride)
        return convolve(y, w[f"{layer}/pointwise_filter"]) + w[f"{layer}/bias"]

    for block in range(4):
        layer = f"dense{block}/conv"
        if block == 0:
            out1 = relu(convolve(x, w[f"{layer}0/filters"], 2) + w[f"{layer}0/bias"])
        else:
            out1 = relu(separable(x, f"{layer}0", 2))
        out2 = separable(out1, f"{layer}1", 1)
        out3 = separable(relu(out1 + out2), f"{layer}2", 1)
        out4 = separable(relu(out1 + (out2 + out3)), f"{layer}3", 1)
        x = relu(out1 + (out2 + (out3 + out4)))
    embedding = x.mean((0, 1))
    return embedding, embedding @ w["fc/weights"] + w["fc/bias"]


def mini_xception(image: Array, weights: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return embedding and logits of a grey image ``(64, 64)`` of 0 to 255."""
    w = {name.removeprefix(GRAPH): value.astype(np.float64) for name, value in weights.items()}
    x = ((image.astype(np.float64) / 255 - 0.5) * 2)[..., None]

    def plain(x: Array, layer: str, stride: int, padding: str) -> Array:
        return convolve(x, w[f"{layer}/Conv2D_weights"], stride, padding) + w[f"{layer}/Conv2D_bn_offset"]

    def separable(x: Array, first: str, k: int) -> Array:
        layer = f"separable_conv2d_{k}/separable_conv2d"
        return convolve(depthwise(x, w[first]), w[f"{layer}_weights"]) + w[f"{layer}_bn_offset"]

    def pooled(x: Array) -> Array:
        return windows(same(x, 3, 2, -np.inf), 3, 2).max((-2, -1))

    x = relu(plain(x, "conv2d_1", 2, "VALID"))
    x = relu(plain(x, "conv2d_2", 1, "VALID"))
    y = separable(relu(separable(x, "unknown_9", 1)), "unknown_15", 2)
    x = pooled(y) + plain(x, "conv2d_3", 2, "SAME")
    y = separable(relu(separable(relu(x), "unknown_26", 3)), "unknown_32", 4)
    x = pooled(y) + plain(x, "conv2d_4", 2, "SAME")
    return x.mean((0, 1)), (convolve(x, w["unknown_43"]) + w["unknown_44"]).mean((0, 1))
