"""Convolutions of wav2vec 2.0 and HuBERT over one clip, as matrix products with channels last.

A step of a convolution sees consecutive rows, which are side by side in memory: ``(t, channels)`` becomes
``(t', width * channels)`` by strides, without a copy. Layer norms and GELU then run along contiguous memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

KERNELS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))
"""Width and stride of the convolutions (wav2vec 2.0, section 4.2)."""

STEP, WINDOW = 320, 400
"""Samples from one row to the next, and samples that the convolutions see for one row: 20 and 25 ms."""

_SLICE = 16
"""Rows for which the convolutions run at a time on a CPU. Their first layer is 64 times as long, and 512 channels wide:
2 MB, which fits in a core's share of the cache. Without slices, 360 s would need 6 GB."""

_SLICE_ELSEWHERE = 512


_ROWS = 64
"""Rows for which the convolution of positions runs at a time: each has 8,192 columns."""


@dataclass(frozen=True)
class _Convolution:
    """One convolution.

    Attributes:
        kernel: ``(outputs, width * inputs)``.
        bias: ``(outputs,)``, or ``None``.
        norm: layer norm over the channels, or ``None``.
        width: rows under the kernel.
        stride: rows from one step to the next.
    """

    kernel: torch.Tensor
    bias: torch.Tensor | None
    norm: Any
    width: int
    stride: int

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activated output, float32 ``(t', outputs)``, of rows float32 ``(t, inputs)``."""
        import torch
        from torch.nn import functional

        from solutions.networks.linear import linear, linear_gelu

        steps, inputs = (len(x) - self.width) // self.stride + 1, x.shape[1]
        columns = x.as_strided((steps, self.width * inputs), (self.stride * inputs, 1), x.storage_offset())
        if self.norm is None:
            return linear_gelu(columns, self.kernel, self.bias)
        x = linear(columns, self.kernel, self.bias)
        del columns  # releases the previous layer's rows, because threads retain their largest use of memory
        x = functional.layer_norm(x, self.norm.normalized_shape, self.norm.weight, self.norm.bias, self.norm.eps)
        return torch.ops.aten.gelu_(x)  # type: ignore[no-any-return]


class Convolutions:
    """Feature extractor of a torchaudio network of this family.

    Args:
        feature_extractor: torchaudio's module, whose ``conv_layers`` have the kernels of ``KERNELS``.
    """

    def __init__(self, feature_extractor: Any) -> None:
        """Copy the kernels with channels last."""
        import torch

        first = feature_extractor.conv_layers[0]
        self._group_norm = first.layer_norm if isinstance(first.layer_norm, torch.nn.GroupNorm) else None
        self._layers = []
        with torch.no_grad():
            for layer, (width, stride) in zip(feature_extractor.conv_layers, KERNELS, strict=True):
                kernel = layer.conv.weight.transpose(1, 2).flatten(1).contiguous()
                norm = None if layer.layer_norm is self._group_norm else layer.layer_norm
                self._layers.append(_Convolution(kernel, layer.conv.bias, norm, width, stride))

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the rows of a clip, computed one slice at a time.

        A row sees 400 samples, so that slices are exact. The exception is the group norm, whose mean and variance are
        computed over the whole clip first.

        Args:
            samples: float32 ``(n,)``.

        Returns:
            float32 ``(rows, channels)``.
        """
        first, *others = self._layers
        if self._group_norm is not None:
            first = self._normalised_over_time(first, samples)
        n = (len(samples) - WINDOW) // STEP + 1
        rows = samples.new_empty(n, len(self._layers[-1].kernel))
        each = _SLICE if samples.device.type == "cpu" else _SLICE_ELSEWHERE
        for start in range(0, n, each):
            stop = min(start + each, n)
            x = samples[start * STEP : (stop - 1) * STEP + WINDOW, None]
            for layer in (first, *others):
                x = layer(x)
            rows[start:stop] = x
        return rows

    def _normalised_over_time(self, layer: _Convolution, samples: torch.Tensor) -> _Convolution:
        """Return the first convolution with its group norm folded in, as a scale and a shift of each channel.

        A channel is its kernel times the window of samples. Its mean and variance over time therefore follow from
        those of the windows: ``w m`` and ``w C w'``, without computing the channel.
        """
        import torch

        norm: Any = self._group_norm
        windows = samples.unfold(0, layer.width, layer.stride)
        mean = windows.mean(0, dtype=torch.float64)
        squares = torch.zeros(layer.width, layer.width, dtype=torch.float64, device=samples.device)
        for piece in windows.split(1 << 18):
            centred = piece.double() - mean
            squares += centred.T @ centred
        kernel = layer.kernel.double()
        scale = norm.weight.double() / torch.sqrt(((kernel @ (squares / len(windows))) * kernel).sum(1) + norm.eps)
        shift = norm.bias.double() - (kernel @ mean) * scale  # a bias before the norm has no effect
        return _Convolution((kernel * scale[:, None]).float(), shift.float(), None, layer.width, layer.stride)


class PositionConvolution:
    """Grouped convolution that encodes the position of rows, as one matrix product per group.

    Args:
        convolution: ``torch.nn.Conv1d`` with padding of half its width.
    """

    def __init__(self, convolution: Any) -> None:
        """Copy the kernels with channels last."""
        import torch

        self._width = int(convolution.kernel_size[0])
        self._bias: torch.Tensor = convolution.bias
        with torch.no_grad():
            kernels = convolution.weight.transpose(1, 2).flatten(1).contiguous()
        self._kernels: tuple[torch.Tensor, ...] = kernels.chunk(convolution.groups)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activated output, float32 ``(t, channels)``, of one clip's rows, float32 ``(t, channels)``."""
        import torch

        from solutions.networks.linear import linear

        n, channels = x.shape
        inputs = channels // len(self._kernels)
        padded = x.new_zeros(len(self._kernels), n + self._width - 1, inputs)
        before = self._width // 2
        padded[:, before : before + n] = x.view(n, -1, inputs).transpose(0, 1)
        rows = torch.empty_like(x)
        for start in range(0, n, _ROWS):
            stop = min(start + _ROWS, n)
            for group, kernel in enumerate(self._kernels):
                window = padded[group, start : stop + self._width - 1]
                shape = (stop - start, self._width * inputs)
                columns = window.as_strided(shape, (inputs, 1), window.storage_offset())
                rows[start:stop, group * inputs : (group + 1) * inputs] = linear(columns, kernel, None)
        return torch.nn.functional.gelu(rows.add_(self._bias))
