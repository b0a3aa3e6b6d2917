"""A small set of drawn films, and recipes cut down to it: a few frames, small pictures, a step or two of training.

Backbones can be cut down, too; those of full size are tried by ``test_clip_backbones.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset, Video
from harness.system.images import opencv
from harness.tasks import VD
from solutions.clips.settings import ClipStream, Windows
from solutions.recipe import Recipe

LENGTHS = {"train": (18, 14, 12), "val": (15, 13, 9), "test": (14, 5)}


def drawn(root: Path, lengths: Mapping[str, tuple[int, ...]] = LENGTHS) -> Dataset:
    """Films in which a square moves about while there is violence."""
    splits = {}
    for split, of in lengths.items():
        seeds, labelled = range(100 * len(split), 100 * len(split) + len(of)), split != "test"
        splits[split] = [
            film(root, f"{split}{seed}", n, seed=seed, labelled=labelled) for seed, n in zip(seeds, of, strict=True)
        ]
    return Dataset("drawn films", root, VD, splits)


def film(root: Path, name: str, n: int, *, seed: int = 0, labelled: bool = True, missing: Iterable[int] = ()) -> Video:
    """One film of ``n`` frames; those missing, numbered from 1, have no picture."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) // 6 + seed) % 2
    back, at = rng.integers(60, 120, (36, 48, 3)), np.array([12, 16])
    folder = root / name
    folder.mkdir(parents=True)
    for k, violent in enumerate(labels):
        if violent:
            at = rng.integers(0, [24, 36])
        image = back + rng.integers(-4, 5, back.shape)
        image[at[0] : at[0] + 12, at[1] : at[1] + 12] = (220, 40, 40)
        if k + 1 not in missing:
            encoded = opencv().imencode(".jpg", image.astype(np.uint8)[..., ::-1])[1]
            (folder / f"{k + 1:05d}.jpg").write_bytes(encoded.tobytes())
    if labelled and n > 10:
        labels[3] = VD.invalid
    return Video(name, n, labels if labelled else None, image_folder=folder)


def cut_down(recipe: Recipe) -> Recipe:
    """The same recipe, of which only sizes are smaller."""
    return replace(recipe, streams=tuple(_cut_down(stream) for stream in recipe.streams))


def _cut_down(stream: object) -> object:
    if not isinstance(stream, ClipStream):
        return stream
    training = replace(stream.training, clip_length=8, batch=2, accumulate=1, epochs=1, epoch_clips=4)
    windows = Windows(8, 8, stream.windows.step)
    network = stream.network
    small = replace(network, size=32, hidden=min(network.hidden, 32), fused=min(network.fused, 32))
    base = stream.rgb_base and _cut_down(stream.rgb_base)
    return replace(stream, network=small, training=training, windows=windows, rgb_base=base)


TIMM = {
    "convnext_tiny.in12k_ft_in1k": ("test_convnext", 64),
    "convnext_tiny.fb_in1k": ("test_convnext", 64),
    "efficientnet_b0.ra_in1k": ("test_efficientnet", 256),
    "resnet18.tv_in1k": ("test_resnet", 96),
}
"""timm's networks: one of the same kind with few layers, and its columns."""

VIDEO = {
    "r3d_18.kinetics400": 64,
    "s3d.kinetics400": 40,
    "r2plus1d_18.kinetics400": 64,
    "swin3d_t.kinetics400": 48,
    "slowfast_r50": 144,
    "videomae-small": 48,
    "videomae-crime": 96,
}
"""Networks of clips, and the columns of those with few layers and channels."""


@contextmanager
def small_backbones() -> Iterator[None]:
    """Give every backbone few layers and channels, until the block ends; names, inputs and kinds of layers stay.

    What asks for published weights still asks for those of full size.
    """
    from torchvision.models import video as torchvision
    from torchvision.models.video.resnet import VideoResNet

    from solutions.networks import backbones, slowfast
    from solutions.networks import clips as videos

    create, make_layer = backbones.create_timm_network, VideoResNet._make_layer

    def created(name: str, *, pretrained: bool) -> object:
        return create(name if pretrained else TIMM[name][0], pretrained=pretrained)

    def layer(self: object, block: object, make: object, planes: int, blocks: int, stride: int = 1) -> object:
        return make_layer(self, block, make, planes // 8, 1, stride)

    with pytest.MonkeyPatch.context() as patch:
        for name, dim in {**{name: dim for name, (_, dim) in TIMM.items()}, **VIDEO}.items():
            patch.setitem(backbones.BACKBONES, name, replace(backbones.BACKBONES[name], dim=dim))
        patch.setattr(backbones, "create_timm_network", created)
        patch.setattr(VideoResNet, "_make_layer", layer)
        patch.setattr(torchvision, "s3d", _small_s3d)
        patch.setattr(torchvision, "swin3d_t", _small_swin)
        patch.setattr(slowfast, "_STEM", 16)
        patch.setattr(slowfast, "_STAGES", ((32, 1), (64, 1), (64, 1), (128, 1)))
        patch.setattr(videos, "VideoMAE", _small_videomae)
        yield


def _small_s3d() -> object:
    from torch import nn
    from torchvision.models.video.s3d import SepInceptionBlock3D, TemporalSeparableConv

    norm = partial(nn.BatchNorm3d, eps=0.001, momentum=0.001)
    stem, pool = TemporalSeparableConv(3, 16, 7, 2, 3, norm), nn.MaxPool3d(3, 2, 1)
    block = SepInceptionBlock3D(16, 8, 8, 16, 4, 8, 8, norm)
    return nn.ModuleDict({"features": nn.Sequential(stem, pool, block)})


def _small_swin() -> object:
    from torchvision.models.video.swin_transformer import SwinTransformer3d

    return SwinTransformer3d([2, 4, 4], 24, [1, 1], [2, 4], [8, 7, 7], stochastic_depth_prob=0.1)


def _small_videomae(dim: int, heads: int, *, normalised: bool) -> object:
    from solutions.networks.videomae import VideoMAE

    return VideoMAE(dim // 8, heads // 3, layers=1, normalised=normalised)
