"""Networks of clips without their classifiers: feature maps are pooled over space, so that rows over time remain."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from harness.settings import Settings
from solutions.networks.seeding import seeded
from solutions.networks.slowfast import SlowFast
from solutions.networks.state import load_exactly
from solutions.networks.videomae import VideoMAE
from solutions.weights.store import load_weights

Video = Literal["r3d_18", "r2plus1d_18", "s3d", "swin3d_t", "slowfast", "videomae-small", "videomae-base"]

_CLASSIFIERS = re.compile(r"(fc|classifier|head|fc_norm)\..*|blocks\.6\.proj\..*")
_LAST_NORM = "layernorm.weight"  # in VideoMAE, except for checkpoints that pool tokens by their mean
_CHANNELS_FIRST = (0, 4, 1, 2, 3)


_OTHERWISE = (
    "run vd/motion-skeleton-smooth, which needs no download; or try the pipe with --weights random, which says nothing "
    "of the network"
)


def make_video_network(video: Video, weights: str | None, settings: Settings) -> nn.Module:
    """Return a network of clips, from normalised float32 ``(b, 3, t, h, w)`` to ``(b, dim, t')``.

    Args:
        video: the network.
        weights: name of the weights in ``abaw weights``; ``None`` for random weights, the same each time.
        settings: location of the weights.

    Raises:
        MissingDependencyError: the weights are missing.
        SolutionError: the imported weights belong to another network.
    """
    if weights is None:
        with seeded(0):
            return PooledOverSpace(_build(video, normalised=video == "videomae-base"))
    tensors = _without_classifier(load_weights(weights, settings, otherwise=_OTHERWISE).tensors)
    network = _build(video, normalised=_LAST_NORM in tensors)
    load_exactly(network, tensors, source=weights)
    return PooledOverSpace(network)


class PooledOverSpace(nn.Module):
    """Network whose feature maps, one or several at their own rates, are averaged over space and concatenated."""

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network from clips to one or several maps."""
        super().__init__()
        self.network = network

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return ``(b, dim, t')`` for clips ``(b, 3, t, h, w)``, where t' is the rate of the fastest map."""
        maps = self.network(clips)
        pooled = [each.mean((3, 4)).float() for each in (maps if isinstance(maps, tuple) else (maps,))]
        longest = max(rows.shape[2] for rows in pooled)
        return torch.cat([stretched(rows, longest) for rows in pooled], 1)


def stretched(rows: torch.Tensor, n: int) -> torch.Tensor:
    """Return rows ``(b, d, t)`` resampled to n points of time, ``(b, d, n)``, linear between their centres."""
    if rows.shape[2] == n:
        return rows
    return functional.interpolate(rows, size=n, mode="linear", align_corners=False)


class _Permuted(nn.Module):
    """Permutation of channels to the front, the layout of convolutions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(_CHANNELS_FIRST)


def _build(video: Video, *, normalised: bool) -> nn.Module:
    """Return the network up to its last maps, with the names of parameters in the published files.

    Args:
        video: the network.
        normalised: True if a layer norm follows VideoMAE's last layer.
    """
    from torchvision.models import video as torchvision

    match video:
        case "slowfast":
            return SlowFast()
        case "videomae-small":
            return VideoMAE(384, 6, normalised=normalised)
        case "videomae-base":
            return VideoMAE(768, 12, normalised=normalised)
        case "swin3d_t":
            whole = torchvision.swin3d_t()
            return _trunk(whole, "patch_embed", "pos_drop", "features", "norm").append(_Permuted())
        case "s3d":
            return _trunk(torchvision.s3d(), "features")
        case "r3d_18" | "r2plus1d_18":
            whole = getattr(torchvision, video)()
            return _trunk(whole, "stem", "layer1", "layer2", "layer3", "layer4")


def _trunk(network: nn.Module, *children: str) -> nn.Sequential:
    return nn.Sequential(OrderedDict((name, network.get_submodule(name)) for name in children))


def _without_classifier(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    named = {_renamed(key): value for key, value in tensors.items()}
    return {key: value for key, value in named.items() if not _CLASSIFIERS.fullmatch(key)}


def _renamed(key: str) -> str:
    """Return our name of a tensor: VideoMAE's files have a prefix, and names from before transformers 5."""
    return key.removeprefix("videomae.").replace(".q_bias", ".query.bias").replace(".v_bias", ".value.bias")
