"""SlowFast R50, 8 x 8 (Feichtenhofer et al., ICCV 2019), without its classifier.

Names of parameters are those of the published checkpoint ``SLOWFAST_8x8_R50.pyth``. Its package, PyTorchVideo 0.1.5,
fails to import with this torchvision.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

ALPHA = 4
"""Step between the frames of the slow pathway."""

SLOW, FAST = 2048, 256
"""Channels of the two pathways' last maps."""

_BETA = 8  # ratio of the slow pathway's channels to the fast pathway's
_LATERAL = 2  # a lateral connection doubles the fast pathway's channels on its way to the slow one
_STEM = 64
_STAGES = ((256, 3), (512, 4), (1024, 6), (2048, 3))  # channels of the slow pathway, residual blocks
_SLOW_SEES_TIME = (1, 1, 3, 3)  # frames that a slow block's first convolution covers, by stage

_Pathways = tuple[torch.Tensor, torch.Tensor]


class SlowFast(nn.Module):
    """Network from a clip to the last maps of both pathways."""

    def __init__(self) -> None:
        """Create the stages of both pathways."""
        super().__init__()
        widths = [_STEM, *(channels for channels, _ in _STAGES)]
        self.blocks = nn.ModuleList([_Stage(_Stem(_STEM, 1), _Stem(_STEM // _BETA, 5), _Lateral(_STEM // _BETA))])
        for k, (ins, outs) in enumerate(pairwise(widths)):
            stride, depth = 1 if k == 0 else 2, _STAGES[k][1]
            slow = _Residuals(ins + _LATERAL * ins // _BETA, outs, depth, _SLOW_SEES_TIME[k], stride)
            fast = _Residuals(ins // _BETA, outs // _BETA, depth, 3, stride)
            last = k == len(_STAGES) - 1
            self.blocks.append(_Stage(slow, fast, nn.Identity() if last else _Lateral(outs // _BETA)))

    def forward(self, clips: torch.Tensor) -> _Pathways:
        """Return the last maps of normalised clips ``(b, 3, t, h, w)``.

        Returns:
            The slow map ``(b, 2048, ceil(t / 4), h', w')``, and the fast map ``(b, 256, t, h', w')``.
        """
        pathways = clips[:, :, ::ALPHA], clips
        for block in self.blocks:
            pathways = block(pathways)
        return pathways


class _Stage(nn.Module):
    """One stage of both pathways, followed by the lateral connection from fast to slow."""

    def __init__(self, slow: nn.Module, fast: nn.Module, lateral: nn.Module) -> None:
        super().__init__()
        self.multipathway_blocks = nn.ModuleList([slow, fast])
        self.multipathway_fusion = lateral

    def forward(self, pathways: _Pathways) -> _Pathways:
        slow, fast = (block(x) for block, x in zip(self.multipathway_blocks, pathways, strict=True))
        return self.multipathway_fusion((slow, fast))


class _Lateral(nn.Module):
    """Connection from fast to slow: a convolution over 7 frames with stride 4, concatenated with the slow channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_fast_to_slow = _convolution(channels, _LATERAL * channels, (7, 1, 1), (ALPHA, 1, 1))
        self.norm = nn.BatchNorm3d(_LATERAL * channels)

    def forward(self, pathways: _Pathways) -> _Pathways:
        slow, fast = pathways
        return torch.cat([slow, self.norm(self.conv_fast_to_slow(fast)).relu()], 1), fast


class _Stem(nn.Module):
    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.conv = _convolution(3, channels, (frames, 7, 7), (1, 2, 2))
        self.norm = nn.BatchNorm3d(channels)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(self.norm(self.conv(x)).relu())


class _Residuals(nn.Module):
    def __init__(self, ins: int, outs: int, depth: int, frames: int, stride: int) -> None:
        super().__init__()
        first = _Residual(ins, outs, frames, stride, projected=True)
        rest = [_Residual(outs, outs, frames, 1, projected=False) for _ in range(depth - 1)]
        self.res_blocks = nn.ModuleList([first, *rest])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.res_blocks:
            x = block(x)
        return x


class _Residual(nn.Module):
    """Bottleneck plus its input, which is projected if channels or size change."""

    def __init__(self, ins: int, outs: int, frames: int, stride: int, *, projected: bool) -> None:
        super().__init__()
        if projected:
            self.branch1_conv = _convolution(ins, outs, (1, 1, 1), (1, stride, stride))
            self.branch1_norm = nn.BatchNorm3d(outs)
        self.branch2 = _Bottleneck(ins, outs // 4, outs, frames, stride)
        self.projected = projected

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skipped = self.branch1_norm(self.branch1_conv(x)) if self.projected else x
        return (skipped + self.branch2(x)).relu()


class _Bottleneck(nn.Module):
    def __init__(self, ins: int, inner: int, outs: int, frames: int, stride: int) -> None:
        super().__init__()
        self.conv_a = _convolution(ins, inner, (frames, 1, 1))
        self.norm_a = nn.BatchNorm3d(inner)
        self.conv_b = _convolution(inner, inner, (1, 3, 3), (1, stride, stride))
        self.norm_b = nn.BatchNorm3d(inner)
        self.conv_c = _convolution(inner, outs, (1, 1, 1))
        self.norm_c = nn.BatchNorm3d(outs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm_a(self.conv_a(x)).relu()
        x = self.norm_b(self.conv_b(x)).relu()
        return self.norm_c(self.conv_c(x))


def _convolution(
    ins: int, outs: int, kernel: tuple[int, int, int], stride: tuple[int, int, int] = (1, 1, 1)
) -> nn.Conv3d:
    """Return a convolution whose padding keeps the size, except for the stride."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Conv3d(ins, outs, kernel, stride, padding, bias=False)
