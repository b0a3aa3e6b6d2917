"""Networks of clips, without their classifiers: maps pooled over space, a column of rows over time."""

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
_LAST_NORM = "layernorm.weight"  # of VideoMAE; checkpoints that pool tokens by their mean have none
_CHANNELS_FIRST = (0, 4, 1, 2, 3)


_OTHERWISE = (
    "run vd/motion-skeleton, which needs no download; or try the pipe with --weights random, which says nothing of the "
    "network"
)


def make_video_network(video: Video, weights: str | None, settings: Settings) -> nn.Module:
    """A network of clips: float32 ``(b, 3, t, h, w)``, normalised, to ``(b, dim, t')``.

    Args:
        weights: their name in ``abaw weights``; ``None`` for random ones, the same each time.

    Raises:
        MissingDependencyError: they are not here.
        SolutionError: what was imported are not the weights of this network.
    """
    if weights is None:
        with seeded(0):
            return PooledOverSpace(_build(video, normalised=video == "videomae-base"))
    tensors = _without_classifier(load_weights(weights, settings, otherwise=_OTHERWISE).tensors)
    network = _build(video, normalised=_LAST_NORM in tensors)
    load_exactly(network, tensors, source=weights)
    return PooledOverSpace(network)


class PooledOverSpace(nn.Module):
    """The network's maps, one or several at their own rates, averaged over space and put side by side."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """``(b, 3, t, h, w)`` to ``(b, dim, t')``, where t' is the rate of the fastest map."""
        maps = self.network(clips)
        pooled = [one.mean((3, 4)).float() for one in (maps if isinstance(maps, tuple) else (maps,))]
        longest = max(rows.shape[2] for rows in pooled)
        return torch.cat([stretched(rows, longest) for rows in pooled], 1)


def stretched(rows: torch.Tensor, n: int) -> torch.Tensor:
    """Rows ``(b, d, t)`` at n points of time, ``(b, d, n)``, linear between their centres."""
    if rows.shape[2] == n:
        return rows
    return functional.interpolate(rows, size=n, mode="linear", align_corners=False)


class _Permuted(nn.Module):
    """Channels in front, as convolutions have them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(_CHANNELS_FIRST)


def _build(video: Video, *, normalised: bool) -> nn.Module:
    """The network up to its last maps, names of parameters as in the published files.

    Args:
        normalised: of VideoMAE, whether a layer norm stands behind the last layer.
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
    named = {_own_name(key): value for key, value in tensors.items()}
    return {key: value for key, value in named.items() if not _CLASSIFIERS.fullmatch(key)}


def _own_name(key: str) -> str:
    """VideoMAE's files have a prefix, and names from before transformers 5."""
    return key.removeprefix("videomae.").replace(".q_bias", ".query.bias").replace(".v_bias", ".value.bias")
