"""Forward pass of wav2vec 2.0 and HuBERT over several clips of any lengths at a time, without padding.

Rows of all clips are stored one after the other. Linear layers and layer norms see single rows, so that clips of any
lengths share one matrix product; attention, convolutions over time and the group norm see one clip each. The other
clips thus change the last bits of a row at most: a matrix product may sum in another order if it has more rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from solutions.encoders.audio.convolutions import Convolutions, PositionConvolution

if TYPE_CHECKING:
    import torch

_ROWS = 2048
"""Rows for which the wide hidden layer, four times as wide as a row, exists at a time."""

_MANY_ROWS = 4096
"""Number of rows above which attention runs a few heads at a time: all queries of 360 s would take 74 MB, as would
keys and values."""

_HEADS = 4


class _Linear(Protocol):
    weight: torch.Tensor
    bias: torch.Tensor | None


class PackedNetwork:
    """Torchaudio network of the wav2vec 2.0 family, for inference on several clips of any lengths at a time.

    Args:
        network: result of ``torchaudio.models.wav2vec2_model``; its weights are shared.
    """

    def __init__(self, network: Any) -> None:
        """Take the weights; kernels of the convolutions are copied, because they are needed in another order."""
        self._convolutions = Convolutions(network.feature_extractor)
        self._projection = network.encoder.feature_projection
        transformer = network.encoder.transformer
        self._positions = PositionConvolution(transformer.pos_conv_embed.conv)
        self._layers, self._norm = transformer.layers, transformer.layer_norm
        self._norm_first: bool = self._layers[0].layer_norm_first

    def __call__(self, clips: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return the hidden states of the last layer.

        Args:
            clips: float32 ``(n,)`` each, normalised, at least one window long.

        Returns:
            float32 ``(rows, dim)`` for each clip.
        """
        import torch

        from solutions.networks.linear import linear

        convolved = [self._convolutions(clip) for clip in clips]
        sizes = [len(rows) for rows in convolved]
        x = self._projection.layer_norm(torch.cat(convolved))
        del convolved
        x = linear(x, self._projection.projection.weight, self._projection.projection.bias)
        for rows in x.split(sizes):
            rows += self._positions(rows)
        if not self._norm_first:
            x = self._norm(x)
        for layer in self._layers:
            x = self._layer(layer, x, sizes)
        if self._norm_first:
            x = self._norm(x)
        return list(x.split(sizes))

    def _layer(self, layer: Any, x: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
        """Return the output of a Transformer layer; ``x`` is overwritten."""
        from solutions.networks.linear import linear, linear_gelu

        attended = _attention(layer.attention, layer.layer_norm(x) if self._norm_first else x, sizes)
        project, inner = layer.attention.out_proj, layer.feed_forward.intermediate_dense
        outer = layer.feed_forward.output_dense
        for rows, update in zip(x.split(_ROWS), attended.split(_ROWS), strict=True):
            rows += linear(update, project.weight, project.bias)
            if not self._norm_first:
                rows.copy_(layer.layer_norm(rows))
            wide = layer.final_layer_norm(rows) if self._norm_first else rows
            wide = linear_gelu(wide, inner.weight, inner.bias)
            rows += linear(wide, outer.weight, outer.bias)
            if not self._norm_first:
                rows.copy_(layer.final_layer_norm(rows))
        return x


def _attention(attention: Any, x: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """Return the heads' weighted values side by side, each clip's rows attending to that clip's rows alone."""
    import torch

    width = x.shape[1] // attention.num_heads
    together = attention.num_heads if len(x) <= _MANY_ROWS else _HEADS
    attended = torch.empty_like(x)
    for first in range(0, attention.num_heads, together):
        columns = slice(first * width, (first + together) * width)
        queries, keys, values = (
            _some_columns(projection, x, columns)
            for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        start = 0
        for size in sizes:
            rows = slice(start, start + size)
            start += size
            query, key, value = (
                part[rows].view(1, size, -1, width).transpose(1, 2) for part in (queries, keys, values)
            )
            of_clip = torch.nn.functional.scaled_dot_product_attention(query, key, value)
            attended[rows, columns] = of_clip[0].transpose(0, 1).reshape(size, -1)
    return attended


def _some_columns(projection: _Linear, x: torch.Tensor, columns: slice) -> torch.Tensor:
    from solutions.networks.linear import linear

    return linear(x, projection.weight[columns], None if projection.bias is None else projection.bias[columns])
